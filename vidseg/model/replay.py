"""Replay: the masks of an earlier run as a segmenter, so that a new background or codec costs no new segmentation."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.errors import InputError
from vidseg.palette_png import label_maps_by_frame, read_labels
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)

CERTAIN = 10.0  # the logit of a replayed pixel; a recorded mask holds no doubt


class Replay:
    """Masks from masks.jsonl (a run's folder or the file) or from a folder of label PNGs, looked up by frame number.

    Frames without a record get empty masks and a warning. Raises InputError for a path without masks, or with masks
    of another size than the video.
    """

    device = "cpu"
    precision = "fp32"

    def __init__(self, path: str | None) -> None:
        if path is None:
            raise InputError("model.path: missing; give a run's folder, its masks.jsonl, or a folder of label PNGs")
        found = Path(path)
        lines = found / "masks.jsonl" if found.is_dir() else found
        self._masks: _Lines | _LabelMaps
        if lines.is_file():
            self._masks = _Lines(lines)
        elif found.is_dir():
            self._masks = _LabelMaps(found)
        else:
            raise InputError(f"model.path: no such file or folder: {path}")
        self.provenance: Mapping[str, str] = {"replay": str(found.resolve())}

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Iterator[tuple[Frame, FrameMasks]]:
        """One pair a frame; prompts are only drawn."""
        ids = tuple(sorted(self._masks.object_ids))
        missing = 0
        for frame in source:
            masks, scores = self._masks.read(frame.index)
            missing += masks is None
            logits = np.full((len(ids), *frame.rgb_hw3.shape[:2]), -CERTAIN, np.float32)
            for object_id, mask_hw in (masks or {}).items():
                if mask_hw.shape != logits.shape[1:]:
                    raise InputError(
                        f"model.path: the masks are {mask_hw.shape[1]}x{mask_hw.shape[0]}, "
                        f"the video is {logits.shape[2]}x{logits.shape[1]}: another video's?"
                    )
                logits[ids.index(object_id)][mask_hw] = CERTAIN
            yield frame, FrameMasks(frame.index, ids, logits, tuple(scores.get(i) for i in ids))
        if missing:
            log.warning("model.path: %d frames have no masks there; they are empty", missing)


Masks = dict[int, NDArray[np.bool_]]


class _Lines:
    """masks.jsonl, read a line at a time: only where each line begins is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[int, int] = {}
        self.object_ids: set[int] = set()
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    entry = json.loads(line)
                    self._places[int(entry["frame"])] = place
                    self.object_ids.update(int(thing["id"]) for thing in entry["objects"])
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(
                        f"model.path: line {number} of {path} is no record of masks ({error!r})"
                    ) from error
                place += len(line)
        if not self._places:
            raise InputError(f"model.path: {path} is empty")

    def read(self, index: int) -> tuple[Masks | None, dict[int, float | None]]:
        """Masks and scores by object id; None for a frame without a record."""
        if index not in self._places:
            return None, {}
        with self._path.open("rb") as file:
            file.seek(self._places[index])
            objects: list[dict[str, Any]] = json.loads(file.readline())["objects"]
        masks = {thing["id"]: coco.decode(thing["rle"]).astype(bool) for thing in objects}
        return masks, {thing["id"]: thing.get("score") for thing in objects}


class _LabelMaps:
    """A folder of label PNGs named by frame number."""

    def __init__(self, folder: Path) -> None:
        self._files = label_maps_by_frame(folder, "model.path")
        self.object_ids: set[int] = set()
        for path in self._files.values():
            self.object_ids.update(int(v) for v in np.unique(read_labels(path, "model.path")) if v)

    def read(self, index: int) -> tuple[Masks | None, dict[int, float | None]]:
        """Masks by object id, no scores; None for a frame without a file."""
        if index not in self._files:
            return None, {}
        labels = read_labels(self._files[index], "model.path")
        return {object_id: labels == object_id for object_id in self.object_ids}, {}
