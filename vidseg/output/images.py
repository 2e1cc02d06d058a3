"""Image folders: label maps with DAVIS' palette, and RGBA frames, one PNG a frame.

Of a folder of frames they have its files' numbers, as benchmarks ask, else the frames'.
"""

import shutil
from pathlib import Path

from vidseg.composite import PALETTE, label_map, transparent
from vidseg.record.label_maps import write_label_map
from vidseg.types import Frame, FrameMasks, Source


class _Images:
    """A folder of PNGs. Each file is whole; a run that ends early keeps those it made."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Path(path)

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folder, without the images of an earlier run in it."""
        self._folder, self._info = folder / self.path, source.info
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir()

    def _path(self, frame: Frame) -> Path:
        return self._folder / f"{self._info.file_number(frame.index):05d}.png"

    def close(self) -> None:
        """Nothing is left to finish."""

    def abort(self) -> None:
        """Removes the file that was being written; the others are whole."""
        for part in self._folder.glob(".*.part"):
            part.unlink(missing_ok=True)


class MaskImages(_Images):
    """DAVIS-style palette PNGs: each pixel is an object id, 0 is background; the larger logit wins an overlap."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes one label map."""
        write_label_map(self._path(frame), label_map(masks), PALETTE)


class FrameImages(_Images):
    """RGBA PNGs with straight alpha."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes one picture."""
        from PIL import Image

        path = self._path(frame)
        part = path.with_name(f".{path.name}.part")
        # Level 1: 60 ms at 720p where the default takes 200.
        Image.fromarray(transparent(frame, masks)).save(part, format="PNG", compress_level=1)
        part.rename(path)
