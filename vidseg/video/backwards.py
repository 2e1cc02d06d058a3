"""Frames from a position back to the first, for tracking towards the start of a video. Knows nothing about files."""

from collections.abc import Generator, Sequence
from typing import Protocol

from vidseg.types import Frame

CHUNK_BYTES = 64 * 2**20
"""Of RGB, decoded forward and given out in reverse: 24 frames of 720p. Each chunk costs a seek to a key frame and all
frames from there, so that larger ones decode less often. One is held at a time, and the few frames of the chunk after
it (later in the video) that wait in the queue of ``prefetch``."""
CHUNK_FRAMES = 8
"""At least, however large the frames: a chunk of one would decode a whole group of pictures for each frame."""


class Seekable(Protocol):
    """What can be read one frame at a time."""

    frames: Sequence[int]

    def __getitem__(self, index: int) -> Frame: ...


def one_by_one(source: Seekable, position: int) -> Generator[Frame]:
    """``source.frames[position]`` to ``source.frames[0]``, where each costs the same: folders, and what is drawn."""
    for place in range(position, -1, -1):
        yield source[source.frames[place]]


def chunks(frames: Sequence[int], position: int, frame_bytes: int) -> Generator[Sequence[int]]:
    """``frames[: position + 1]`` in consecutive parts, the last one first."""
    size = max(CHUNK_FRAMES, CHUNK_BYTES // frame_bytes)
    for end in range(position + 1, 0, -size):
        yield frames[max(0, end - size) : end]
