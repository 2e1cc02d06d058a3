"""Frames from a folder of numbered images, DAVIS style. Knows nothing about video files."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.record.files import numbered
from vidseg.types import RGB, Frame, Prompt, VideoInfo
from vidseg.video.window import Position, check_window, frame_window

SUFFIXES = {".jpg", ".jpeg", ".png"}
DEFAULT_FPS = 30.0
_SIXTEEN_BITS = {"I", "I;16", "I;16B", "I;16L"}


class FolderSource:
    """A folder of JPEG or PNG frames (00000.jpg, frame_12.png), as a ``vidseg.types.Source``.

    Images are in the order of the last number in their names. As in sam2, frames are numbered from 0 on, whatever the
    numbers in the names are; those are ``info.file_numbers``. Grey, palette, RGBA and 16-bit images become 8-bit RGB.
    EXIF orientation is ignored, because the annotations of such folders ignore it. ``fps`` is 30 unless given.

    Raises InputError for a folder without numbered images and, when iteration reaches it, for an image that can't be
    read or has another size than the first.
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
        files = numbered(path, SUFFIXES, "video")
        if not files:
            raise InputError(f"video: {path} holds no numbered JPEG or PNG images (00000.jpg, frame_12.png, …)")
        self._files = list(files.values())
        self._times_s = [float(i / rate) for i in range(len(self._files))]
        self.frames: Sequence[int] = frame_window(self._times_s, start, stop, step)
        height, width = _read(self._files[0]).shape[:2]
        self.info = VideoInfo(width, height, rate / step, len(self._files), 1 / rate, tuple(files))
        self.offset_s = self._times_s[self.frames[0]]

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self._files):
            raise InputError(f"video: {self.path} has no frame {index}; its last is {len(self._files) - 1}")
        rgb_hw3 = _read(self._files[index])
        (height, width), info = rgb_hw3.shape[:2], self.info
        if (width, height) != (info.width, info.height):
            size = f"{width}x{height} pixels, the first image {info.width}x{info.height}"
            raise InputError(f"video: {self._files[index]} has {size}: all must have one size")
        return Frame(index, self._times_s[index], rgb_hw3)

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """None: a folder of images has no ground truth."""

    def provenance(self) -> Mapping[str, str]:
        """Path, number of files, and the SHA-256 of their names and sizes (not of their contents)."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        key, num_frames = "sha256_of_names_and_sizes", str(len(self._files))
        return {"path": str(self.path), "num_frames": num_frames, key: digest.hexdigest()}


def _read(file: Path) -> RGB:
    try:
        with Image.open(file) as image:
            if image.mode not in _SIXTEEN_BITS:
                return np.array(image.convert("RGB"))
            grey_hw = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)  # convert() would clip
            return np.repeat(grey_hw[..., None], 3, axis=2)
    except UnidentifiedImageError as error:
        raise InputError(f"video: {file} can't be read: it is no image") from error
    # Pillow raises SyntaxError for a broken PNG, ValueError for a broken header.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"video: {file} can't be read: {error}") from error
