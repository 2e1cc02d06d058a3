"""Masks four times as fine, along the picture's edges."""

import numpy as np
import torch
from parity import CLICK, build
from sources import ArraySource, moving_squares
from torch.nn import functional

from vidseg.model.nano.predictor import guided


def picture(contrast: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A disc (1, 1, 96, 96) on a ground that it is ``contrast`` brighter than, and of another hue (1, 3, 96, 96)."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    disc = ((x - 45).square() + (y - 51).square() < 27**2).float()[None, None]
    shade = torch.stack([0.3 + contrast * disc[0, 0], 0.02 * x, 0.5 - contrast * disc[0, 0]])[None]
    return disc, shade


def coarse(disc: torch.Tensor) -> torch.Tensor:
    """Logits at a quarter of the size, as unsure as nano's, and off by half a place to the right."""
    return 6 * functional.avg_pool2d(disc.roll(2, -1), 4) - 3


def test_edges_are_those_of_the_picture() -> None:
    disc, image = picture(1.0)
    bilinear = functional.interpolate(coarse(disc), scale_factor=4, mode="bilinear") > 0
    wrong = [int(((mask > 0) != (disc > 0)).sum()) for mask in (bilinear, guided(coarse(disc), image))]
    assert wrong[1] < 0.5 * wrong[0]


def test_without_an_edge_nothing_moves() -> None:
    disc, image = picture(0.0)
    logits = coarse(disc)
    bilinear = functional.interpolate(logits, scale_factor=4, mode="bilinear")
    assert ((guided(logits, image) > 0) != (bilinear > 0)).float().mean() < 0.01


def test_each_object_goes_by_itself_and_none_stays_none() -> None:
    disc, image = picture(1.0)
    logits = torch.cat([coarse(disc), torch.full((1, 1, 24, 24), -1024.0), -coarse(disc)])
    three = guided(logits, image)
    assert three.shape == (3, 1, 96, 96)
    assert torch.all(three[1] == -1024)
    for each, alone in zip(three, logits, strict=True):
        torch.testing.assert_close(each, guided(alone[None], image)[0])


def test_a_segmenter_follows_edges_on_every_frame() -> None:
    source = ArraySource(moving_squares(3))
    bilinear, along = (
        [masks.logits_nhw for _, masks in build(image_size=128, upsample=how).track(source, [CLICK])]
        for how in ("bilinear", "guided")
    )
    for one, other in zip(bilinear, along, strict=True):
        assert one.shape == other.shape
        assert not np.array_equal(one, other)
