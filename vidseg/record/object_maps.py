"""Annotations of a video as benchmarks have them: one label map a frame, or a folder of masks for each object.

DAVIS, MOSE and YouTube-VOS write label maps; SA-V writes ``<video>/000/00000.png``, ``<video>/001/00000.png``, … Not
every frame need have one: YouTube-VOS annotates every fifth frame, SA-V every fourth.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.record.label_maps import LOGIT, LabelMaps
from vidseg.record.mask_images import SUFFIXES
from vidseg.record.names import images
from vidseg.record.object_ids import VOID
from vidseg.types import FrameMasks, Mask, VideoInfo


class ObjectMaps:
    """A folder of masks for each object, named by the object's number from 0: object 1 is in 000. Masks may overlap.

    An object counts as annotated on the frames for which its own folder has a mask. Raises InputError, naming ``key``,
    for a number that is no id, and for what LabelMaps refuses.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._maps: dict[int, LabelMaps] = {}
        for each in _numbered(folder):
            object_id = int(each.name) + 1
            if object_id >= VOID or object_id in self._maps:
                why = "there twice" if object_id in self._maps else f"no object; numbers go from 0 to {VOID - 2}"
                raise InputError(f"{key}: {folder}: the folder {each.name} is {why}")
            self._maps[object_id] = LabelMaps(each, key)
        self.object_ids = frozenset(self._maps)

    def has(self, index: int, info: VideoInfo) -> bool:
        """Whether any object is annotated on the frame."""
        return any(maps.has(index, info) for maps in self._maps.values())

    def objects(self, index: int, info: VideoInfo) -> dict[int, Mask]:
        """The masks (h, w), by id, of the objects on a frame; none for a frame without annotation."""
        return {n: mask_hw for n, mask_hw in self.masks(index, info, self.object_ids).items() if mask_hw.any()}

    def masks(self, index: int, info: VideoInfo, object_ids: Iterable[int]) -> dict[int, Mask]:
        """The masks (h, w), by id, of those objects that are annotated on a frame, also as absent."""
        known = ((n, self._maps[n].read_labels(index, info)) for n in sorted(object_ids) if n in self._maps)
        return {n: labels_hw > 0 for n, labels_hw in known if labels_hw is not None}

    def read(self, index: int, info: VideoInfo) -> tuple[dict[int, Mask] | None, dict[int, float | None]]:
        """As ``MaskRecord.read``: masks (h, w) by object id, or None; there are no scores."""
        return self.masks(index, info, self.object_ids) or None, {}

    def frame_masks(self, index: int, info: VideoInfo) -> FrameMasks | None:
        """As ``MaskRecord.frame_masks``, without scores."""
        if not (found := self.masks(index, info, self.object_ids)):
            return None
        ids = sorted(self.object_ids)
        absent_hw = np.zeros((info.height, info.width), bool)
        inside_nhw = np.stack([found.get(n, absent_hw) for n in ids])
        return FrameMasks(index, tuple(ids), np.where(inside_nhw, LOGIT, -LOGIT))


class Annotations(LabelMaps):
    """A folder of label maps, by object: see ``ObjectMaps``. Every object counts as annotated on a frame with a map."""

    def objects(self, index: int, info: VideoInfo) -> dict[int, Mask]:
        """The masks (h, w), by id, of the objects on a frame; none for a frame without annotation."""
        labels_hw = self.read_labels(index, info)
        values = () if labels_hw is None else np.unique(labels_hw)
        return {int(value): labels_hw == value for value in values if value}

    def masks(self, index: int, info: VideoInfo, object_ids: Iterable[int]) -> dict[int, Mask]:
        """The masks (h, w), by id, of those objects that are annotated on a frame, also as absent."""
        labels_hw = self.read_labels(index, info)
        return {} if labels_hw is None else {n: labels_hw == n for n in object_ids}


def open_annotations(folder: str | Path, key: str) -> Annotations | ObjectMaps:
    """The annotations in a folder, in either layout. Raises InputError, naming ``key``, if there are none."""
    path = meant(folder)
    if path.is_dir() and not images(path, SUFFIXES, key) and _numbered(path):
        return ObjectMaps(path, key)
    return Annotations(path, key)


def _numbered(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.name.isdecimal() and each.name.isascii() and each.is_dir())
