"""Holes in masks, filled on a GPU by tensor operations alone. Knows nothing about models."""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def fill_holes_unwaited(logits_n1hw: Tensor, max_area: int) -> Tensor:
    """``fill_holes`` where the tensor is, without the host waiting for any of it; two kernels a pixel of ``max_area``.

    Every pixel of the background takes the highest number of its neighbours', ``max_area`` - 1 times over, which
    reaches all of a component of that many pixels. Of a larger one some group of equal numbers may be as small, but
    touches another number. Numbers are exact in float32 up to 4096 x 4096 pixels.
    """
    if max_area == 0:
        return logits_n1hw
    background_n1hw = logits_n1hw <= 0
    own_hw = torch.arange(logits_n1hw[0].numel(), device=logits_n1hw.device).view(logits_n1hw.shape[-2:])
    numbers_n1hw = torch.where(background_n1hw, own_hw.float(), -1.0)
    for _ in range(max_area - 1):
        numbers_n1hw = torch.where(background_n1hw, _highest_near(numbers_n1hw), -1.0)
    higher_n1hw = _highest_near(numbers_n1hw) > numbers_n1hw
    lower_n1hw = -_highest_near(torch.where(background_n1hw, -numbers_n1hw, -torch.inf)) < numbers_n1hw
    # A pixel that touches another number counts as too many; those of the mask are counted apart, one by one, since
    # thousands of additions to one place would wait for each other
    counted_n1hw = torch.where(higher_n1hw | lower_n1hw, max_area + 1, 1)
    group_nv = torch.where(background_n1hw, numbers_n1hw.long(), own_hw).flatten(1)
    counts_nv = torch.zeros_like(group_nv).scatter_add_(1, group_nv, counted_n1hw.flatten(1))
    small_n1hw = (counts_nv.gather(1, group_nv) <= max_area).view_as(background_n1hw)
    return torch.where(small_n1hw & background_n1hw, 0.1, logits_n1hw)


def _highest_near(values_n1hw: Tensor) -> Tensor:
    return max_pool2d(values_n1hw, 3, stride=1, padding=1)
