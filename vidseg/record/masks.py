"""Masks on disk, frame by frame: a run's masks.jsonl, or a folder of label PNGs (ground truth, or a run's).

Messages name the ``key`` that the user gave the path as. Knows nothing about who wrote the masks or what they are for.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.errors import InputError
from vidseg.record.numbered import numbered
from vidseg.record.label_maps import VOID, read_label_map
from vidseg.types import Mask, VideoInfo

Scores = dict[int, float | None]


class MaskFiles(Protocol):
    """Recorded masks. ``object_ids`` are the ids on any frame."""

    @property
    def object_ids(self) -> frozenset[int]: ...  # noqa: D102

    def has(self, index: int, info: VideoInfo) -> bool:
        """Whether the frame has a record."""
        ...

    def read(self, index: int, info: VideoInfo) -> tuple[dict[int, Mask] | None, Scores]:
        """Masks (h, w) and object scores by id; None for a frame without a record.

        Raises InputError for masks that haven't the video's size.
        """
        ...


def open_masks(path: str | None, key: str) -> MaskFiles:
    """The masks at ``path``: a run's folder, its masks.jsonl, or a folder of label PNGs (``LabelMaps``).

    Raises InputError where there are none.
    """
    if path is None:
        raise InputError(f"{key}: missing; give a run's folder, its masks.jsonl, or a folder of label PNGs")
    found = Path(path)
    lines = found / "masks.jsonl" if found.is_dir() else found
    if lines.is_file():
        return MaskRecord(lines, key)
    if found.is_dir():
        return LabelMaps(found, key)
    raise InputError(f"{key}: no such file or folder: {path}")


class MaskRecord:
    """masks.jsonl, read a line at a time: only where each line begins is held."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._places: dict[int, int] = {}
        object_ids: set[int] = set()
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    entry = json.loads(line)
                    self._places[int(entry["frame"])] = place
                    object_ids.update(int(thing["id"]) for thing in entry["objects"])
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(f"{key}: line {number} of {path} is no record of masks ({error!r})") from error
                place += len(line)
        if not self._places:
            raise InputError(f"{key}: {path} is empty")
        self.object_ids = frozenset(object_ids)

    def has(self, index: int, info: VideoInfo) -> bool:
        """Whether the frame has a line."""
        return index in self._places

    def read(self, index: int, info: VideoInfo) -> tuple[dict[int, Mask] | None, Scores]:
        """Masks and scores by object id."""
        if index not in self._places:
            return None, {}
        with self._path.open("rb") as file:
            file.seek(self._places[index])
            objects: list[dict[str, Any]] = json.loads(file.readline())["objects"]
        masks = {thing["id"]: coco.decode(thing["rle"]).astype(bool) for thing in objects}
        for mask_hw in masks.values():
            _check_size(mask_hw.shape, index, info, self._key)
        return masks, {thing["id"]: thing.get("score") for thing in objects}


class LabelMaps:
    """A folder of label PNGs. Of a folder of frames, 00007.png is that of 00007.jpg; of a file, that of frame 7.

    DAVIS-2016's single object, 255 in a folder that holds no other value, is object 1; beside others 255 is void and
    counts as background, as DAVIS-2017's semi-supervised task has it. The first map with an object tells which it is.
    """

    def __init__(self, folder: str | Path, key: str) -> None:
        if not Path(folder).is_dir():
            raise InputError(f"{key}: no such folder: {folder}")
        self._key = key
        self._files = numbered(Path(folder), {".png"}, key)
        if not self._files:
            raise InputError(f"{key}: {folder} holds no label maps named as the frames, such as 00000.png")

    def has(self, index: int, info: VideoInfo) -> bool:
        """Whether the frame has a file."""
        return info.file_number(index) in self._files

    @cached_property
    def object_ids(self) -> frozenset[int]:
        """The ids of all maps; each is read for it."""
        return frozenset(int(value) for file in self._files.values() for value in np.unique(self._ids(file)) if value)

    @cached_property
    def _void_is_object(self) -> bool:
        maps = (read_label_map(path, self._key) for path in self._files.values())
        return next((bool((labels[labels > 0] == VOID).all()) for labels in maps if labels.any()), False)

    def read_labels(self, index: int, info: VideoInfo) -> NDArray[np.uint8] | None:
        """The map (h, w) of object ids, without void; None for a frame without a file.

        Raises InputError for a map that hasn't the video's size.
        """
        if not self.has(index, info):
            return None
        labels = self._ids(self._files[info.file_number(index)])
        _check_size(labels.shape, index, info, self._key)
        return labels

    def read(self, index: int, info: VideoInfo) -> tuple[dict[int, Mask] | None, Scores]:
        """Masks by object id, no scores."""
        labels = self.read_labels(index, info)
        return (None if labels is None else {number: labels == number for number in self.object_ids}), {}

    def _ids(self, file: Path) -> NDArray[np.uint8]:
        labels = read_label_map(file, self._key)
        labels[labels == VOID] = 1 if self._void_is_object else 0
        return labels


def _check_size(shape: tuple[int, ...], index: int, info: VideoInfo, key: str) -> None:
    if shape != (info.height, info.width):
        size = f"{shape[1]}x{shape[0]}"
        raise InputError(f"{key}: frame {index} is {size}, the video is {info.width}x{info.height}: another video's?")
