"""Pixels in and out: frames as the model takes them, and holes in its masks, which OpenCV finds."""

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidseg.types import RGB

_MEAN_C = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in sam2/utils/misc.py
_STD_C = np.array([0.229, 0.224, 0.225], np.float32)
# What becomes of a byte in each channel: sam2's arithmetic (x / 255 in float64, the rest in float32), done once
_NORMALIZED_CV = ((np.arange(256) / 255.0).astype(np.float32) - _MEAN_C[:, None]) / _STD_C[:, None]


def model_image(rgb_hw3: RGB, side: int) -> Tensor:
    """A frame as sam2/utils/misc.py makes it: float32 (3, ``side``, ``side``), by PIL's bicubic filter, normalised."""
    resized_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((side, side)))
    image_chw = np.empty((3, side, side), np.float32)
    for channel, table in enumerate(_NORMALIZED_CV):
        np.take(table, resized_hw3[:, :, channel], out=image_chw[channel])
    return torch.from_numpy(image_chw)


def fill_holes(logits_n1hw: Tensor, max_area: int) -> Tensor:
    """Gives small holes in masks a logit of 0.1; the same tensor if there are none.

    A hole is a component (8-connected) of the background, logits <= 0, of at most ``max_area`` pixels: sam2's
    ``fill_holes_in_mask_scores``, whose own search for components needs a compiled extension.
    """
    if max_area == 0:
        return logits_n1hw
    background_n1hw = (logits_n1hw <= 0).to(torch.uint8).cpu().numpy()
    holes_n1hw = np.zeros(background_n1hw.shape, np.bool_)
    for holes_hw, background_hw in zip(holes_n1hw[:, 0], background_n1hw[:, 0], strict=True):
        _, labels_hw, stats, _ = cv2.connectedComponentsWithStats(background_hw, connectivity=8)
        small = stats[:, cv2.CC_STAT_AREA] <= max_area
        small[0] = False  # label 0 is the object itself
        holes_hw[:] = small[labels_hw]
    if not holes_n1hw.any():
        return logits_n1hw
    return torch.where(torch.from_numpy(holes_n1hw).to(logits_n1hw.device), 0.1, logits_n1hw)
