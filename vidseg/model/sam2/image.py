"""Frames as the model takes them: resized by PIL's bicubic filter and normalised, as sam2/utils/misc.py does it."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidseg.types import RGB

_MEAN_C = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet
_STD_C = np.array([0.229, 0.224, 0.225], np.float32)
NORMALIZED_CV = ((np.arange(256) / 255.0).astype(np.float32) - _MEAN_C[:, None]) / _STD_C[:, None]
"""What becomes of a byte in each channel, float32 (3, 256): sam2's arithmetic (x / 255 in float64, the rest in float32)."""


def host_image(rgb_hw3: RGB, side: int) -> Tensor:
    """A frame as the model takes it: float32 (3, ``side``, ``side``) on the CPU, normalised."""
    resized_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((side, side)))
    image_chw = np.empty((3, side, side), np.float32)
    for channel, table in enumerate(NORMALIZED_CV):
        np.take(table, resized_hw3[:, :, channel], out=image_chw[channel])
    return torch.from_numpy(image_chw)
