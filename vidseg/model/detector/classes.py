"""A detector of which only some classes count."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np

from vidseg.errors import InputError
from vidseg.types import RGB, Detections, Detector


def plain(name: str) -> str:
    """A class name without what users and detectors write differently: Dining_Table is dining table."""
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


class OfClasses:
    """A detector's detections of the classes ``names``, however they are written (``plain``).

    Raises InputError, beginning with ``key``, for a name that the detector doesn't know.
    """

    def __init__(self, detector: Detector, names: Sequence[str], key: str) -> None:
        if isinstance(names, str) or not names:
            raise InputError(f"{key}: {names!r} is no list of names; such as [person,dog], or null for all")
        self._detector = detector
        self.device, self.classes = detector.device, detector.classes
        self.provenance: Mapping[str, str] = detector.provenance
        self._wanted = {plain(str(name)) for name in names}
        known = {plain(name): name for name in detector.classes or ()}
        for name in sorted(self._wanted - known.keys()) if known else ():
            near = get_close_matches(name, known, 3, 0.5) or list(known)[:3]
            some = ", ".join(known[each] for each in near)
            raise InputError(f"{key}: {type(detector).__name__} has no class {name!r}; the nearest that it has: {some}")

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3)."""
        found = self._detector.detect(rgb_hw3)
        if self._detector.classes is None:  # what was found is one of the phrases that it was made with
            return found
        rows = np.array([plain(name) in self._wanted for name in found.names], bool)
        names = tuple(name for name, kept in zip(found.names, rows, strict=True) if kept)
        masks_nhw = None if found.masks_nhw is None else found.masks_nhw[rows]
        return Detections(found.boxes_xyxy[rows], found.scores[rows], names, masks_nhw)
