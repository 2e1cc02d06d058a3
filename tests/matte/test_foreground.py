"""The background's colours are taken out of the edge, and nothing else changes."""

import cv2
import numpy as np
import pytest
from matted import disc, mixed

from vidseg.colour import BT709, BT2020_PQ, in_sdr, is_hdr, sdr_of
from vidseg.composite import cutout, transparent
from vidseg.matte.foreground import REACH, estimate_foreground
from vidseg.matte.stage import Matting
from vidseg.types import Alpha, Deep, Frame, FrameMasks

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


def deep_soft(colour, front, back):
    """A picture of 16 bits, of front over back (R'G'B' of 0 to 1), its masks, and what the matte makes of alpha."""
    codes = TRUTH[..., None] * np.array(front) + (1 - TRUTH[..., None]) * np.array(back)
    deep = Deep(np.rint(65535 * codes).astype(np.uint16), colour)
    shallow = sdr_of(deep.rgb_hw3, colour, 8) if is_hdr(colour.transfer) else np.rint(255 * codes).astype(np.uint8)
    return Frame(0, 0.0, shallow, deep), FrameMasks(0, (1,), np.where(TRUTH > 0.5, 5, -5).astype(np.float32)[None])


class Exact(Matting):
    """Alpha is the truth."""

    def alpha(self, frame, masks, mask_hw):
        return ALPHA


@pytest.mark.parametrize(("colour", "front", "back"), [
    (BT709, (0.8, 0.3, 0.2), (0.1, 0.3, 0.6)),
    (BT2020_PQ, (0.85, 0.8, 0.75), (0.62, 0.66, 0.7)),  # 1,500 before 400 cd/m2: the same 8 bits of SDR, nearly
    (BT2020_PQ, (0.3, 0.25, 0.2), (0.75, 0.75, 0.75)),
])  # fmt: skip
def test_colours_of_more_than_8_bits_are_found_in_those(colour, front, back):
    """Of 255 levels; the differences of the 8-bit pictures leave 20 to 40 of them in HDR."""
    frame, masks = deep_soft(colour, front, back)
    masks.soften(Exact().refine(frame, masks))
    edge = (ALPHA > 25) & (ALPHA < 255)
    for premultiplied in (False, True):
        found = transparent(frame, masks, deep=True, premultiplied=premultiplied)[edge] / 65535
        expected = np.array(front) * (found[:, 3:] if premultiplied else 1)
        assert 255 * np.abs(found[:, :3] - expected).max() < 4
        assert 255 * np.abs(found[:, :3] - expected).mean() < 0.5
    inside = ALPHA == 255
    assert np.array_equal(transparent(frame, masks, deep=True)[inside, :3], frame.deep.rgb_hw3[inside])
    shown = in_sdr(frame)
    sdr = transparent(shown, masks, deep=True)
    assert np.abs(sdr[edge, :3] / 257 - sdr[60, 80, :3] / 257).mean() < 1.5


def test_colours_in_the_edge_are_as_fine_as_the_source():
    """A slow ramp before grey: its levels of 16 bits come back from under the edge, not steps of 8 bits."""
    ramp = 0.5 + 0.1 * np.linspace(0, 1, TRUTH.shape[1])[None, :, None].repeat(3, 2)
    codes = TRUTH[..., None] * ramp + (1 - TRUTH[..., None]) * 0.4
    frame = Frame(0, 0.0, np.rint(255 * codes).astype(np.uint8), Deep(np.rint(65535 * codes).astype(np.uint16), BT709))
    masks = FrameMasks(0, (1,), np.where(TRUTH > 0.5, 5, -5).astype(np.float32)[None])
    masks.soften(Exact().refine(frame, masks))
    edge = (ALPHA > 128) & (ALPHA < 255)
    found = transparent(frame, masks, deep=True)[edge, 0] / 257
    assert np.abs(found - 255 * ramp.repeat(len(TRUTH), 0)[edge, 0]).mean() < 0.15
    assert len(np.unique(found)) > 0.8 * len(found)
