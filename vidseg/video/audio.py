"""The source's sound, copied packet by packet beside the pictures: nothing is decoded or encoded again.

Knows nothing about pictures but how far they have got.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from av import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from vidseg.video.codec import Container
from vidseg.video.demux import audio_stream, clock_origin, open_input, skip_others, video_stream

log = logging.getLogger(__name__)


class Sound:
    """Copies the first (FFmpeg's best) audio stream of ``source`` into ``output``, which must not be started yet.

    Packets that begin before ``offset_s`` (seconds of the source) are left out, and the others shifted by it. They are
    read as they are needed, so that memory stays constant. Where the container can't hold the codec (or there is no
    sound) nothing is copied, and one warning says so.
    """

    def __init__(self, source: Path, output: OutputContainer, container: Container, offset_s: float) -> None:
        self._source, self._offset_s, self._output = source, offset_s, output
        self._resources = ExitStack()
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._next: Packet[AudioStream] | None = None
        self.time_base = Fraction(1)
        try:
            self._open(container)
        except BaseException:
            self._resources.close()
            raise

    def _open(self, container: Container) -> None:
        file = self._resources.enter_context(open_input(self._source))
        stream = audio_stream(file)
        if stream is None:
            return
        codec = stream.codec_context.codec.canonical_name
        if not any(codec == name or (name == "pcm_" and codec.startswith(name)) for name in container.sound):
            fits = f"holds {', '.join(container.sound)}" if container.sound else "gets none"
            log.warning("%s: its sound (%s) is left out: %s %s", self._source.name, codec, container.muxer, fits)
            return
        skip_others(file, stream)
        self._stream = self._output.add_stream_from_template(stream)
        self.time_base = Fraction(stream.time_base)
        self._shift = round((clock_origin(file) + Fraction(self._offset_s)) / self.time_base)
        if self._offset_s > 0:
            file.seek(self._shift, stream=stream)
        # An AAC track begins with packets before zero, the encoder's priming. MP4 and MOV keep it; Matroska would make
        # it zero and shift the pictures, save for Opus, whose priming it knows.
        first = -(2**63)
        if self._offset_s > 0 or (container.starts_at_zero and codec != "opus"):
            first = self._shift
        self._packets = (packet for packet in file.demux(stream) if packet.pts is not None and packet.pts >= first)
        self._next = next(self._packets, None)

    def copy(self, until_s: float | None) -> None:
        """Muxes the packets that begin before ``until_s`` (seconds of the output), or all that are left."""
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
        """Muxes the rest: all of it, unless the source's pictures go on for more than a frame after ``end_s``.

        ``end_s`` is the end of the last frame in seconds of the output. A talk that ends after its pictures keeps its
        last words; an extract ends its sound with its pictures.
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
