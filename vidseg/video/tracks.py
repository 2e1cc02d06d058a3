"""What goes on beside the pictures: all sound and subtitles, copied as they are, with their languages, and chapters."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from vidseg.video.codec import Container
from vidseg.video.demux import clock_origin, open_input, skip_others, video_stream

log = logging.getLogger(__name__)

KINDS = {"audio": "sound", "subtitle": "subtitles"}
"""FFmpeg's types of streams that are copied, and what messages call them."""
EARLIEST = -(2**63)


class Track(NamedTuple):
    """A stream of an output, by the number of the source's stream: stamps are less by ``shift``, from ``first`` on."""

    stream: Stream
    shift: int
    first: int


def has_tracks(container: InputContainer) -> bool:
    """Whether an opened file has sound, subtitles or chapters."""
    return any(stream.type in KINDS for stream in container.streams) or bool(container.chapters())


class Tracks:
    """Copies sound, subtitles and chapters of ``source`` into ``output``, whose header isn't written yet.

    Languages, titles and which track is the default go on. What is before ``offset_s`` (seconds of the source) is left
    out, and what comes later shifted by it; chapters end at ``end_s``, seconds of the output. Packets are read when
    they are needed, so that memory is constant. What the container can't hold is left out, and one warning says so.
    """

    def __init__(
        self, source: Path, output: OutputContainer, container: Container, offset_s: float, end_s: float | None
    ) -> None:
        self._source, self._offset_s, self._output, self._container = source, Fraction(offset_s), output, container
        self._packets: Iterator[av.Packet[Any]] = iter(())
        self._tracks: dict[int, Track] = {}
        self.sound_clocks: list[int] = []
        """The denominators of the time bases of the sound."""
        self._warned = False
        with ExitStack() as resources:
            self._open(resources.enter_context(open_input(source)), end_s)
            self._next = self._read()
            self._resources = resources.pop_all()

    def _open(self, file: InputContainer, end_s: float | None) -> None:
        left_out = []
        wanted = [stream for stream in file.streams if stream.type in KINDS]
        for stream in wanted:
            codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
            if stream.codec_context is not None and self._container.holds(stream.type, codec):
                self._tracks[stream.index] = self._add(file, stream, codec)
            else:
                language = f", {stream.language}" if stream.language not in (None, "und") else ""
                left_out.append(f"{KINDS[stream.type]} ({codec}{language})")
        chapters = self._chapters(file, end_s)
        if chapters and self._container.chapters:
            self._output.set_chapters(chapters)
        elif chapters:
            left_out.append("chapters")
        if left_out:
            text = "%s: left out, as %s can't hold it: %s"
            log.warning(text, self._source.name, self._container.muxer, "; ".join(left_out))
        copied = [stream for stream in wanted if stream.index in self._tracks]
        if not copied:
            return
        skip_others(file, copied)
        if self._offset_s > 0:
            leading = next((stream for stream in copied if stream.type == "audio"), copied[0])
            file.seek(self._tracks[leading.index].shift, stream=leading)
        self._packets = (packet for packet in file.demux(copied) if self._begins(packet))

    def _add(self, file: InputContainer, stream: Stream, codec: str) -> Track:
        """Makes a stream of the output."""
        added: Any = self._output.add_stream_from_template(stream)
        title = stream.metadata.get("title") or stream.metadata.get("name")  # MOV and MP4 have "name"
        described = {"language": stream.language, "title": title}
        added.metadata.update({key: value for key, value in described.items() if value})
        added.disposition = stream.disposition
        if stream.type == "audio":
            self.sound_clocks.append(Fraction(stream.time_base or 1).denominator)
        shift = round((clock_origin(file) + self._offset_s) / Fraction(stream.time_base or 1))
        # An AAC track begins with packets before time 0, the encoder's priming. MP4 and MOV keep them. Matroska would
        # shift sound and pictures to begin at 0 with them, except for Opus, whose priming it knows.
        late = self._offset_s > 0 or (self._container.starts_at_zero and codec != "opus")
        return Track(added, shift, shift if late else EARLIEST)

    def languages(self) -> dict[int, str]:
        """Those that are known, by the numbers of the output's streams."""
        copied = [track.stream for track in self._tracks.values()]
        return {stream.index: stream.language for stream in copied if stream.language}

    def _begins(self, packet: "av.Packet[Any]") -> bool:
        """Whether a packet is copied. A subtitle that begins before the first picture and goes on is cut."""
        if packet.pts is None:
            return False
        first = self._tracks[packet.stream.index].first
        if packet.pts < first and packet.stream.type == "subtitle" and packet.pts + (packet.duration or 0) > first:
            packet.duration = packet.pts + (packet.duration or 0) - first
            packet.pts = packet.dts = first
        return bool(packet.pts >= first)

    def _chapters(self, file: InputContainer, end_s: float | None) -> list[Any]:
        """The chapters of what is taken, in milliseconds of the output."""
        taken: list[Any] = []
        for chapter in file.chapters():
            clock, shift = Fraction(chapter["time_base"] or 1), clock_origin(file) + self._offset_s
            start, end = max(chapter["start"] * clock - shift, Fraction(0)), chapter["end"] * clock - shift
            end = end if end_s is None else min(end, Fraction(end_s))
            if end > start:
                stamps = {"start": round(start * 1000), "end": round(end * 1000), "time_base": Fraction(1, 1000)}
                taken.append({"id": len(taken) + 1, **stamps, "metadata": chapter["metadata"]})
        return taken

    def copy(self, until_s: float | None) -> None:
        """Writes the packets that begin before ``until_s`` (seconds of the output); None: all that are left."""
        while (packet := self._next) is not None:
            assert packet.pts is not None
            track = self._tracks[packet.stream.index]
            pts = packet.pts - track.shift
            if until_s is not None and pts * Fraction(packet.time_base or 1) >= until_s:
                return
            packet.dts = pts if packet.dts is None else packet.dts - track.shift
            packet.pts = pts
            packet.stream = track.stream
            with self._without_damage():
                self._output.mux(packet)
            self._next = self._read()

    def _read(self) -> "av.Packet[Any] | None":
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
        """Writes the rest. A whole video keeps the sound after its last picture; an extract ends at ``end_s``, the end
        of its last frame in seconds of the output. ``frame_s`` is the length of a frame."""
        if self._next is not None:
            self.copy(end_s if self._pictures_go_on(end_s + float(self._offset_s) + frame_s / 2) else None)

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
