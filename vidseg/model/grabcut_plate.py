"""What stands before the background: a clean plate from the frames that follow, and what differs from it.

A thing that moves against its background uncovers it sooner or later. Following the background's motion from a frame
on, later frames tell what lies behind the thing; what differs from that plate, and is not just its shade, is the
thing. The shade test is that of Prati et al., "Detecting moving shadows" (PAMI 2003): a shadow scales the background's
colour and leaves its hue. Works at the working size. Knows nothing about prompts or tracking.
"""

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.model.grabcut_cut import Map, cut, tidy
from vidseg.model.grabcut_motion import Field, background, flow_between, follow, spread
from vidseg.types import RGB, Mask

STRAY = 1.2  # pixels over one step of frames: what moves farther than this from the background is not background
SHADE = (0.4, 1.05)  # how bright a shadow is, relative to the plate
DIFFERENT = 25.0  # levels, summed over the channels: the plate's own errors stay below
SURELY = 70.0
SAME = 14.0


def clean_plate(rgbs: Sequence[RGB]) -> tuple[NDArray[np.float32], Mask, Mask]:
    """The background of ``rgbs[0]``, (h, w, 3); where it is known; and what moves against it on that frame.

    The later frames are looked at where the background of the first one has gone by then, and count where nothing
    moves; a median of at least two makes the plate.
    """
    at = follow(np.zeros((*rgbs[0].shape[:2], 2), np.float32))  # where the first frame's background is now
    height, width = at.shape[:2]
    seen, first_moving = [], np.zeros((height, width), bool)
    for number, (rgb, following) in enumerate(itertools.pairwise(rgbs)):
        field = flow_between(rgb, following, finest=1)
        still, moving = _background_motion(field)
        if number == 0:
            first_moving = moving
        else:
            picture = cv2.remap(rgb, at, None, cv2.INTER_LINEAR).astype(np.float32)
            hidden = cv2.remap(moving.astype(np.float32), at, None, cv2.INTER_LINEAR, borderValue=1) > 0.2
            picture[hidden] = np.nan
            seen.append(picture)
        at = at + cv2.remap(still, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = np.sum([~np.isnan(picture[..., 0]) for picture in seen], axis=0) >= 2
    plate = np.zeros((height, width, 3), np.float32)
    plate[known] = np.nanmedian(np.stack([picture[known] for picture in seen]), axis=0)
    return plate, known, first_moving


def _background_motion(field: Field) -> tuple[Field, Mask]:
    """The background's flow everywhere, and where the flow is another: (h, w, 2) and (h, w).

    A polynomial follows the camera, medians of rows what is left of a depth that changes with height, and a mean over
    the pixels that agree with both the rest.
    """
    smooth = background(field)
    rows = cv2.blur(np.median(field - smooth, axis=1), (1, 15))
    stray = np.linalg.norm(field - smooth - rows[:, None], axis=2)
    moving = cv2.dilate((stray > STRAY).astype(np.uint8), np.ones((7, 7))) > 0
    weight = np.where(moving, 0, np.exp(-(stray**2))).astype(np.float32)
    return spread(field, weight, 16), moving


def difference(rgb: RGB, plate: NDArray[np.float32]) -> Map:
    """Levels by which each pixel differs from the plate near it, summed over the channels; a shadow differs little.

    The plate may be off by two pixels up and three to the side, which the search around each pixel forgives.
    """
    here = cv2.GaussianBlur(rgb, (3, 3), 0).astype(np.float32)
    there = cv2.copyMakeBorder(cv2.GaussianBlur(plate, (3, 3), 0), 2, 2, 3, 3, cv2.BORDER_REPLICATE)
    light = here.sum(axis=2) + 1
    least = np.full(light.shape, np.inf, np.float32)
    height, width = light.shape
    for y in range(5):
        for x in range(7):
            other = np.ascontiguousarray(there[y : y + height, x : x + width])
            share = light / (other.sum(axis=2) + 1)
            plain = cv2.absdiff(here, other).sum(axis=2)
            shaded = 1.3 * cv2.absdiff(here, other * share[..., None]).sum(axis=2) + 4
            a_shade = (share > SHADE[0]) & (share < SHADE[1])
            least = np.minimum(least, np.where(a_shade, np.minimum(plain, shaded), plain))
    return np.asarray(least, np.float32)


def standing_out(rgbs: Sequence[RGB], marks: NDArray[np.int8]) -> Mask:
    """The moving thing under the positive marks on ``rgbs[0]``, (h, w); empty where a plate can't tell.

    ``marks`` (h, w) are +1 around positive points and -1 around negative ones.
    """
    nothing = np.zeros(marks.shape, bool)
    if len(rgbs) < 4:
        return nothing
    plate, known, moving = clean_plate(rgbs)
    apart = np.where(known, difference(rgbs[0], plate), DIFFERENT + 5)
    clicked = marks > 0
    if not moving[clicked].mean() > 0.5 or not known[moving].mean() > 0.8 or np.median(apart[clicked]) < DIFFERENT:
        return nothing
    evidence = np.where(moving, np.clip((apart - DIFFERENT) / 12, -1.4, 1.4), -1.4)  # GrabCut's to decide
    evidence[moving & (apart > SURELY)] = 2
    evidence[(apart < SAME) | ~_grown(moving, 5)] = -2
    evidence = (evidence + 20.0 * marks).astype(np.float32)
    likely = cv2.morphologyEx((evidence > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3))) > 0
    evidence[likely & ~tidy(likely, clicked, hole=0, keep=0)] = -20  # other things that move
    found = cut(rgbs[0], evidence, 2)
    return tidy(found, clicked, hole=0.01 * np.count_nonzero(found), keep=0)


def _grown(mask: Mask, size: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((size, size))) > 0)
