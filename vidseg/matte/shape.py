"""What roto artists do to a mask and to alpha: specks, border, grow (or choke) and feather. Pure functions.

Masks are uint8 (h, w) of 0 and 1, alpha is uint8 (h, w). A function that has nothing to do returns its argument.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import bounding_box

Pixels = NDArray[np.uint8]


def cleaned(mask_hw: Pixels, specks: int, border: int) -> Pixels:
    """The mask without parts and holes of fewer than ``specks`` pixels, and up to the picture's edge where it comes
    ``border`` pixels near."""
    if specks:
        mask_hw = _without_specks(mask_hw, specks)
    if border:
        mask_hw = _to_the_edge(mask_hw, border)
    return mask_hw


def grown(alpha_hw: Pixels, by_px: float) -> Pixels:
    """Alpha dilated by a disc of that radius, or eroded if it is negative; between whole numbers it is their mix."""
    if not by_px or (box := bounding_box(alpha_hw, margin=math.ceil(max(by_px, 0)) + 1)) is None:
        return alpha_hw
    less, size = math.floor(abs(by_px)), abs(by_px)
    part = np.ascontiguousarray(alpha_hw[box])
    near, far = (_moved(part, radius, by_px > 0) for radius in (less, math.ceil(size)))
    out = np.zeros_like(alpha_hw)
    out[box] = near if less == size else cv2.addWeighted(near, 1 - (size - less), far, size - less, 0)
    return out


def feathered(alpha_hw: Pixels, over_px: float) -> Pixels:
    """Alpha blurred, so that a hard edge becomes a ramp of about that many pixels: four standard deviations."""
    if not over_px or (box := bounding_box(alpha_hw, margin=math.ceil(over_px) + 1)) is None:
        return alpha_hw
    out = np.zeros_like(alpha_hw)
    out[box] = cv2.GaussianBlur(alpha_hw[box], (0, 0), over_px / 4, borderType=cv2.BORDER_REPLICATE)
    return out


def _moved(alpha_hw: Pixels, radius: int, outwards: bool) -> Pixels:
    if radius == 0:
        return alpha_hw
    # BORDER_REPLICATE: an object that the picture's edge cuts isn't eroded from there
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    change = cv2.dilate if outwards else cv2.erode
    return np.asarray(change(alpha_hw, disc, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _without_specks(mask_hw: Pixels, least: int) -> Pixels:
    if (box := bounding_box(mask_hw, margin=1)) is None:
        return mask_hw
    part = np.ascontiguousarray(mask_hw[box])
    for value in (1, 0):  # parts first: a speck in a hole is part of the hole
        _, labels, stats, _ = cv2.connectedComponentsWithStats((part == value).view(np.uint8), connectivity=8)
        small = stats[:, cv2.CC_STAT_AREA] < least
        small[0] = False
        if value == 0:  # what touches the box's edge goes on outside it, or is the picture's edge: no hole
            small[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = False
        if small.any():
            part[small[labels]] = 1 - value
    out = np.zeros_like(mask_hw)
    out[box] = part
    return out


def _to_the_edge(mask_hw: Pixels, near: int) -> Pixels:
    """Each line of pixels that is ``near`` is repeated outwards, on all four sides."""
    out = mask_hw.copy()
    for turned in (out, out[::-1], out.T, out.T[::-1]):
        if len(turned) > 2 * near:
            turned[:near] |= np.maximum.accumulate(turned[near::-1], axis=0)[:0:-1]
    return out
