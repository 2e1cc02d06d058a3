"""Points and boxes from YAML."""

from typing import Any

from vidseg import coordinates
from vidseg.errors import InputError
from vidseg.prompt.fit import fitted
from vidseg.types import Prompt, Source


def click(source: Source, points: Any, labels: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """Points on one object: those with label 1 are on it, those with label 0 are not. Without labels all are on it."""
    return (points_and_box(source, "prompt.", frame, object, points, labels),)


def box(source: Source, box: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """A box around one object: x0, y0, x1, y1."""
    if box is None:
        raise InputError("prompt.box: missing; give the corners in pixels, prompt.box=[x0,y0,x1,y1]")
    return (points_and_box(source, "prompt.", frame, object, box=box),)


def points_and_box(
    source: Source, where: str, frame: Any, object: Any, points: Any = None, labels: Any = None, box: Any = None
) -> Prompt:
    """A prompt of points, a box, or both. Raises InputError, beginning with ``where`` and the key, for wrong values."""
    if points is None and box is None:
        raise InputError(f"{where}points: missing; give at least one [x, y] in pixels, points=[[x,y]]")
    if points is not None:
        points = coordinates.points(f"{where}points", points)
        labels = coordinates.labels(f"{where}labels", labels, len(points))
    prompt = Prompt(
        coordinates.integer(f"{where}frame", frame, 0),
        coordinates.integer(f"{where}object", object, 1),
        points_xy=points,
        labels=labels,
        box_xyxy=None if box is None else coordinates.box(f"{where}box", box),
    )
    return fitted(source, prompt, where)
