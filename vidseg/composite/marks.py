"""The colours of objects, points and backgrounds, and marks drawn with them: stars, boxes, dashed lines and labels.

Marks are drawn anti-aliased into an RGB uint8 (h, w, 3) picture. Sizes are those at 1280x720. They scale with the
square root of the picture's area, down to what can still be read. Knows nothing about frames, masks or prompts.
"""

import colorsys
import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.types import RGB

Colour = tuple[int, int, int]  # RGB, 0 to 255

# "green" and "blue" are the paints of chroma-key studios (Pantone 354 C and 2728 C). In 4:2:0 video they spill less
# into the object's edge than pure green does. For a keyer that needs pure green, set background="#00ff00".
BACKGROUNDS: dict[str, Colour] = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "gray": (128, 128, 128),
    "green": (0, 177, 64), "blue": (0, 71, 187),
}  # fmt: skip
POSITIVE: Colour = (0, 190, 70)  # a point on the object
NEGATIVE: Colour = (235, 30, 30)  # a point off it
WHITE: Colour = (255, 255, 255)
DARK: Colour = (20, 20, 20)
_SHIFT = 4  # OpenCV takes positions between pixels as integers with so many fractional bits
_FONT = cv2.FONT_HERSHEY_DUPLEX

# Objects 1 to 10. The first is the blue of SAM-2's notebooks; consecutive ids differ in hue.
_FIRST_COLOURS: tuple[Colour, ...] = (
    (30, 144, 255), (255, 127, 14), (46, 204, 113), (233, 30, 140), (255, 214, 10),
    (155, 89, 255), (0, 210, 211), (239, 68, 68), (163, 230, 53), (200, 125, 70),
)  # fmt: skip

_BITS = (np.arange(256)[:, None] >> np.arange(24) & 1).reshape(
    256, 8, 3
)  # bits 0, 3, 6 of an id are red, from 128 down
PALETTE: NDArray[np.uint8] = (_BITS * (128 >> np.arange(8))[:, None]).sum(axis=1).astype(np.uint8)
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
    """RGB from YAML: a name of ``BACKGROUNDS``, ``"#rrggbb"`` or ``[r, g, b]``; else InputError, naming ``key``."""
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


def scale_of(picture: RGB) -> float:
    """The scale of marks on this picture: 1 at 1280x720."""
    return math.sqrt(picture.shape[0] * picture.shape[1] / (1280 * 720))


def draw_star(picture: RGB, point_xy: NDArray[np.float32], fill: Colour) -> None:
    """matplotlib's ``*`` (five points, inner radius 0.381966 of the outer), with a white and then a thin dark edge."""
    radius = max(6.0, 17 * scale_of(picture))
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    unit = np.stack([np.cos(angles), np.sin(angles)], 1) * np.where(np.arange(10) % 2, 0.381966, 1)[:, None]
    for size, shade in ((1.12, DARK), (1.0, WHITE), (0.7, fill)):
        corners_xy = np.asarray(point_xy, np.float64) + size * radius * unit
        cv2.fillPoly(picture, [_fixed(corners_xy)], shade, cv2.LINE_AA, _SHIFT)


def draw_box(picture: RGB, box_xyxy: NDArray[np.float32], line: Colour) -> None:
    """The outline of a box, with dark edges."""
    x0, y0, x1, y1 = (round(float(edge)) for edge in box_xyxy)
    thickness = max(2, round(3 * scale_of(picture)))  # a line of one pixel is lost between its dark edges
    for width, shade in ((thickness + 2, DARK), (thickness, line)):
        cv2.rectangle(picture, (x0, y0), (x1, y1), shade, width, cv2.LINE_AA)


def draw_dashes(picture: RGB, corners_xy: NDArray[np.int32], line: Colour) -> None:
    """The closed polygon ``corners_xy`` (n, 2) as a dashed line; dashes and gaps have one length."""
    closed_xy = np.concatenate([corners_xy, corners_xy[:1]]).astype(np.float64)
    along = np.concatenate([[0.0], np.hypot(*np.diff(closed_xy, axis=0).T).cumsum()])
    count = max(1, round(along[-1] / (2 * max(4.0, 9 * scale_of(picture)))))
    thickness = max(1, round(2 * scale_of(picture)))
    for start in np.arange(count) * along[-1] / count:
        at = np.linspace(start, start + along[-1] / count / 2, 6)
        dash_xy = np.stack([np.interp(at, along, closed_xy[:, axis]) for axis in (0, 1)], 1)
        cv2.polylines(picture, [_fixed(dash_xy)], False, line, thickness, cv2.LINE_AA, _SHIFT)


def draw_labels(picture: RGB, labels: Iterable[tuple[str, Colour, tuple[int, int]]]) -> None:
    """Writes each (text, colour, (x, y)) in a pill on its point, moved if it leaves the picture or covers another."""
    height, width = picture.shape[:2]
    scale = max(0.35, 0.6 * scale_of(picture))  # smaller digits can't be read
    taken: list[tuple[int, int, int]] = []
    for text, fill, (x, y) in labels:
        (text_w, text_h), _ = cv2.getTextSize(text, _FONT, scale, 1)
        radius = text_h
        half = max(radius, text_w // 2 + radius // 2)  # half the pill's width
        margin = 4  # its white edge, anti-aliased
        x = min(max(x, half + margin), width - half - margin - 1)
        y = max(y - radius - text_h // 2, radius + margin)
        while y < height and any(abs(x - a) < half + c and abs(y - b) < 2 * radius + 2 for a, b, c in taken):
            y += radius
        y = min(y, height - radius - margin - 1)
        taken.append((x, y, half))
        for grow, shade in ((2, WHITE), (0, fill)):
            ends = (x - half + radius, y), (x + half - radius, y)
            cv2.line(picture, *ends, shade, 2 * (radius + grow) - 1, cv2.LINE_AA)
        ink = DARK if np.dot(fill, (0.299, 0.587, 0.114)) > 140 else WHITE  # BT.601 luma
        cv2.putText(picture, text, (x - text_w // 2, y + text_h // 2), _FONT, scale, ink, 1, cv2.LINE_AA)


def _fixed(points_xy: NDArray[np.float64]) -> NDArray[np.int32]:
    return (points_xy * (1 << _SHIFT)).round().astype(np.int32)
