"""The alpha of single objects, where all of them together have one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.composite.deep import guide_of
from vidseg.guided import band, soft_edge
from vidseg.halves import even, padded
from vidseg.measure import Box, bounding_box
from vidseg.types import RGB, Frame, FrameMasks

BETWEEN_PX = 2  # half of the band in which objects that touch share pixels, at 1280x720
LEAST = 0.1  # where the shares of many small objects add up to less, none is known, and the nearest has all

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int32]  # (h, w), of masks_nhw
Edge = tuple[NDArray[np.intp], NDArray[np.float32]]  # flat indices of pixels, and an object's shares of them


def object_alphas(frame: Frame, masks: FrameMasks) -> dict[int, Pixels]:
    """Alpha of each object by its id, uint8 (h, w); together they are that of all.

    Inside the masks a pixel is the object's that has the highest logit there, the first among equals, as in
    ``label_map``. With a matte the pixels of a soft edge outside all masks are the nearest object's, and objects that
    touch share those between them by the picture's colours, as ``matte=edge`` does with the background.

    On the frames of the built-in clip on which the skaters touch the absolute errors of both alphas add up to 500
    pixels; without sharing to 631, and where the highest logit decides outside the masks too, to 997. With the shutter
    open for half of a frame they are 1,621, 2,114 and 3,085.
    """
    ids = masks.object_ids
    alpha_hw = masks.union_hw * np.uint8(255) if masks.alpha is None else masks.alpha.alpha_hw
    if len(ids) == 1:
        return {ids[0]: alpha_hw}
    layers = {number: np.zeros_like(alpha_hw) for number in ids}
    if around := bounding_box(alpha_hw | masks.union_hw, margin=1):
        box = even(around)
        part_hw, owners_hw = alpha_hw[box], _owners(masks, box)
        if masks.alpha is None:
            parts = [np.where(owners_hw == row, part_hw, 0) for row in range(len(ids))]
        else:
            radius = max(BETWEEN_PX, round(BETWEEN_PX * min(alpha_hw.shape) / 720))
            owners_hw = _nearest(owners_hw, masks.union_hw[box])
            parts = _divided(part_hw, owners_hw, _edges(guide_of(frame, box), part_hw, owners_hw, len(ids), radius))
        for layer_hw, layer_part_hw in zip(layers.values(), parts, strict=True):
            layer_hw[box] = layer_part_hw
    return layers


def _owners(masks: FrameMasks, box: Box) -> Rows:
    """The row of the highest logit."""
    owners_hw = masks.logits_nhw[:, *box].argmax(axis=0) if masks.best_hw is None else masks.best_hw[box]
    return owners_hw.astype(np.int32)


def _nearest(owners_hw: Rows, inside_hw: Pixels) -> Rows:
    """Outside the masks (``inside_hw`` is 0) the owner of the nearest pixel inside one."""
    if not inside_hw.any():  # alpha that smoothing over time has left of objects that are gone
        return owners_hw
    outside_hw = (inside_hw == 0).view(np.uint8)
    _, nearest_hw = cv2.distanceTransformWithLabels(outside_hw, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    owner_of = np.zeros(int(nearest_hw.max()) + 1, np.int32)
    inside = inside_hw > 0
    owner_of[nearest_hw[inside]] = owners_hw[inside]
    return owner_of[nearest_hw]


def _edges(picture: RGB, alpha_hw: Pixels, owners_hw: Rows, count: int, radius: int) -> list[Edge]:
    """The pixels that each object may share with others, and how much of what is there it is, 0 to 1."""
    found: list[Edge] = []
    for row in range(count):
        between_hw = band((owners_hw == row).view(np.uint8), radius) & (alpha_hw > 0)
        at, shares = np.flatnonzero(between_hw), np.zeros(0, np.float32)
        if around := bounding_box(between_hw, margin=6 * radius):  # the filter looks no further
            box = even(around)
            mask_hw = padded((owners_hw[box] == row).view(np.uint8))
            inside_hw = np.zeros(mask_hw.shape, bool)  # of the padded part
            inside_hw[: between_hw[box].shape[0], : between_hw[box].shape[1]] = between_hw[box]
            shares = soft_edge(padded(picture[box]), mask_hw, np.flatnonzero(inside_hw), radius)
        found.append((at, shares))
    return found


def _divided(alpha_hw: Pixels, owners_hw: Rows, edges: list[Edge]) -> list[Pixels]:
    """Alpha (h, w) in parts that add up to it: their sums are rounded."""
    whole_hw, upto_hw = np.ones(alpha_hw.shape, np.float32), np.zeros(alpha_hw.shape, np.float32)
    for row, (at, shares) in enumerate(edges):
        whole_hw.reshape(-1)[at] += shares - (owners_hw.reshape(-1)[at] == row)
    unclear_hw = whole_hw < LEAST
    parts, below_hw = [], np.zeros_like(alpha_hw)
    for row, (at, shares) in enumerate(edges):
        hard_hw = (owners_hw == row).astype(np.float32)
        share_hw = hard_hw.copy()
        share_hw.reshape(-1)[at] = shares
        upto_hw += np.where(unclear_hw, hard_hw, share_hw / whole_hw.clip(LEAST))
        sum_hw = np.rint(upto_hw * alpha_hw).astype(np.uint8)
        parts.append(sum_hw - below_hw)
        below_hw = sum_hw
    return parts
