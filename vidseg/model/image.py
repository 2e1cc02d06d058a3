"""Frames as the model takes them: resized by PIL's bicubic filter and normalised, on the host or on a GPU.

Both ways give the same bits, those of sam2/utils/misc.py.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidseg.model.resize import resize
from vidseg.types import RGB

_MEAN_C = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in sam2/utils/misc.py
_STD_C = np.array([0.229, 0.224, 0.225], np.float32)
# What becomes of a byte, in each channel: sam2's arithmetic (x / 255 in float64, the rest in float32), done once
_NORMALIZED_CV = ((np.arange(256) / 255.0).astype(np.float32) - _MEAN_C[:, None]) / _STD_C[:, None]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A frame's pixels (h, w, 3) of uint8 on the host, and the same as planes (3, h, w) on the device."""

    rgb_hw3: RGB
    planes_3hw: Tensor


@dataclass(frozen=True, slots=True)
class Input:
    """What is seen of a frame, float32 (3, side, side), the frame as it was uploaded, and encoded if it is."""

    image_chw: Tensor
    uploaded: Uploaded | None = None
    features: Any = None


def host_image(rgb_hw3: RGB, side: int) -> Tensor:
    """The frame as the model takes it: float32 (3, ``side``, ``side``) on the CPU, normalised."""
    resized_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((side, side)))  # bicubic, as in sam2/utils/misc.py
    image_chw = np.empty((3, side, side), np.float32)
    for channel, table in enumerate(_NORMALIZED_CV):
        np.take(table, resized_hw3[:, :, channel], out=image_chw[channel])
    return torch.from_numpy(image_chw)


def upload(rgb_hw3: RGB, device: torch.device) -> Uploaded:
    """Copies a frame to ``device`` without waiting for it: on CUDA from pinned memory, in the thread's stream.

    torch gives that memory to nobody else before the copy is done, though nothing here holds it any longer.
    """
    staged_hw3 = torch.empty(rgb_hw3.shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    staged_hw3.numpy()[:] = rgb_hw3
    return Uploaded(rgb_hw3, staged_hw3.to(device, non_blocking=True).permute(2, 0, 1).contiguous())


def device_image(planes_3hw: Tensor, side: int) -> Tensor:
    """``host_image`` of uint8 planes (3, h, w), where they are."""
    normalized_v, offsets_c11 = _normalized(planes_3hw.device)
    resized_chw = resize(planes_3hw, side, side) + offsets_c11
    return normalized_v.index_select(0, resized_chw.flatten()).view(resized_chw.shape)


@functools.lru_cache(maxsize=2)
def _normalized(device: torch.device) -> tuple[Tensor, Tensor]:
    """The three channels' tables end to end, float32 (768,), and where each begins, int32 (3, 1, 1)."""
    offsets_c11 = torch.arange(0, 768, 256, dtype=torch.int32)[:, None, None]
    return torch.from_numpy(_NORMALIZED_CV.flatten()).to(device), offsets_c11.to(device)
