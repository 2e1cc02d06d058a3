"""Parts that have an object's colours stay with it (``model.colour_weight``). Knows no videos.

Which colours it has and which are around it, the prompted frame says; a small model forgets half of a motorcycle whose
rider is gone, and a kettle that mirrors the room. So in every video a classifier of its own is fitted, as in Robinson
et al., Learning Fast and Robust Target Models (CVPR 2020), but to colours alone: ridge regression of the object (1)
against the rest (-1) on random Fourier features of colour (Rahimi and Recht, NIPS 2007). What it says is added to the
mask decoder's logits, and so goes into the memories made of them. docs/engine.md: Colours.
"""

import math
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_FEATURES = 128
# Of the projections of a place's colour, its deviation in the place, and the colour around less the place's: by 1.5
# colours that are 38 of 255 apart (0.67 of ImageNet's deviations) are told apart
_SCALES = (1.5, 1.5, 0.75)
_RIDGE = 0.03
_MOST = 1.5  # what the regression says is cut there; it is fitted to -1 and 1
_AGAINST = 0.4  # what it says against the object counts so much: it knows no fine edges
_SURE = 3.0  # logits beyond it are learned from
_FEWEST = 5  # places of an object, to learn from
_RATE = 0.27  # of what is known of the tracked frames, that the last one learned from is: every third one of nano
_REACH = 28  # a mask grows by the picture's side over this (four places of nano's 112) in a frame, at most

_Decoded = tuple[Tensor, Tensor, Tensor, Tensor]


class Colours:
    """Those of the objects of one pass; ``weight`` is how much they count (0: nothing is done).

    Each object's are kept in 130 KiB, however long the video is. On a GPU nothing waits for the device.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._objects: dict[int, Regression] = {}

    def give(self, object_id: int, image_13hw: Tensor, logits_11hw: Tensor) -> None:
        """Learns from a prompted frame's mask: where ``logits_11hw``, at a quarter of the image's size, are above 0."""
        if self._weight:
            with in_float32(image_13hw.device.type):
                inside_1p = shrunk((logits_11hw > 0).float())
                regression = self._objects.setdefault(object_id, Regression())
                regression.give(features(image_13hw, logits_11hw)[0], 2 * inside_1p[0] - 1)

    def start(self) -> None:
        """Forgets the tracked frames."""
        for each in self._objects.values():
            each.start()

    def copy(self) -> "Colours":
        """What is known by now; it learns no more when this does."""
        other = Colours(self._weight)
        other._objects = {object_id: copy(each) for object_id, each in self._objects.items()}
        return other

    @contextmanager
    def added(self, decoder: Any, object_ids: Sequence[int], image_13hw: Tensor, learn: bool) -> Generator[None]:
        """Within, sam2's ``MaskDecoder`` has the colours of ``image_13hw`` added to what it says of the objects.

        With ``learn`` they learn from what it says without them.
        """
        if not self._weight:
            yield
            return
        handle = decoder.register_forward_hook(partial(self._add, object_ids, image_13hw, learn))
        try:
            yield
        finally:
            handle.remove()

    def _add(
        self, object_ids: Sequence[int], image_13hw: Tensor, learn: bool, _: Any, args: tuple[Any, ...], said: _Decoded
    ) -> _Decoded:
        """To masks (n, m, h, w), of which sam2 takes that with the highest IoU (n, m); it is learned from where an
        object is there."""
        with in_float32(image_13hw.device.type):
            masks_nmhw, ious_nm, tokens, there_n1 = said
            best_n1hw = best(masks_nmhw, ious_nm)
            features_pd = features(image_13hw, best_n1hw)[0]
            regressions = [self._objects[object_id] for object_id in object_ids]
            said_np = torch.stack([each.says(features_pd) for each in regressions])
            if learn:
                for regression, best_p, there in zip(regressions, shrunk(best_n1hw), there_n1[:, 0], strict=True):
                    regression.see(features_pd, best_p, there > 0)
            added_n1hw = self._weight * near(said_np, best_n1hw)
            return (masks_nmhw + added_n1hw).to(masks_nmhw.dtype), ious_nm, tokens, there_n1


class Regression:
    """Of one object, from moments of the features: of the prompted frames' mean, and of tracked ones'. Never changes a
    tensor in place, so that copies stay. All takes a batch of objects as well, in dimensions before the others."""

    def __init__(self) -> None:
        self._frames = 0
        self._given = self._tracked = torch.zeros(())

    def give(self, features_pd: Tensor, labels_p: Tensor) -> None:
        """Learns a prompted frame: inside 1, outside -1."""
        moments, _ = _moments(features_pd, labels_p, torch.ones_like(labels_p))
        self._frames += 1
        self._given = self._given + (moments - self._given) / self._frames
        self.start()

    def start(self) -> None:
        """Forgets the tracked frames."""
        self._tracked = self._given
        self._solve()

    def says(self, features_pd: Tensor) -> Tensor:
        """Of each place (p): near 1 inside, near -1 outside."""
        return (features_pd @ self._weights_d1)[..., 0]

    def see(self, features_pd: Tensor, logits_p: Tensor, there: Tensor) -> None:
        """Learns a tracked frame, where its logits are sure and the object is there."""
        sure_p = (logits_p.abs() > _SURE).float()
        moments, places = _moments(features_pd, logits_p.sign(), sure_p)
        rate = _RATE * (there & (places >= _FEWEST))[..., None, None]
        self._tracked = self._tracked + rate * (moments - self._tracked)
        self._solve()

    def _solve(self) -> None:
        """Prompted frames count as much as all tracked ones, of which newer ones count more."""
        moments = (self._given + self._tracked) / 2
        device = moments.device
        if device.type == "mps":  # torch had no Cholesky there before 2.7, and no cholesky_solve for a year more
            moments = moments.cpu()
        ridge = _RIDGE * torch.eye(moments.shape[-2], device=moments.device)
        root, _ = torch.linalg.cholesky_ex(moments[..., :-1] + ridge)
        self._weights_d1 = torch.cholesky_solve(moments[..., -1:], root).to(device)


def _moments(features_pd: Tensor, labels_p: Tensor, sure_p: Tensor) -> tuple[Tensor, Tensor]:
    """Of features (d) with each other and, in the last column, the labels: (d, d + 1), where inside and outside count
    the same, however large. And how many places are inside."""
    inside_p, outside_p = sure_p * (labels_p > 0), sure_p * (labels_p <= 0)
    inside, outside = (2 * side_p.sum(-1, keepdim=True) for side_p in (inside_p, outside_p))
    weights_p = inside_p / inside.clamp(min=1) + outside_p / outside.clamp(min=1)
    weighted_dp = (features_pd * weights_p[..., None]).mT
    return torch.cat([weighted_dp @ features_pd, weighted_dp @ labels_p[..., None]], -1), inside_p.sum(-1)


def features(image_n3hw: Tensor, like_nmhw: Tensor) -> Tensor:
    """Random Fourier features (n, p, d), and a constant, of pictures' colours at half the size (h, w) of the masks."""
    image_n3hw, side = image_n3hw.float(), 2 * image_n3hw.shape[-1] // like_nmhw.shape[-1]
    mean_n3hw = F.avg_pool2d(image_n3hw, side)
    deviation_n3hw = (F.avg_pool2d(image_n3hw * image_n3hw, side) - mean_n3hw * mean_n3hw).clamp(min=0).sqrt()
    around_n3hw = F.avg_pool2d(F.pad(mean_n3hw, (1, 1, 1, 1), mode="replicate"), 3, 1) - mean_n3hw
    colours_np9 = torch.cat([mean_n3hw, deviation_n3hw, around_n3hw], 1).flatten(2).mT
    projections_9d, phases_d = _projections(image_n3hw.device)
    return F.pad(math.sqrt(2) * (colours_np9 @ projections_9d + phases_d).cos(), (0, 1), value=1.0)


