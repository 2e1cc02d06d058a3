"""A file opened with FFmpeg: its picture stream, and the start of its clock.

Knows nothing about decoding. Don't read an attribute of a stream after its container is closed: PyAV 18 reads freed
memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

from vidseg.errors import InputError

LARGEST_PIXEL_SHAPE = 10
"""Pixels of 1:2 to 2:1 are real; a damaged header may say anything."""

NOT_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
"""Cover art and thumbnails, which FFmpeg lists as video streams."""

CLOCKS_WITHOUT_ZERO = {"mpegts", "mpeg", "rtp", "rtsp", "hls"}
"""Broadcast formats: their first time stamp may be any time, hours for example."""


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """The opened file, closed at the end. Raises InputError (key ``video``) if FFmpeg can't read it."""
    # An absolute path is never mistaken for a URL ("clip:1.mp4"). A local playlist may not read from the network. Tags
    # in an unknown encoding are no reason to refuse a file.
    try:
        container = av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file,crypto,data"}
        )
    except PermissionError as error:
        raise InputError(f"video: {path} can't be read: permission denied") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"video: {path} is not a video that FFmpeg can read ({reason})") from error
    with container:
        yield container


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The stream of pictures; all others are skipped from now on. Raises InputError if there is none."""
    name = container.format.name
    if "image2" in name or name.endswith("_pipe"):
        raise InputError(f"video: {path} is a single image of a kind that isn't read; save it as a JPEG or PNG")
    candidates = [s for s in container.streams.video if not s.disposition & NOT_PICTURES]
    if name == "tty" or not candidates:
        what = "has sound but no pictures" if container.streams.audio else "is not a video"
        raise InputError(f"video: {path} {what}")
    best = container.streams.best("video")
    stream: av.VideoStream = best if best in candidates else candidates[0]
    if stream.codec_context is None:
        raise InputError(f"video: {path}: this FFmpeg has no decoder for its pictures")
    skip_others(container, [stream])
    return stream


def pixel_shape(stream: av.VideoStream) -> Fraction:
    """A pixel's width by its height (the sample aspect ratio) in an open file; 1 if it says none that can be meant."""
    shape: Fraction = stream.sample_aspect_ratio or Fraction(1)
    return shape if 1 / LARGEST_PIXEL_SHAPE <= shape <= LARGEST_PIXEL_SHAPE else Fraction(1)


def skip_others(container: InputContainer, streams: Sequence[Stream]) -> None:
    """Keeps the demuxer from reading any other streams."""
    wanted = {stream.index for stream in streams}
    for other in container.streams:
        if other.index not in wanted:
            other.discard = Discard.all


def clock_origin(container: InputContainer) -> Fraction:
    """The time stamp in seconds that is time 0: 0, but for broadcast formats the start of the file."""
    if container.format.name not in CLOCKS_WITHOUT_ZERO:
        return Fraction(0)
    streams = [*container.streams.video, *container.streams.audio]
    starts = [s.start_time * Fraction(s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return min(starts, default=Fraction(0))
