"""Holes in masks, filled by OpenCV. Knows nothing about models."""

import cv2
import numpy as np
import torch
from torch import Tensor


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
