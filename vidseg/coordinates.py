"""Frames, points, labels, boxes and masks as a user gives them, as numbers and arrays. Knows nothing about videos.

Every function takes the ``name`` that its InputError begins with.
"""

import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError


def integer(name: str, value: Any, least: int) -> int:
    """An integer from ``least`` on; numpy's count, True and 1.0 don't."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}: {_SHORT.repr(value)} is not an integer from {least} on")
    return int(value)


def moment(name: str, value: Any) -> int | float:
    """A place in a video: an int is a frame number (100), a float seconds ("2.5s"), both from 0 up."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0:
        return int(value)
    if isinstance(value, str) and (number := re.fullmatch(r"\s*(\d+)\s*", value)):
        return int(number[1])
    if isinstance(value, str) and (seconds := re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*s\s*", value)):
        return float(seconds[1])
    raise InputError(f"{name}: {_SHORT.repr(value)} is neither a frame number (100) nor seconds (2.5s), from 0 up")


def points(name: str, value: Any) -> NDArray[np.float32]:
    """At least one point: float32 (n, 2)."""
    return _numbers(name, value, "[[x, y], ...]", (-1, 2))


def labels(name: str, value: Any, count: int) -> NDArray[np.int32]:
    """The labels of ``count`` points: int32 (count,) of 1 (on the object) and 0 (off it); all 1 if None is given."""
    if value is None:
        return np.ones(count, np.int32)
    given = np.atleast_1d(np.asarray(value)) if _is_nested(value, 1) else np.array("")
    if given.dtype.kind not in "biuf" or not np.isin(given, (0, 1)).all():
        raise InputError(f"{name}: {shown(value)}; a label is 1 (on the object) or 0 (off it)")
    if given.shape != (count,):
        raise InputError(f"{name}: {given.size} labels for {count} points; each point needs one")
    return given.astype(np.int32, copy=False)


def box(name: str, value: Any) -> NDArray[np.float32]:
    """A box's corners x0, y0, x1, y1: float32 (4,)."""
    box_xyxy = _numbers(name, value, "[x0, y0, x1, y1]", (4,))
    if box_xyxy[0] >= box_xyxy[2] or box_xyxy[1] >= box_xyxy[3]:
        rule = "x0 < x1 and y0 < y1 are needed (corners in pixels, not width and height)"
        raise InputError(f"{name}: {shown(value)} is inside out; {rule}")
    return box_xyxy


def mask(name: str, value: Any) -> NDArray[np.bool_]:
    """A mask: bool (height, width), true where ``value`` is not 0."""
    mask_hw = np.asarray(value)
    if mask_hw.ndim != 2 or mask_hw.dtype.kind not in "biu":
        raise InputError(f"{name}: {kind(mask_hw)} is no mask; it must be bool or integers, of shape (height, width)")
    return mask_hw if mask_hw.dtype == np.bool_ else mask_hw != 0


def objects_of(bboxes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The objects of ``widget.bboxes`` (see Prompt.from_bboxes), each as the points and the box of its prompt."""
    objects: dict[Any, dict[str, Any]] = {}
    for number, entry in enumerate(bboxes):
        x, y, width, height = (float(entry.get(key, 0)) for key in ("x", "y", "width", "height"))
        label: Any = entry.get("label", "")
        if not (width or height):
            objects.setdefault(label, {}).setdefault("points_xy", []).append((x, y))
            continue
        if "box_xyxy" in objects.get(label, {}):
            label = (label, number)
        objects.setdefault(label, {})["box_xyxy"] = (x, y, x + width, y + height)
    if not objects:
        raise InputError("bboxes: empty; draw a box or click a point first")
    return list(objects.values())


def kind(array: NDArray[Any]) -> str:
    """Dtype and shape, for an error message."""
    return f"{array.dtype} {array.shape}"


def _numbers(name: str, value: Any, form: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A finite float32 array of this shape, in which -1 is any length above 0. Raises InputError for anything else."""
    try:
        given = np.asarray(value) if _is_nested(value, len(shape)) else np.array("")
    except ValueError:  # lists of different lengths
        given = np.array("")
    with np.errstate(over="ignore"):
        array = given.astype(np.float32, copy=False) if given.dtype.kind in "iuf" else np.array(np.nan, np.float32)
    fits = array.ndim == len(shape) and all(
        want in (-1, length) for want, length in zip(shape, array.shape, strict=True)
    )
    if not (fits and array.size and np.isfinite(array).all()):
        raise InputError(f"{name}: {shown(value)} is not {form}, finite numbers in pixels")
    return array


def _is_nested(value: Any, depth: int) -> bool:
    """Whether lists are in each other at most ``depth`` deep. YAML can write lists that are too large for numpy."""
    if not isinstance(value, list | tuple):
        return True
    return depth > 0 and all(_is_nested(item, depth - 1) for item in value)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 3, 8, 6, 60, 60


def shown(value: Any) -> str:
    """A value in an error message, in one line: arrays as lists, text without quotes, long ones cut."""
    if isinstance(value, str):
        text = " ".join(value.split())
    else:
        text = _SHORT.repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
