"""Writes one video file: pictures encoded in a thread, with the sound and the time stamps of the source.

The file has a temporary name until it is whole. Knows nothing about masks or renders.
"""

import contextlib
import logging
import math
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vidseg.colour import SRGB, by_size
from vidseg.errors import InputError
from vidseg.prefetch import Background
from vidseg.types import Colour, VideoInfo
from vidseg.video.codec import CODECS, check_codec
from vidseg.video.matroska import reserve_aspect, write_aspect
from vidseg.video.quicktime import write_languages
from vidseg.video.tracks import Tracks
from vidseg.video.ycbcr import Untouched, to_ycbcr

log = logging.getLogger(__name__)

MAX_TIMESCALE = 2**31 - 1
RGB_MATRIX = 0
LARGEST_MPEG4_CLOCK = 65535
"""MPEG-4 part 2 writes the denominator of its clock in 16 bits."""


def takes_depth(codec: str, path: str | Path) -> bool:
    """Whether a codec, in the container that the suffix names, keeps more than 8 bits. AVI has no tags to say their
    colours."""
    row, container = check_codec(codec, path)
    return bool(row.deep) and not container.constant_rate


class Encoder:
    """Encodes uint8 RGB (h, w, 3) or, if ``alpha``, RGBA (h, w, 4) pictures with straight alpha into ``path``.

    A picture with ``time_s`` is shown at ``time_s - offset_s``, counted in ``info.time_base``, so that a source with an
    irregular rate and its output stay in step. If it isn't later than the picture before it, it is shown one tick after
    that. Matroska and WebM count milliseconds. AVI has neither time stamps nor sound: its rate is ``info.fps``. Sound,
    subtitles and chapters of the file ``audio`` are copied from ``offset_s`` on, as ``Tracks`` describes; ``end_s`` is
    the end of the last frame, in seconds of the output, if it is known.

    4:2:0 codecs have even sizes only: the last column or row of an odd picture is doubled. Colours are tagged as
    ``info.colour`` says. AVI has no tags for them: there they are what players take them for at that size. The shape of
    pixels and the timecode of ``info`` go on (FFV1 in AVI has no place for the shape).

    ``deep``: pictures are uint16 with the bits and the colours of ``info.depth``, and so is the file. ``takes_depth``
    says whether codec and container can.

    Raises InputError as ``check_codec`` does, and for a size that the codec refuses. ``write`` and ``close`` raise
    OSError if the file can't be written, as on a full disk.
    """

    def __init__(
        self,
        path: Path,
        codec: str,
        info: VideoInfo,
        *,
        quality: float | None = None,
        audio: Path | None = None,
        offset_s: float = 0.0,
        end_s: float | None = None,
        deep: bool = False,
    ) -> None:
        self._codec, self._format = check_codec(codec, path, quality)
        self.alpha = self._codec.alpha
        self._depth = info.depth if deep else None
        self._path, self._partial = path, path.with_name(f".{path.name}.part")
        self._info, self._offset_s = info, offset_s
        self._last_pts: int | None = None
        self._stamps: deque[int] = deque()
        self._frames = 0
        self._stopped = False
        self._tracks: Tracks | None = None
        self._container: OutputContainer | None = None
        try:
            container = self._open(codec, quality)
            if audio is not None:
                self._tracks = Tracks(audio, container, self._format, offset_s, end_s)
            if self._format.muxer in ("mp4", "mov"):
                # Otherwise they write the start of each track (in edit lists) in milliseconds.
                clocks = self._tracks.sound_clocks if self._tracks else []
                if (timescale := math.lcm(info.time_base.denominator, *clocks)) <= MAX_TIMESCALE:
                    container.container_options["movie_timescale"] = str(timescale)
        except BaseException:
            self._discard()
            raise
        self._thread: Background[tuple[NDArray[Any], float, Untouched | None]] = Background(self._encode)

    def write(self, image_hwc: NDArray[Any], time_s: float, untouched: Untouched | None = None) -> None:
        """Queues one picture of the size of ``info``; don't change it afterwards. Pixels that are those of an
        ``untouched`` frame keep its codes, if the output's colour is the same. Raises ValueError for another dtype or
        shape, and what encoding an earlier picture raised."""
        height, width = self._info.height, self._info.width
        shapes = [(height, width, 3), (height, width, 4)] if self.alpha else [(height, width, 3)]
        dtype = np.dtype(np.uint16 if self._depth else np.uint8)
        if image_hwc.dtype != dtype or image_hwc.shape not in shapes:
            raise ValueError(f"{self._path.name} takes {dtype} {shapes}, not {image_hwc.dtype} {image_hwc.shape}")
        self._thread.put((image_hwc, time_s, untouched))

    def close(self) -> None:
        """Encodes what is queued, copies the rest of the sound, and gives the file its name. Makes no file if nothing
        was written. If encoding raised an exception, removes the file and raises it."""
        if self._container is None:
            return
        try:
            self._thread.close()
            if self._last_pts is None:
                log.warning("%s: there was no frame to write", self._path.name)
                return
            self._mux(self._stream.encode(None))
            if self._tracks is not None:
                frame_s = float(1 / self._info.fps)
                self._tracks.finish(float(self._last_pts * self._info.time_base) + frame_s, frame_s)
            languages = self._tracks.languages() if self._tracks is not None else {}
            self._container.close()
            if languages and self._format.muxer == "mov":
                write_languages(self._partial, languages)
            if self._aspect_reserved:
                context = self._stream.codec_context
                write_aspect(self._partial, context.width, context.height, self._info.sample_aspect_ratio)
            self._partial.replace(self._path)
        finally:
            self._discard()

    def abort(self) -> None:
        """Ends the thread and removes the unfinished file. Never raises; does nothing after ``close``."""
        self._stopped = True
        with contextlib.suppress(Exception):
            self._thread.close()
        self._discard()

    def _open(self, codec: str, quality: float | None) -> OutputContainer:
        """Opens the container and the codec, or the codec's ``fallback``."""
        width, height = self._info.width, self._info.height
        if min(width, height) < self._codec.smallest:
            least = self._codec.smallest
            raise InputError(f"codec: {codec} can't encode {width}x{height}, only {least} pixels and more")
        path, muxer = str(self._partial.absolute()), self._format.muxer
        container: OutputContainer = av.open(path, "w", format=muxer)
        self._container = container
        try:
            self._stream = self._add_stream(container, quality)
        except av.error.FFmpegError as error:
            if self._codec.fallback is None:
                raise InputError(f"codec: {codec} can't encode {width}x{height} pixels ({error.strerror})") from error
            log.warning("codec %s can't be opened here (%s): %s instead", codec, error.strerror, self._codec.fallback)
            self._codec = CODECS[self._codec.fallback]
            return self._open(self._codec.encoder, None)
        return container

    def _add_stream(self, container: OutputContainer, quality: float | None) -> av.VideoStream:
        row, info = self._codec, self._info
        self._numbered = row.own_clock or self._format.constant_rate
        self._clock = (1 / info.fps).limit_denominator(LARGEST_MPEG4_CLOCK) if self._numbered else info.time_base
        if row.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "0")  # fatal errors only: FFmpeg's log doesn't filter it
        stream = container.add_stream(row.encoder, rate=info.fps, options=row.options_for(quality, self._depth))
        context: Any = stream.codec_context  # PyAV's type has audio's and subtitles' in it
        pix_fmt = row.pixels_for(self._depth.bits if self._depth else 8)
        even = 2 if "420" in pix_fmt else 1
        context.width, context.height = -(-info.width // even) * even, -(-info.height // even) * even
        context.pix_fmt, context.time_base = pix_fmt, self._clock
        context.thread_type, context.thread_count = "AUTO", 0
        if row.tag is not None and not (row.tag == "hvc1" and self._format.muxer == "matroska"):
            context.codec_tag = row.tag
        context.sample_aspect_ratio = info.sample_aspect_ratio
        self._aspect_reserved = info.sample_aspect_ratio != 1 and self._format.muxer in ("matroska", "webm")
        if self._aspect_reserved:
            reserve_aspect(container, stream)
        if info.timecode is not None:
            container.metadata["timecode"] = info.timecode
            stream.metadata.update({} if info.reel is None else {"reel_name": info.reel})
        self._colour: Colour | None = None
        assumed = by_size(info.width, info.height)
        if pix_fmt.startswith("yuv"):
            self._colour = assumed if self._format.constant_rate else info.colour or assumed
            if self._depth and self._depth.colour != SRGB:  # images of an sRGB screen are tagged as usual
                self._colour = self._depth.colour
            context.colorspace, context.color_primaries, context.color_trc = self._colour
            context.color_range = ColorRange.MPEG
        elif self._format.muxer == "matroska":  # MOV and AVI have no tags for RGB
            _, context.color_primaries, context.color_trc = info.colour or assumed
            context.colorspace, context.color_range = RGB_MATRIX, ColorRange.JPEG
        # SVT-AV1, run by root, gives the thread that opens it the highest real-time priority. Processes started later
        # would inherit it; two of them that wait busily for a third one would leave it no core.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(context.open, strict=False).result()
        stream.time_base = self._clock if self._format.constant_rate else info.time_base
        return stream

    def _encode(self, item: tuple[NDArray[Any], float, Untouched | None]) -> None:
        if self._stopped:
            return
        image_hwc, time_s, untouched = item
        pts = round((Fraction(time_s) - Fraction(self._offset_s)) / self._info.time_base)
        self._last_pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        frame = self._to_frame(image_hwc, untouched)
        frame.time_base = self._clock
        frame.pts = self._frames if self._numbered else self._last_pts
        self._stamps.append(self._last_pts)
        self._frames += 1
        self._mux(self._stream.encode(frame))

    def _to_frame(self, image_hwc: NDArray[Any], untouched: Untouched | None) -> av.VideoFrame:
        context, (height, width, channels) = self._stream.codec_context, image_hwc.shape
        padding = ((0, context.height - height), (0, context.width - width), (0, 0))
        padded = np.pad(image_hwc, padding, mode="edge") if any(map(any, padding)) else image_hwc
        if self._colour is None:
            name = "rgb24" if channels == 3 else "rgba"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format=name)
            return frame.reformat(format=context.pix_fmt)
        if untouched is not None and untouched.coded.colour != self._colour:
            untouched = None
        coded = to_ycbcr(padded, self._colour.matrix, context.pix_fmt, untouched)
        coded.colorspace, coded.color_primaries, coded.color_trc = self._colour  # ProRes has them in each frame
        return coded

    def _mux(self, packets: list[av.Packet]) -> None:
        assert self._container is not None
        for packet in packets:
            if self._codec.own_clock and not self._format.constant_rate:
                packet.time_base = self._info.time_base
                packet.pts = packet.dts = self._stamps.popleft()
            packet.duration = max(1, round(1 / self._info.fps / packet.time_base))
            if self._tracks is not None:
                self._tracks.copy(float(packet.dts * packet.time_base))
            self._container.mux(packet)

    def _discard(self) -> None:
        """Closes everything, and removes the file if it hasn't got its final name. Never raises."""
        for resource in (self._container, self._tracks):
            with contextlib.suppress(Exception):
                if resource is not None:
                    resource.close()
        if self._container is not None:
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)
        self._container = self._tracks = None
