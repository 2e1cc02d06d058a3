"""What a detector saw on a frame: boxes with names and scores, what was taken in its object's colour, the rest grey."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidseg.composite import marks
from vidseg.composite.marks import colour
from vidseg.types import RGB

LEFT_OUT: marks.Colour = (150, 150, 150)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detection: its box in pixels, float32 (4,), what to write on it, and the object that it became, or None."""

    box_xyxy: NDArray[np.float32]
    label: str
    object_id: int | None


def draw_look(rgb_hw3: RGB, sightings: Iterable[Sighting]) -> RGB:
    """A copy of the picture with the ``sightings`` on it, (h, w, 3); those that became objects are on top."""
    out = rgb_hw3.copy()
    ordered = sorted(sightings, key=lambda each: each.object_id is not None)
    labels = []
    for each in ordered:
        line = LEFT_OUT if each.object_id is None else colour(each.object_id)
        marks.draw_box(out, each.box_xyxy, line)
        x0, y0, x1, _ = each.box_xyxy.tolist()
        labels.append((each.label, line, (round((x0 + x1) / 2), round(y0))))
    marks.draw_labels(out, reversed(labels))  # the first label stays where it is
    return out
