"""One cut: from per-pixel evidence to a clean mask. Knows nothing about colours, motion or time."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB, Mask

Map = NDArray[np.float32]  # (h, w)

SURE = 1.5  # evidence (a log-odds) beyond which a pixel is not GrabCut's to decide


def signed_distance(mask: Mask) -> Map:
    """Pixels to the mask's edge, positive inside. (h, w) float32."""
    inside = mask.astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return np.asarray(distance - np.where(mask, 0.5, -0.5), np.float32)


def window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The mask's bounding box, grown by ``margin`` pixels and cut at the picture."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    rows = slice(max(y - margin, 0), min(y + h + margin, mask.shape[0]))
    return rows, slice(max(x - margin, 0), min(x + w + margin, mask.shape[1]))


def cut(rgb: RGB, evidence: Map, iterations: int) -> Mask:
    """GrabCut on a window: pixels of evidence beyond ±SURE are fixed, the others start on their sign. (h, w) bool."""
    labels = np.where(evidence > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[evidence > SURE] = cv2.GC_FGD
    labels[evidence < -SURE] = cv2.GC_BGD
    foreground = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    # It fits five Gaussians to either side and throws where there are fewer samples than that.
    if min(np.count_nonzero(foreground), np.count_nonzero(~foreground)) < 8:
        return np.asarray(foreground)
    cv2.setRNGSeed(0)  # its k-means starts at random
    model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb), labels, None, *model, iterations, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def tidy(mask: Mask, near: Mask, hole: float, keep: float) -> Mask:
    """Without specks and pinholes: keeps parts of at least ``keep`` pixels that touch ``near``; fills small holes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    good = np.zeros(count, bool)
    touching = np.bincount(labels[near & mask], minlength=count)
    good[1:] = (stats[1:, cv2.CC_STAT_AREA] >= keep) & (touching[1:] > 0)
    kept = good[labels]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < hole
    small[0] = False
    return np.asarray(kept | small[labels])
