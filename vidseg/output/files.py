"""Outputs that are folders of images: palette PNGs of object ids, and RGBA PNGs.

Each PNG has the number of its frame in its name: that of the frame's own image if the video is a folder of images (as
DAVIS and YouTube-VOS ask), else the frame's. Where the image's name has no such number, the PNG has the whole name.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.composite import PALETTE, label_map, parse_screen, transparent
from vidseg.record.files import whole
from vidseg.record.label_maps import write_label_map
from vidseg.types import Frame, FrameMasks, Source


class _Images:
    """The folder ``path`` in the run's folder. Every file in it is complete; a run that ends early keeps its files."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path)

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folder."""
        self._folder, self._info = folder / self.path, source.info
        self._folder.mkdir(exist_ok=True)

    def _path(self, frame: Frame) -> Path:
        return self._folder / f"{self._info.file_stem(frame.index)}.png"

    def close(self) -> None:
        """Does nothing: all files are written."""

    def abort(self) -> None:
        """Does nothing: a file that couldn't be written is removed by then."""


class MaskImages(_Images):
    """Palette PNGs as in DAVIS: a pixel is an object id, 0 is background; where masks overlap the larger logit wins."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the label map of one frame."""
        write_label_map(self._path(frame), label_map(masks), PALETTE)


class FrameImages(_Images):
    """RGBA PNGs with straight alpha, unless they are ``premultiplied``; ``despill`` as for ``transparent``."""

    alpha = True

    def __init__(self, path: str, premultiplied: bool = False, despill: str | None = None) -> None:
        super().__init__(path)
        parse_screen(despill)
        self._options: dict[str, Any] = {"premultiplied": premultiplied, "despill": despill}

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the picture of one frame."""
        write_png(self._path(frame), transparent(frame, masks, **self._options))


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes RGB (h, w, 3) or RGBA (h, w, 4) as a PNG, whole or not at all."""
    from PIL import Image

    with whole(path) as part:
        # Compression level 1: 60 ms at 1280x720 where the default takes 200.
        Image.fromarray(pixels).save(part, format="PNG", compress_level=1)
