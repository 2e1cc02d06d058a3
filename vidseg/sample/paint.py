"""What the clip is painted with: the light, the camera's perspective, layers that move with it, and shaded shapes.

A ``Strip`` is a layer while it is painted, in pixels of the frame. A ``Canvas`` is the picture of a figure, painted in
figure coordinates (pose.py). A shape on it looks round because it is drawn several times, smaller and lighter each
time, from a dark rim to a lit ridge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.pose import Points
from vidseg.types import RGB

Colour = tuple[int, ...]  # RGB, 0 to 255
RGBA = NDArray[np.uint8]  # (h, w, 4), premultiplied

WIDTH, HEIGHT = 1280, 720
HORIZON = 250  # row of the camera's eye level
FLOOR = 600  # the row where one unit of camera travel is one pixel
BASE = 418  # the row where the boards stand on the ice
SUPERSAMPLING = 3  # nine samples a pixel: enough for edges and for the truth's majority
TONES = 7  # times that a shape is drawn; under the film grain more can't be told apart
TO_LIGHT = np.array([-0.55, -0.62])  # shift of the lightest tone, in radii, to the right and down

_ALONG = np.linspace(0, 1, 9)[:, None]
_SWELL = np.sin(np.pi * _ALONG**0.8)
_TURN = np.linspace(0, np.pi, 9)[1:-1]
_CAP = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


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
        return np.asarray(
            cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

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


@dataclass(frozen=True, slots=True)
class Bone:
    """A straight piece of a limb from ``a`` to ``b``: its radius at both, and how far its front and back bulge."""

    a: Points
    b: Points
    radius_a: float
    radius_b: float
    front: float = 0.0
    back: float = 0.0

    def outline(self, shrink: float = 1.0) -> Points:
        """The outline with round ends, its radii multiplied by ``shrink``: (n, 2)."""
        d = (self.b - self.a) / max(float(np.hypot(*(self.b - self.a))), 1e-6)
        n = np.array([d[1], -d[0]])
        middle = self.a + (self.b - self.a) * _ALONG
        radius = self.radius_a + (self.radius_b - self.radius_a) * _ALONG
        cap = _CAP @ np.stack([n, d])
        end = self.b + shrink * self.radius_b * cap
        start = self.a - shrink * self.radius_a * cap
        ahead = middle + shrink * (radius + self.front * _SWELL) * n
        behind = middle - shrink * (radius + self.back * _SWELL) * n
        return np.concatenate([ahead, end, behind[::-1], start])


@lru_cache(256)
def tones(colour: Colour, depth: float = 1.0) -> tuple[Colour, ...]:
    """The TONES of a colour, from the rim (darker, bluer) to the lit ridge; ``depth`` below 1 darkens all of them."""
    base = np.array(colour, float) * depth
    rim, ridge = base * (0.50, 0.52, 0.60), base * 1.14 + 14 * depth
    ramp = np.linspace(0, 1, TONES)[:, None] ** 0.8
    return tuple((int(r), int(g), int(b)) for r, g, b in np.clip(rim + (ridge - rim) * ramp, 0, 255))


class Canvas:
    """A supersampled picture, premultiplied RGBA. Its methods take figure coordinates."""

    def __init__(self, width: int, height: int, origin: Points, stature: float, facing: int) -> None:
        """``origin`` (2,) is the figure's, in pixels of the result; ``stature`` its height in pixels; ``facing`` ±1."""
        self._rgba: RGBA = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 4), np.uint8)
        self._origin = origin * SUPERSAMPLING
        self.facing = np.array([facing, 1.0])
        self._scale = stature * SUPERSAMPLING * self.facing

    def _fixed(self, points: Points, offset: Points | float = 0.0) -> NDArray[np.int32]:
        """Pixels of the canvas with four fractional bits, as OpenCV takes them; the centre of a sample is at +0.5."""
        return np.asarray(np.rint((points * self._scale + self._origin + offset - 0.5) * 16), np.int32)

    def fill(self, outline: Points, colour: Colour) -> None:
        """Fills a polygon."""
        cv2.fillPoly(self._rgba, [self._fixed(outline)], (*colour, 255), cv2.LINE_8, 4)

    def stroke(self, line: Points, colour: Colour, width: float) -> None:
        """Draws an open line of ``width``."""
        thickness = max(round(width * self._scale[1]), 1)
        cv2.polylines(self._rgba, [self._fixed(line)], False, (*colour, 255), thickness, cv2.LINE_8, 4)

    def shade(self, outlines: Sequence[Sequence[Points]], colours: Sequence[Colour], radius: float) -> None:
        """Fills ``outlines[tone][part]``, dark tones first; lighter ones are shifted to the light. Parts merge."""
        for k, (parts, colour) in enumerate(zip(outlines, colours, strict=True)):
            towards = TO_LIGHT * radius * self._scale[1] * k / TONES
            for part in parts:
                cv2.fillPoly(self._rgba, [self._fixed(part, towards)], (*colour, 255), cv2.LINE_8, 4)

    def limb(self, bones: Sequence[Bone], colours: Sequence[Colour]) -> None:
        """Draws bones, shaded as one, so that the joint between them isn't visible."""
        radius = 0.8 * min(min(b.radius_a, b.radius_b) for b in bones)
        self.shade([[b.outline(1 - k / TONES) for b in bones] for k in range(TONES)], colours, radius)

    def blob(self, outline: Points, colours: Sequence[Colour], radius: float) -> None:
        """Fills a closed outline, lighter towards its middle."""
        middle = outline.mean(axis=0)
        self.shade([[middle + (outline - middle) * (1 - k / TONES)] for k in range(TONES)], colours, radius)

    def picture(self) -> RGBA:
        """The picture at its true size, each pixel the mean of its samples."""
        height, width = self._rgba.shape[:2]
        size = (width // SUPERSAMPLING, height // SUPERSAMPLING)
        return np.asarray(cv2.resize(self._rgba, size, interpolation=cv2.INTER_AREA), np.uint8)
