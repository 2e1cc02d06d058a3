"""What an object's colours are, against those around it: over the whole picture, and place by place.

The place by place part is a bilateral grid's idea (Märki et al., "Bilateral Space Video Segmentation", CVPR 2016):
counts of labelled pixels over position and colour on one frame, looked up on the next. Knows nothing about cuts.
"""

import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB, Mask

BITS = 4  # a channel, over the whole picture: 16³ bins hold a cloth's shades apart
LOCAL_BITS = 3  # a channel, in one tile, which has fewer pixels
TILE = 20  # pixels
FLOOR = 3e-4  # of the pixels: a colour rarer than this says nothing
# Pixels of a tile that the usual colours count for, inside and around: what is around is seen all the time, but a
# part of the object may come where none of it was.
PRIORS = (30.0, 15.0)
WHOLE = 0.5  # the whole picture's share of the evidence
TYPICAL = 0.7  # log-odds from which a colour is taken for the object's wherever it turns up

Table = NDArray[np.float32]
Window = tuple[slice, slice]


def _bins(rgb: RGB, bits: int) -> NDArray[np.intp]:
    """The bin of each pixel, (h, w), of 2^bits a channel."""
    r, g, b = (rgb[..., k].astype(np.intp) >> (8 - bits) for k in range(3))
    return np.asarray((r << 2 * bits) | (g << bits) | b)


def _blur(counts: Table, axes: tuple[int, ...]) -> Table:
    """Binomial smoothing with neighbours along some axes."""
    for axis in axes:
        rolled = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([rolled[:1], rolled, rolled[-1:]])
        smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        counts = np.moveaxis(smooth.astype(np.float32), 0, axis)
    return counts


def _histogram(rgb: RGB, mask: Mask, bits: int) -> Table:
    """The share of the mask's pixels in each bin, smoothed over neighbouring bins: (2^3bits,), sums to 1."""
    side = 1 << bits
    counts = np.bincount(_bins(rgb, bits)[mask], minlength=side**3).astype(np.float32)
    return np.asarray(_blur(counts.reshape(side, side, side), (0, 1, 2)).ravel() / max(counts.sum(), 1), np.float32)


def _tiles(rgb: RGB, mask: Mask, shift: NDArray[np.float32]) -> Table:
    """Counts of the mask's colours in each tile and, with less weight, its neighbours: (rows, columns, bins).

    ``shift`` (x, y) is how far the pixels have moved since the picture.
    """
    height, width = mask.shape
    rows, columns, bins = -(-height // TILE), -(-width // TILE), 8**LOCAL_BITS
    y = np.clip(np.arange(height) + shift[1], 0, height - 1).astype(np.intp) // TILE
    x = np.clip(np.arange(width) + shift[0], 0, width - 1).astype(np.intp) // TILE
    joint = ((y[:, None] * columns + x) * bins + _bins(rgb, LOCAL_BITS))[mask]
    counts = np.bincount(joint, minlength=rows * columns * bins).astype(np.float32)
    side = 1 << LOCAL_BITS
    return _blur(counts.reshape(rows, columns, side, side, side), (0, 1, 2, 3, 4)).reshape(rows, columns, -1)


class Colours:
    """An object's colours against its surroundings', as first seen, and place by place on the frame before."""

    def __init__(self, rgb: RGB, mask: Mask) -> None:
        """``rgb`` (h, w, 3) is the whole picture: what lies elsewhere now may lie behind the object later."""
        inside, outside = _histogram(rgb, mask, BITS), _histogram(rgb, ~mask, BITS)
        self._first = np.clip(np.log((inside + FLOOR) / (outside + FLOOR)), -4, 4)
        self._usual = [_histogram(rgb, m, LOCAL_BITS) for m in (mask, ~mask)]
        self._rgb, self._sides = rgb, (mask, ~mask)

    def odds(
        self, rgb: RGB, where: Window, own: NDArray[np.float32] | None = None, still: NDArray[np.float32] | None = None
    ) -> Table:
        """How much likelier each pixel's colour is in the object than around it, in a window of the picture.

        ``own`` and ``still`` (2,) are how far the object and its surroundings moved since what was learned last.
        Natural log of the ratio, (h, w) float32, within ±4.
        """
        shifts = [np.zeros(2, np.float32) if moved is None else moved for moved in (own, still)]
        sides = (_tiles(self._rgb, mask, shift) for mask, shift in zip(self._sides, shifts, strict=True))
        mine, around = (c + p * usual for c, p, usual in zip(sides, PRIORS, self._usual, strict=True))
        local = np.clip(np.log((mine + 0.5) / (around + 0.5)), -4, 4)
        bins = _bins(rgb[where], LOCAL_BITS)
        here = np.zeros(bins.shape, np.float32)
        y, x = (np.arange(n)[w] / TILE - 0.5 for n, w in zip(rgb.shape[:2], where, strict=True))
        for dy in (0, 1):  # between the middles of four tiles
            for dx in (0, 1):
                row, column = np.floor(y).astype(int) + dy, np.floor(x).astype(int) + dx
                share = np.outer(1 - np.abs(y - row), 1 - np.abs(x - column))
                row, column = np.clip(row, 0, local.shape[0] - 1), np.clip(column, 0, local.shape[1] - 1)
                here += share * local[row[:, None], column[None, :], bins]
        return np.asarray(WHOLE * self._first[_bins(rgb[where], BITS)] + (1 - WHOLE) * here, np.float32)

    def learn(self, rgb: RGB, inside: Mask, outside: Mask, memory: float) -> None:
        """Takes in a frame, what is surely inside and surely outside; ``memory`` of the usual colours stays."""
        # A limb that was lost is outside for a while. Its colours must not become the background's, or it stays lost.
        outside = outside & (self._first[_bins(rgb, BITS)] < TYPICAL)
        self._rgb, self._sides = rgb, (inside, outside)
        for k, mask in enumerate(self._sides):
            if np.count_nonzero(mask) > 30:
                self._usual[k] = memory * self._usual[k] + (1 - memory) * _histogram(rgb, mask, LOCAL_BITS)
