"""A detector of squares that were planted, and a tracker of them: few lines that know where everything is."""

from typing import ClassVar

import numpy as np
from sources import ArraySource

from vidseg.contract import TrackChecker
from vidseg.model.detector.follow import Follow, Following
from vidseg.types import Detections

SIDE = 30


class Planted:
    """Finds, on the n-th frame, the squares of ``frames[n]``: x and y of their corners by name; None is not found.

    A picture is uint8 (120, 200, 3) and tells its number in its first pixel. Squares are found in another order on
    every other frame.
    """

    classes = ("cat", "dog")
    device = "cpu"
    provenance: ClassVar = {"checkpoint": "planted"}

    def __init__(self, frames, masks=True, scores=None):
        self.frames, self.masks, self.scores = frames, masks, scores or {}

    def detect(self, rgb_hw3):
        number = int(rgb_hw3[0, 0, 0])
        found = [(name, xy) for name, xy in self.frames[number].items() if xy is not None][:: 1 - 2 * (number % 2)]
        masks = np.zeros((len(found), 120, 200), bool)
        for row, (_, (x, y)) in enumerate(found):
            masks[row, y : y + SIDE, x : x + SIDE] = True
        boxes = np.array([[x, y, x + SIDE, y + SIDE] for _, (x, y) in found], np.float32).reshape(-1, 4)
        scores = np.array([self.scores.get((number, name), 0.9) for name, _ in found], np.float32)
        names = tuple(name.rstrip("12") for name, _ in found)
        return Detections(boxes, scores, names, masks if self.masks else None)


def numbered(count):
    """Frames for ``Planted``: (count, 120, 200, 3)."""
    clip = np.zeros((count, 120, 200, 3), np.uint8)
    clip[:, 0, 0, 0] = np.arange(count)
    return clip


class ByName:
    """Knows a track by where its squares are: cats left, dogs right; like real trackers, from the second look on."""

    def __init__(self, fps):
        self.seen = set()

    def update(self, detections, rgb_hw3):
        numbers = [int(box[0] >= 100) for box in detections.boxes_xyxy]
        told = [number if number in self.seen else -1 for number in numbers]
        self.seen |= set(numbers)
        return np.array(told, np.int64)


def followed(detector, *prompts, finder=None, following=ByName):
    """The corner of every object's mask, x and y, on every frame; None where it is absent."""
    source = ArraySource(numbered(len(detector.frames)))
    segmenter, corners = Follow(Following(detector, following)), []
    if finder is None:
        pairs = TrackChecker(segmenter, source, prompts).pairs(source)
    else:
        pairs = segmenter.track(source, prompts, finder=finder)
    for _, masks in pairs:
        row = {}
        for number, mask, score in zip(masks.object_ids, masks.masks_nhw, masks.scores, strict=True):
            y, x = np.nonzero(mask)
            assert (score is None) == (len(x) == 0)
            row[number] = (int(x.min()), int(y.min())) if len(x) else None
        corners.append(row)
    return corners
