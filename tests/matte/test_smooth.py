"""Smoothing over time: flicker of alpha is damped, motion isn't smeared, a cut begins anew."""

import cv2
import numpy as np
import pytest

from vidseg.matte.plain import Plain
from vidseg.matte.smooth import Smoothing

NOISE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (240, 400, 3), np.uint8), (0, 0), 3)
NOISE = cv2.normalize(NOISE, None, 0, 255, cv2.NORM_MINMAX)


def view(shift):
    """A part of a picture, moved to the left by ``shift`` pixels, and a square in it."""
    alpha = np.zeros((240, 320), np.uint8)
    alpha[80:160, 150 - shift : 230 - shift] = 255
    return np.ascontiguousarray(NOISE[:, shift : shift + 320]), alpha


@pytest.mark.parametrize("step", [0, 4])
def test_an_edge_that_flickers_is_damped_where_the_picture_moves_on(step):
    smoothing, lost = Smoothing(0.8), []
    for index in range(12):
        picture, alpha = view(step * index)
        steady = alpha
        if index % 2:  # the mask loses a strip on every second frame
            alpha = alpha.copy()
            alpha[80:86] = 0
        missing = steady.astype(int) - smoothing(picture, alpha)
        lost.append(missing[80:86, 165 - step * index : 215 - step * index].mean())
    assert max(lost[6:]) < 170  # 255 without
    assert np.ptp(lost[6:]) < 80  # 255 without


def test_motion_is_not_smeared():
    smoothing = Smoothing(0.9)
    for index in range(8):
        picture, alpha = view(5 * index)
        found = smoothing(picture, alpha)
    assert np.abs(found.astype(int) - alpha).mean() < 1.0
    still = cv2.addWeighted(alpha, 0.1, view(30)[1], 0.9, 0)  # without following the motion
    assert np.abs(still.astype(int) - alpha).mean() > 1.5


def test_a_cut_begins_anew():
    smoothing = Smoothing(0.9)
    smoothing(*view(0))
    other = np.zeros((240, 320), np.uint8)
    other[:, :40] = 255
    new = (255 - view(50)[0][::-1, ::-1]) // 2
    found = smoothing(np.ascontiguousarray(new), other)
    assert np.abs(found.astype(int) - other).mean() < 0.3 * np.abs(view(0)[1].astype(int) - other).mean()


def test_a_matte_has_a_memory_of_its_own():
    assert Plain(smooth=0.5)._smoothing is not Plain(smooth=0.5)._smoothing
    assert Plain()._smoothing is None


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_nothing_is_left_of_what_is_gone_and_nothing_is_missing_of_what_came(share):
    """With 8 bits between frames 9 levels of 255 stay for ever at 0.95."""
    smoothing, gone, came = Smoothing(share), np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8)
    picture, gone[:120] = view(0)[0], 255
    came[120:] = 255
    assert np.array_equal(smoothing(picture, gone), gone)
    for _ in range(160):
        found = smoothing(picture, came)
    assert np.array_equal(found, came)
