"""Opening a file with FFmpeg: the streams that count, where its clock starts, and errors that a user understands.

Knows nothing about decoding. No attribute of a stream may be read after its container is closed: PyAV 18 then reads
freed memory.
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
"""Cover art and thumbnails are video streams to FFmpeg, but nobody wants them segmented."""

CLOCKS_WITHOUT_ZERO = {"mpegts", "mpeg", "rtp", "rtsp", "hls"}
"""Formats made for broadcast: their first time stamp is whatever the clock said, hours perhaps."""


def check_file(path: Path) -> None:
    """Raises InputError for what isn't a file with something in it (opening a pipe would wait for ever)."""
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
            f"video: {path} has no index (moov): it was cut off while it was recorded or copied\n"
            "Copy it again, or repair it with a tool such as untrunc."
        )


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """The opened file, closed at the end. Raises InputError (key ``video``) for what FFmpeg can't read."""
    # An absolute path can't be taken for a URL ("clip:1.mp4"), and a local playlist may not fetch from elsewhere.
    # Tags in some other encoding must not keep anybody from the pictures.
    try:
        container = av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file,crypto,data"}
        )
    except PermissionError as error:
        raise InputError(f"video: {path} may not be read: permission denied") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"video: {path} is not a video that FFmpeg can read ({_reason(error)})") from error
    with container:
        yield container


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The pictures' stream; every other stream is set to be skipped. Raises InputError if there is none."""
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
    """The stream of sound that FFmpeg would play, or None."""
    stream = container.streams.best("audio") if container.streams.audio else None
    return stream if stream is not None and stream.codec_context is not None else None


def skip_others(container: InputContainer, stream: Stream) -> None:
    """Spares the demuxer the reading of every other stream (a third of the bytes of a talk, say)."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


def clock_origin(container: InputContainer) -> Fraction:
    """The time stamp (seconds) that this file's own clock calls zero: 0, but for broadcast formats their start."""
    if container.format.name not in CLOCKS_WITHOUT_ZERO:
        return Fraction(0)
    streams = [*container.streams.video, *container.streams.audio]
    starts = [s.start_time * Fraction(s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return min(starts, default=Fraction(0))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
