"""The guided filter with a colour guide (He, Sun and Tang, TPAMI 2013), at half the picture's resolution.

In each window alpha is taken for a linear function of the picture's three colours; a pixel's alpha is the mean of what
the windows around it say. It is the local model of the matting Laplacian (Levin, Lischinski and Weiss, TPAMI 2008),
solved in one step. The linear functions are smooth, so that they are fitted to pictures of half the size and applied to
the whole one (He and Sun, Fast Guided Filter, 2015): a quarter of the time.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.halves import half

Plane = NDArray[np.float32]  # (h, w)
Values = NDArray[np.float32]  # (n,)

NOISE = 1.5  # levels of 255: film grain and what codecs leave of it, at half the resolution
SLACK = 0.03  # alpha that is as near to 0 or 1 is that: the filter leaves a haze of noise over the band
TRUSTED = 1.5  # alpha is the filter's where it explains 1 / TRUSTED of the mask, and less so where less: without it
# the edge of an object before its like, or in shadow, is a blur as wide as the band
MASK_BLUR, STAIRS = 0.35, 0.5  # standard deviations in pixels: of the mask that is filtered, and where it is alpha


def band(mask_hw: NDArray[np.uint8], radius: int) -> NDArray[np.bool_]:
    """True within ``radius`` pixels of the outline of a mask (h, w) of 0 and 1, on both sides of it.

    At the picture's edge the mask goes on outside it: there is no outline.
    """
    square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.dilate(mask_hw, square) != cv2.erode(mask_hw, square))


def soft_edge(rgb_hw3: NDArray[np.uint8], mask_hw: NDArray[np.uint8], at: NDArray[np.intp], radius: int) -> Values:
    """Alpha, float32, 0 to 1, of the pixels with the flat indices ``at``, in a band of ``radius`` pixels.

    ``mask_hw`` is 0 or 1; height and width are even. Where the picture explains little, alpha is the mask with its
    steps straightened.
    """
    hard_hw = mask_hw.astype(np.float32)
    given_hw = cv2.GaussianBlur(hard_hw, (0, 0), MASK_BLUR)
    found, explained = guided_filter(rgb_hw3, given_hw, at, max(1, radius // 2), NOISE)
    found = np.clip((found - SLACK) / (1 - 2 * SLACK), 0, 1)
    trust = np.minimum(TRUSTED * explained, 1)
    return np.asarray(trust * found + (1 - trust) * cv2.GaussianBlur(hard_hw, (0, 0), STAIRS).reshape(-1)[at])


def guided_filter(
    rgb_hw3: NDArray[np.uint8], alpha_hw: Plane, at: NDArray[np.intp], radius: int, noise: float
) -> tuple[Values, Values]:
    """The filtered alpha, float32, of the pixels with the flat indices ``at``; and how much of alpha's variance in the
    windows around the picture explains (R², 0 to 1).

    ``alpha_hw`` is float32 (h, w), 0 to 1; height and width are even. Windows are squares of 4 ``radius`` + 2 pixels.
    ``noise`` is the standard deviation, in levels of 255, below which differences of colour tell nothing.
    """
    planes = [*cv2.split(half(rgb_hw3)), half(alpha_hw)]
    size = (2 * radius + 1, 2 * radius + 1)
    fits_hw5 = _mean(cv2.merge(_fit(planes, size, noise)), size)
    fits = cv2.resize(fits_hw5, alpha_hw.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(-1, 5)[at]
    colours = rgb_hw3.reshape(-1, 3)[at].astype(np.float32)
    return np.einsum("nc,nc->n", fits[:, :3], colours) + fits[:, 3], fits[:, 4]


def _fit(planes: list[Plane], size: tuple[int, int], noise: float) -> list[Plane]:
    """For each window the slopes of alpha along red, green and blue, its offset, and R²: a ridge regression.

    ``planes`` are red, green, blue and alpha.
    """
    means = [_mean(plane, size) for plane in planes]

    def covariance(first: int, second: int) -> Plane:
        product = _mean(cv2.multiply(planes[first], planes[second]), size)
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
