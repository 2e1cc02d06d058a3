"""An object's colours, learned in every video, keep parts of it that the model would forget (``model.colour_weight``).

The prompted frame says which colours the object has and which are around it. A small model forgets half of a motorcycle
whose rider is gone, and a kettle that mirrors the room. So for every object a classifier is fitted, as in Robinson et
al., Learning Fast and Robust Target Models (CVPR 2020), but to colours alone: ridge regression of the object (1)
against the rest (-1) on random Fourier features of colour (Rahimi and Recht, NIPS 2007). Its result is added to the
mask decoder's logits, and so enters the memories that are made of them.

What is learned lies in the frames' outputs in the memory bank, under "colours", so that it is copied and forgotten with
them. Of a prompted frame: [moments (n, d, d + 1)]. Of a tracked one: [moments of the tracked frames so far, weights
(n, d, 1)], some 67 KiB an object.
"""

import math
from collections.abc import Mapping
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.sam2.upstream import FrameOutput

_FEATURES = 128
# Of the projections of a cell's mean colour, its deviation in the cell, and the colour around less the cell's: by 1.5
# colours that are 38 of 255 apart (0.67 of ImageNet's deviations) are told apart
_SCALES = (1.5, 1.5, 0.75)
_RIDGE = 0.03
_MOST = 1.5  # the regression, which is fitted to -1 and 1, is cut there
_AGAINST = 0.4  # weight of the regression where it is below 0: it knows no fine edges
_SURE = 3.0  # logits beyond it are learned from
_FEWEST = 5  # cells of an object, to learn from
_RATE = 0.27  # weight of the newest frame in the moments of the tracked ones; nano learns from every third frame
_REACH = 28  # a mask grows by the picture's side over this (four cells of nano's 112) in a frame, at most


class Colours:
    """The colours of a bank's objects on one frame; ``memories`` are the bank's outputs.

    ``learned`` is what to keep of them in the frame's output after ``added``, if ``learn``. On a GPU nothing waits.
    """

    def __init__(self, image_13hw: Tensor, memories: Mapping[str, Mapping[int, FrameOutput]], learn: bool) -> None:
        self._image_13hw, self._learn = image_13hw, learn
        prompted = [output["colours"][0] for output in memories["cond_frame_outputs"].values()]
        self._prompted_ndd = torch.stack(prompted).mean(0)
        tracked = [output["colours"] for output in memories["non_cond_frame_outputs"].values()]
        self._latest = tracked[-1] if tracked else None
        self.learned: list[Tensor] | None = None

    def added(self, masks_nmhw: Tensor, ious_nm: Tensor, scores_n1: Tensor, weight: float) -> Tensor:
        """Mask logits (n, m, h, w) of the decoder with ``weight`` times what colours say.

        An object is learned from the mask with the highest IoU (n, m), where its score is above 0.
        """
        # Sums over thousands of cells would be of no use in bfloat16
        with torch.autocast(self._image_13hw.device.type, enabled=False):
            best_n1hw = torch.take_along_dim(masks_nmhw, ious_nm.argmax(1)[:, None, None, None], 1)
            features_pd = features(self._image_13hw, best_n1hw)[0]
            prompted_ndd = self._prompted_ndd
            tracked_ndd, weights_nd1 = self._latest or (prompted_ndd, _solve(prompted_ndd, prompted_ndd))
            said_np = torch.stack([(features_pd @ weights_d1)[..., 0] for weights_d1 in weights_nd1])
            if self._learn:
                rows = zip(tracked_ndd, _shrink(best_n1hw), scores_n1[:, 0] > 0, strict=True)
                newer_ndd = torch.stack([_learn(moments, features_pd, *found) for moments, *found in rows])
                self.learned = [newer_ndd, _solve(prompted_ndd, newer_ndd)]
            return (masks_nmhw + weight * _near(said_np, best_n1hw)).to(masks_nmhw.dtype)


def of_prompted(image_13hw: Tensor, logits_n1hw: Tensor) -> list[Tensor]:
    """What is learned from a prompted frame's masks, at a quarter of the image's size: logits above 0 are inside."""
    with torch.autocast(image_13hw.device.type, enabled=False):
        labels_np = 2 * _shrink((logits_n1hw > 0).float()) - 1
        features_pd = features(image_13hw, logits_n1hw)[0]
        return [torch.stack([_moments(features_pd, labels_p, torch.ones_like(labels_p))[0] for labels_p in labels_np])]


def _learn(moments_dd: Tensor, features_pd: Tensor, logits_p: Tensor, there: Tensor) -> Tensor:
    """Moments with those of a tracked frame, where its logits are sure and the object is in the picture."""
    newest_dd, cells = _moments(features_pd, logits_p.sign(), (logits_p.abs() > _SURE).float())
    rate = _RATE * (there & (cells >= _FEWEST))[..., None, None]
    return moments_dd + rate * (newest_dd - moments_dd)


