"""Where pixels came from, what the background does, and what moves apart from it.

Knows nothing about colours' meaning, masks' history or prompts.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB, Mask

Map = NDArray[np.float32]  # (h, w)
Field = NDArray[np.float32]  # (h, w, 2), in pixels: x, y


def flow_between(first: RGB, second: RGB, finest: int = 0) -> Field:
    """Where each pixel of ``first`` goes in ``second``, relative to itself: dense inverse search (Kroeger 2016).

    ``finest`` halves the size of the last level so many times. Level 0 without variational refinement carries DAVIS
    masks as well as the medium preset at level 0 and costs 17 ms at 480x270 instead of 42; level 1 costs 4 ms.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(finest)
    search.setVariationalRefinementIterations(0)
    grey = [cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (first, second)]
    return np.asarray(search.calc(grey[0], grey[1], None), np.float32)


def follow(field: Field) -> Field:
    """The field as absolute positions, for cv2.remap."""
    height, width = field.shape[:2]
    positions = field.copy()
    positions[..., 0] += np.arange(width, dtype=np.float32)
    positions[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return positions


def shift(mask: Mask, field: Field) -> Mask:
    """The mask of the other frame, taken from where ``field`` says each pixel came from."""
    return np.asarray(cv2.remap(mask.astype(np.float32), follow(field), None, cv2.INTER_LINEAR) > 0.5)


class Flow:
    """From one frame to the next.

    ``back`` (h, w, 2) is where each pixel was, relative to itself; ``trust`` (h, w) in 0..1 falls where something was
    covered or uncovered, which a round trip and the colours betray.
    """

    def __init__(self, before: RGB, now: RGB) -> None:
        self.back, forth = flow_between(now, before), flow_between(before, now, finest=1)
        origin = follow(self.back)
        there = cv2.remap(forth, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        missed = np.sum((there + self.back) ** 2, axis=2)
        seen = cv2.remap(before, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        red, green, blue = cv2.split(cv2.absdiff(seen, now))
        changed = cv2.max(cv2.max(red, green), blue).astype(np.float32)
        self.trust: Map = np.exp(-missed / 2.0 - cv2.blur(changed, (3, 3)) / 40.0).astype(np.float32)


def spread(field: Field, weight: Map, reach: float) -> Field:
    """The weighted mean of ``field`` around each pixel, over about ``reach`` pixels or as far as the weight is away."""
    small = (max(field.shape[1] // 4, 1), max(field.shape[0] // 4, 1))  # a mean this wide needs no finer grid
    weight = cv2.resize(weight, small, interpolation=cv2.INTER_AREA)
    field4 = cv2.resize(field, small, interpolation=cv2.INTER_AREA)
    total = np.zeros((small[1], small[0], 2), np.float32)
    norm = np.zeros((small[1], small[0], 1), np.float32)
    # Each width takes over where the finer one has no weight in reach.
    for sigma, share in ((reach / 4, 1.0), (reach, 1e-2), (8 * reach, 1e-4)):
        near = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        total += share * cv2.GaussianBlur(field4 * weight[..., None], (0, 0), sigma)
        norm += share * near
    mean = total / np.maximum(norm, 1e-9)
    return np.asarray(cv2.resize(mean, (field.shape[1], field.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def affine(field: Field, weight: Map) -> Field:
    """The affine motion that fits the weighted pixels best, robustly (Cauchy's weights), everywhere."""
    height, width = weight.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    terms = np.stack([np.ones_like(x), x, y], axis=-1)
    chosen = np.flatnonzero(weight.ravel() > 0.05)
    if len(chosen) < 3:
        return np.zeros_like(field)
    chosen = chosen[:: max(len(chosen) // 2000, 1)]
    samples, flows, base = terms.reshape(-1, 3)[chosen], field.reshape(-1, 2)[chosen], weight.ravel()[chosen]
    w, ridge = base, 1e-2 * np.diag([1e-3, 1.0, 1.0]).astype(np.float32) * len(chosen)
    middle = samples.mean(axis=0) * (0, 1, 1)
    samples = (samples - middle).astype(np.float32)
    solution = np.zeros((3, 2), np.float32)
    for _ in range(5):
        solution = np.linalg.solve(samples.T @ (samples * w[:, None]) + ridge, (samples * w[:, None]).T @ flows)
        missed = np.hypot(*(flows - samples @ solution).T)
        w = base / (1 + (missed / (1.5 * max(float(np.median(missed)), 0.2))) ** 2)
    return np.asarray((terms - middle) @ solution, np.float32)


def background(field: Field) -> Field:
    """What the flow would be without moving objects: a low polynomial in x and y, fitted robustly to all of it.

    A homography's flow is close to a quadratic; the cubic terms in y follow a depth that changes with height.
    """
    height, width = field.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y, y * y * y, x * y * y], axis=-1)
    step = max(width // 80, 1)
    samples, flows = terms[::step, ::step].reshape(-1, 8), field[::step, ::step].reshape(-1, 2)
    weight = np.ones(len(samples), np.float32)
    solution = np.zeros((8, 2), np.float32)
    for _ in range(8):  # iteratively reweighted least squares, Cauchy's weights
        weighted = samples * weight[:, None]
        solution = np.linalg.solve(weighted.T @ samples + 1e-3 * np.eye(8, dtype=np.float32), weighted.T @ flows)
        missed = np.hypot(*(flows - samples @ solution).T)
        weight = 1 / (1 + (missed / (1.5 * max(float(np.median(missed)), 0.1))) ** 2)
    return np.asarray(terms @ solution, np.float32)


def odds_of_moving(field: Field, still: Field, own: Field, core: Mask) -> Map:
    """Log-odds (h, w) in ±3 that a pixel moves as the object (``own``) rather than as what surrounds it (``still``)."""
    apart = float(np.median(np.linalg.norm((own - still)[core], axis=1))) if core.any() else 0.0
    if apart < 0.4:  # a pixel of flow is good to some tenths
        return np.zeros(core.shape, np.float32)
    stray, unlike = np.linalg.norm(field - still, axis=2) / apart, np.linalg.norm(field - own, axis=2) / apart
    sure = min((apart - 0.4) / 1.0, 1.0)
    # A limb moves like neither: that says nothing against it.
    return np.asarray(3 * sure * (np.exp(-((unlike / 0.5) ** 2)) - np.exp(-((stray / 0.5) ** 2))), np.float32)
