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

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int32]  # (h, w), of masks_nhw


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
            shares = _shares(guide_of(frame, box), _nearest(owners_hw, masks.union_hw[box]), len(ids), radius)
            parts = _divided(part_hw, shares)
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


def _shares(rgb_hw3: RGB, owners_hw: Rows, count: int, radius: int) -> NDArray[np.float32]:
    """How much of each pixel's objects each of them is, 0 to 1 (count, h, w); they add up to 1."""
    height, width = owners_hw.shape
    picture, owners_hw = padded(rgb_hw3), padded(owners_hw)
    shares_nhw = np.stack([_share(picture, (owners_hw == row).view(np.uint8), radius) for row in range(count)])
    shares_nhw /= np.maximum(shares_nhw.sum(axis=0), np.float32(1e-6))
    return shares_nhw[:, :height, :width]


def _divided(alpha_hw: Pixels, shares_nhw: NDArray[np.float32]) -> list[Pixels]:
    """Alpha (h, w) in parts that add up to it: their sums are rounded."""
    parts, below_hw, upto_hw = [], np.zeros_like(alpha_hw), np.zeros(alpha_hw.shape, np.float32)
    for share_hw in shares_nhw:
        upto_hw += share_hw
        sum_hw = np.rint(upto_hw * alpha_hw).astype(np.uint8)
        parts.append(sum_hw - below_hw)
        below_hw = sum_hw
    return parts


def _share(picture: RGB, mask_hw: Pixels, radius: int) -> NDArray[np.float32]:
    """1 in the mask (h, w), and soft at its edge."""
    share_hw = mask_hw.astype(np.float32)
    if (at := np.flatnonzero(band(mask_hw, radius))).size:
        share_hw.reshape(-1)[at] = soft_edge(picture, mask_hw, at, radius)
    return share_hw
