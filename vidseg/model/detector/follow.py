"""A detector as a segmenter: it segments each frame by itself, and what was prompted is followed by association.

A prompt means the detection that its points are on, or that its box or mask fits best. The detection belongs to a track
of ``vidseg.model.detector.association``; an object is where its track is, and absent where the track has no detection.
"""

import logging
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.measure import bounding_box, iou
from vidseg.model.detector.association import NewAssociation
from vidseg.model.singly import Found, only_points_off, track
from vidseg.types import Detections, Detector, Finder, Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)

LOGIT = np.float32(10)  # a detector's masks have no logits: in size inside and outside, as of recorded masks
TRIES = 10  # frames of those looked at on which a prompt waits for a detection that fits


@dataclass(frozen=True, slots=True)
class Following:
    """How the objects of a video are followed.

    - ``association``: makes what associates the detections of ``detector`` from frame to frame.
    - ``confidence``: the least score of a detection that a prompt means.
    - ``min_iou``: the least IoU of a detection with a prompted box or mask that it fits.
    """

    detector: Detector
    association: NewAssociation
    confidence: float = 0.25
    min_iou: float = 0.3


class Follow:
    """A segmenter: the masks of a detector that makes masks.

    Raises InputError (in ``track``) for a detector that makes boxes only.
    """

    joinable = True

    def __init__(self, following: Following) -> None:
        detector, self._following = following.detector, following
        self.device, self.provenance = detector.device, detector.provenance
        self.precision = getattr(detector, "precision", "fp32")

    def track(
        self, source: Source, prompts: Sequence[Prompt], finder: Finder | None = None
    ) -> Generator[tuple[Frame, FrameMasks]]:
        """See ``vidseg.model.singly.track``."""
        return track(source, prompts, _Looker(Follower(self._following, float(source.info.fps))), finder)


class _Looker:
    """The detector's looks at one video."""

    def __init__(self, follower: "Follower") -> None:
        self._follower = follower

    def look(self, frame: Frame, given: Sequence[Prompt], live: Collection[int]) -> Mapping[int, Found]:
        """The live objects that have a detection."""
        for prompt in filter(only_points_off, given):
            log.warning(
                "prompt of object %d: points off it on frame %d change nothing, as a detector's masks are what they "
                "are; a point on it or a box says which detection it is", prompt.object_id, frame.index,
            )  # fmt: skip
        return self._found(self._follower.look(frame, given, live))

    def join(self, frame: Frame, given: Sequence[Prompt]) -> Mapping[int, Found]:
        """The new objects that have a detection."""
        return self._found(self._follower.join(frame, given))

    def _found(self, rows: Mapping[int, int]) -> Mapping[int, Found]:
        detections = self._follower.detections
        masks_nhw = detections.masks_nhw
        if masks_nhw is None:
            raise InputError(
                "model.detector: it makes boxes and no masks; take one that does (yolo, mask_rcnn, rfdetr), or let\n"
                "SAM make masks of its boxes: model=sam model.follow=detector"
            )
        return {
            number: Found(np.where(masks_nhw[row], LOGIT, -LOGIT), float(detections.scores[row]))
            for number, row in rows.items()
        }


