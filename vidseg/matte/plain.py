"""The mask as it is: alpha is 0 or 255."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.matte.stage import Matting
from vidseg.types import Frame, FrameMasks


class Plain(Matting):
    """``matte=none``: no stage at all, unless one of the keys changes the mask or its edge."""

    def for_outputs(self, alpha: bool) -> "Plain | None":
        """None if no key changes anything."""
        return self if self.shapes else None

    def alpha(self, frame: Frame, masks: FrameMasks, mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """255 inside the mask."""
        return np.asarray(cv2.multiply(mask_hw, 255), np.uint8)