def in_float32(device: str) -> AbstractContextManager[object]:
    """Sums over thousands of places would be of no use in bfloat16."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


@cache
def _projections(device: torch.device) -> tuple[Tensor, Tensor]:
    """The same in every run; uploaded once, since that is waited for."""
    generator = torch.Generator().manual_seed(0)
    scales_9 = torch.tensor(_SCALES).repeat_interleave(3)
    projections_9d = scales_9[:, None] * torch.randn(9, _FEATURES, generator=generator)
    phases_d = 2 * math.pi * torch.rand(_FEATURES, generator=generator)
    return projections_9d.to(device), phases_d.to(device)


def best(masks_nmhw: Tensor, ious_nm: Tensor) -> Tensor:
    """Of each object's masks that with the highest IoU: (n, 1, h, w)."""
    return torch.take_along_dim(masks_nmhw, ious_nm.argmax(1)[:, None, None, None], 1)


def shrunk(logits_n1hw: Tensor) -> Tensor:
    """Means of two by two places, (n, p)."""
    return F.avg_pool2d(logits_n1hw.float(), 2).flatten(1)


def near(said_np: Tensor, best_n1hw: Tensor) -> Tensor:
    """What regressions said, at the masks' size: for the object near its mask alone, since farther off a face is
    somebody else's."""
    h, w = best_n1hw.shape[-2:]
    said_np = said_np.clamp(-_MOST, _MOST)
    said_np = torch.where(said_np < 0, _AGAINST * said_np, said_np)
    said_n1hw = F.interpolate(said_np.reshape(-1, 1, h // 2, w // 2), size=(h, w), mode="bilinear")
    return said_n1hw.clamp(min=0) * _grown(best_n1hw, round(h / _REACH)) + said_n1hw.clamp(max=0)


def _grown(masks_n1hw: Tensor, reach: int) -> Tensor:
    """1 where logits up to ``reach`` places to each side are above 0, but for specks, from which a whole other skater
    grew; by rows, then columns: 1 ms instead of 2."""
    inside, reach = -F.max_pool2d(-(masks_n1hw > 0).float(), 3, 1, 1), reach + 1
    return F.max_pool2d(F.max_pool2d(inside, (2 * reach + 1, 1), 1, (reach, 0)), (1, 2 * reach + 1), 1, (0, reach))
