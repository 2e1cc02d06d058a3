"""What the rink is made of: the light, the camera's perspective, and layers that move with the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB

WIDTH, HEIGHT = 1280, 720
HORIZON = 250  # row of the camera's eye level
FLOOR = 600  # the row where one unit of camera travel is one pixel
BASE = 418  # the row where the boards stand on the ice

Colour = tuple[int, ...]  # RGB, 0 to 255


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: colours, and how bright walls (1 by day) and lamps (1 at night) are."""

    zenith: Colour
    glow: Colour  # of the sky at the horizon
    hills: Colour
    ice_far: Colour
    ice_near: Colour
    window: Colour
    walls: float
    lamps: float


DUSK = Light(
    (38, 52, 104), (250, 176, 138), (74, 74, 122), (222, 206, 222), (166, 186, 218), (255, 214, 130), 0.55, 1.0
)
DAY = Light(
    (86, 152, 214), (232, 240, 240), (134, 164, 190), (238, 246, 250), (188, 214, 230), (120, 146, 170), 1.0, 0.15
)
NIGHT = Light((12, 18, 46), (64, 62, 116), (26, 32, 64), (150, 170, 206), (94, 124, 170), (255, 220, 140), 0.30, 1.0)
OVERCAST = Light(
    (150, 166, 182), (226, 222, 214), (150, 160, 174), (232, 234, 236), (184, 198, 212), (240, 214, 160), 0.85, 0.5
)
LIGHTS = (DUSK, DAY, NIGHT, OVERCAST)


def nearness(row: float) -> float:
    """How many pixels a point of the ice in ``row`` moves for one unit of camera travel."""
    return (row - HORIZON) / (FLOOR - HORIZON)


def width_of(reach: float, speed: float) -> int:
    """The width in pixels of a layer of ``speed``, for a camera that travels between -``reach`` and ``reach``."""
    return WIDTH + 2 * int(np.ceil(reach * speed)) + 8


@dataclass(slots=True)
class Layer:
    """An upright strip, centred at travel 0: premultiplied colour, what it lets through, its top row and its speed.

    ``speed`` is the pixels that it moves for one unit of camera travel; ``through`` is 255 where the layer is clear.
    """

    rgb: RGB
    through: RGB
    top: int
    speed: float

    def shifted(self, picture: RGB, travel: float) -> RGB:
        """The part of ``picture`` (``rgb`` or ``through``) that the camera sees, WIDTH pixels wide."""
        offset = (picture.shape[1] - WIDTH) / 2 + travel * self.speed
        matrix = np.array([[1.0, 0.0, -offset], [0.0, 1.0, 0.0]])
        size = (WIDTH, picture.shape[0])
        shown: RGB = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return shown

    def over(self, frame: RGB, travel: float) -> None:
        """Lays the layer over ``frame`` in place."""
        rows = frame[self.top : self.top + len(self.rgb)]
        cv2.multiply(rows, self.shifted(self.through, travel), rows, 1 / 255)
        cv2.add(rows, self.shifted(self.rgb, travel), rows)


def clouds(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 4) -> NDArray[np.float32]:
    """Smooth noise (height, width) in about -1..1, its largest features ``cells`` pixels wide."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cells >> octave, 2)
        grid = rng.standard_normal((height // size + 3, width // size + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5 ** (octave + 1)
    return total


def gradient(top: Colour, bottom: Colour, height: int, width: int, power: float) -> NDArray[np.float32]:
    """From colour ``top`` to colour ``bottom``, float32 (height, width, 3); ``power`` above 1 keeps more of the top."""
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** power
    column = np.array(top, np.float32) + (np.array(bottom, np.float32) - np.array(top, np.float32)) * t
    return np.broadcast_to(column, (height, width, 3)).copy()


def scaled(colour: Colour | NDArray[np.generic], by: float) -> Colour:
    """The colour, brighter or darker, clipped to 0..255."""
    return tuple(int(c) for c in np.clip(np.asarray(colour, float) * by, 0, 255))


class Strip:
    """An upright layer while it is painted, RGBA at twice the frame's resolution. Shapes are in pixels of the frame."""

    def __init__(self, height: int, width: int) -> None:
        self.rgba: NDArray[np.uint8] = np.zeros((height * 2, width * 2, 4), np.uint8)

    def polygon(self, points: Sequence[tuple[float, float]] | NDArray[np.float64], colour: Colour) -> None:
        """Fills a polygon."""
        fixed = np.rint(np.asarray(points) * 32).astype(np.int32)  # four fractional bits
        cv2.fillPoly(self.rgba, [fixed], (*colour, 255), cv2.LINE_8, 4)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fills a rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fills an ellipse with half axes ``rx`` and ``ry``."""
        centre, axes = (round(x * 2), round(y * 2)), (max(round(rx * 2), 1), max(round(ry * 2), 1))
        cv2.ellipse(self.rgba, centre, axes, 0, 0, 360, (*colour, 255), -1)

    def word(self, text: str, x: int, y: int, colour: Colour) -> None:
        """Writes ``text`` where the strip is opaque; (x, y) is the pixel of the strip where it begins."""
        rows = self.rgba[y - 80 : y + 30]
        rgb = cv2.cvtColor(rows, cv2.COLOR_RGBA2RGB)  # putText would change alpha at the edges of letters
        cv2.putText(rgb, text, (x, 80), cv2.FONT_HERSHEY_DUPLEX, 2.6, colour, 9, cv2.LINE_8)
        rows[:] = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)

    def layer(self, top: int, speed: float, blur: float) -> Layer:
        """The layer at the frame's resolution, out of focus by ``blur`` pixels."""
        height, width = self.rgba.shape[:2]
        rgba = cv2.resize(self.rgba, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        rgba = cv2.GaussianBlur(rgba, (0, 0), blur)
        through: RGB = cv2.merge([255 - rgba[..., 3]] * 3)
        return Layer(np.ascontiguousarray(rgba[..., :3]), through, top, speed)
