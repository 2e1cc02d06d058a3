"""Prompts between the pixels of a source and those of its frames, which ``extract.scale`` makes of another size."""

from dataclasses import replace

import cv2
import numpy as np

from vidseg.types import Mask, Prompt

Size = tuple[int, int]
"""Width and height in pixels."""


def scaled(prompt: Prompt, size: Size, to: Size) -> Prompt:
    """A prompt in pixels of a picture of ``size``, in those of one of the size ``to``.

    A point is the middle of its pixel, and a box has edges. Of a mask the pixels stay that are covered by half of it,
    and of one that is so thin that none is, all that it touches.
    """
    if size == to:
        return prompt
    factors = np.array(to, np.float32) / np.array(size, np.float32)
    points_xy, box_xyxy, mask_hw = prompt.points_xy, prompt.box_xyxy, prompt.mask_hw
    if points_xy is not None:
        points_xy = ((points_xy + 0.5) * factors - 0.5).clip(0, np.array(to, np.float32) - 1).astype(np.float32)
    if box_xyxy is not None:
        box_xyxy = (box_xyxy * np.tile(factors, 2)).astype(np.float32)
    if mask_hw is not None:
        mask_hw = scaled_mask(mask_hw, to)
    return replace(prompt, points_xy=points_xy, box_xyxy=box_xyxy, mask_hw=mask_hw)


def scaled_mask(mask_hw: Mask, to: Size) -> Mask:
    """A mask at the size ``to``, as ``scaled`` says."""
    if mask_hw.shape == to[::-1]:
        return mask_hw
    covered_hw = cv2.resize(mask_hw.astype(np.float32), to, interpolation=cv2.INTER_AREA)
    half_hw: Mask = covered_hw >= 0.5
    return half_hw if half_hw.any() else covered_hw > 0
