"""Windows of the picture that the model looks at instead of all of it, and bounding boxes of masks.

Users draw boxes around all of an object. A small model's best guess may be the shirt; that no arm comes near the box's
sides says so, and another of its guesses may have them (``model.box_fit``).
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.sam2.upstream import NO_OBJ_SCORE
from vidseg.model.sam2.view import View
from vidseg.types import RGB, Prompt

_LEAST = 0.3  # of the picture, each side of a window: a smaller one shows more blur than details
_STRAY = 0.002  # of a mask's pixels, to each side, that don't count in an agreement: specks aren't arms

Box = tuple[float, float, float, float]
"""Left, top, right, below; the last two are the first pixel beyond."""


@dataclass(frozen=True, slots=True)
class Window(View):
    """A rectangle of a picture of ``across`` by ``down`` pixels: its left and top edge, its width and height.

    It has the picture's proportions, so that the model sees nothing squashed that it doesn't squash anyway.
    """

    left: int
    top: int
    across: int
    down: int

    @classmethod
    def whole(cls, width: int, height: int) -> "Window":
        """All of a picture."""
        return cls(width, height, 0, 0, width, height)

    @property
    def box(self) -> Box:
        """Its edges."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @property
    def part(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def look(self, rgb_hw3: RGB) -> RGB:
        """The window's part of a frame."""
        return rgb_hw3[self.part]

    def paste(self, logits_n1hw: Tensor) -> Tensor:
        """Logits of the window as those of the picture; no object is outside the window."""
        right, below = self.across - self.left - self.width, self.down - self.top - self.height
        if not (right or below or self.left or self.top):
            return logits_n1hw
        return F.pad(logits_n1hw, (self.left, right, self.top, below), value=NO_OBJ_SCORE)

    def prompt(self, prompt: Prompt) -> Prompt:
        """The same prompt in pixels of the window."""
        corner = np.array([self.left, self.top], np.float32)
        return replace(
            prompt,
            points_xy=None if prompt.points_xy is None else prompt.points_xy - corner,
            box_xyxy=None if prompt.box_xyxy is None else prompt.box_xyxy - np.tile(corner, 2),
            mask_hw=None if prompt.mask_hw is None else prompt.mask_hw[self.part],
        )

    def longer_side(self, box: Box) -> float:
        """The longer side of a box, in the picture's."""
        return max((box[2] - box[0]) / self.across, (box[3] - box[1]) / self.down)

    def size_for(self, box: Box, share: float) -> float:
        """The size, in the picture's, of a window whose longer side a box fills to ``share``."""
        return min(1.0, max(_LEAST, self.longer_side(box) / share))

    def around(self, box: Box, share: float) -> "Window":
        """The window whose longer side the box fills to ``share``, the box in its middle."""
        return self.of_size(self.size_for(box, share), box)

    def of_size(self, size: float, box: Box) -> "Window":
        """The window of ``size``, the box in its middle, or as near to it as the picture reaches."""
        width, height = round(size * self.across), round(size * self.down)
        left, top = round((box[0] + box[2] - width) / 2), round((box[1] + box[3] - height) / 2)
        left, top = min(max(0, left), self.across - width), min(max(0, top), self.down - height)
        return replace(self, width=width, height=height, left=left, top=top)


def mirrored_prompt(prompt: Prompt, width: int) -> Prompt:
    """In the picture mirrored left to right: the centre of pixel 0 is that of pixel ``width`` - 1 there."""
    points_xy, box_xyxy, mask_hw = prompt.points_xy, prompt.box_xyxy, prompt.mask_hw
    if points_xy is not None:
        points_xy = np.stack([width - 1 - points_xy[:, 0], points_xy[:, 1]], 1)
    if box_xyxy is not None:
        left, top, right, below = box_xyxy
        box_xyxy = np.array([width - right, top, width - left, below], np.float32)
    return replace(
        prompt, points_xy=points_xy, box_xyxy=box_xyxy, mask_hw=None if mask_hw is None else mask_hw[:, ::-1]
    )


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
