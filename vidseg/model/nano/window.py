"""A window of the picture that the model looks at instead of all of it."""

from dataclasses import dataclass, replace

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.nano.box import Box
from vidseg.model.sam2.upstream import NO_OBJ_SCORE
from vidseg.model.sam2.view import View
from vidseg.types import RGB, Prompt

_LEAST = 0.3  # of the picture, each side of a window: a smaller one shows more blur than details


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

    def look(self, rgb_hw3: RGB) -> RGB:
        """The window's part of a frame."""
        return rgb_hw3[self.top : self.top + self.height, self.left : self.left + self.width]

    def paste(self, logits_n1hw: Tensor) -> Tensor:
        """Logits of the window as those of the picture; no object is outside the window."""
        right, below = self.across - self.left - self.width, self.down - self.top - self.height
        if not (right or below or self.left or self.top):
            return logits_n1hw
        return F.pad(logits_n1hw, (self.left, right, self.top, below), value=NO_OBJ_SCORE)

    def prompt(self, prompt: Prompt) -> Prompt:
        """The same prompt in pixels of the window."""
        corner = np.array([self.left, self.top], np.float32)
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        return replace(
            prompt,
            points_xy=None if prompt.points_xy is None else prompt.points_xy - corner,
            box_xyxy=None if prompt.box_xyxy is None else prompt.box_xyxy - np.tile(corner, 2),
            mask_hw=None if prompt.mask_hw is None else prompt.mask_hw[rows, columns],
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
