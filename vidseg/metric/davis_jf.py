"""J, F and J&F as DAVIS-2017's semi-supervised evaluation defines them.

J is the intersection over union of mask and ground truth, F the F-measure of their boundaries (Perazzi et al., CVPR
2016; Pont-Tuset et al., arXiv 1704.00675). Results equal those of github.com/davisvideochallenge/davis2017-evaluation.
Its conventions are used (boundary pixels, tolerance, bins of the decay), none of its code.
"""

import logging
import math
from array import array
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import bounding_box, iou
from vidseg.metric.score import first_prompts, name_scores
from vidseg.record.label_maps import annotations_of
from vidseg.record.object_maps import open_annotations
from vidseg.scaling import scaled_mask
from vidseg.types import Frame, FrameMasks, Mask, Prompt, Source

log = logging.getLogger(__name__)

NO_TRUTH = (
    "metric.davis_jf: no ground truth, so no scores j, f and j_and_f; metric.davis_jf.truth=FOLDER names annotations"
)
TOLERANCE = 0.008  # of the picture's diagonal: boundary pixels that are no further apart match
LARGEST_DISK = 12  # pixels; at 720p. Beyond, distances are quicker: at 4K a disk took 280 ms a frame
Pixels = NDArray[np.uint8]  # (h, w) of 0 and 1


