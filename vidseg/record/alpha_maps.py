"""Folders of true alpha: an image a frame, named as the frames are."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.record.label_maps import FrameFiles, check_size
from vidseg.types import VideoInfo


class AlphaMaps:
    """A folder of images: the alpha channel of those that have one (as ``output=[frames]`` writes), else their grey.

    They have 8 or 16 bits, and are named as ``vidseg.record.map_names.of_frames`` says. Raises InputError, naming
    ``key``, if there is no such folder or no image in it.
    """

    def __init__(self, folder: str | Path, key: str) -> None:
        self._key, self._files = key, FrameFiles(folder, key, "images of alpha")

    def read(self, index: int, info: VideoInfo) -> NDArray[np.uint8] | None:
        """The alpha (h, w) of a frame; None for a frame without one.

        Raises InputError for one that can't be read or doesn't have the size of the video.
        """
        if (file := self._files.of(info).get(index)) is None:
            return None
        pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
            raise InputError(f"{self._key}: {file} is no image of 8 or 16 bits")
        check_size(pixels.shape[:2], index, info, self._key)
        if pixels.ndim == 3:
            pixels = pixels[..., 3] if pixels.shape[2] == 4 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        return np.asarray(pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257), np.uint8)
