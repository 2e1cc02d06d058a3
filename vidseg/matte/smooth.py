"""Alpha smoothed over time: mixed with that of the frame before, which is moved along the optical flow."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.flow import Flow, Grey, enlarged, shrink, unpadded
from vidseg.types import RGB

LONG_SIDE = 480  # of the pictures between which flow is estimated: 4 ms at 1280x720
ALIKE = 12.0  # levels of 255 by which a pixel may differ from where it was; beyond, the frame before counts little


class Smoothing:
    """A recursive filter: ``share`` of a frame's alpha is that of the frame before.

    It is less where the moved picture doesn't fit (uncovered background, a cut): share · exp(-(difference / ALIKE)²).
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._flow = Flow()
        # The small picture and alpha of the frame before; in 8 bits a share of 0.9 would leave 4 levels of what is gone
        self._before: tuple[Grey, NDArray[np.float32]] | None = None

    def __call__(self, rgb_hw3: RGB, alpha_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The smoothed alpha (h, w) of the next frame."""
        grey_hw = np.asarray(shrink(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), LONG_SIDE), np.uint8)
        out = alpha_hw.astype(np.float32)
        if self._before is not None and self._before[1].shape == alpha_hw.shape:
            out = self._mixed(grey_hw, out, *self._before)
        self._before = grey_hw, out
        return np.rint(out).astype(np.uint8)

    def _mixed(
        self, grey_hw: Grey, alpha_hw: NDArray[np.float32], before_hw: Grey, alpha_before_hw: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        origin_xy = self._flow.origin_xy(grey_hw, before_hw)
        moved_hw = cv2.remap(before_hw, origin_xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        differ = cv2.blur(cv2.absdiff(grey_hw, moved_hw), (3, 3)).astype(np.float32)
        share_hw = self._share * np.exp(-((differ / ALIKE) ** 2))
        height, width = alpha_hw.shape
        rows, columns = unpadded(alpha_hw.shape, LONG_SIDE)
        share = cv2.resize(share_hw[:rows, :columns], (width, height), interpolation=cv2.INTER_LINEAR)
        origin = enlarged(origin_xy, alpha_hw.shape, LONG_SIDE)
        then = cv2.remap(alpha_before_hw, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.blendLinear(then, alpha_hw, share, 1 - share), np.float32)
