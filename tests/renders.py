"""Every render of vidseg.composite, and what to draw: masks from any device must give the same pictures."""

from collections.abc import Callable

import numpy as np
import torch

from vidseg.composite import annotate, cutout, overlay, transparent
from vidseg.types import Frame, FrameMasks

RENDERS: dict[str, Callable[[Frame, FrameMasks], np.ndarray]] = {
    "cutout": cutout,
    "green": lambda frame, masks: cutout(frame, masks, background="green"),
    "overlay": lambda frame, masks: overlay(frame, masks, opacity=0.37),
    "transparent": transparent,
    "annotate": annotate,
}


def masks_of(level: float, objects: int) -> tuple[torch.Tensor, Frame]:
    """Logits of blocks of 4 pixels, more of them positive with a higher level, and a frame of noise."""
    random = torch.Generator().manual_seed(objects)
    logits_nhw = torch.randn(objects, 12, 20, generator=random).repeat_interleave(4, 1).repeat_interleave(4, 2) + level
    return logits_nhw, Frame(0, 0.0, np.random.default_rng(objects).integers(0, 256, (48, 80, 3), np.uint8))
