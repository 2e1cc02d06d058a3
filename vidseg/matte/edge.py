"""A soft edge from the mask and the picture, in a narrow band around the mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.composite.deep import guide_of
from vidseg.guided import band, soft_edge
from vidseg.halves import even, padded
from vidseg.matte.stage import Matting, within
from vidseg.measure import bounding_box
from vidseg.types import Frame, FrameMasks

NARROW_PX = 1.5  # half of the band at 1280x720 of a sure edge at rest
SURE_PX = 2.0  # a logit that falls more slowly than by 1 over so many pixels widens the band no further
SHUTTER = 0.5  # the part of a frame's time for which a film camera's shutter is open (180 degrees)
BLUR_PX = 1.5  # motion widens the band by no more: with a fast shutter a moving edge is as sharp as one at rest
KEPT = 0.75  # the width stays as it was on the frame before until it should be another by so many pixels


class Edge(Matting):
    """``matte=edge``: a colour guided filter over the mask, in a band ``width`` pixels to both sides of its outline.

    Without ``width`` the band is as wide as the outline is uncertain: 1.5 pixels (at 720p, more in larger pictures),
    the distance over which the logits fall by 1, and a quarter of the outline's motion in pixels a frame, which is half
    of the blur that a shutter of 180 degrees makes. ``shape`` are the keys of ``Matting``.
    """

    def __init__(self, *, width: float | None = None, **shape: object) -> None:
        super().__init__(**shape)  # type: ignore[arg-type]  # which checks them
        self._width = None if width is None else within("width", width, 1, 64)
        self._radius = 0
        self._before_hw: NDArray[np.uint8] | None = None  # the mask of the frame before

    def alpha(self, frame: Frame, masks: FrameMasks, mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Alpha, uint8 (h, w); as the mask beyond the band."""
        radius = self._half_width(masks, mask_hw)
        self._before_hw = mask_hw
        alpha_hw = np.zeros_like(mask_hw)
        if (around := bounding_box(mask_hw, margin=3 * radius)) is None:
            return alpha_hw
        box = even(around)
        part_hw, picture = padded(mask_hw[box]), padded(guide_of(frame, box))
        out_hw = cv2.multiply(part_hw, 255)
        at = np.flatnonzero(band(part_hw, radius))
        found = soft_edge(picture, part_hw, at, radius)
        out_hw.reshape(-1)[at] = np.rint(255 * found).astype(np.uint8)
        height, width = alpha_hw[box].shape
        alpha_hw[box] = out_hw[:height, :width]
        return alpha_hw

    def _half_width(self, masks: FrameMasks, mask_hw: NDArray[np.uint8]) -> int:
        """Half of the band's width in whole pixels; it changes little by little, so that edges don't breathe."""
        if self._width is not None:
            return round(self._width)
        scale = max(1.0, min(mask_hw.shape) / 720)
        unsure = max((edge_px for edge_px in masks.edges_px if edge_px is not None), default=0.0)
        blur = min(SHUTTER / 2 * self._motion_px(mask_hw), scale * BLUR_PX)
        wanted = scale * NARROW_PX + min(unsure, scale * SURE_PX) + blur
        if abs(wanted - self._radius) > KEPT:
            self._radius = max(2, round(wanted))
        return self._radius

    def _motion_px(self, mask_hw: NDArray[np.uint8]) -> float:
        """How far the outline has moved since the frame before, across itself: the mean, in pixels."""
        before_hw = self._before_hw
        if before_hw is None or before_hw.shape != mask_hw.shape or (box := bounding_box(mask_hw | before_hw)) is None:
            return 0.0
        now, then = np.ascontiguousarray(mask_hw[box]), np.ascontiguousarray(before_hw[box])
        outline = cv2.countNonZero(cv2.morphologyEx(now, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)))
        return cv2.countNonZero(cv2.bitwise_xor(now, then)) / max(outline, 1)