def _solve(prompted_ndd: Tensor, tracked_ndd: Tensor) -> Tensor:
    """The regressions' weights (n, d, 1): prompted frames count as much as all tracked ones.

    On the CPU for MPS: torch had no Cholesky there before 2.7, and no cholesky_solve for a year more.
    """
    device, weights = prompted_ndd.device, []
    for moments_dd in (prompted_ndd + tracked_ndd) / 2:
        moments = moments_dd.cpu() if device.type == "mps" else moments_dd
        ridge = _RIDGE * torch.eye(len(moments), device=moments.device)
        root, _ = torch.linalg.cholesky_ex(moments[:, :-1] + ridge)
        weights.append(torch.cholesky_solve(moments[:, -1:], root).to(device))
    return torch.stack(weights)


def _moments(features_pd: Tensor, labels_p: Tensor, sure_p: Tensor) -> tuple[Tensor, Tensor]:
    """Moments (d, d + 1) of the features with each other and, in the last column, the labels, where ``sure_p`` is 1.

    Inside (labels above 0) and outside count the same, however large. And the number of cells inside.
    """
    inside_p, outside_p = sure_p * (labels_p > 0), sure_p * (labels_p <= 0)
    inside, outside = (2 * side_p.sum(-1, keepdim=True) for side_p in (inside_p, outside_p))
    weights_p = inside_p / inside.clamp(min=1) + outside_p / outside.clamp(min=1)
    weighted_dp = (features_pd * weights_p[..., None]).mT
    return torch.cat([weighted_dp @ features_pd, weighted_dp @ labels_p[..., None]], -1), inside_p.sum(-1)


def features(image_n3hw: Tensor, like_nmhw: Tensor) -> Tensor:
    """Random Fourier features of pictures' colours, and a constant: (n, p, d), for cells of 2 by 2 pixels of a mask."""
    image_n3hw, side = image_n3hw.float(), 2 * image_n3hw.shape[-1] // like_nmhw.shape[-1]
    mean_n3hw = F.avg_pool2d(image_n3hw, side)
    deviation_n3hw = (F.avg_pool2d(image_n3hw * image_n3hw, side) - mean_n3hw * mean_n3hw).clamp(min=0).sqrt()
    around_n3hw = F.avg_pool2d(F.pad(mean_n3hw, (1, 1, 1, 1), mode="replicate"), 3, 1) - mean_n3hw
    colours_np9 = torch.cat([mean_n3hw, deviation_n3hw, around_n3hw], 1).flatten(2).mT
    projections_9d, phases_d = _projections(image_n3hw.device)
    return F.pad(math.sqrt(2) * (colours_np9 @ projections_9d + phases_d).cos(), (0, 1), value=1.0)


@cache
def _projections(device: torch.device) -> tuple[Tensor, Tensor]:
    """The same in every run; uploaded once, since uploading waits."""
    generator = torch.Generator().manual_seed(0)
    scales_9 = torch.tensor(_SCALES).repeat_interleave(3)
    projections_9d = scales_9[:, None] * torch.randn(9, _FEATURES, generator=generator)
    phases_d = 2 * math.pi * torch.rand(_FEATURES, generator=generator)
    return projections_9d.to(device), phases_d.to(device)


def _shrink(logits_n1hw: Tensor) -> Tensor:
    """Means of two by two logits: (n, p)."""
    return F.avg_pool2d(logits_n1hw.float(), 2).flatten(1)


def _near(said_np: Tensor, best_n1hw: Tensor) -> Tensor:
    """What regressions say, at the masks' size. For the object it counts near the object's mask only: farther off the
    same colours are another's."""
    h, w = best_n1hw.shape[-2:]
    said_np = said_np.clamp(-_MOST, _MOST)
    said_np = torch.where(said_np < 0, _AGAINST * said_np, said_np)
    said_n1hw = F.interpolate(said_np.reshape(-1, 1, h // 2, w // 2), size=(h, w), mode="bilinear")
    return said_n1hw.clamp(min=0) * _grow(best_n1hw, round(h / _REACH)) + said_n1hw.clamp(max=0)


def _grow(masks_n1hw: Tensor, reach: int) -> Tensor:
    """1 within ``reach`` pixels of where logits are above 0, to each side; specks of less than 3 by 3 don't grow, since
    a whole other skater grew from some. By rows, then columns: 1 ms instead of 2."""
    inside, reach = -F.max_pool2d(-(masks_n1hw > 0).float(), 3, 1, 1), reach + 1
    return F.max_pool2d(F.max_pool2d(inside, (2 * reach + 1, 1), 1, (reach, 0)), (1, 2 * reach + 1), 1, (0, reach))
