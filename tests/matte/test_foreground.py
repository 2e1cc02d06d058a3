"""The background's colours are taken out of the edge, and nothing else changes."""

import cv2
import numpy as np
import pytest
from matted import disc, mixed

from vidseg.composite import cutout, transparent
from vidseg.matte.foreground import REACH, estimate_foreground
from vidseg.types import Alpha, Frame, FrameMasks

FRONT, BACK = (210, 60, 40), (30, 90, 160)
TRUTH = cv2.GaussianBlur(disc(), (0, 0), 1.0)
ALPHA = np.rint(255 * TRUTH).astype(np.uint8)


def soft(picture, foreground=True):
    masks = FrameMasks(0, (1,), np.where(TRUTH > 0.5, 5, -5).astype(np.float32)[None])
    masks.soften(Alpha(ALPHA, estimate_foreground(picture, ALPHA) if foreground else None))
    return Frame(0, 0.0, picture), masks


def test_the_colours_at_the_edge_are_the_objects_own():
    picture = mixed(TRUTH, FRONT, BACK)
    found = estimate_foreground(picture, ALPHA).astype(int)
    assert np.abs(found[ALPHA > 12] - FRONT).max() <= 12
    near = (cv2.dilate(ALPHA, np.ones((2 * REACH + 1,) * 2)) > 0) & (ALPHA == 0)
    assert np.abs(found[near] - FRONT).max() <= 12
    far = cv2.dilate(ALPHA, np.ones((2 * REACH + 1,) * 2)) == 0
    assert np.array_equal(found[far], picture[far])
    assert np.array_equal(found[ALPHA == 255], picture[ALPHA == 255])


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (0, 177, 64)])
def test_a_cutout_shows_no_rim_of_the_old_background(background):
    frame, masks = soft(mixed(TRUTH, FRONT, BACK))
    _, as_it_is = soft(frame.rgb_hw3, foreground=False)
    expected = mixed(TRUTH, FRONT, background).astype(int)
    error = np.abs(cutout(frame, masks, background=list(background)) - expected).max()
    assert error <= 4
    assert np.abs(cutout(frame, as_it_is, background=list(background)) - expected).max() > 30


def test_straight_colours_times_alpha_are_the_premultiplied_ones():
    frame, masks = soft(mixed(TRUTH, FRONT, BACK))
    straight, premultiplied = transparent(frame, masks), transparent(frame, masks, premultiplied=True)
    assert np.array_equal(straight[..., 3], ALPHA)
    assert np.array_equal(premultiplied[..., 3], ALPHA)
    expected = straight[..., :3] * (straight[..., 3:] / 255)
    assert np.abs(premultiplied[..., :3] - expected).max() <= 0.5
    assert not premultiplied[ALPHA == 0].any()


def test_an_object_everywhere_or_nowhere_leaves_the_picture_as_it_is():
    picture = mixed(TRUTH, FRONT, BACK)
    for value in (0, 255):
        found = estimate_foreground(picture, np.full_like(ALPHA, value))
        assert np.array_equal(found, picture)
        assert not np.shares_memory(found, picture)
