"""Label maps: images whose pixels are object ids, as DAVIS and YouTube-VOS have them. 0 is background, 255 void."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.record.files import whole
from vidseg.record.map_names import of_frames
from vidseg.record.mask_images import SUFFIXES, MaskImages
from vidseg.record.names import cut, images
from vidseg.record.object_ids import VOID
from vidseg.types import FrameMasks, Mask, VideoInfo

LOGIT = np.float32(10)  # inside a recorded mask (half of it where another is on top); -10 outside


def write_label_map(
    path: Path, labels_hw: NDArray[np.integer[Any]], palette: NDArray[np.uint8], key: str = "output.masks"
) -> None:
    """Writes a PNG of uint8 ``labels_hw`` with ``palette`` (256, 3) uint8.

    Raises InputError, naming ``key``, for labels of another dtype: they hold an id above 254, which doesn't fit.
    """
    if labels_hw.dtype != np.uint8:
        raise InputError(f"{key}: object ids go up to {VOID - 1} in a palette PNG, not to {labels_hw.max()}")
    from PIL import Image

    image = Image.fromarray(labels_hw, mode="L")
    image.putpalette(palette.tobytes())
    with whole(path) as part:
        # Compression level 1 writes a 720p label map in 3 ms instead of 9; the file is a few per cent larger.
        image.save(part, format="PNG", compress_level=1)


def label_files(folder: Path, key: str) -> list[Path]:
    """The images of a folder in order: the PNGs, or those of other kinds if there is none."""
    found = images(folder, {".png"}, key) or images(folder, SUFFIXES, key)
    return sorted(found, key=lambda file: cut(file.stem))


def annotations_of(video: str, root: str | Path) -> Path:
    """The folder of a video's label maps in ``root``: the video's name, or that without the suffix for a file."""
    folder = meant(root) / video
    return folder if folder.is_dir() else folder.with_suffix("")


class FrameFiles:
    """The images of a folder, ``paths`` in order, named as the frames are: see ``vidseg.record.map_names.of_frames``.

    Raises InputError, naming ``key`` and ``what`` they are, if there is no such folder or no image in it.
    """

    def __init__(self, folder: str | Path, key: str, what: str) -> None:
        folder = meant(folder)
        if not folder.is_dir():
            raise InputError(f"{key}: no such folder: {folder}")
        self._key, self.paths = key, label_files(folder, key)
        if not self.paths:
            raise InputError(f"{key}: {folder} holds no {what} named as the frames, such as 00000.png")
        self._matched: tuple[VideoInfo, dict[int, Path]] | None = None

    def of(self, info: VideoInfo) -> dict[int, Path]:
        """The image of each frame that has one, by number. Raises InputError if the names don't tell."""
        if self._matched is None or self._matched[0] is not info:
            self._matched = info, of_frames(self.paths, info, self._key)
        return self._matched[1]


class LabelMaps:
    """A folder of label maps or masks, of any kind that ``MaskImages`` reads, named as the frames are: see
    ``vidseg.record.map_names.of_frames``.

    255 is object 1 in a folder that holds no other value (DAVIS-2016 has one object, in white). Beside other values it
    is void and read as background, as in DAVIS-2017's semi-supervised task. The first map with an object decides.
    Raises InputError, naming ``key``, if there is no such folder or no map in it.
    """

    def __init__(self, folder: str | Path, key: str) -> None:
        self._key, self._files = key, FrameFiles(folder, key, "label maps")
        self._images = MaskImages(key)

    def has(self, index: int, info: VideoInfo) -> bool:
        """Whether the frame has a map. Raises InputError if the names don't tell which map is of which frame."""
        return index in self._files.of(info)

    @cached_property
    def object_ids(self) -> frozenset[int]:
        """The ids on any map; all of them are read for it."""
        return frozenset(int(value) for file in self._files.paths for value in np.unique(self._ids(file)) if value)

    @cached_property
    def _void_is_object(self) -> bool:
        maps = (self._images.read(path) for path in self._files.paths)
        void = next((bool((labels[labels > 0] == VOID).all()) for labels in maps if labels.any()), False)
        if self._images.numbers:
            for _ in maps:  # so that objects are numbered in the order of the frames, whichever is asked for first
                pass
        return void

    def read_labels(self, index: int, info: VideoInfo) -> NDArray[np.uint8] | None:
        """The object ids (h, w) of a frame, 0 where there is none; None for a frame without a map.

        Raises InputError for a map that doesn't have the size of the video.
        """
        if (file := self._files.of(info).get(index)) is None:
            return None
        labels = self._ids(file)
        check_size(labels.shape, index, info, self._key)
        return labels

    def read(self, index: int, info: VideoInfo) -> tuple[dict[int, Mask] | None, dict[int, float | None]]:
        """As ``MaskRecord.read``: masks (h, w) by object id, or None; there are no scores."""
        labels = self.read_labels(index, info)
        return (None if labels is None else {number: labels == number for number in self.object_ids}), {}

    def frame_masks(self, index: int, info: VideoInfo) -> FrameMasks | None:
        """As ``MaskRecord.frame_masks``, without scores."""
        if (labels := self.read_labels(index, info)) is None:
            return None
        ids = sorted(self.object_ids)
        inside_nhw = labels == np.array(ids)[:, None, None]
        return FrameMasks(index, tuple(ids), np.where(inside_nhw, LOGIT, -LOGIT))

    def _ids(self, file: Path) -> NDArray[np.uint8]:
        void = 1 if self._void_is_object else 0  # found first, because other maps are read for it
        labels = self._images.read(file)
        labels[labels == VOID] = void
        return labels


def check_size(shape: Sequence[int], index: int, info: VideoInfo, key: str) -> None:
    """Raises InputError, naming ``key``, if a mask or a map of ``shape`` (h, w) doesn't have the size of the video."""
    height, width = shape
    if (height, width) != (info.height, info.width):
        size = f"{width}x{height}"
        raise InputError(f"{key}: frame {index} is {size}, the video is {info.width}x{info.height}: another video's?")
