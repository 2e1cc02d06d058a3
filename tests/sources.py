"""A source over an array, and moving pictures to fill it with."""

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB, Frame, Prompt, VideoInfo


class ArraySource:
    """The frames ``frames`` of a clip (frames, h, w, 3); ``fails_at`` is the position at which reading it fails."""

    name = "array"
    audio: Path | None = None
    offset_s = 0.0
    prompts: tuple[Prompt, ...] = ()

    def __init__(
        self, clip_nhw3: NDArray[np.uint8], frames: Sequence[int] | None = None, fails_at: int | None = None
    ) -> None:
        self._clip_nhw3 = clip_nhw3
        num_frames, height, width, _ = clip_nhw3.shape
        self.frames: Sequence[int] = range(num_frames) if frames is None else frames
        self.info = VideoInfo(width, height, Fraction(25), num_frames, Fraction(1, 25))
        self.fails_at = fails_at
        self.closed = False
        self.sought: list[int] = []

    def __iter__(self) -> Generator[Frame]:
        try:
            for position, index in enumerate(self.frames):
                if position == self.fails_at:
                    raise OSError("the reader failed")
                yield self._frame(index)
        finally:
            self.closed = True

    def __getitem__(self, index: int) -> Frame:
        self.sought.append(index)
        return self._frame(index)

    def _frame(self, index: int) -> Frame:
        rgb_hw3: RGB = self._clip_nhw3[index]
        return Frame(index, index / 25, rgb_hw3)

    def truth(self, index: int) -> None:
        return None

    def provenance(self) -> dict[str, str]:
        return {"path": self.name}


def moving_squares(num_frames: int, height: int = 120, width: int = 200, seed: int = 0) -> NDArray[np.uint8]:
    """(num_frames, height, width, 3): a textured background, over which a red, a green and a blue square move."""
    rng = np.random.default_rng(seed)
    background_hw3 = rng.integers(40, 160, (height, width, 3), dtype=np.uint8)
    clip_nhw3 = np.repeat(background_hw3[None], num_frames, axis=0)
    for square in range(3):
        for frame in range(num_frames):
            x, y = 15 + 50 * square + 2 * frame, 10 + 25 * square + frame
            clip_nhw3[frame, y % height : y % height + 40, x % width : x % width + 40] = 230 * np.eye(3)[square]
    return clip_nhw3
