"""Bounding boxes of masks, and which of several masks fits a box that the user drew (``model.box_fit``).

Users draw boxes around all of an object. A small model's best guess may be the shirt; that no arm comes near the box's
sides says so, and another of its guesses may have them.
"""

from bisect import bisect_left, bisect_right

import torch
import torch.nn.functional as F
from torch import Tensor

_STRAY = 0.002  # of a mask's pixels, to each side, that don't count: specks aren't arms

Box = tuple[float, float, float, float]
"""Left, top, right, below; the last two are the first pixel beyond."""


def bounding_box(mask_hw: Tensor, stray: float = 0.0) -> Box | None:
    """The bounding box of a mask, in its pixels; None of an empty one.

    On each side the share ``stray`` of the mask's pixels may lie outside. On a GPU this waits for it.
    """
    columns, rows = (mask_hw.sum(axis).cumsum(0).tolist() for axis in (0, 1))
    if not columns[-1]:
        return None
    outside = stray * columns[-1]
    (left, right), (top, below) = (
        (bisect_right(sums, outside), bisect_left(sums, sums[-1] - outside) + 1) for sums in (columns, rows)
    )
    return left, top, right, below


def agreement(mask_hw: Tensor, box: Box) -> float:
    """The IoU of a mask's bounding box, but for specks, and ``box`` in its pixels; 0 of an empty mask."""
    own = bounding_box(mask_hw, _STRAY)
    if own is None:
        return 0.0
    shared = _area((max(own[0], box[0]), max(own[1], box[1]), min(own[2], box[2]), min(own[3], box[3])))
    return shared / (_area(own) + _area(box) - shared)


def fitting_mask(masks_mhw: Tensor, ious_1m: Tensor, box_22: Tensor, least: float) -> Tensor:
    """IoUs (1, m) by which sam2 takes the mask that fits the box best: 1 for that mask, 0 for the others.

    They are as they were if the mask with the highest agrees with the box to ``least`` or more. ``box_22`` has the
    box's corners, in shares of the picture. On a GPU this waits for the masks.
    """
    h, w = masks_mhw.shape[-2:]
    (left, top), (right, below) = box_22.tolist()
    box, ious = (left * w, top * h, right * w, below * h), ious_1m[0].tolist()
    agree = [agreement(mask_hw, box) for mask_hw in masks_mhw]
    if agree[ious.index(max(ious))] >= least:
        return ious_1m
    best = max(range(len(ious)), key=lambda n: (agree[n], ious[n]))
    return F.one_hot(torch.tensor([best]), len(ious)).to(ious_1m)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
