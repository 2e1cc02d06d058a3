"""The alpha of each of several objects: together they are that of all, and each is near to its own."""

import cv2
import numpy as np
import pytest
from matted import HEIGHT, WIDTH, disc, masks

from vidseg.composite.layers import object_alphas
from vidseg.matte.edge import Edge
from vidseg.matte.plain import Plain
from vidseg.types import Alpha, Frame, FrameMasks

RED, BLUE, GREY = np.array((210.0, 60, 40)), np.array((30.0, 60, 200)), np.array((120.0, 125, 120))


def scene(*alphas_hw):
    """A picture of a red and a blue object before grey, of the two's exact shares."""
    colours = zip(alphas_hw, (RED, BLUE, RED[::-1] / 2), strict=False)
    mixed = sum(alpha_hw[..., None] * colour for alpha_hw, colour in colours) + (1 - sum(alphas_hw))[..., None] * GREY
    return Frame(0, 0.0, np.rint(mixed).astype(np.uint8))


def layers(frame, found, matte=None):
    found.soften((matte or Edge()).refine(frame, found))
    parts = np.stack(list(object_alphas(frame, found).values()))
    assert parts.dtype == np.uint8
    assert np.array_equal(parts.sum(axis=0, dtype=int), found.alpha.alpha_hw)
    return parts


def touching():
    """Exact alpha of a disc that stands half before another."""
    behind, before = disc((60.3, 60.6)), disc((95.3, 60.6))
    return before, behind * (1 - before)


def test_objects_that_touch_share_the_pixels_between_them():
    true = touching()
    found = masks(*(part > 0.5 for part in true))
    parts = layers(scene(*true), found) / 255
    hard = np.stack([found.alpha.alpha_hw / 255 * (part > 0.5) for part in true])
    errors = [float(((each - np.stack(true)) ** 2).sum()) for each in (parts, hard)]
    assert errors[0] < 0.3 * errors[1]


@pytest.mark.parametrize("first", [0, 1])
def test_a_soft_edge_is_the_nearest_object_s(first):
    """Masks of a replay have the same logit, -10, wherever none is."""
    true = (disc((35.3, 60.6), 20), disc((120.3, 60.6), 20))[:: 1 if first == 0 else -1]
    parts = layers(scene(*true), masks(*(part > 0.5 for part in true)), Edge(feather=4))
    left, right = parts[first], parts[1 - first]
    assert not left[:, 80:].any()
    assert not right[:, :80].any()
    assert ((left > 0) & (left < 255)).sum() > 100
    assert ((right > 0) & (right < 255)).sum() > 100


def test_an_edge_in_another_s_feather_has_no_step():
    """The sum of both is a ramp; each part changes by no more than a mixed pixel does."""
    height, width = 60, 90
    left, right = np.zeros((2, height, width), bool)
    left[:, 20:45], right[:, 45:70] = True, True
    flat = Frame(0, 0.0, np.full((height, width, 3), 128, np.uint8))
    parts = layers(flat, masks(left, right), Plain(feather=12)).astype(int)
    assert np.abs(np.diff(parts[0, 30, 43:48])).max() < 220
    assert 0 < parts[0, 30, 44] < 255
    assert 0 < parts[1, 30, 44] < 255


def test_without_a_matte_each_pixel_is_one_object_s():
    overlapping = masks(disc((60, 60)) > 0.5, disc((80, 60)) > 0.5)
    overlapping.logits_nhw[1] *= 2
    first, second = object_alphas(scene(*touching()), overlapping).values()
    assert np.array_equal(first, 255 * (overlapping.masks_nhw[0] & ~overlapping.masks_nhw[1]))
    assert np.array_equal(second, 255 * overlapping.masks_nhw[1])


def test_three_objects_empty_ones_and_what_is_left_of_one():
    one, two = touching()
    three = disc((78.0, 95.0), 15) * (1 - one - two)
    layers(scene(one, two, three), masks(one > 0.5, two > 0.5, three > 0.5))
    parts = layers(scene(one, two), masks(one > 0.5, np.zeros_like(one, bool), two > 0.5))
    assert not parts[1].any()
    gone = masks(*np.zeros((2, HEIGHT, WIDTH), bool))
    gone.soften(Alpha(np.full((HEIGHT, WIDTH), 40, np.uint8)))
    assert sum(part.sum(dtype=int) for part in object_alphas(scene(one, two), gone).values()) == 40 * HEIGHT * WIDTH
    nobody = FrameMasks(0, (), np.zeros((0, HEIGHT, WIDTH), np.float32))
    assert object_alphas(scene(one, two), nobody) == {}


@pytest.mark.parametrize("size", [(2, 2), (1, 1), (3, 5), (7, 4)])
def test_tiny_pictures(size):
    first = np.zeros(size, bool)
    first[0] = True
    layers(Frame(0, 0.0, np.full((*size, 3), 9, np.uint8)), masks(first, ~first))


def test_many_objects_of_few_pixels_have_all_of_alpha():
    random = np.random.default_rng(0)
    for count, matte in ((9, Edge()), (5, Edge(feather=12)), (3, Edge(grow=-1))):
        logits = np.stack([cv2.GaussianBlur(random.normal(0, 3, (61, 47)), (0, 0), 1) for _ in range(count)])
        picture = random.integers(0, 256, (61, 47, 3)).astype(np.uint8)
        layers(Frame(0, 0.0, picture), FrameMasks(0, tuple(range(1, count + 1)), logits.astype(np.float32)), matte)