class DavisJF:
    """J and F of each object on each frame with ground truth; over the run their mean, recall and decay.

    Recall is the share of frames with a score above 0.5. As in DAVIS, the mean counts neither frames up to the object's
    first prompted one nor the last frame with ground truth. The prompted and the last frame do have ``j_<id>`` and
    ``f_<id>``. An object without a prompt (of a replay, or found while the run went on) begins on the first frame that
    knows it.

    Frames without ground truth are not scored. An object that comes later in the ground truth counts from the frame on
    which it comes, also if it is prompted there, as in the scorer of MOSE and SA-V (vos-benchmark).

    ``truth`` is a folder of annotations, named as the frames, in one of the layouts of ``vidseg.record.object_maps``;
    ``root`` holds such folders, each named as its video.
    Without both the source's own ground truth is used, and without that there are no scores. Objects that only the run
    or only the ground truth has are named in a warning and not scored. Memory: 16 bytes for each frame and object.
    """

    def __init__(self, truth: str | None = None, root: str | None = None) -> None:
        self._root = root
        self._lacks: tuple[int, str] | None = None
        self._files = None if truth is None else open_annotations(truth, "metric.davis_jf.truth")
        self._curves: dict[int, tuple[array[float], array[float]]] = {}  # J and F of the frames after an object's first
        self._known: set[int] = set()  # objects that were in the ground truth so far
        self._annotated: set[int] = set()  # objects of which a frame with ground truth was seen
        self._expected: set[int] = set()  # objects on the first frame with ground truth

    @property
    def notes(self) -> list[tuple[int, str]]:
        """What this run lacks, for its summary and its log: a level of logging, and one line."""
        return [] if self._lacks is None else [self._lacks]

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run. Raises InputError if label maps don't have the video's size, or ``root`` none of this video."""
        self._source, self._first, self._maps = source, first_prompts(prompts), source.info.of_source
        if self._files is None and self._root is not None:
            self._files = open_annotations(annotations_of(source.name, self._root), "metric.davis_jf.root")
        if self._files is None:
            if all(source.truth(index) is None for index in source.frames):
                self._lacks = logging.INFO, NO_TRUTH
            return
        first = next((index for index in source.frames if self._files.has(index, self._maps)), None)
        if first is None:
            text = "metric.davis_jf: none of the label maps is of a frame of this run: there are no scores"
            self._lacks = logging.WARNING, text
        else:
            self._expected = set(self._files.objects(first, self._maps))

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """``j_<id>`` and ``f_<id>`` of one frame."""
        truths = self._truth(frame.index, masks.object_ids)
        values: dict[str, float] = {}
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            if (truth_hw := truths.get(object_id)) is None:
                continue
            comes = object_id not in self._known and object_id in self._annotated and bool(truth_hw.any())
            self._annotated.add(object_id)
            if truth_hw.any():
                self._known.add(object_id)
            curves = self._curves.setdefault(object_id, (array("d"), array("d")))
            if frame.index < (first := self._first.setdefault(object_id, frame.index)):
                continue
            j, f = iou(mask_hw, truth_hw), boundary_f(mask_hw, truth_hw)
            if frame.index > first or comes:
                for curve, value in zip(curves, (j, f), strict=True):
                    curve.append(value)
            if object_id in self._known:
                values |= {f"j_{object_id}": j, f"f_{object_id}": f}
        return values

    def compute(self) -> dict[str, float]:
        """``j``, ``f``, ``j_and_f``, ``j_recall``, ``j_decay``, ``f_recall``, ``f_decay``, and each with ``_<id>``."""
        strangers, missing = self._curves.keys() - self._known, self._expected - self._curves.keys()
        for ids, why in ((strangers, "the ground truth has no"), (missing, "this run doesn't follow")):
            if ids:
                log.warning("metric.davis_jf: %s object %s: not scored", why, ", ".join(map(str, sorted(ids))))
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

    def _truth(self, index: int, object_ids: Sequence[int]) -> dict[int, Mask]:
        """The ground truth of those objects that have one on a frame."""
        if self._files is not None:
            found = self._files.masks(index, self._maps, object_ids)
            size = (self._source.info.width, self._source.info.height)
            return {number: scaled_mask(mask_hw, size) for number, mask_hw in found.items()}
        labels_hw = self._source.truth(index)
        return {} if labels_hw is None else {number: labels_hw == number for number in object_ids}


def decay(values: NDArray[np.float64]) -> float:
    """The mean of the first quarter of the values (n,) minus that of the last; neighbouring quarters share a frame.

    The official scorer stores the ends of the quarters in 8 bits, so its number is another beyond 256 frames.
    """
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    return float(values[ends[0] : ends[1] + 1].mean() - values[ends[3] : ends[4] + 1].mean())


def boundary_f(mask_hw: Mask, truth_hw: Mask) -> float:
    """The F-measure of two masks' boundaries; a boundary pixel within the tolerance of the other boundary matches.

    1 if neither mask has a boundary, 0 if only one has.
    """
    radius = math.ceil(TOLERANCE * math.hypot(*mask_hw.shape))
    box = bounding_box(mask_hw | truth_hw, margin=1)  # all of both boundaries is in it
    if box is None:
        return 1.0
    edges, true_edges = boundary(mask_hw[box]), boundary(truth_hw[box])
    count, true_count = cv2.countNonZero(edges), cv2.countNonZero(true_edges)
    if not count or not true_count:
        return float(count == true_count)
    precision = cv2.countNonZero(edges & near(true_edges, radius)) / count
    recall = cv2.countNonZero(true_edges & near(edges, radius)) / true_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask_hw: Mask) -> Pixels:
    """1 where a pixel differs from its right, lower or lower right neighbour, else 0."""
    pixels = np.ascontiguousarray(mask_hw).view(np.uint8)
    edges = np.zeros_like(pixels)
    edges[:, :-1] = pixels[:, :-1] ^ pixels[:, 1:]
    edges[:-1] |= pixels[:-1] ^ pixels[1:]
    edges[:-1, :-1] |= pixels[:-1, :-1] ^ pixels[1:, 1:]
    return edges


def near(edges: Pixels, radius: int) -> Pixels:
    """1 where a pixel of a boundary is at most ``radius`` pixels away."""
    if radius <= LARGEST_DISK:
        return np.asarray(cv2.dilate(edges, _disk(radius)), np.uint8)
    return np.asarray(cv2.distanceTransform(1 - edges, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius, np.uint8)


@lru_cache
def _disk(radius: int) -> Pixels:
    squares = np.arange(-radius, radius + 1) ** 2
    return (squares[:, None] + squares <= radius**2).astype(np.uint8)
