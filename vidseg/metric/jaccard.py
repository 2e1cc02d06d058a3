"""J, the region similarity of DAVIS: intersection over union of mask and ground truth (Perazzi et al., CVPR 2016)."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.palette_png import label_maps_by_frame, read_labels
from vidseg.types import Frame, FrameMasks, Mask, Prompt, Source

log = logging.getLogger(__name__)

PRINCIPAL = 1  # the object that `j` is about: the built-in clip's skater, and DAVIS-2016's only one


def jaccard(mask_hw: Mask, truth_hw: Mask) -> float:
    """Intersection over union of two masks; 1 where both are empty, as DAVIS defines it."""
    union = np.count_nonzero(mask_hw | truth_hw)
    return float(np.count_nonzero(mask_hw & truth_hw) / union) if union else 1.0


class Jaccard:
    """Mean J of each object over the frames with ground truth, from the object's first prompt on.

    ``truth`` is a folder of label PNGs named by frame number, else the source's own ground truth is taken if it has
    one; without either there are no scores. ``j_<id>`` is an object's mean and ``j`` that of object 1. An object that
    the ground truth doesn't know is named in the log and not scored.
    """

    def __init__(self, truth: str | None = None) -> None:
        self._files = None if truth is None else label_maps_by_frame(truth, "metric.jaccard.truth")
        self._source: Source | None = None
        self._first: dict[int, int] = {}
        self._known: set[int] = set()
        self._scores: defaultdict[int, tuple[float, int]] = defaultdict(lambda: (0.0, 0))

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Notes where each object begins."""
        self._source = source
        for prompt in prompts:
            first = self._first.setdefault(prompt.object_id, prompt.frame_index)
            self._first[prompt.object_id] = min(first, prompt.frame_index)

    def update(self, frame: Frame, masks: FrameMasks) -> None:
        """Scores one frame."""
        if (truth := self._truth(frame.index)) is None:
            return
        if truth.shape != masks.masks_nhw.shape[1:]:
            size, video = truth.shape[::-1], masks.masks_nhw.shape[:0:-1]
            raise InputError(
                f"metric.jaccard.truth: frame {frame.index} is {size[0]}x{size[1]}, the video is {video[0]}x{video[1]}"
            )
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            if frame.index >= self._first.get(object_id, 0):
                truth_hw = truth == object_id
                if truth_hw.any():
                    self._known.add(object_id)
                total, count = self._scores[object_id]
                self._scores[object_id] = (total + jaccard(mask_hw, truth_hw), count + 1)

    def compute(self) -> dict[str, float]:
        """``j`` and ``j_<id>``, means over the frames so far."""
        if strangers := sorted(set(self._scores) - self._known):
            log.warning("metric: the ground truth knows no object %s: not scored", ", ".join(map(str, strangers)))
        scores = {k: total / count for k, (total, count) in sorted(self._scores.items()) if k in self._known}
        principal = {"j": scores[PRINCIPAL]} if PRINCIPAL in scores else {}
        return principal | {f"j_{object_id}": score for object_id, score in scores.items()}

    def _truth(self, index: int) -> NDArray[np.uint8] | None:
        assert self._source is not None
        if self._files is None:
            return self._source.truth(index)
        return read_labels(self._files[index], "metric.jaccard.truth") if index in self._files else None
