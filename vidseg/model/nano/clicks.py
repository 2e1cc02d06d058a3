"""Corrections hold: where a mask isn't as the user's points say, its logits are changed around these points.

nano's decoder obeys a third of corrective clicks, and a tenth of the negative ones (docs/nano.md). So what it leaves
undone is done here, before the frame is remembered: a point that isn't obeyed pulls the logits around it to its side,
the less the farther they are, and nowhere that a point of the other kind is nearer to. Distances are geodesic, as in
Criminisi, Sharp and Blake, GeoS (ECCV 2008): a step costs more where the picture's colour changes.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELLS = 112  # a side of the logits that are changed, in cells: that of nano's masks
_REACH = 15.0  # cells of one colour after which a point counts 1/e
_EDGE = 3.0  # what a change of colour by 1 (58 of 255) adds to the cost of a step
_DISC = 2.0  # cells around a point that it changes whatever their colours: sam2 fills holes of up to 8 cells
_CLEAR = 1.0  # a logit by which a point is obeyed for certain: at less the picture's edges may overrule it later
_PULL = 4.0  # the logit that a point pulls to
_SURE = 8.0  # logits count as no surer than that: else a point could do nothing against them
_LEAST = 0.01  # weight below which nothing is changed


def obeying(logits_hw: Floats, colours_hw3: Floats, points_xy: Floats, labels: NDArray[np.int32]) -> Floats:
    """Mask logits (h, w), above 0 inside, that are clearly as the points say; the same array if they were.

    - ``colours_hw3``: the picture in ImageNet's deviations, one colour for each logit.
    - ``points_xy``: (n, 2) in cells of the logits; ``labels`` (n,): 1 is inside, 0 outside, others are no points.
    """
    h, w = logits_hw.shape
    last_xy, signs = np.array([w - 1, h - 1]), {1: 1.0, 0: -1.0}
    points = [
        (*np.clip(xy.astype(int), 0, last_xy)[::-1].tolist(), signs[label])
        for xy, label in zip(points_xy, labels.tolist(), strict=True)
        if label in signs
    ]
    undone = [sign * logits_hw[y, x] < _CLEAR for y, x, sign in points]
    if not any(undone):
        return logits_hw
    steps = list(_steps(colours_hw3))
    distances_nhw = [_distances(steps, (h, w), (y, x)) for y, x, _ in points]
    changed_hw = logits_hw
    for (_, _, sign), distance_hw, is_undone in zip(points, distances_nhw, undone, strict=True):
        if is_undone:
            weight_hw = np.exp(-((distance_hw / _REACH) ** 2))
            for (_, _, other), other_hw in zip(points, distances_nhw, strict=True):
                weight_hw[(other_hw < distance_hw) & (other != sign)] = 0
            pulled_hw = changed_hw.clip(-_SURE, _SURE)
            pulled_hw += weight_hw * np.maximum(_PULL - sign * pulled_hw, 0) * sign
            changed_hw = np.where(weight_hw > _LEAST, pulled_hw, changed_hw)
    return changed_hw


_Step = tuple[tuple[slice, slice], tuple[slice, slice], Floats]


def _steps(colours_hw3: Floats) -> Iterator[_Step]:
    """Pairs of neighbouring cells, to the right, down, and along both diagonals, and what a step between them costs."""
    h, w = colours_hw3.shape[:2]
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        start = slice(0, h - down), slice(max(0, -right), w - max(0, right))
        end = slice(down, h), slice(max(0, right), w - max(0, -right))
        change_hw = np.linalg.norm(colours_hw3[start] - colours_hw3[end], axis=2)
        yield start, end, (math.hypot(down, right) * (1 + _EDGE * change_hw)).astype(np.float32)


def _distances(steps: list[_Step], shape: tuple[int, int], cell: tuple[int, int]) -> Floats:
    """The geodesic distance (h, w) of every cell from one, next to none within ``_DISC``; inf where it is far."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    straight_hw = np.hypot(rows - cell[0], columns - cell[1])
    distance_hw = np.where(straight_hw <= _DISC, 1e-3 * straight_hw, np.inf).astype(np.float32)
    for _ in range(round(_REACH * math.sqrt(-math.log(_LEAST)))):  # each takes distances one cell further
        for start, end, cost_hw in steps:
            np.minimum(distance_hw[end], distance_hw[start] + cost_hw, out=distance_hw[end])
            np.minimum(distance_hw[start], distance_hw[end] + cost_hw, out=distance_hw[start])
    return distance_hw
