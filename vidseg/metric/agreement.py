"""Agreement with the masks of another run: what a precision, a size or a model changes, without ground truth."""

import logging
from collections.abc import Sequence

import numpy as np

from vidseg.measure import iou
from vidseg.metric.score import Begun, Means, name_scores
from vidseg.record.masks import open_masks
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)


class Agreement:
    """The IoU of each object's mask with the same object's in ``reference``, and its mean over the frames.

    ``reference`` is a run's folder, its masks.jsonl, or a folder of label maps named as the frames. An object counts
    from its first prompt on, or from the first mask that either run has of it. Frames on which both masks are empty
    have no IoU, since they say nothing about how far two runs agree: ``both_empty_frames`` counts them. Frames and
    objects that only one of the two runs has aren't counted; one warning names them.
    """

    def __init__(self, reference: str | None = None) -> None:
        self._reference = open_masks(reference, "metric.agreement.reference")
        self._means = Means()
        self._both_empty: dict[int, float] = {}
        self._ids: set[int] = set()
        self._missing = 0

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run. Raises InputError if the reference's masks don't have the size of the video."""
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
            if object_id not in self._reference.object_ids or not self._begun(frame.index, object_id, present):
                continue
            self._both_empty[object_id] = self._both_empty.get(object_id, 0) + (not present)
            if present:
                value = iou(mask_hw, other_hw)
                values[f"iou_{object_id}"] = value
                self._means.add("agreement", object_id, value)
        return values

    def compute(self) -> dict[str, float]:
        """``agreement_<id>``, the mean over the frames so far, and ``agreement``, the mean over the objects.

        ``both_empty_frames_<id>`` and ``both_empty_frames`` likewise.
        """
        here, there = sorted(self._ids - self._reference.object_ids), sorted(self._reference.object_ids - self._ids)
        gaps = [
            f"{self._missing} frames have no masks there" if self._missing else "",
            f"it has no object {', '.join(map(str, here))}" if here else "",
            f"its object {', '.join(map(str, there))} is not in this run" if there else "",
        ]
        if any(gaps):
            log.warning("metric.agreement.reference: %s: not counted", "; ".join(filter(None, gaps)))
        return name_scores(self._means.by_id() | {"both_empty_frames": self._both_empty})
