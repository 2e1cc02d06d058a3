"""Frames from a folder of images, DAVIS style. Knows nothing about video files."""

import hashlib
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.record.names import NUMBER, Numbering, images, in_order, readable
from vidseg.types import RGB, Deep, Frame, Prompt, VideoInfo
from vidseg.video.exr import SUFFIX as EXR
from vidseg.video.image import SUFFIXES, depth_of, is_deep, read, read_deep, remarks
from vidseg.video.photo import none_read, warn_of_unread
from vidseg.video.window import Position, check_window, frame_window

log = logging.getLogger(__name__)

DEFAULT_FPS = 30.0
VIDEOS = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".gif"}
"""What a folder without frames may hold instead, for the message."""
DARK, DARK_16_BITS = 16, 64
"""Levels of 255 that a picture reaches, unless it is black, or its 16 bits hold 14 or fewer."""


class FolderSource:
    """A folder of JPEG, PNG, BMP, TIFF, WebP or EXR frames (00000.jpg, frame_12.png), as a ``vidseg.types.Source``.

    Images are in the natural order of their names (``vidseg.record.names.in_order``); the log says how it was
    understood. As in sam2, frames are numbered from 0 on, whatever the numbers in the names are; those are
    ``info.file_numbers``. ``vidseg.video.image.read`` says what becomes of 16 bits, alpha and the like. EXIF
    orientation is ignored, because the annotations of such folders ignore it. ``fps`` is 30 unless given.

    Raises InputError for a folder without images, whose order isn't certain, or with OpenEXR beside other files and,
    when iteration reaches it, for an image that can't be read or has another size than the first.
    """

    prompts: tuple[Prompt, ...] = ()
    audio: Path | None = None

    def __init__(
        self, path: Path, fps: float | None = None, start: Position = None, stop: Position = None, step: int = 1
    ) -> None:
        check_window(start, stop, step)
        fps = DEFAULT_FPS if fps is None else fps
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0.01 <= fps <= 1000:
            raise InputError(f"extract.fps: {fps!r} is not a rate; give frames a second, 0.01 to 1000")
        rate = Fraction(fps).limit_denominator(1001)
        self.path, self.name = path, path.resolve().name
        numbering = _numbering(path)
        warn_of_unread(path)
        self._files = numbering.files
        self._times_s = [float(i / rate) for i in range(len(self._files))]
        self.frames: Sequence[int] = frame_window(self._times_s, start, stop, step)
        if len({file.suffix.lower() == EXR for file in self._files}) > 1:
            raise InputError(f"video: {path} holds OpenEXR and other images; a video has one kind of them")
        first = read(self._files[0])
        self._report(numbering, first)
        height, width = first.shape[:2]
        names = tuple(file.name for file in self._files)
        depth, self._deep = depth_of(self._files[0]), False
        self.info = VideoInfo(width, height, rate / step, len(names), 1 / rate, names, numbering.numbers, depth=depth)
        self.offset_s = self._times_s[self.frames[0]]

    def carry_depth(self) -> None:
        """Has frames come with all bits of the images from now on, if these are more than 8."""
        self._deep = self.info.depth is not None

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self._files):
            raise InputError(f"video: {self.path} has no frame {index}; its last is {len(self._files) - 1}")
        rgb_hw3 = read(self._files[index])
        (height, width), info = rgb_hw3.shape[:2], self.info
        if (width, height) != (info.width, info.height):
            size = f"{width}x{height} pixels, the first image {info.width}x{info.height}"
            raise InputError(
                f"video: {readable(self._files[index])} has {size}: all must have one size\n"
                "Photographs are segmented one by one with prompt=detect, or prompt=file with the name of each image"
            )
        deep = Deep(read_deep(self._files[index]), info.depth.colour) if self._deep and info.depth else None
        return Frame(index, self._times_s[index], rgb_hw3, deep)

    def time_s(self, index: int) -> float:
        """By the rate."""
        return self._times_s[index]

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """None: a folder of images has no ground truth."""

    def provenance(self) -> Mapping[str, str]:
        """Path, number of files, and the SHA-256 of their names and sizes (not of their contents)."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(os.fsencode(file.name) + f" {file.stat().st_size}\n".encode())
        key, num_frames = "sha256_of_names_and_sizes", str(len(self._files))
        return {"path": str(self.path), "num_frames": num_frames, key: digest.hexdigest()}

    def _report(self, numbering: Numbering, first: RGB) -> None:
        """Logs what was understood; warns if three images, read for it, are all but black."""
        files = self._files
        span = f"{len(files)} images, {readable(files[0])} to {readable(files[-1])}"
        span = f"1 image, {readable(files[0])}" if len(files) == 1 else span
        log.info("video: %s: %s", span, "; ".join([numbering.how, *remarks(files[0])]))
        deep = is_deep(files[0])
        dark = DARK_16_BITS if deep else DARK
        if first.max() >= dark or (level := max(int(read(files[at]).max()) for at in (0, len(files) // 2, -1))) >= dark:
            return
        why = ": values of fewer than 16 bits, in files of 16?" if deep else ""
        log.warning("video: the first, the middle and the last image are all but black (%d of 255)%s", level, why)


def _numbering(path: Path) -> Numbering:
    """The frames in ``path`` in order. Raises InputError if there are none; the message says what there is instead."""
    files = images(path, SUFFIXES, "video")
    if any(NUMBER.search(file.stem) for file in files):
        return in_order(files, "video")
    inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    if videos := [entry for entry in inside if entry.suffix.lower() in VIDEOS and entry.is_file()]:
        many = f"one of its {len(videos)} videos, video={videos[0]}, or all with -m video='{path}/*{videos[0].suffix}'"
        one = f"the video in it, video={videos[0]}"
        raise InputError(f"video: {path} is no folder of frames; give {one if len(videos) == 1 else many}")
    if files:
        return in_order(files, "video")
    for entry in inside:
        if entry.is_dir() and os.access(entry, os.R_OK) and images(entry, SUFFIXES, "video"):
            all_of_them = f"video={entry}, or all with -m video='{path}/*'"
            raise InputError(f"video: {path} holds no images; its folders do: give one, {all_of_them}")
    if error := none_read(path):
        raise error
    kinds = ", ".join(sorted({entry.suffix for entry in inside if entry.suffix})[:5])
    there = f"; it holds {kinds}" if kinds else ""
    raise InputError(
        f"video: {path} holds no JPEG, PNG, BMP, TIFF, WebP or EXR images (00000.jpg, frame_12.png, …){there}"
    )
