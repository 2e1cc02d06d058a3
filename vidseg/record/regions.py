"""What an image of areas shows: levels or colours that fill them, though edges are soft or JPEG has changed pixels."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # RGB, 0 to 255
Kind = Literal["labels", "mask", "levels", "picture"]

SMALL = 31  # values up to here are ids: a soft mask has others, too
LOW, HIGH = 32, 224  # levels below are black and those from here on white, as JPEG leaves them at low qualities
EXTREMES = 0.7  # of a soft mask's pixels are so; of 380 photographs the starkest had 0.48
FLAT = 0.5  # of a label image's pixels are flat; of the same photographs at most 0.27
NEAR = 24  # levels by which JPEG moves the colour of an area
_REACH = 17  # pixels: a soft edge's colours are those of areas so close, and JPEG's blocks of chroma have 16


def kind_of_levels(levels_hw: NDArray[np.uint8], lossy: bool) -> Kind:
    """What a grey image is: the ids of a label map, a mask to be cut at half, levels chosen for the eye, or a picture.

    ``lossy`` images can't be label maps. Levels for the eye are a few high ones beside 255, such as 0, 128 and 255: a
    trimap looks so, and so does a map of two objects.
    """
    top = levels_hw.max()
    if not top or (top <= SMALL and not lossy) or np.count_nonzero(levels_hw) == np.count_nonzero(levels_hw == top):
        return "labels"  # most are, which 0.1 ms tells; counting takes 1 ms at 480p
    counts = level_counts(levels_hw)
    values = np.flatnonzero(counts[1:]) + 1
    if not lossy and ((values <= SMALL) | (values == 255)).all():
        return "labels"
    middle_hw = (levels_hw >= LOW) & (levels_hw < HIGH)
    middle = np.count_nonzero(middle_hw)
    if middle and not lossy and flat(levels_hw)[middle_hw].mean() > FLAT:
        if values[-1] == 255 and values[0] > SMALL and len(values) <= 8:
            return "levels"
        if counts[0] and counts[255] <= middle:
            return "labels"
    return "mask" if 1 - middle / levels_hw.size >= EXTREMES and values[-1] > 127 else "picture"


def level_counts(levels_hw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each level: (256,)."""
    return np.asarray(cv2.calcHist([levels_hw], [0], None, [256], [0, 256]).ravel(), np.int64)


def flat(values_hw: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a pixel equals a neighbour in its row and one in its column; hardly on the slope of a soft edge."""
    rows_hw, columns_hw = np.zeros(values_hw.shape, bool), np.zeros(values_hw.shape, bool)
    below_hw, right_hw = values_hw[1:] == values_hw[:-1], values_hw[:, 1:] == values_hw[:, :-1]
    columns_hw[1:], rows_hw[:, 1:] = below_hw, right_hw
    columns_hw[:-1] |= below_hw
    rows_hw[:, :-1] |= right_hw
    return np.logical_and(rows_hw, columns_hw)


@dataclass(frozen=True, slots=True)
class Regions:
    """The areas of an image: their ``colours``, and for each pixel (h, w) which of them it has.

    Colours that differ by up to ``near`` levels were taken for one: 0 in an image without soft edges.
    """

    colours: tuple[Colour, ...]
    region_hw: NDArray[np.intp]
    near: int


def colour_regions(rgb_hw3: NDArray[np.uint8], lossy: bool) -> Regions | None:
    """The areas of one colour in an image, or None in a picture. ``lossy`` says that no colour is exact.

    A pixel with another colour, of a soft edge, belongs to the area within ``_REACH`` that is most like it.
    """
    packed_hw = cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0] & 0xFFFFFF  # red in the low byte
    flat_hw = flat(packed_hw)
    packed, index, counts = _unique(packed_hw)
    if flat_hw.mean() < FLAT and len(packed) > 8:
        return None
    found = np.stack([packed & 255, packed >> 8 & 255, packed >> 16], 1).astype(np.float32)
    flats = np.bincount(index[flat_hw.ravel()], minlength=len(packed))
    exact = len(packed) <= 256 and not lossy
    filling = (flats >= (1 if exact else max(16, packed_hw.size // 5000))) & (flats >= 0.3 * counts)
    if exact and len(packed) <= 64 and not any(_is_mixture(each, found[filling]) for each in found[~filling]):
        filling[:] = True  # objects of a pixel or two are not flat
    exact = exact and filling.mean() >= 0.75
    near = 0 if exact else NEAR
    chosen = _apart(found, np.flatnonzero(filling)[np.argsort(-flats[filling], kind="stable")], near)
    if not chosen or len(chosen) > 255:
        return None
    away = np.stack([np.abs(found - found[n]).max(axis=1) for n in chosen], 1)
    region_hw, sure_hw = (each[index].reshape(packed_hw.shape) for each in (away.argmin(1), away.min(1) <= near))
    if not sure_hw.all():
        region_hw[~sure_hw] = _beside(away[index[~sure_hw.ravel()]], region_hw, sure_hw)
    return Regions(tuple((int(r), int(g), int(b)) for r, g, b in found[chosen]), region_hw, near)


def _unique(packed_hw: NDArray[np.uint32]) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp]]:
    """As np.unique of 24-bit numbers, with each pixel's index (pixels,) and the counts; 5 times as fast."""
    present = np.zeros(1 << 24, bool)
    present[packed_hw] = True
    packed = np.flatnonzero(present)
    rank = np.empty(1 << 24, np.int32)
    rank[packed] = np.arange(len(packed))
    index = rank[packed_hw.ravel()]
    return packed, index, np.bincount(index)


def _apart(found: NDArray[np.float32], order: NDArray[np.intp], near: int) -> list[int]:
    """Those of ``order`` that are further than ``near`` from all that come before them."""
    chosen: list[int] = []
    for n in order.tolist():
        if not chosen or np.abs(found[chosen] - found[n]).max(axis=1).min() > near:
            chosen.append(n)
    return chosen


def _is_mixture(colour: NDArray[np.float32], areas: NDArray[np.float32]) -> bool:
    """Whether a colour lies between two of ``areas`` (n, 3), within 6 levels."""
    for n, start in enumerate(areas):
        line = areas[n + 1 :] - start
        along = ((colour - start) * line).sum(1) / np.maximum((line**2).sum(1), 1)
        if (np.abs(start + along[:, None].clip(0, 1) * line - colour).max(axis=1) <= 6).any():
            return True
    return False


def _beside(away: NDArray[np.float32], region_hw: NDArray[np.intp], sure_hw: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each pixel that isn't sure, from its distances (n, colours), the nearest of the colours close by: (n,)."""
    kernel = np.ones((_REACH, _REACH), np.uint8)
    for number in range(away.shape[1]):
        area_hw = ((region_hw == number) & sure_hw).view(np.uint8)
        away[cv2.dilate(area_hw, kernel)[~sure_hw] == 0, number] += 1000
    return np.asarray(away.argmin(axis=1))