class Follower:
    """Which detection is which prompted object, frame by frame."""

    detections: Detections  # of the last frame

    def __init__(self, following: Following, fps: float) -> None:
        self._following, self._association = following, following.association(fps)
        self._tracks: dict[int, int] = {}  # the track of each object
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)  # the track of each detection of the last frame
        self._waiting: dict[int, Prompt] = {}  # the objects without a track, and what they look like
        self._tries: dict[int, int] = {}  # the frames that they still wait
        self._rows: dict[int, int] = {}  # the detections of this frame that are objects

    def look(self, frame: Frame, given: Sequence[Prompt], live: Collection[int]) -> Mapping[int, int]:
        """The rows in ``detections`` of the live objects, by id; objects without one are left out.

        Points off an object say which detection it isn't, and not which it is: with them alone nothing changes.
        """
        self.detections = self._following.detector.detect(frame.rgb_hw3)
        self._numbers = self._association.update(self.detections, frame.rgb_hw3)
        rows = {int(number): row for row, number in enumerate(self._numbers) if number >= 0}
        self._rows = {each: rows[number] for each, number in self._tracks.items() if each in live and number in rows}
        self._waiting = {each: told for each, told in self._waiting.items() if each in live and each not in self._rows}
        told = [prompt for prompt in given if not only_points_off(prompt)]
        others = self._waiting.keys() - {prompt.object_id for prompt in told}
        self.join(frame, told)
        self._settle(frame, sorted(others))
        return self._rows

    def join(self, frame: Frame, given: Sequence[Prompt]) -> Mapping[int, int]:
        """The rows of objects that begin on the frame that was looked at last."""
        told = {prompt.object_id: prompt for prompt in given}
        self._waiting |= told
        self._tries |= dict.fromkeys(told, TRIES)
        return self._settle(frame, list(told))

    def _settle(self, frame: Frame, numbers: Sequence[int]) -> dict[int, int]:
        """The detections that waiting prompts mean; an object whose prompt none fits stays what it was, if it was one.

        They are looked for among those of no other object. Objects that are told together may change places.
        """
        before = {number: self._rows.pop(number) for number in numbers if number in self._rows}
        sure = np.flatnonzero(self.detections.scores >= self._following.confidence).tolist()
        begun = {}
        for number in numbers:
            free = [row for row in sure if row not in self._rows.values()]
            row = fitting(self.detections, free, self._waiting[number], self._following.min_iou)
            if row is not None:
                self._take(number, row)
                begun[number] = row
        for number in numbers:
            if number not in begun:
                self._miss(frame, number, before.get(number))
        return begun

    def _take(self, number: int, row: int) -> None:
        """Object ``number`` is the detection ``row`` from now on."""
        track = int(self._numbers[row])
        self._rows[number] = row
        self._tracks = {each: known for each, known in self._tracks.items() if each != number and known != track}
        if track >= 0:
            self._tracks[number] = track
            del self._waiting[number]
        else:  # a tracker numbers what it has seen twice
            self._waiting[number] = replace(self._waiting[number], **_shape(self.detections, row))

    def _miss(self, frame: Frame, number: int, row: int | None) -> None:
        """No detection fits the prompt of object ``number``, which was the detection ``row`` so far."""
        stays = row is not None and row not in self._rows.values()
        if self._tries[number] == TRIES:
            names = sorted({*self.detections.names})
            there = f"it found {', '.join(names)}" if names else "it found nothing"
            known = "; it stays what it was" if stays else ""
            log.warning("prompt of object %d: no detection fits on frame %d (%s)%s", number, frame.index, there, known)
        self._tries[number] -= 1
        if row is not None and stays:
            self._rows[number] = row
            del self._waiting[number]
        elif not self._tries[number]:
            log.warning("object %d: no detection fits on %d frames; it is absent", number, TRIES)
            del self._waiting[number]


def _shape(detections: Detections, row: int) -> dict[str, Any]:
    """A detection as the fields of a prompt."""
    return {"points_xy": None, "labels": None, "mask_hw": None, "box_xyxy": detections.boxes_xyxy[row]}


def fitting(detections: Detections, rows: Sequence[int], prompt: Prompt, min_iou: float) -> int | None:
    """Which one of ``rows`` the prompt means; None if none fits.

    All positive points must be on it, all negative ones off it. With a box or a mask, the one with the highest IoU, at
    least ``min_iou``, counts; with points alone, the surest mask that they hit, or the smallest box.
    """
    rows = [row for row in rows if _hit(detections, row, prompt)]
    if prompt.box_xyxy is None and prompt.mask_hw is None:
        if detections.masks_nhw is None:
            return min(rows, key=lambda row: _area(detections.boxes_xyxy[row]), default=None)
        return rows[0] if rows else None
    fits = {row: _overlap(detections, row, prompt) for row in rows}
    best = max(fits, key=fits.__getitem__, default=None)
    return best if best is not None and fits[best] >= min_iou else None


def _hit(detections: Detections, row: int, prompt: Prompt) -> bool:
    if prompt.points_xy is None or prompt.labels is None:
        return True
    if detections.masks_nhw is None:
        x0, y0, x1, y1 = detections.boxes_xyxy[row]
        x, y = prompt.points_xy.T
        on = (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
    else:
        mask_hw = detections.masks_nhw[row]
        x, y = np.minimum(prompt.points_xy.astype(int), (mask_hw.shape[1] - 1, mask_hw.shape[0] - 1)).T
        on = mask_hw[y, x]
    return bool((on == (prompt.labels == 1)).all())


def _overlap(detections: Detections, row: int, prompt: Prompt) -> float:
    """IoU of a detection with a prompt's mask, or box: of masks if both have one, else of boxes."""
    if prompt.mask_hw is None:
        assert prompt.box_xyxy is not None
        return box_iou(detections.boxes_xyxy[row], prompt.box_xyxy)
    if detections.masks_nhw is not None:
        return iou(detections.masks_nhw[row], prompt.mask_hw)
    box = bounding_box(prompt.mask_hw)
    if box is None:
        return 0.0
    rows, columns = box
    corners = np.array([columns.start, rows.start, columns.stop, rows.stop], np.float32)
    return box_iou(detections.boxes_xyxy[row], corners)


def box_iou(first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(first_xyxy[:2], second_xyxy[:2]), np.minimum(first_xyxy[2:], second_xyxy[2:])
    shared = _area(np.concatenate([low, np.maximum(low, high)]))
    union = _area(first_xyxy) + _area(second_xyxy) - shared
    return shared / union if union > 0 else 0.0


def _area(box_xyxy: NDArray[np.float32]) -> float:
    return float((box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1]))
