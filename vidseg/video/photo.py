"""A single photograph as a source of one frame. Knows nothing about video files."""

import hashlib
import logging
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.record.names import cut, images, readable
from vidseg.types import Deep, Frame, Prompt, VideoInfo
from vidseg.video.files import check_file
from vidseg.video.image import SUFFIXES, depth_of, is_animated, read, read_deep, remarks, size
from vidseg.video.window import Position, frame_window

log = logging.getLogger(__name__)

UNREAD = {
    ".heic",
    ".heif",
    ".hif",
    ".avif",
    ".jxl",
    ".jp2",
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".raf",
    ".orf",
    ".rw2",
}
"""Suffixes of photographs, in lower case, that aren't read."""


class PhotoSource:
    """A JPEG, PNG, BMP, TIFF, WebP or EXR file, as a ``vidseg.types.Source`` of one frame.

    Unlike the frames of a folder it is turned upright by its EXIF orientation, as viewers show it: prompts are in the
    pixels that one sees. ``vidseg.video.image.read`` says what becomes of 16 bits, alpha and the like.

    Raises InputError for a file that can't be read, and for a window without frame 0.
    """

    prompts: tuple[Prompt, ...] = ()
    audio: Path | None = None
    offset_s = 0.0

    def __init__(self, path: Path, start: Position = None, stop: Position = None, step: int = 1) -> None:
        self.frames: Sequence[int] = frame_window([0.0], start, stop, step)
        self.path, self.name = path, path.name
        height, width = read(path, upright=True).shape[:2]
        self._deep = False
        self.info = VideoInfo(
            width, height, Fraction(1), 1, Fraction(1), (path.name,), still=True, depth=depth_of(path)
        )
        said = "; ".join([f"a photograph of {width}x{height} pixels", *remarks(path, upright=True)])
        log.info("video: %s: %s", readable(path), said)

    def carry_depth(self) -> None:
        """Has the frame come with all bits of the file from now on, if these are more than 8."""
        self._deep = self.info.depth is not None

    def __iter__(self) -> Generator[Frame]:
        return (self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """The one frame again."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        if index != 0:
            raise InputError(f"video: {readable(self.path)} is a photograph: it has frame 0, and no frame {index}")
        depth = self.info.depth if self._deep else None
        deep = None if depth is None else Deep(read_deep(self.path, upright=True), depth.colour)
        return Frame(0, 0.0, read(self.path, upright=True), deep)

    def time_s(self, index: int) -> float:
        """0: a photograph has no times."""
        return 0.0

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """None: a photograph comes without ground truth."""

    def provenance(self) -> Mapping[str, str]:
        """Path and SHA-256."""
        return {"path": str(self.path), "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest()}


def is_photo(path: Path) -> bool:
    """Whether a file is to be read as a photograph: by its suffix, unless its picture moves. Raises InputError for one
    that can't be read."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    check_file(path)
    return not is_animated(path)


def photos_in(folder: Path) -> list[Path]:
    """The images of a folder in the natural order of their names. Raises InputError if it can't be read."""
    return sorted(images(folder, SUFFIXES, "video"), key=lambda file: (cut(file.stem), file.name))


def unread(folder: Path) -> list[Path]:
    """The images of a folder that no part of vidseg reads: HEIC, AVIF, JPEG XL, JPEG 2000 and raw ones."""
    return images(folder, UNREAD, "video")


def warn_of_unread(folder: Path) -> None:
    """Says which images of a folder are left out, if there are some."""
    if found := unread(folder):
        text = "video: %s left out, since HEIC, AVIF and raw files aren't read: save them as JPEG or PNG"
        log.warning(text, _listed(found))


def none_read(folder: Path) -> InputError | None:
    """The error about a folder that has only such images; None if there is none either."""
    if not (found := unread(folder)):
        return None
    return InputError(
        f"video: {folder} holds no image that is read ({_listed(found)})\n"
        "HEIC, AVIF and raw files aren't read: save them as JPEG or PNG"
    )


def _listed(files: Sequence[Path]) -> str:
    names = ", ".join(map(readable, files[:5]))
    return names if len(files) <= 5 else f"{names} and {len(files) - 5} more"


def differ(files: Sequence[Path]) -> bool:
    """Whether images, shown upright, have more than one size; those that can't be read don't count."""
    sizes = filter(None, map(size, files))
    first = next(sizes, None)
    return any(each != first for each in sizes)
