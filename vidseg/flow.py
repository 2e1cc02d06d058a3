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


@lru_cache(2)
def _places_xy(height: int, width: int) -> NDArray[np.float32]:
    """(h, w, 2): the position of each pixel."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def shrink(picture: NDArray[Any], long_side: int) -> NDArray[Any]:
    """A picture with at most ``long_side`` pixels, padded to SHORT_SIDE by repeating its last row or column."""
    height, width = picture.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    down, right = max(0, SHORT_SIDE - size[1]), max(0, SHORT_SIDE - size[0])
    padded: NDArray[Any] = cv2.copyMakeBorder(small, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return padded
