"""A file opened with FFmpeg: its picture and sound streams, the start of its clock, and its sound copied as it is.

Knows nothing about decoding. Don't read an attribute of a stream after its container is closed: PyAV 18 reads freed
memory.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Disposition, Stream

from vidseg.errors import InputError
from vidseg.video.codec import Container

log = logging.getLogger(__name__)

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
    skip_others(container, stream)
    return stream


def pixel_shape(stream: av.VideoStream) -> Fraction:
    """A pixel's width by its height (the sample aspect ratio) in an open file; 1 if it says none that can be meant."""
    shape: Fraction = stream.sample_aspect_ratio or Fraction(1)
    return shape if 1 / LARGEST_PIXEL_SHAPE <= shape <= LARGEST_PIXEL_SHAPE else Fraction(1)


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


class Sound:
    """Copies the audio stream of ``source`` that FFmpeg would play into ``output``, whose header isn't written yet.

    Packets before ``offset_s`` (seconds of the source) are left out, and later ones are shifted by it. They are read
    when they are needed, so that memory is constant. Nothing is copied if there is no sound, or if the container can't
    hold its codec; a warning then says so.
    """

    def __init__(self, source: Path, output: OutputContainer, container: Container, offset_s: float) -> None:
        self._source, self._offset_s, self._output = source, offset_s, output
        self._packets: Iterator[av.Packet[av.AudioStream]] = iter(())
        self.time_base = Fraction(1)
        self._warned = False
        with ExitStack() as resources:
            self._open(container, resources.enter_context(open_input(source)))
            self._next = self._read()
            self._resources = resources.pop_all()

    def _open(self, container: Container, file: InputContainer) -> None:
        stream = audio_stream(file)
        if stream is None:
            return
        codec = stream.codec_context.codec.canonical_name
        if not any(codec == name or (name == "pcm_" and codec.startswith(name)) for name in container.sound):
            holds = f"holds {', '.join(container.sound)}" if container.sound else "gets no sound"
            log.warning("%s: its sound (%s) is left out: %s %s", self._source.name, codec, container.muxer, holds)
            return
        skip_others(file, stream)
        self._stream = self._output.add_stream_from_template(stream)
        self.time_base = Fraction(stream.time_base)
        self._shift = round((clock_origin(file) + Fraction(self._offset_s)) / self.time_base)
        if self._offset_s > 0:
            file.seek(self._shift, stream=stream)
        # An AAC track begins with packets before time 0, the encoder's priming. MP4 and MOV keep them. Matroska would
        # shift sound and pictures to begin at 0 with them, except for Opus, whose priming it knows.
        first = -(2**63)
        if self._offset_s > 0 or (container.starts_at_zero and codec != "opus"):
            first = self._shift
        self._packets = (packet for packet in file.demux(stream) if packet.pts is not None and packet.pts >= first)

    def copy(self, until_s: float | None) -> None:
        """Writes the packets that begin before ``until_s`` (seconds of the output); None: all that are left."""
        while (packet := self._next) is not None:
            assert packet.pts is not None
            pts = packet.pts - self._shift
            if until_s is not None and pts * self.time_base >= until_s:
                return
            packet.dts = pts if packet.dts is None else packet.dts - self._shift
            packet.pts = pts
            packet.stream = self._stream
            with self._without_damage():
                self._output.mux(packet)
            self._next = self._read()

    def _read(self) -> "av.Packet[av.AudioStream] | None":
        """The next packet; None at the end, and if the rest can't be read."""
        with self._without_damage():
            return next(self._packets, None)
        return None

    @contextmanager
    def _without_damage(self) -> Iterator[None]:
        """Within the block damaged data is skipped, with one warning. A full disk raises OSError all the same."""
        try:
            yield
        except (av.error.InvalidDataError, av.error.ArgumentError) as error:
            if not self._warned:
                self._warned = True
                log.warning("%s: damaged sound is skipped (%s)", self._source.name, error.strerror)

    def finish(self, end_s: float, frame_s: float) -> None:
        """Writes the rest of the sound. A whole video keeps the sound after its last picture; an extract ends its sound
        at ``end_s``, the end of its last frame in seconds of the output. ``frame_s`` is the length of a frame."""
        if self._next is not None:
            self.copy(end_s if self._pictures_go_on(end_s + self._offset_s + frame_s / 2) else None)

    def _pictures_go_on(self, time_s: float) -> bool:
        with open_input(self._source) as file:
            stream = video_stream(file, self._source)
            pts = round((Fraction(time_s) + clock_origin(file)) / stream.time_base)
            with self._without_damage():
                file.seek(pts, stream=stream)
                return any(p.pts is not None and p.pts >= pts and not p.is_discard for p in file.demux(stream))
        return False

    def close(self) -> None:
        """Closes the source."""
        self._next, self._packets = None, iter(())
        self._resources.close()
