"""Opening a file with FFmpeg: its picture and sound streams, the start of its clock, and clear errors.

Knows nothing about decoding. Don't read an attribute of a stream after its container is closed: PyAV 18 reads freed
memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

from vidseg.errors import InputError
from vidseg.video.truncation import lacks_index

NOT_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
"""Cover art and thumbnails, which FFmpeg lists as video streams."""

CLOCKS_WITHOUT_ZERO = {"mpegts", "mpeg", "rtp", "rtsp", "hls"}
"""Broadcast formats: their first time stamp may be any time, hours for example."""


def check_file(path: Path) -> None:
    """Raises InputError unless ``path`` is a file that isn't empty (opening a pipe would wait forever)."""
    try:
        if not path.exists():
            raise InputError(f"video: no such file or folder: {path} (looked for in {Path.cwd()})")
        if not path.is_file():
            raise InputError(f"video: {path} is neither a file nor a folder")
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"video: {path} is empty")
    except PermissionError as error:
        raise InputError(f"video: {path} can't be read: permission denied") from error
    if lacks_index(path):
        raise InputError(
            f"video: {path} has no index (moov): recording or copying it was interrupted\n"
            "Copy it again, or repair it with a tool such as untrunc."
        )


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
        raise InputError(f"video: {path} is not a video that FFmpeg can read ({_reason(error)})") from error
    with container:
        yield container


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The stream of pictures; all others are skipped from now on. Raises InputError if there is none."""
    name = container.format.name
    if "image2" in name or name.endswith("_pipe"):
        raise InputError(f"video: {path} is a single image; give a video, or a folder of numbered images")
    candidates = [s for s in container.streams.video if not s.disposition & NOT_PICTURES]
    if name == "tty" or not candidates:
        what = "has sound but no pictures" if container.streams.audio else "is not a video"
        raise InputError(f"video: {path} {what}")
    best = container.streams.best("video")
    stream: av.VideoStream = best if best in candidates else candidates[0]
    if stream.codec_context is None:
        raise InputError(f"video: {path}: this FFmpeg has no decoder for its pictures")
    skip_others(container, stream)
    return stream


def audio_stream(container: InputContainer) -> av.AudioStream | None:
    """The audio stream that FFmpeg would play, or None."""
    stream = container.streams.best("audio") if container.streams.audio else None
    return stream if stream is not None and stream.codec_context is not None else None


def skip_others(container: InputContainer, stream: Stream) -> None:
    """Keeps the demuxer from reading any other stream."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


def clock_origin(container: InputContainer) -> Fraction:
    """The time stamp in seconds that is time 0: 0, but for broadcast formats the start of the file."""
    if container.format.name not in CLOCKS_WITHOUT_ZERO:
        return Fraction(0)
    streams = [*container.streams.video, *container.streams.audio]
    starts = [s.start_time * Fraction(s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return min(starts, default=Fraction(0))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
