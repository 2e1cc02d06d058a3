"""Grow, feather, specks and border on masks whose pixels are known."""

import numpy as np
import pytest

from vidseg.matte.edge import Edge
from vidseg.matte.plain import Plain
from vidseg.matte.shape import cleaned, feathered, grown
from vidseg.types import Frame, FrameMasks


def square(size=20, at=30, shape=(80, 100)):
    mask = np.zeros(shape, np.uint8)
    mask[at : at + size, at : at + size] = 1
    return mask


def test_alpha_grows_and_shrinks_by_so_many_pixels():
    alpha = square() * np.uint8(255)
    assert (grown(alpha, 3)[40] > 0).sum() == 26
    assert (grown(alpha, -3)[40] > 0).sum() == 14
    half = grown(alpha, 2.5)[40]
    assert (half == 255).sum() == 24
    assert half[27] == half[52] == pytest.approx(128, abs=1)
    assert not grown(alpha, -11).any()
    assert grown(alpha, 0) is alpha


def test_what_the_pictures_edge_cuts_does_not_shrink_from_there():
    alpha = square(at=0) * np.uint8(255)
    assert (grown(alpha, -3)[0] > 0).sum() == 17


def test_feather_makes_a_ramp_of_that_width_around_the_edge():
    ramp = feathered(square() * np.uint8(255), 12)[40].astype(int)
    assert ramp[24] < 13
    assert ramp[29] == pytest.approx(255 - ramp[30], abs=3)
    assert ramp[36] > 242
    assert (np.diff(ramp[20:40]) >= 0).all()


def test_specks_go_and_small_holes_are_filled():
    mask = square()
    mask[5:8, 5:8] = 1  # 9 pixels
    mask[35:38, 35:39] = 0  # 12
    assert np.array_equal(cleaned(mask, 9, 0), mask)
    assert np.array_equal(cleaned(mask, 10, 0)[:20], square()[:20])
    assert cleaned(mask, 10, 0)[36, 36] == 0
    assert np.array_equal(cleaned(mask, 13, 0), square())
    assert not cleaned(square(), 401, 0).any()
    bay = square(at=0)
    bay[0:3, 5:8] = 0  # open to the picture's edge
    assert np.array_equal(cleaned(bay, 13, 0), bay)
    assert mask[6, 6] == 1  # the mask given is as it was


def test_a_mask_near_the_pictures_edge_goes_on_to_it():
    for turns in range(4):
        mask = np.rot90(square(at=2), turns)
        assert np.array_equal(cleaned(mask, 0, 1), mask)
        reached = np.rot90(cleaned(mask, 0, 2), -turns)
        assert reached[0, 2:22].all()
        assert reached[2:22, 0].all()
        assert reached.sum() == 22 * 22
    assert np.array_equal(cleaned(square(), 0, 5), square())


def test_every_matte_has_these_keys():
    picture = np.full((80, 100, 3), 100, np.uint8)
    logits = np.where(square(), 5, -5).astype(np.float32)[None]
    for matte in (Plain(grow=4), Edge(grow=4)):
        alpha = matte.refine(Frame(0, 0.0, picture), FrameMasks(0, (1,), logits)).alpha_hw
        assert (alpha[40] > 127).sum() == 28
