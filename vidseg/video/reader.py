"""Frames from a video file, through PyAV. Knows nothing about masks or models."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vidseg.colour import BT709, is_hdr
from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.types import Deep, Depth, Frame, Prompt, VideoInfo
from vidseg.video.colour import (
    bits_of,
    coded_of,
    colour_of,
    colour_tags,
    mastering_of,
    to_deep_rgb,
    to_rgb,
    unread_matrix,
)
from vidseg.video.demux import open_input, pixel_shape, video_stream
from vidseg.video.dolby import find_dolby_vision
from vidseg.video.files import check_file, hash_of
from vidseg.video.orientation import Orientation, orientation_of
from vidseg.video.pictures import Pictures
from vidseg.video.timecode import find_reel, find_timecode, shifted
from vidseg.video.timeline import read_timeline
from vidseg.video.tracks import has_tracks
from vidseg.video.window import Position, check_window, frame_window

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 2**20
"""Backwards, a chunk of so many bytes of RGB is decoded forward, then yielded in reverse: 24 frames of 720p. A chunk
costs a seek to a key frame and the decoding from there on, so that larger chunks decode less often. In memory are one
chunk, and the few frames of the one before it that wait in the queue of ``prefetch``."""
CHUNK_FRAMES = 8
"""A chunk has at least so many frames, however large: with one, each frame would cost a whole group of pictures."""


class FileSource:
    """A video file that FFmpeg reads, as a ``vidseg.types.Source``.

    Frames are as displayed: turned and mirrored by the file's metadata, with colours by its tags (without them by its
    size), HDR as SDR, without alpha. Interlaced frames are made whole unless ``deinterlace`` is None. Pixels that are
    not square keep their shape. Frames are numbered in the order of display. ``time_s`` is the file's own time stamp;
    the clock of a broadcast format, which has no zero, starts at 0 here. ``info.fps`` is the average rate of the frames
    taken (the file's divided by ``step``), ``info.num_frames`` the number of all frames of the file. A timecode counts
    frames: with ``step`` there is none.

    Opening reads all packets once, without decoding them. Iteration and indexing open the file anew. Damaged pictures
    are skipped with one warning. Raises InputError if no picture, or none between ``start`` and ``stop``, is there.
    """

    prompts: tuple[Prompt, ...] = ()

    def __init__(
        self,
        path: Path,
        start: Position = None,
        stop: Position = None,
        step: int = 1,
        deinterlace: str | None = "auto",
    ) -> None:
        check_window(start, stop, step)
        check_file(path)
        self.path, self.name = path, path.name
        self._pictures = Pictures(path, deinterlace is not None)
        self._deep = self._missed = False
        with open_input(path) as container:
            stream = video_stream(container, path)
            tags, timecode, reel = colour_tags(stream.codec_context), find_timecode(container), find_reel(container)
            dolby = find_dolby_vision(container, stream)
            tags = tags if dolby is None else dolby.completed(tags)
            first = next(self._pictures.decode(container, stream), None)
            if first is None:
                raise _nothing_decodes(path)
            self._size, self._orientation = (first.width, first.height), orientation_of(first)
            self._colour, shape, bits = colour_of(first, tags), pixel_shape(stream), bits_of(first)
            if dolby is not None and dolby.is_ipt:
                log.warning("video: %s: its colours are wrong: %s", path.name, dolby.why_unread)
            elif unread := unread_matrix(first, tags):
                log.warning("video: %s: its colours are wrong: %s isn't read, but taken for Y'CbCr", path.name, unread)
            mastering = mastering_of(first)
            self._codec, self._pix_fmt = stream.codec_context.name, first.format.name
            if first.interlaced_frame and self._codec == "hevc":  # FFmpeg weaves the fields of the other codecs
                self._pictures.woven, self._pictures.interlaced = False, True
                log.warning("video: %s: each picture is a single field of interlaced video, and stays so", path.name)
            elif first.interlaced_frame:
                self._pictures.notice(0)
            self.audio = path if has_tracks(container) else None
        with open_input(path) as container:
            self._timeline = self._pictures.timeline = read_timeline(
                path, container, video_stream(container, path), first.pts
            )
        if not len(self._timeline):  # half a frame was decoded, and there is no other
            raise _nothing_decodes(path)
        self.time_s = self._timeline.time_s
        wanted = frame_window(self._timeline.announced_times_s(), start, stop, step)
        self._cut_short = wanted.stop > len(self._timeline)
        self.frames: Sequence[int] = range(wanted.start, min(wanted.stop, len(self._timeline)), step)
        if not self.frames:
            raise self._truncated(len(self._timeline))
        self.offset_s = self._timeline.time_s(self.frames[0]) if self.frames[0] else 0.0
        width, height = self._size[:: -1 if self._orientation.transposed else 1]
        rate = self._timeline.rate
        self.info = VideoInfo(
            width,
            height,
            rate / step,
            len(self._timeline),
            self._timeline.time_base,
            sample_aspect_ratio=1 / shape if self._orientation.transposed else shape,
            colour=BT709 if is_hdr(self._colour.transfer) else self._colour,
            depth=Depth(bits, self._colour, mastering) if bits > 8 else None,
            timecode=shifted(timecode, self.offset_s, rate) if timecode and step == 1 else None,
            reel=reel,
        )

    def carry_depth(self) -> None:
        """Has frames come with all bits of the file from now on, if these are more than 8."""
        self._deep = self.info.depth is not None

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self._read(0))

    def onward(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the last, otherwise as iteration does."""
        return prefetch(self._read(position))

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first, decoded ahead, without damaged ones."""
        return prefetch(self._read_backwards(position))

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self._timeline.announced:
            last = self._timeline.announced - 1
            raise InputError(f"video: {self.path.name} has no frame {index}; its last is {last}")
        if index >= len(self._timeline):
            raise self._truncated(len(self._timeline))
        with closing(self._pictures.read(index)) as images:
            number, image = next(images, (-1, None))
        if image is None or number != index:
            raise InputError(f"video: {self.path.name}: frame {index} is damaged and can't be decoded")
        return self._frame(number, image)

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """None: a file comes without ground truth."""

    def provenance(self) -> Mapping[str, str]:
        """Path, SHA-256, codec, pixel format, frames a second, number of frames. Reads the file."""
        return {
            "path": str(self.path),
            **hash_of(self.path),
            "codec": self._codec,
            "pix_fmt": self._pix_fmt,
            "fps": f"{float(self._timeline.rate):g}",
            "num_frames": str(len(self._timeline)),
            **({"deinterlaced": "bwdif"} if self._pictures.woven and self._pictures.interlaced else {}),
        }

    def _read(self, position: int) -> Generator[Frame]:
        last, found = self.frames[position] - 1, 0
        with closing(self._pictures.read(self.frames[position])) as images:
            for number, image in images:
                if number > self.frames[-1]:
                    break
                last = number
                if number in self.frames:
                    found += 1
                    yield self._frame(number, image)
        if self._cut_short or (self._pictures.warned and last < self.frames[-1]):
            raise self._truncated(last + 1)
        self._warn_of_missing(len(self.frames) - position - found)

    def _read_backwards(self, position: int) -> Generator[Frame]:
        last, found_in_all = -1, 0
        size = max(CHUNK_FRAMES, CHUNK_BYTES // ((9 if self._deep else 3) * self._size[0] * self._size[1]))
        for end in range(position + 1, 0, -size):
            wanted, found = self.frames[max(0, end - size) : end], list[Frame]()
            with closing(self._pictures.read(wanted[0])) as images:
                for number, image in images:
                    last = max(last, number)
                    if number > wanted[-1]:
                        break
                    if number in wanted:
                        found.append(replace(self._frame(number, image), coded=None))  # outputs don't get these
            found_in_all += len(found)
            while found:  # the caller alone holds a frame that has been yielded
                yield found.pop()
        if (self._cut_short or self._pictures.warned) and last < self.frames[position]:
            raise self._truncated(last + 1)
        self._warn_of_missing(position + 1 - found_in_all)

    def _frame(self, number: int, image: av.VideoFrame) -> Frame:
        # The size may change within a stream, but not within an output.
        deep_hw3 = to_deep_rgb(image, *self._size, self._colour) if self._deep else None
        rgb_hw3 = self._orientation.upright(to_rgb(image, *self._size, self._colour, deep_hw3))
        deep = None if deep_hw3 is None else Deep(self._orientation.upright(deep_hw3), self._colour)
        coded = coded_of(image, *self._size, self._colour)
        if coded is not None and self._orientation != Orientation():
            first, second, third = map(self._orientation.upright, coded.planes)
            coded = coded._replace(planes=(first, second, third))
        return Frame(number, self._timeline.time_s(number), rgb_hw3, deep, coded)

    def _warn_of_missing(self, missing: int) -> None:
        if missing and not (self._pictures.warned or self._missed):  # packets without a picture, or a wrong time stamp
            self._missed = True
            log.warning("%s: %d of %d frames are damaged and left out", self.path.name, missing, len(self.frames))

    def _truncated(self, frames: int) -> InputError:
        return InputError(
            f"video: {self.path.name} is truncated or damaged: it ends after {frames} of {self._timeline.announced} "
            "frames; what was decoded is kept"
        )


def _nothing_decodes(path: Path) -> InputError:
    return InputError(f"video: {path}: not one frame could be decoded; the file is truncated or damaged")
