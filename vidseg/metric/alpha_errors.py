"""Errors of alpha against true alpha, as image and video matting report them. Pure functions.

SAD, MSE, gradient and connectivity are those of Rhemann et al., A Perceptually Motivated Online Benchmark for Image
Matting (CVPR 2009), dtSSD that of Erofeev et al., Perceptually Motivated Benchmark for Video Matting (BMVC 2015). They
are taken over the whole picture, and in the units in which video matting has them (Lin et al., Robust High-Resolution
Video Matting, WACV 2022): SAD, gradient and connectivity in thousands of pixels, MSE times 1000, dtSSD times 100.

Arguments are float32 (h, w), 0 to 1.
"""

import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import bounding_box

Alpha = NDArray[np.float32]

SIGMA = 1.4  # standard deviation in pixels of the gradient's Gaussian
STEP, LEAST = 0.1, 0.15  # of the connectivity error: between thresholds, and the difference that doesn't count


def sad(alpha_hw: Alpha, true_hw: Alpha) -> float:
    """The sum of absolute differences, in thousands of pixels."""
    return float(np.abs(alpha_hw - true_hw).sum(dtype=np.float64)) / 1e3


def mse(alpha_hw: Alpha, true_hw: Alpha) -> float:
    """The mean squared difference, times 1000."""
    return float(np.square(alpha_hw - true_hw).mean(dtype=np.float64)) * 1e3


def gradient(alpha_hw: Alpha, true_hw: Alpha) -> float:
    """The sum of squared differences of the gradients' magnitudes, in thousands of pixels."""
    return float(np.square(_slope(alpha_hw) - _slope(true_hw)).sum(dtype=np.float64)) / 1e3


def connectivity(alpha_hw: Alpha, true_hw: Alpha) -> float:
    """The sum of differences in how far pixels are connected to the object, in thousands of pixels.

    The object is at each threshold the largest 4-connected region in which both are as high. A pixel is connected up
    to the threshold at which it is still in that region.
    """
    box = bounding_box(((alpha_hw > 0) | (true_hw > 0)).view(np.uint8))
    if box is None:
        return 0.0
    alpha_hw, true_hw = alpha_hw[box], true_hw[box]
    both_hw = np.minimum(alpha_hw, true_hw)
    connected_hw = np.full(both_hw.shape, -1, np.float32)
    thresholds = np.arange(0, 1 + STEP, STEP)
    for below, threshold in pairwise(thresholds):
        region_hw = _largest(np.asarray(both_hw >= threshold - 1e-6))
        connected_hw[(connected_hw < 0) & ~region_hw] = below
    connected_hw[connected_hw < 0] = 1
    return float(np.abs(_kept(alpha_hw, connected_hw) - _kept(true_hw, connected_hw)).sum(dtype=np.float64)) / 1e3


def dtssd(alpha_hw: Alpha, before_hw: Alpha, true_hw: Alpha, true_before_hw: Alpha) -> float:
    """The root mean squared difference of the changes since the frame before, times 100."""
    differing = (alpha_hw - before_hw) - (true_hw - true_before_hw)
    return math.sqrt(float(np.square(differing).mean(dtype=np.float64))) * 100


def _slope(alpha_hw: Alpha) -> Alpha:
    """The gradient's magnitude, of derivatives of a Gaussian, each filter of norm 1."""
    # As far as the Gaussian is above a hundredth
    reach = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * 0.01)))
    at = np.arange(-reach, reach + 1)
    smooth = np.exp(-(at**2) / (2 * SIGMA**2)) / (SIGMA * math.sqrt(2 * math.pi))
    rise = -at * smooth / SIGMA**2
    norm = np.linalg.norm(np.outer(smooth, rise))
    across = cv2.sepFilter2D(alpha_hw, -1, rise / norm, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(alpha_hw, -1, smooth, rise / norm, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(across, down))


def _largest(region_hw: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 4-connected part of a region."""
    _, labels_hw, stats, _ = cv2.connectedComponentsWithStats(region_hw.view(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels_hw == 1 + int(areas.argmax())) if len(areas) else np.zeros_like(region_hw)


def _kept(alpha_hw: Alpha, connected_hw: Alpha) -> Alpha:
    """How far pixels are connected: 1 less what their alpha is above that, if it is LEAST or more."""
    above = alpha_hw - connected_hw
    return np.asarray(1 - above * (above >= LEAST - 1e-6))
