"""The guided filter with a colour guide (He, Sun and Tang, TPAMI 2013), computed in a band only.

In each window alpha is taken for a linear function of the picture's three colours; a pixel's alpha is the mean of what
the windows around it say. It is the local model of the matting Laplacian (Levin, Lischinski and Weiss, TPAMI 2008),
solved in one step.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # (h, w)
Values = NDArray[np.float32]  # (n,)


def guided_filter(
    rgb_hw3: NDArray[np.uint8], alpha_hw: Plane, band_hw: NDArray[np.uint8], radius: int, noise: float
) -> tuple[NDArray[np.intp], Values, Values]:
    """The flat indices of the pixels in ``band_hw`` (uint8, not 0), their filtered alpha, float32, and how much of
    alpha's variance in the windows around the picture explains (R², 0 to 1).

    ``alpha_hw`` is float32 (h, w), 0 to 1. Windows are squares of 2 ``radius`` + 1 pixels. ``noise`` is the standard
    deviation, in levels of 255, below which differences of colour tell nothing.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    windows = np.flatnonzero(cv2.dilate(band_hw, np.ones(size, np.uint8)))  # whose means reach the band
    fit = _fit(rgb_hw3, alpha_hw, windows, size, noise)
    fits_hw5 = np.zeros((*alpha_hw.shape, 5), np.float32)
    fits_hw5.reshape(-1, 5)[windows] = np.stack(fit, axis=1)
    at = np.flatnonzero(band_hw)
    means = _mean(fits_hw5, size).reshape(-1, 5)[at]
    colours = rgb_hw3.reshape(-1, 3)[at]
    return at, np.einsum("nc,nc->n", means[:, :3], colours.astype(np.float32)) + means[:, 3], means[:, 4]


def _fit(
    rgb_hw3: NDArray[np.uint8], alpha_hw: Plane, windows: NDArray[np.intp], size: tuple[int, int], noise: float
) -> list[Values]:
    """For each window the slopes of alpha along red, green and blue, its offset, and R²: a ridge regression."""
    red, green, blue = cv2.split(rgb_hw3.astype(np.float32))
    means = [_mean(plane, size).reshape(-1)[windows] for plane in (red, green, blue, alpha_hw)]

    def covariance(first: int, second: int) -> Values:
        planes = (red, green, blue, alpha_hw)
        product = _mean(cv2.multiply(planes[first], planes[second]), size).reshape(-1)[windows]
        return np.asarray(product - means[first] * means[second])

    rr, gg, bb = (covariance(n, n) + np.float32(noise * noise) for n in range(3))
    rg, rb, gb = covariance(0, 1), covariance(0, 2), covariance(1, 2)
    ra, ga, ba, aa = (covariance(n, 3) for n in range(4))
    # The inverse of a symmetric 3x3 matrix by its cofactors: numpy.linalg.solve takes ten times as long
    c00, c01, c02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    slopes = [
        (c00 * ra + c01 * ga + c02 * ba) / determinant,
        (c01 * ra + c11 * ga + c12 * ba) / determinant,
        (c02 * ra + c12 * ga + c22 * ba) / determinant,
    ]
    offset = means[3] - slopes[0] * means[0] - slopes[1] * means[1] - slopes[2] * means[2]
    explained = slopes[0] * ra + slopes[1] * ga + slopes[2] * ba
    return [*slopes, offset, np.clip(explained / np.maximum(aa, np.float32(1e-4)), 0, 1)]


def _mean(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.boxFilter(plane, -1, size, borderType=cv2.BORDER_REFLECT_101))
