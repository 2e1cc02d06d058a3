"""Agreement with another run's masks: whether a precision, a size or a model changes anything, without ground truth."""

import logging
from collections.abc import Sequence

import numpy as np

from vidseg.record.masks import open_masks
from vidseg.metric.score import Begun, Means, iou, name_scores
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)


class Agreement:
    """IoU of each object with the same object of ``reference``, frame by frame, and its mean, ``agreement``.

    ``reference`` is a run's folder, its masks.jsonl, or a folder of label PNGs named as the frames. An object counts
    from its first prompt on, or where either run has a mask before that; two empty masks agree. Frames and objects
    that only one of the two runs has are told in one warning and not counted.
    """

    def __init__(self, reference: str | None = None) -> None:
        self._reference = open_masks(reference, "metric.agreement.reference")
        self._means = Means()
        self._ids: set[int] = set()
        self._missing = 0

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run. Raises InputError for a reference of another size."""
        self._info = source.info
        self._begun = Begun(prompts)
        first = next((index for index in source.frames if self._reference.has(index, source.info)), None)
        if first is not None:
            self._reference.read(first, source.info)

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """``iou_<id>`` of one frame."""
        self._ids.update(masks.object_ids)
        others, _ = self._reference.read(frame.index, self._info)
        if others is None:
            self._missing += 1
            return {}
        values: dict[str, float] = {}
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            other_hw = others.get(object_id, np.zeros_like(mask_hw))
            present = bool(mask_hw.any() or other_hw.any())
            if object_id in self._reference.object_ids and self._begun(frame.index, object_id, present):
                value = iou(mask_hw, other_hw)
                values[f"iou_{object_id}"] = value
                self._means.add("agreement", object_id, value)
        return values

    def compute(self) -> dict[str, float]:
        """``agreement`` and ``agreement_<id>``, means over the frames so far."""
        here, there = sorted(self._ids - self._reference.object_ids), sorted(self._reference.object_ids - self._ids)
        gaps = [
            f"{self._missing} frames have no masks there" if self._missing else "",
            f"it has no object {', '.join(map(str, here))}" if here else "",
            f"its object {', '.join(map(str, there))} is not in this run" if there else "",
        ]
        if any(gaps):
            log.warning("metric.agreement.reference: %s: not counted", "; ".join(filter(None, gaps)))
        return name_scores(self._means.by_id())
