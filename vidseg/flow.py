"""Where pixels were on the frame before: dense optical flow between small pictures (Kroeger et al., ECCV 2016)."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV 5.0's flow crashes on a picture of 28x320, not on one of 32x320; shorter sides are padded to this.
SHORT_SIDE = 40

Grey = NDArray[np.uint8]  # (h, w)


class Flow:
    """Dense inverse search. Its finest scale is half of the pictures' size, without refinement.

    At 320 pixels that takes 1.8 ms, and DAVIS' annotations flicker by 0.035 (camel) to 0.23 (breakdance). The preset's
    own scale, a quarter, takes 1.0 ms: 0.051 to 0.28.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(1)
        self._flow.setVariationalRefinementIterations(0)

    def origin_xy(self, grey_hw: Grey, before_hw: Grey) -> NDArray[np.float32]:
        """(h, w, 2): where each pixel of a picture was in the picture before, for ``cv2.remap``."""
        moved: NDArray[np.float32] = self._flow.calc(grey_hw, before_hw, None) + _places_xy(*grey_hw.shape)
        return moved


def unpadded(shape: tuple[int, ...], long_side: int) -> tuple[int, int]:
    """The height and width that ``shrink`` makes of a picture of ``shape`` (h, w), without its padding."""
    scale = min(1.0, long_side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def enlarged(origin_xy: NDArray[np.float32], shape: tuple[int, ...], long_side: int) -> NDArray[np.float32]:
    """The ``origin_xy`` of a picture of ``shape`` (h, w), of that which ``shrink`` made of it."""
    height, width = shape
    rows, columns = unpadded(shape, long_side)
    larger = np.array((width / columns, height / rows), np.float32)
    origin_xy = (origin_xy[:rows, :columns] + 0.5) * larger - 0.5  # a pixel's centre is at +0.5 in both sizes
    return np.asarray(cv2.resize(origin_xy, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


@lru_cache(4)
def _places_xy(height: int, width: int) -> NDArray[np.float32]:
    """(h, w, 2): the position of each pixel."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def shrink(picture: NDArray[Any], long_side: int) -> NDArray[Any]:
    """A picture with at most ``long_side`` pixels, padded to SHORT_SIDE by repeating its last row or column."""
    rows, columns = unpadded(picture.shape[:2], long_side)
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    down, right = max(0, SHORT_SIDE - rows), max(0, SHORT_SIDE - columns)
    padded: NDArray[Any] = cv2.copyMakeBorder(small, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return padded
