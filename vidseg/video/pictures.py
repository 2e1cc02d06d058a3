"""Decoded pictures of a file with their numbers, from any on; damage is skipped. Knows nothing about colours."""

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer

from vidseg.video.demux import open_input, video_stream
from vidseg.video.interlace import NEEDED_BEFORE, deinterlaced
from vidseg.video.timeline import Timeline

log = logging.getLogger(__name__)


class Pictures:
    """The pictures of the file ``path``, whose ``timeline`` numbers them.

    ``woven``: interlaced ones are to be made whole. ``interlaced`` is True once there was one, which may be late: films
    and broadcasts have both kinds. ``warned`` is True once a warning has told of damage.
    """

    timeline: Timeline

    def __init__(self, path: Path, woven: bool) -> None:
        self.path, self.woven = path, woven
        self.interlaced = self.warned = False

    def read(self, first: int) -> Generator[tuple[int, av.VideoFrame]]:
        """Frames with their numbers, from ``first`` on, without combs."""
        before = NEEDED_BEFORE if self.woven and self.interlaced else 0
        with closing(self._decoded(max(0, first - before))) as images:
            head = next(images, None)
            if head is None:
                return
            missed = not before and head[0] > 0 and head[1].interlaced_frame
            every = self._noticed(chain([head], images))
            if not (self.woven and missed):
                yield from (image for image in (deinterlaced(every) if self.woven else every) if image[0] >= first)
                return
        self.notice(head[0])
        yield from self.read(first)  # with the picture before it

    def _noticed(self, images: Iterable[tuple[int, av.VideoFrame]]) -> Generator[tuple[int, av.VideoFrame]]:
        for number, image in images:
            if image.interlaced_frame:
                self.notice(number)
            yield number, image

    def notice(self, number: int) -> None:
        """Says, once, that the picture with this number is interlaced, and what becomes of it."""
        if not self.interlaced:
            self.interlaced = True
            part = f" in part (frame {number})" if number else ""
            how = "is made whole with bwdif" if self.woven else "stays so; extract.deinterlace=auto makes it whole"
            log.info("video: %s is interlaced%s, and %s", self.path.name, part, how)

    def _decoded(self, first: int) -> Generator[tuple[int, av.VideoFrame]]:
        """Decoded frames with their numbers, from ``first`` on.

        Decodes from the key frame before ``first`` if that leads to frame ``first``, else from the start of the file:
        some demuxers seek to a guessed position, and from some frames marked as key frames nothing decodes.
        """
        key = self.timeline.key_before(first)
        if key is not None:
            with closing(self._numbered(key)) as images:
                found = next((image for image in images if image[0] >= first), None)
                if found is not None and found[0] == first:
                    yield found
                    yield from images
                    return
        with closing(self._numbered(None)) as images:
            yield from (image for image in images if image[0] >= first)

    def _numbered(self, key: tuple[int, int] | None) -> Generator[tuple[int, av.VideoFrame]]:
        """Decoded frames with their numbers, from the packet ``key`` (pts, dts) on; none if the seek misses it."""
        last = -1
        with open_input(self.path) as container:
            stream = video_stream(container, self.path)
            # With frame threads a broken last packet is reported so late that PyAV drops the frames before it.
            stream.thread_type = "SLICE" if self.timeline.announced > len(self.timeline) else "AUTO"
            try:
                if key is not None:
                    container.seek(key[1], stream=stream)
            except av.error.FFmpegError:
                return
            for image in self.decode(container, stream, key):
                number = self.timeline.number(image.pts, last)
                if number >= len(self.timeline):
                    return
                if number > last:  # after damage decoders return some frames too late
                    yield (last := number), image

    def decode(
        self, container: InputContainer, stream: av.VideoStream, key: tuple[int, int] | None = None
    ) -> Generator[av.VideoFrame]:
        """Decodes to the end and skips damaged packets. Yields nothing if the first packet is later than ``key``."""
        packets = self._packets(container, stream)
        if key is not None:
            landed = next(packets)
            if landed is None or not landed.is_keyframe or landed.pts is None or landed.pts > key[0]:
                return
            packets = chain([landed], packets)
        for packet in packets:
            try:
                yield from stream.decode(packet)
            except av.error.FFmpegError as error:
                self._warn_once(error)

    def _packets(
        self, container: InputContainer, stream: av.VideoStream
    ) -> "Iterator[av.Packet[av.VideoStream] | None]":
        """The stream's packets, and last the one that flushes the decoder."""
        try:
            yield from container.demux(stream)
        except av.error.FFmpegError as error:  # the rest can't be read
            self._warn_once(error)
            yield None  # flushes the decoder

    def _warn_once(self, error: Exception) -> None:
        if not self.warned:
            self.warned = True
            log.warning("%s: damaged data is skipped (%s)", self.path.name, getattr(error, "strerror", error))
