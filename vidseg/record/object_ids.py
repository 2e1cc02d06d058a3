"""Ids for objects that an image shows by colour, or by a value that is too large for an id."""

import logging

import numpy as np
from numpy.typing import NDArray

from vidseg.composite import PALETTE
from vidseg.errors import InputError
from vidseg.record.regions import Colour, Regions

log = logging.getLogger(__name__)

VOID = 255
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
DAVIS: dict[Colour, int] = {(int(r), int(g), int(b)): number for number, (r, g, b) in enumerate(PALETTE)}


class ObjectIds:
    """The ids of colours and large values in images that belong together.

    A colour of DAVIS' palette means its index there, if the first image with objects has no other colours. Otherwise
    colours are numbered from 1 in the order of that palette: by blue, then green, then red; and values as they ascend.
    What comes with a later image gets a later number. ``background`` is the colour where no object is.

    The InputErrors begin with ``key``. New ids are logged.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._ids: dict[Colour | int, int] = {}
        self._davis = False
        self.background: Colour = BLACK

    def __bool__(self) -> bool:
        return bool(self._ids)

    @property
    def only_white(self) -> bool:
        """Whether all objects so far were white, or there was none."""
        return self._ids.keys() <= {WHITE}

    def note_white(self) -> None:
        """White was the object of a mask (255 in its label map): another colour that comes later isn't object 1."""
        self._ids[WHITE] = VOID

    def of_regions(self, regions: Regions) -> NDArray[np.uint8]:
        """The label map (h, w) of an image in colours."""
        objects = [n for n, each in enumerate(regions.colours) if away(each, self.background) > regions.near]
        colours = {n: regions.colours[n] for n in objects}
        if not self._ids:
            self._davis = all(davis_id(colour) for colour in colours.values())
        before = len(self._ids)
        ids = np.zeros(len(regions.colours), np.uint8)
        for n, colour in sorted(colours.items(), key=lambda item: _order(item[1])):
            ids[n] = self._of_colour(colour, regions.near)
        if len(self._ids) > before:
            self._say("by colour", {colours[n]: int(ids[n]) for n in objects})
        return ids[regions.region_hw]

    def of_values(self, values: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The ids of ascending values, 0 of 0."""
        new = {value: self._add(value) for value in values.tolist() if value and value not in self._ids}
        if new:
            self._say("by value", new)
        return np.array([self._ids[value] if value else 0 for value in values.tolist()], np.uint8)

    def _of_colour(self, colour: Colour, near: int) -> int:
        known = [(away(colour, other), own) for other, own in self._ids.items() if isinstance(other, tuple)]
        if known and min(known)[0] <= near:
            return min(known)[1]
        davis = davis_id(colour)
        if davis == VOID or (davis and self._davis and davis not in self._ids.values()):
            self._ids[colour] = davis
            return davis
        return self._add(colour)

    def _add(self, item: Colour | int) -> int:
        first = int(self._ids.get(WHITE) == VOID)
        self._ids[item] = own = max((own for own in self._ids.values() if own < VOID), default=first) + 1
        if own >= VOID:
            raise InputError(f"{self._key}: more than {VOID - 1} objects by colour or value; ids go up to {VOID - 1}")
        return own

    def _say(self, how: str, ids: dict[Colour, int] | dict[int, int]) -> None:
        shown = [
            f"{own} {item if isinstance(item, tuple) else f'({item})'}"
            for item, own in sorted(ids.items(), key=lambda pair: pair[1])
            if own < VOID
        ]
        count = f"{len(shown)} object{'' if len(shown) == 1 else 's'}"
        log.info("%s: %s %s: %s%s", self._key, count, how, ", ".join(shown[:10]), ", …" if len(shown) > 10 else "")


def away(colour: Colour, other: Colour) -> int:
    """The largest difference in a channel."""
    return max(abs(a - b) for a, b in zip(colour, other, strict=True))


def davis_id(colour: Colour) -> int:
    """The index of a colour in DAVIS' palette, within 6 levels that JPEG may have moved it; 0 if it isn't there."""
    red, green, blue = (round(level / 32) * 32 for level in colour)
    return DAVIS.get((red, green, blue), 0) if away(colour, (red, green, blue)) <= 6 else 0


def _order(colour: Colour) -> tuple[int, ...]:
    """Sorts colours as DAVIS' palette begins: red, green, yellow, blue. What JPEG moves a little stays in order."""
    return (*(round(level / 32) for level in reversed(colour)), *reversed(colour))
