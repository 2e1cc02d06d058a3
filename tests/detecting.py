"""Detectors of the tests: they find what they are told to, in Python or in a YAML of conf/detector."""

import numpy as np

from vidseg.types import Detections


class Planted:
    """Finds the same ``things`` in every picture, each (name, score, box x0, y0, x1, y1), with masks if ``masks``.

    Of pictures before the ``first`` one it finds nothing.
    """

    device = "cpu"
    classes = ("person", "dog", "sports ball")

    def __init__(self, things=(), confidence=0.3, masks=False, first=0, device="nowhere"):
        self.things, self.masks, self.first, self.looked = list(things), masks, first, 0
        self.provenance, self.confidence, self.told_device = {}, confidence, device

    def detect(self, rgb_hw3):
        self.looked += 1
        things = [thing for thing in self.things if thing[1] >= self.confidence and self.looked > self.first]
        boxes = np.array([thing[2:] for thing in things], np.float32).reshape(-1, 4)
        masks = np.zeros((len(things), *rgb_hw3.shape[:2]), bool)
        for mask_hw, (x0, y0, x1, y1) in zip(masks, boxes.astype(int).tolist(), strict=True):
            mask_hw[y0:y1, x0:x1] = True
        scores = np.array([thing[1] for thing in things], np.float32)
        return Detections(boxes, scores, tuple(thing[0] for thing in things), masks if self.masks else None)


class Phrases(Planted):
    """Finds each phrase that it was made with, at places in a row."""

    classes = None

    def __init__(self, text=None, confidence=0.3):
        super().__init__(
            [(phrase, 0.9 - 0.1 * n, 40 * n, 10, 40 * n + 30, 60) for n, phrase in enumerate(text)], confidence
        )
