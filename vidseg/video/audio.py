"""The sound of the source, copied packet by packet into an output, without decoding. Knows nothing about pictures."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from av import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from vidseg.video.codec import Container
from vidseg.video.demux import audio_stream, clock_origin, open_input, skip_others, video_stream

log = logging.getLogger(__name__)


class Sound:
    """Copies the audio stream of ``source`` that FFmpeg would play into ``output``, whose header isn't written yet.

    Packets before ``offset_s`` (seconds of the source) are left out, and later ones are shifted by it. They are read
    when they are needed, so that memory is constant. Nothing is copied if there is no sound, or if the container can't
    hold its codec; a warning then says so.
    """

    def __init__(self, source: Path, output: OutputContainer, container: Container, offset_s: float) -> None:
        self._source, self._offset_s, self._output = source, offset_s, output
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self.time_base = Fraction(1)
        with ExitStack() as resources:
            self._open(container, resources.enter_context(open_input(source)))
            self._next = next(self._packets, None)
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
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self, end_s: float, frame_s: float) -> None:
        """Writes the rest of the sound, up to ``end_s`` if the source has pictures after it.

        ``end_s`` is the end of the last frame in seconds of the output, ``frame_s`` the length of a frame. So a whole
        video keeps the sound after its last picture, and an extract ends its sound with its pictures.
        """
        if self._next is not None:
            self.copy(end_s if self._pictures_go_on(end_s + self._offset_s + frame_s / 2) else None)

    def _pictures_go_on(self, time_s: float) -> bool:
        with open_input(self._source) as file:
            stream = video_stream(file, self._source)
            pts = round((Fraction(time_s) + clock_origin(file)) / stream.time_base)
            file.seek(pts, stream=stream)
            return any(p.pts is not None and p.pts >= pts and not p.is_discard for p in file.demux(stream))

    def close(self) -> None:
        """Closes the source."""
        self._next, self._packets = None, iter(())
        self._resources.close()
