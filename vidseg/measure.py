"""What is measured of masks and boxes, once for everybody: how far two agree, and the box around a mask."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def iou(mask_hw: Mask, other_hw: Mask) -> float:
    """Intersection over union of two bool masks (h, w): DAVIS' J (Perazzi et al., CVPR 2016). 1 if both are empty."""
    union = np.count_nonzero(mask_hw | other_hw)
    return np.count_nonzero(mask_hw & other_hw) / union if union else 1.0


def box_iou(box_xyxy: NDArray[np.float32], other_xyxy: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes."""
    ends, starts = np.minimum(box_xyxy[2:], other_xyxy[2:]), np.maximum(box_xyxy[:2], other_xyxy[:2])
    both = float(np.prod(np.maximum(ends - starts, 0)))
    return both / (float(sum(np.prod(box[2:] - box[:2]) for box in (box_xyxy, other_xyxy))) - both)


def bounding_box(mask_hw: NDArray[Any], margin: int = 0) -> tuple[slice, slice] | None:
    """The rows and columns that hold every non-zero pixel of a bool or uint8 mask (h, w); None of an empty mask.

    ``margin`` more pixels are added on each side, as far as the picture goes.
    """
    x, y, width, height = cv2.boundingRect(mask_hw.view(np.uint8))
    if not width:
        return None
    rows = slice(max(0, y - margin), min(mask_hw.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(mask_hw.shape[1], x + width + margin))
