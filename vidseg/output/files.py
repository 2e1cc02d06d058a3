"""Outputs that are folders of images: palette PNGs of object ids, RGBA PNGs and TIFFs.

Each file has the number of its frame in its name: that of the frame's own image if the video is a folder of images (as
DAVIS and YouTube-VOS ask), else the frame's. Where the image's name has no such number, the PNG has the whole name.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.colour import in_sdr
from vidseg.composite import PALETTE, label_map, parse_screen, transparent
from vidseg.errors import InputError
from vidseg.record.files import whole
from vidseg.record.label_maps import write_label_map
from vidseg.types import Frame, FrameMasks, Source
from vidseg.video.tiff import encode_tiff


class Images:
    """The folder ``path`` in the run's folder. Every file in it is complete; a run that ends early keeps its files."""

    suffix = ".png"

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path)

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folder."""
        self._folder, self._info = folder / self.path, source.info
        self._folder.mkdir(exist_ok=True)

    def _path(self, frame: Frame) -> Path:
        return self._folder / f"{self._info.file_stem(frame.index)}{self.suffix}"

    def close(self) -> None:
        """Does nothing: all files are written."""

    def abort(self) -> None:
        """Does nothing: a file that couldn't be written is removed by then."""


class MaskImages(Images):
    """Palette PNGs as in DAVIS: a pixel is an object id, 0 is background; where masks overlap the larger logit wins."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the label map of one frame."""
        write_label_map(self._path(frame), label_map(masks), PALETTE)


class FrameImages(Images):
    """RGBA PNGs or TIFFs (``format``), of 16 bits if the source has more than 8; HDR becomes SDR.

    Alpha is straight, unless they are ``premultiplied``; ``despill`` as for ``transparent``. Raises InputError for
    another format.
    """

    alpha = deep = True

    def __init__(self, path: str, premultiplied: bool = False, despill: str | None = None, format: str = "png") -> None:
        super().__init__(path)
        parse_screen(despill)
        if format not in ("png", "tiff"):
            raise InputError(f"format: {format!r} is not png or tiff; output=[exr] writes OpenEXR")
        self.suffix = {"png": ".png", "tiff": ".tif"}[format]
        self._options: dict[str, Any] = {"premultiplied": premultiplied, "despill": despill}

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the picture of one frame."""
        shown = in_sdr(frame)
        pixels = transparent(shown, masks, deep=shown.deep is not None, **self._options)
        if self.suffix == ".png":
            write_png(self._path(frame), pixels)
            return
        with whole(self._path(frame)) as part:
            part.write_bytes(encode_tiff(pixels, self._options["premultiplied"]))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Writes RGB (h, w, 3) or RGBA (h, w, 4) of 8 or 16 bits as a PNG, whole or not at all."""
    from PIL import Image

    with whole(path) as part:
        if pixels.dtype == np.uint16:  # which Pillow can't
            swapped = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR)
            part.write_bytes(cv2.imencode(".png", swapped, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
            return
        # Compression level 1: 60 ms at 1280x720 where the default takes 200.
        Image.fromarray(pixels).save(part, format="PNG", compress_level=1)
