"""J, F and J&F as DAVIS-2017's semi-supervised evaluation defines them.

J is the intersection over union of mask and ground truth, F the F-measure of their boundaries (Perazzi et al., CVPR
2016; Pont-Tuset et al., arXiv 1704.00675). Equal to github.com/davisvideochallenge/davis2017-evaluation, from which the
conventions are (boundary pixels, tolerance, bins of the decay); the code is not.
"""

import logging
import math
from array import array
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.record.label_maps import LabelMaps, annotations_of
from vidseg.metric.score import first_prompts, iou, name_scores
from vidseg.types import Frame, FrameMasks, Mask, Prompt, Source

log = logging.getLogger(__name__)

TOLERANCE = 0.008  # of the picture's diagonal: boundary pixels no further apart match
Pixels = NDArray[np.uint8]  # (h, w) of 0 and 1


class DavisJF:
    """J and F of each object on each frame with ground truth, and their mean, recall (share above 0.5) and decay.

    As in DAVIS, an object's first prompted frame and the last frame with ground truth are not counted, although their
    ``j_<id>`` and ``f_<id>`` are told; neither is anything before the first prompt. An object without a prompt (a
    replay) begins on the run's first frame. ``truth`` is a folder of label PNGs named as the frames, or ``root``
    holds one named as the video; without them the source's own ground truth is taken if it has one, else there are no
    scores. Objects that only the run or only the ground truth knows are named in the log and not scored. 16 bytes a
    frame and object are held.
    """

    def __init__(self, truth: str | None = None, root: str | None = None) -> None:
        self._root = root
        self._files = None if truth is None else LabelMaps(truth, "metric.davis_jf.truth")
        self._curves: dict[int, tuple[array[float], array[float]]] = {}  # J and F of the frames after an object's first
        self._known: set[int] = set()  # objects that the ground truth has shown
        self._expected: set[int] = set()  # objects of the first label map

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Notes where each object begins. Raises InputError for label maps of another size, or none for this video."""
        self._source, self._first = source, first_prompts(prompts)
        if self._files is None and self._root is not None:
            self._files = LabelMaps(annotations_of(source.name, self._root), "metric.davis_jf.root")
        if self._files is None:
            return
        first = next((index for index in source.frames if self._files.has(index, source.info)), None)
        if first is None:
            log.warning("metric.davis_jf: none of the label maps is of a frame of this run: there are no scores")
        elif (labels := self._truth(first)) is not None:
            self._expected = {int(value) for value in np.unique(labels) if value}

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """``j_<id>`` and ``f_<id>`` of one frame."""
        if (labels := self._truth(frame.index)) is None:
            return {}
        values: dict[str, float] = {}
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            truth_hw = labels == object_id
            if truth_hw.any():
                self._known.add(object_id)
            curves = self._curves.setdefault(object_id, (array("d"), array("d")))
            if frame.index < (first := self._first.get(object_id, self._source.frames[0])):
                continue
            j, f = iou(mask_hw, truth_hw), boundary_f(mask_hw, truth_hw)
            if frame.index > first:
                for curve, value in zip(curves, (j, f), strict=True):
                    curve.append(value)
            if object_id in self._known:
                values |= {f"j_{object_id}": j, f"f_{object_id}": f}
        return values

    def compute(self) -> dict[str, float]:
        """``j``, ``f``, ``j_and_f``, ``j_recall``, ``j_decay``, ``f_recall``, ``f_decay``, and those of each object."""
        if strangers := sorted(self._curves.keys() - self._known):
            log.warning("metric.davis_jf: the ground truth knows no object %s: not scored", _listed(strangers))
        if missing := sorted(self._expected - self._curves.keys()):
            log.warning("metric.davis_jf: this run doesn't follow object %s: not scored", _listed(missing))
        scores: dict[str, dict[int, float]] = {name: {} for name in ("j", "f", "j_and_f")}
        for number, curves in sorted(self._curves.items()):
            if number not in self._known or len(curves[0]) < 2:
                continue
            for name, curve in zip("jf", curves, strict=True):
                counted = np.array(curve[:-1])
                scores[name][number] = float(counted.mean())
                scores.setdefault(f"{name}_recall", {})[number] = float((counted > 0.5).mean())
                scores.setdefault(f"{name}_decay", {})[number] = decay(counted)
            scores["j_and_f"][number] = (scores["j"][number] + scores["f"][number]) / 2
        return name_scores(scores)

    def _truth(self, index: int) -> NDArray[np.uint8] | None:
        if self._files is None:
            return self._source.truth(index)
        return self._files.read_labels(index, self._source.info)


def decay(values: NDArray[np.float64]) -> float:
    """The mean over the first quarter of the frames (n,) less that over the last; neighbouring quarters share a frame.

    The official scorer keeps the quarters' ends in 8 bits, so beyond 256 frames this is not its number.
    """
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    return float(values[ends[0] : ends[1] + 1].mean() - values[ends[3] : ends[4] + 1].mean())


def boundary_f(mask_hw: Mask, truth_hw: Mask) -> float:
    """The F-measure of two masks' boundaries: a boundary pixel within the tolerance of the other's boundary matches.

    1 where neither has a boundary, 0 where one has.
    """
    radius = math.ceil(TOLERANCE * math.hypot(*mask_hw.shape))
    crop = _around(mask_hw | truth_hw)
    edges, true_edges = boundary(mask_hw[crop]), boundary(truth_hw[crop])
    count, true_count = cv2.countNonZero(edges), cv2.countNonZero(true_edges)
    if not count or not true_count:
        return float(count == true_count)
    precision = cv2.countNonZero(edges & cv2.dilate(true_edges, _disk(radius))) / count
    recall = cv2.countNonZero(true_edges & cv2.dilate(edges, _disk(radius))) / true_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask_hw: Mask) -> Pixels:
    """1 where a pixel differs from its right, lower or lower right neighbour."""
    pixels = np.ascontiguousarray(mask_hw).view(np.uint8)
    edges = np.zeros_like(pixels)
    edges[:, :-1] = pixels[:, :-1] ^ pixels[:, 1:]
    edges[:-1] |= pixels[:-1] ^ pixels[1:]
    edges[:-1, :-1] |= pixels[:-1, :-1] ^ pixels[1:, 1:]
    return edges


def _around(mask_hw: Mask) -> tuple[slice, slice]:
    """The box of a mask and a pixel more, in which all of its boundary lies."""
    x, y, width, height = cv2.boundingRect(mask_hw.view(np.uint8))
    return np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]


@lru_cache
def _disk(radius: int) -> Pixels:
    squares = np.arange(-radius, radius + 1) ** 2
    return (squares[:, None] + squares <= radius**2).astype(np.uint8)


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
