"""A mask as polygons, for formats that have nothing else, as YOLO's and LabelMe's.

Holes, and where an object is one polygon its parts, are joined by bridges: a line there and the same line back, which
encloses nothing. Ultralytics joins the parts of COCO's polygons in this way, too. Whoever fills the polygon and draws
its edge, as OpenCV's fillPoly does, gets the mask back, and a line of one pixel between parts that don't touch.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.types import Mask

Points = NDArray[np.int32]  # (n, 2): x, y of pixels

MOST = 128  # outlines of parts and holes in a polygon: what takes 0.1 s; the smallest ones beyond are left out
_TRIED = 512  # corners of an outline, at even distances, from which bridges start


def polygon(mask_hw: Mask) -> Points | None:
    """The pixels (n, 2), n ≥ 3, at the corners of one polygon around a mask; None of an empty mask.

    Its edge runs through the middle of the mask's outermost pixels.
    """
    rings = [ring for part in _parts(mask_hw) for ring in part]
    return _joined(rings) if rings else None


def polygons(mask_hw: Mask) -> list[Points]:
    """As ``polygon``, one for each part of a mask; only holes are joined."""
    return [_joined(part) for part in _parts(mask_hw)]


def _parts(mask_hw: Mask) -> list[list[Points]]:
    """The outline of each part of a mask, and behind it those of the part's holes."""
    found, hierarchy = cv2.findContours(mask_hw.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts: dict[int, list[Points]] = {}
    for number, ring in enumerate(found):  # an outline comes before its holes
        parent = int(hierarchy[0][number][3])
        parts.setdefault(number if parent < 0 else parent, []).append(ring[:, 0])
    return list(parts.values())


def _joined(rings: Sequence[Points]) -> Points:
    """One ring of all: each is joined to the nearest of those that were joined before (Prim's algorithm).

    A shortest bridge crosses no ring, so that a hole's lies inside the mask.
    """
    rings = sorted(rings, key=cv2.contourArea, reverse=True)[:MOST]
    path = [(0, corner) for corner in range(len(rings[0]))]  # ring and corner
    nearest = {ring: (*_bridge(rings[0], rings[ring]), 0) for ring in range(1, len(rings))}
    while nearest:
        ring = min(nearest, key=lambda each: nearest[each][0])
        _, start, end, other = nearest.pop(ring)
        around = [(ring, (end + step) % len(rings[ring])) for step in range(len(rings[ring]) + 1)]
        at = path.index((other, start))
        path[at + 1 : at + 1] = [*around, (other, start)]
        for each, (distance, *_) in nearest.items():
            if (bridge := _bridge(rings[ring], rings[each]))[0] < distance:
                nearest[each] = (*bridge, ring)
    corners = np.array([rings[ring][corner] for ring, corner in path])
    return np.resize(corners, (max(3, len(corners)), 2))  # a pixel has one corner, a line two


def _bridge(ring: Points, other: Points) -> tuple[int, int, int]:
    """The shortest bridge between the corners of two rings: its squared length, and where it starts and ends."""
    step, other_step = (-(-len(each) // _TRIED) for each in (ring, other))
    tried = ((ring[::step, None] - other[::other_step]) ** 2).sum(2)
    start, end = np.unravel_index(tried.argmin(), tried.shape)
    return int(tried[start, end]), int(start) * step, int(end) * other_step
