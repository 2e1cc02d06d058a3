"""The colours of objects, points and backgrounds, and the palette of label maps. Knows nothing about pictures."""

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError

Colour = tuple[int, int, int]  # RGB, 0 to 255

# "green" and "blue" are the paints of chroma-key studios (Pantone 354 C and 2728 C). In 4:2:0 video they spill less
# into the object's edge than pure green does. For a keyer that needs pure green, set background="#00ff00".
BACKGROUNDS: dict[str, Colour] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "green": (0, 177, 64),
    "blue": (0, 71, 187),
}
POSITIVE: Colour = (0, 190, 70)  # a point on the object
NEGATIVE: Colour = (235, 30, 30)  # a point off it

# Objects 1 to 10. The first is the blue of SAM-2's notebooks; consecutive ids differ in hue.
_FIRST_COLOURS: tuple[Colour, ...] = (
    (30, 144, 255),
    (255, 127, 14),
    (46, 204, 113),
    (233, 30, 140),
    (255, 214, 10),
    (155, 89, 255),
    (0, 210, 211),
    (239, 68, 68),
    (163, 230, 53),
    (200, 125, 70),
)


def _voc_palette() -> NDArray[np.uint8]:
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return palette


PALETTE = _voc_palette()
"""Pascal VOC's colour map (VOCdevkit, VOClabelcolormap.m), which DAVIS uses too: uint8 (256, 3), for label PNGs."""


def colour(object_id: int) -> Colour:
    """The RGB colour in which an object is drawn: bright, the same in every video, unlike that of the ids beside it.

    Ids 1 to 10 have chosen colours; the hues of later ids are a golden angle apart. (``PALETTE`` is for label maps
    only: its dark reds and greens don't stand out on a picture.)
    """
    if 1 <= object_id <= len(_FIRST_COLOURS):
        return _FIRST_COLOURS[object_id - 1]
    hue = object_id * 0.6180339887 % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.65, 0.95)[object_id % 2], (1.0, 0.8, 0.9)[object_id % 3])
    return round(255 * red), round(255 * green), round(255 * blue)


def parse_colour(key: str, value: object) -> Colour:
    """RGB from YAML: a name of ``BACKGROUNDS``, ``"#rrggbb"`` or ``[r, g, b]``.

    Raises InputError for anything else; its message begins with ``key``.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        if text in BACKGROUNDS:
            return BACKGROUNDS[text]
        digits = text.removeprefix("#")
        if len(text) == 7 and len(digits) == 6 and all(digit in "0123456789abcdef" for digit in digits):
            return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    elif isinstance(value, Sequence) and len(value) == 3:
        red, green, blue = value
        if all(type(level) is int and 0 <= level <= 255 for level in (red, green, blue)):
            return red, green, blue
    names = ", ".join(BACKGROUNDS)
    raise InputError(f'{key}: {value!r} is not a colour; use {names}, "#rrggbb", or [r, g, b] with 0 to 255 each')
