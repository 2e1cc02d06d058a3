"""An object's first mask from a prompt: what moves with the click, what differs from the surroundings of a box.

Works on pictures and coordinates of the working size. Knows nothing about tracking.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.model.grabcut_colour import Colours
from vidseg.model.grabcut_cut import Map, cut, signed_distance, tidy
from vidseg.model.grabcut_motion import background, flow_between
from vidseg.types import RGB, Mask

ROUNDS = 4  # of colours learned from the mask and a cut made with them
REACH = 0.15  # of the width: how far a corrective point is heard
DOT = 3  # pixels around a click that are certain

WHOLE = (slice(None), slice(None))

XY = NDArray[np.float32]  # (n, 2)


def stray(rgb: RGB, others: Sequence[tuple[int, RGB]]) -> Map:
    """How far each pixel moves apart from the background, in pixels over the farthest of ``others``: (h, w).

    ``others`` are other frames with their distance in frames; the median over them counts. The background's motion
    is a low polynomial fitted robustly to the flow, so that the camera may move.
    """
    strays = []
    for distance, other in others:
        flow = flow_between(rgb, other)
        strays.append(np.linalg.norm(flow - background(flow), axis=2) / distance * others[-1][0])
    return np.asarray(cv2.medianBlur(np.median(strays, axis=0).astype(np.float32), 5), np.float32)


def dots(shape: tuple[int, int], points: XY, labels: NDArray[np.int32], size: int = DOT) -> NDArray[np.int8]:
    """+1 around positive points, -1 around negative ones, 0 elsewhere: (h, w)."""
    marks = np.zeros(shape, np.uint8)
    for label, value in ((1, 1), (0, 2)):
        for x, y in points[labels == label]:
            cv2.circle(marks, (int(x), int(y)), size, value, -1)
    return np.where(marks == 2, -1, marks).astype(np.int8)


def refine(rgb: RGB, mask: Mask, prior: Map, marks: NDArray[np.int8], rounds: int = ROUNDS) -> Mask:
    """Alternates colours learned from the mask with a cut: ``prior`` is evidence from anything but colour."""
    for _ in range(rounds):
        if not mask.any() or mask.all():
            break
        near = np.clip(signed_distance(mask) / 8, -0.5, 0.5)
        colour = cv2.blur(np.clip(Colours(rgb, mask).odds(rgb, WHOLE), -4, 4), (3, 3))
        found = cut(rgb, (prior + near + colour + 20.0 * marks).astype(np.float32), 1)
        anchor = marks > 0 if (marks > 0).any() else mask
        found = tidy(found, anchor, hole=0.005 * np.count_nonzero(found), keep=0)
        if not found.any():
            break
        mask = found
    return mask


def from_points(rgb: RGB, points: XY, labels: NDArray[np.int32], others: Sequence[tuple[int, RGB]]) -> Mask:
    """The object under the positive points, (h, w); empty if there is none."""
    marks = dots(rgb.shape[:2], points, labels)
    if not (marks > 0).any():
        return np.zeros(rgb.shape[:2], bool)
    apart = stray(rgb, others) if others else np.zeros(rgb.shape[:2], np.float32)
    here = float(np.median(apart[cv2.dilate((marks > 0).astype(np.uint8), np.ones((7, 7))) > 0]))
    if here > 0.8:  # pixels; below this the flow's own errors look the same
        typical = float(np.median(apart))
        least = min(0.7 * here, max(3.5 * typical, 1.5))
        moving = cv2.morphologyEx((apart > least).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
        # A joint between limbs that move differently stands still for a moment: parts a little apart belong together.
        joined = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((9, 9))) > 0
        seed = tidy(joined | (marks > 0), marks > 0, hole=100, keep=0) & ((moving > 0) | (marks > 0))
        # Standing still speaks against a pixel; moving speaks for it only as far as it stands out from the flow's
        # usual errors, since flow smears beyond the object's edge.
        most = float(np.clip((here / max(typical, 0.1) - 4) / 8, 0, 0.6))
        beyond = np.clip(-signed_distance(seed) - 6, 0, None)  # flow smears outwards: little is missing from the seed
        prior = np.clip(2 * (apart / least - 1), -2, most) - np.clip(beyond / 3, 0, 6)
    else:  # nothing moves: a disc around the click, to grow or shrink by colour
        away = cv2.distanceTransform((marks <= 0).astype(np.uint8), cv2.DIST_L2, 5)
        seed = away < 0.06 * rgb.shape[1]
        prior = -np.clip((away - 0.10 * rgb.shape[1]) / (0.03 * rgb.shape[1]), 0, 6)
    return refine(rgb, (seed | (marks > 0)) & (marks >= 0), prior.astype(np.float32), marks)


def from_box(rgb: RGB, box: XY, points: XY, labels: NDArray[np.int32]) -> Mask:
    """What in the box (x0, y0, x1, y1) differs from its surroundings, (h, w)."""
    height, width = rgb.shape[:2]
    x0, y0 = (int(np.clip(np.floor(box[k]), 0, (width, height)[k] - 1)) for k in (0, 1))
    x1, y1 = (int(np.clip(np.ceil(box[k]), (x0, y0)[k - 2] + 1, (width, height)[k - 2])) for k in (2, 3))
    inside = np.zeros((height, width), bool)
    inside[y0:y1, x0:x1] = True
    marks = dots((height, width), points, labels) * inside
    # What is in the box's corners is rarely the object's: the prior is a soft ellipse.
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((x - (x0 + x1) / 2) / ((x1 - x0) / 2), (y - (y0 + y1) / 2) / ((y1 - y0) / 2))
    prior = np.where(inside, 1.5 - 1.7 * radius, -20.0).astype(np.float32)
    grow = int(0.35 * max(x1 - x0, y1 - y0)) + 8
    where = (slice(max(y0 - grow, 0), y1 + grow), slice(max(x0 - grow, 0), x1 + grow))
    seed = np.where(inside, np.where(radius < 1.0, 1.0, -1.0), -20.0).astype(np.float32) + 20 * marks
    mask = cut(rgb[where], seed[where], 3)
    mask = refine(rgb[where], mask, prior[where], marks[where])
    whole = np.zeros((height, width), bool)
    whole[where] = mask
    return whole & inside if (whole & inside).any() else inside


def corrected(rgb: RGB, mask: Mask, colours: Colours, points: XY, labels: NDArray[np.int32]) -> Mask:
    """A tracked mask, mended where points say so: similar pixels around a point follow it, as far as REACH."""
    smooth = cv2.blur(rgb, (7, 7)).astype(np.float32)  # a cloth's texture is one colour
    marks = dots(rgb.shape[:2], points, labels)
    evidence = np.clip(signed_distance(mask) / 3, -3, 3) + np.clip(colours.odds(rgb, WHOLE), -2, 2)
    for (x, y), label in zip(points, labels, strict=True):
        x, y = int(x), int(y)
        y, x = min(y, mask.shape[0] - 1), min(x, mask.shape[1] - 1)
        unlike = np.linalg.norm(smooth - smooth[y, x], axis=2) / 40
        rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
        reach = np.hypot(columns - x, rows - y) / (REACH * mask.shape[1])
        evidence += (1 if label else -1) * 10 * np.exp(-(unlike**2) - reach**4)
    found = cut(rgb, (evidence + 20.0 * marks).astype(np.float32), 1)
    anchors = (mask & (marks >= 0)) | (marks > 0)
    return tidy(found, anchors, hole=0.01 * np.count_nonzero(found), keep=8)
