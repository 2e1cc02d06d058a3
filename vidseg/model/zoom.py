"""The part of the picture that the model looks at: all of it, or a window that follows the objects (``model.zoom``).

A small model has few places to remember an object in (nano 28 by 28 for the whole picture), and a far object few of
those. The window has the picture's proportions, so that the model sees nothing squashed that it doesn't squash anyway.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidseg.model.upstream import NO_OBJ_SCORE
from vidseg.types import Mask, Prompt

_LEAST = 0.3  # of the picture, each side of a window: below it there is more blur than there are details
_SHRINKS = 0.05  # of the way to a smaller window, at each frame; to a larger one it goes at once
_WIDENS = 1.1  # times as large at each frame without a mask, until the whole picture is looked at
_STRAY = 0.01  # of a mask's pixels, to each side, that the window doesn't grow for: else it follows specks
_EDGE, _BEYOND = 0.01, 0.12  # of the window: masks as near to its edge go on beyond it, and are taken to by so much
_MARGIN = 0.1  # of the window, beyond a point that it didn't show

Box = tuple[float, float, float, float]
"""Left, top, right, below; the last two are the first pixel beyond."""


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the video's pixels: its left and top edge, its width and height."""

    left: int
    top: int
    width: int
    height: int

    @property
    def box(self) -> Box:
        """Its edges."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def of(self, pixels_hw: NDArray[Any]) -> NDArray[Any]:
        """Its part of an array (h, w) or (h, w, 3)."""
        return pixels_hw[self.top : self.top + self.height, self.left : self.left + self.width]

    def of_planes(self, planes_chw: Tensor) -> Tensor:
        """Its part of planes (c, h, w)."""
        return planes_chw[:, self.top : self.top + self.height, self.left : self.left + self.width]

    def prompt(self, prompt: Prompt) -> Prompt:
        """The same prompt in pixels of the view."""
        corner = np.array([self.left, self.top], np.float32)
        return replace(
            prompt,
            points_xy=None if prompt.points_xy is None else prompt.points_xy - corner,
            box_xyxy=None if prompt.box_xyxy is None else prompt.box_xyxy - np.tile(corner, 2),
            mask_hw=None if prompt.mask_hw is None else self.of(prompt.mask_hw),
        )

    def paste(self, logits_n1hw: Tensor, whole: "View") -> Tensor:
        """Logits of the view (n, 1, height, width) as those of ``whole``; there is no object beyond the view."""
        if self == whole:
            return logits_n1hw
        right, below = whole.width - self.left - self.width, whole.height - self.top - self.height
        return F.pad(logits_n1hw, (self.left, right, self.top, below), value=NO_OBJ_SCORE)


class Zoom:
    """The view of every frame of one pass, from the masks before it.

    The objects' longer side is ``fit`` of the view's. With None that is always the whole picture: ``moves`` is false.
    """

    def __init__(self, width: int, height: int, fit: float | None) -> None:
        self.whole = View(0, 0, width, height)
        self.moves, self._fit = fit is not None, fit or 1.0
        self._size = 1.0  # of the view, in the picture's
        self._held: dict[int, View] = {}
        self.view = self.whole

    def at(self, position: int) -> View:
        """Of the frame at ``position``: as held, else as the masks that are known by now have it."""
        return self._held.get(position, self.view)

    def hold(self, position: int, view: View) -> None:
        """Has that frame looked at through ``view``, whenever it is: what is remembered of it was seen so."""
        self._held[position] = view

    def start(self, position: int) -> None:
        """Goes on from the frame at ``position``, which is held."""
        self.resume(self._held[position])

    def resume(self, view: View) -> None:
        """Goes on from ``view``."""
        self.view, self._size = view, view.width / self.whole.width

    def follow(self, seen: View, logits_n1hw: Tensor) -> None:
        """Moves the view to the masks, as they were ``seen``: those of all objects of one frame."""
        if not self.moves:
            return
        box = bounds((logits_n1hw > 0).any(0)[0], _STRAY)
        if box is None:
            self._size = min(1.0, _WIDENS * self._size)
            self.view = self._around(self.view.box, self._size)
            return
        h, w = logits_n1hw.shape[-2:]
        across, down = seen.width / w, seen.height / h
        left, top, right, below = box
        shown = (seen.left + left * across, seen.top + top * down, seen.left + right * across, seen.top + below * down)
        inside = self._beyond(seen, shown)
        fitted = self._fitted(inside)
        self._size = max(fitted, self._size + _SHRINKS * (fitted - self._size))
        self.view = self._around(inside, self._size)

    def fitting(self, masks: Sequence[Mask]) -> View:
        """Around masks (h, w) of the whole picture; that picture if they are empty."""
        box = bounds(torch.from_numpy(np.logical_or.reduce(masks)))
        return self.around(box) if self.moves and box is not None else self.whole

    def around(self, box: Box) -> View:
        """Around a box of the whole picture."""
        return self._around(box, self._fitted(box))

    def including(self, prompts: Sequence[Prompt]) -> View:
        """The view, larger where it wouldn't show the points of the prompts."""
        view = self.view
        points_xy = np.concatenate([prompt.points_xy for prompt in prompts if prompt.points_xy is not None])
        start, end = np.array(view.box[:2]), np.array(view.box[2:])
        if (points_xy >= start).all() and (points_xy < end).all():
            return view
        margin = _MARGIN * (end - start)
        start, end = np.minimum(start, points_xy.min(0) - margin), np.maximum(end, points_xy.max(0) + margin)
        box = (*start.tolist(), *end.tolist())
        return self._around(box, min(1.0, self._longer(box)))

    def _beyond(self, seen: View, box: Box) -> Box:
        """``box``, further where it reaches an edge of the view it was ``seen`` in: an object that comes nearer, or
        that moves faster than the view follows, is cut off there."""
        left, top, right, below = (
            edge + sign * _BEYOND * side if abs(edge - end) < _EDGE * side else edge
            for edge, end, side, sign in zip(box, seen.box, 2 * (seen.width, seen.height), (-1, -1, 1, 1), strict=True)
        )
        return max(0, left), max(0, top), min(self.whole.width, right), min(self.whole.height, below)

    def _fitted(self, box: Box) -> float:
        return min(1.0, max(_LEAST, self._longer(box) / self._fit))

    def _longer(self, box: Box) -> float:
        """The longer side of a box, in the picture's."""
        return max((box[2] - box[0]) / self.whole.width, (box[3] - box[1]) / self.whole.height)

    def _around(self, box: Box, size: float) -> View:
        """The view of ``size`` in whose middle the box is, or as far there as the picture reaches."""
        whole = self.whole
        width, height = round(size * whole.width), round(size * whole.height)
        left, top = round((box[0] + box[2] - width) / 2), round((box[1] + box[3] - height) / 2)
        return View(min(max(0, left), whole.width - width), min(max(0, top), whole.height - height), width, height)


def bounds(mask_hw: Tensor, stray: float = 0.0) -> Box | None:
    """The bounding box of a mask, in its pixels, but for the share ``stray`` of them on each side.

    On a GPU this waits for it.
    """
    columns, rows = (mask_hw.sum(axis).cumsum(0).tolist() for axis in (0, 1))
    if not columns[-1]:
        return None
    beyond = stray * columns[-1]
    (left, right), (top, below) = (
        (bisect_right(sums, beyond), bisect_left(sums, sums[-1] - beyond) + 1) for sums in (columns, rows)
    )
    return left, top, right, below
