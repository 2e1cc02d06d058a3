"""The rink that the skaters cross: sky, houses, firs, spectators, boards and ice, in layers that move by their depth.

Everything is painted once from a random generator; ``Rink.draw`` then only shifts and stacks the layers. A camera
that travels sideways shifts an upright layer as a whole and shears the ice: a row's speed grows with its distance
from the horizon. This module knows nothing about skaters or frames.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1280, 720
HORIZON = 250  # row of the camera's eye level
FLOOR = 600  # the row where one unit of camera travel is one pixel
BASE = 418  # the row where the boards stand on the ice
TOP_OF_BOARDS = 322

RGB = NDArray[np.uint8]  # (h, w, 3)
Alpha = NDArray[np.uint8]  # (h, w)
Colour = tuple[int, int, int]


def nearness(row: float) -> float:
    """How many pixels a point of the ice in ``row`` moves for one unit of camera travel."""
    return (row - HORIZON) / (FLOOR - HORIZON)


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: colours of sky (zenith, horizon), hills, ice (far, near) and windows, and how dark walls are."""

    zenith: Colour
    glow: Colour
    hills: Colour
    ice_far: Colour
    ice_near: Colour
    window: Colour
    walls: float
    lamps: float


LIGHTS = (
    Light((38, 52, 104), (250, 176, 138), (74, 74, 122), (222, 206, 222), (166, 186, 218), (255, 214, 130), 0.55, 1.0),
    Light(
        (86, 152, 214), (232, 240, 240), (134, 164, 190), (238, 246, 250), (188, 214, 230), (120, 146, 170), 1.0, 0.15
    ),
    Light((12, 18, 46), (64, 62, 116), (26, 32, 64), (150, 170, 206), (94, 124, 170), (255, 220, 140), 0.30, 1.0),
    Light(
        (150, 166, 182), (226, 222, 214), (150, 160, 174), (232, 234, 236), (184, 198, 212), (240, 214, 160), 0.85, 0.5
    ),
)


COATS = np.array(
    [(178, 62, 58), (52, 84, 132), (62, 112, 88), (206, 152, 70), (112, 78, 128), (60, 64, 78), (150, 152, 160),
     (196, 112, 88), (84, 132, 150), (222, 206, 180), (126, 58, 74), (94, 100, 66)], float
)  # fmt: skip


@dataclass(slots=True)
class _Layer:
    """An upright strip: premultiplied colour, what it lets through, its top row and its speed; centred at travel 0."""

    rgb: RGB
    through: RGB
    top: int
    speed: float

    def shifted(self, picture: RGB, travel: float) -> RGB:
        """The window of ``picture`` that the camera sees."""
        offset = (picture.shape[1] - WIDTH) / 2 + travel * self.speed
        matrix = np.array([[1.0, 0.0, -offset], [0.0, 1.0, 0.0]])
        size = (WIDTH, picture.shape[0])
        shown = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(shown, np.uint8)

    def over(self, frame: RGB, travel: float) -> None:
        """Lays the layer over ``frame`` in place."""
        rows = frame[self.top : self.top + len(self.rgb)]
        cv2.multiply(rows, self.shifted(self.through, travel), rows, 1 / 255)
        cv2.add(rows, self.shifted(self.rgb, travel), rows)


def _clouds(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 4) -> NDArray[np.float32]:
    """Smooth noise (height, width) in about -1..1, its largest features ``cells`` pixels wide."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cells >> octave, 2)
        grid = rng.standard_normal((height // size + 3, width // size + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5 ** (octave + 1)
    return total


def _gradient(top: Colour, bottom: Colour, height: int, width: int, power: float = 1.0) -> NDArray[np.float32]:
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** power
    column = np.array(top, np.float32) + (np.array(bottom, np.float32) - np.array(top, np.float32)) * t
    return np.broadcast_to(column, (height, width, 3)).copy()


def _scaled(colour: Colour | NDArray[np.generic], by: float) -> tuple[int, ...]:
    return tuple(int(c) for c in np.clip(np.asarray(colour, float) * by, 0, 255))


class _Strip:
    """A picture with coverage to paint an upright layer on, twice as fine as the frame."""

    def __init__(self, height: int, width: int) -> None:
        self.rgb: RGB = np.zeros((height * 2, width * 2, 3), np.uint8)
        self.alpha: Alpha = np.zeros((height * 2, width * 2), np.uint8)

    def both(self, draw: Callable[[RGB | Alpha, tuple[int, ...]], object], colour: tuple[int, ...]) -> None:
        """Draws the same shape in the picture and in the coverage."""
        draw(self.rgb, colour)
        draw(self.alpha, (255,))

    def polygon(self, points: list[tuple[float, float]] | NDArray[np.float64], colour: tuple[int, ...]) -> None:
        fixed = np.rint(np.asarray(points) * 32).astype(np.int32)
        self.both(lambda image, value: cv2.fillPoly(image, [fixed], value, cv2.LINE_8, 4), colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: tuple[int, ...]) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: tuple[int, ...]) -> None:
        centre, axes = (round(x * 2), round(y * 2)), (max(round(rx * 2), 1), max(round(ry * 2), 1))
        self.both(lambda image, value: cv2.ellipse(image, centre, axes, 0, 0, 360, value, -1), colour)

    def layer(self, top: int, speed: float, blur: float) -> _Layer:
        """The layer at the frame's size, out of focus by ``blur`` pixels."""
        height, width = self.alpha.shape[0] // 2, self.alpha.shape[1] // 2
        rgb = cv2.resize(self.rgb, (width, height), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(self.alpha, (width, height), interpolation=cv2.INTER_AREA)
        if blur:
            rgb, alpha = (cv2.GaussianBlur(image, (0, 0), blur) for image in (rgb, alpha))
        through = cv2.merge([255 - alpha] * 3)
        return _Layer(np.asarray(rgb, np.uint8), np.asarray(through, np.uint8), top, speed)


class Rink:
    """The place of one seed. ``light`` is its time of day."""

    def __init__(self, rng: np.random.Generator, light: Light, reach: float) -> None:
        """Paints everything for a camera that travels between -``reach`` and ``reach``."""
        self._light = light
        self._reach = reach
        sky = self._sky(rng)
        houses = self._houses(rng)
        firs = self._firs(rng)
        stands = self._stands(rng)
        self._layers = (sky, houses, firs, stands)
        self._mirror = self._reflection(stands)
        self._ice = self._paint_ice(rng)

    def _width(self, speed: float) -> int:
        return WIDTH + 2 * int(np.ceil(self._reach * speed)) + 8

    def draw(self, travel: float) -> RGB:
        """The empty rink (720, 1280, 3) as the camera sees it after ``travel`` units to the right."""
        frame: RGB = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        slope = 1 / (FLOOR - HORIZON)
        offset = (self._ice.shape[1] - WIDTH) / 2 + travel * nearness(BASE)
        shear = np.array([[1.0, travel * slope, offset], [0.0, 1.0, 0.0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self._ice, shear, (WIDTH, HEIGHT - BASE), frame[BASE:], flags, cv2.BORDER_REPLICATE)
        sky = self._layers[0]
        frame[:BASE] = sky.shifted(sky.rgb, travel)[:BASE]
        for layer in (*self._layers[1:], self._mirror):
            layer.over(frame, travel)
        return frame

    def _sky(self, rng: np.random.Generator) -> _Layer:
        speed, light = 0.04, self._light
        height, width = BASE, self._width(speed)
        picture = _gradient(light.zenith, light.glow, height, width, 1.3)
        veil = np.clip(cv2.resize(_clouds(rng, height // 2, width // 5, 90), (width, height)), 0, 1)[..., None]
        picture += veil * (np.array(light.glow, np.float32) - picture) * 0.55
        x = np.arange(width)
        for k, (foot, rough) in enumerate(((150.0, 46.0), (196.0, 30.0))):
            ridge = np.full(width, foot)
            for octave in range(7):
                wave = rough / 1.7**octave
                ridge += wave * np.sin(x * 0.004 * 1.9**octave + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.6, 1.0)
            haze = (
                np.array(light.hills, np.float32) * (0.72, 0.9)[1 - k]
                + np.array(light.glow, np.float32) * (0.28, 0.1)[1 - k]
            )
            depth = np.arange(height)[:, None] - ridge[None]
            cover = np.clip(depth, 0, 1)[..., None]
            snow = np.clip((26 - depth + 14 * _clouds(rng, height, width, 24)) / 8, 0, 1)[..., None] * (1 - k)
            hill = haze + snow * (np.array(light.glow, np.float32) * 0.5 + 118 - haze) * 0.8
            picture += cover * (hill - picture)
        return _Layer(np.clip(picture, 0, 255).astype(np.uint8), np.zeros((1, 1, 3), np.uint8), 0, speed)

    def _houses(self, rng: np.random.Generator) -> _Layer:
        speed, light = 0.16, self._light
        width = self._width(speed)
        strip = _Strip(320, width)
        walls = ((190, 120, 96), (206, 176, 130), (150, 156, 170), (176, 98, 84), (216, 200, 172), (120, 140, 150))
        x = -20.0
        while x < width:
            wide, tall = float(rng.uniform(62, 118)), float(rng.uniform(105, 205))
            colour = _scaled(walls[rng.integers(len(walls))], light.walls)
            top = 320 - tall
            strip.box(x, top, x + wide, 320, colour)
            strip.box(x + wide * 0.86, top, x + wide, 320, _scaled(np.array(colour), 0.8))
            peak = float(rng.uniform(18, 44))
            strip.polygon(
                [(x - 4, top), (x + wide / 2, top - peak), (x + wide + 4, top)], _scaled((110, 82, 84), light.walls)
            )
            snow = _scaled((240, 242, 250), 0.35 + 0.65 * light.walls)
            strip.polygon([(x - 5, top + 1), (x + wide / 2, top - peak - 3), (x + wide + 5, top + 1),
                           (x + wide / 2, top - peak + 9)], snow)  # fmt: skip
            for row in np.arange(top + 12, 310, 21).tolist():
                for column in np.arange(x + 9, x + wide - 14, 17).tolist():
                    lit = rng.random() < 0.55
                    strip.box(
                        column, row, column + 8, row + 12, light.window if lit else _scaled((70, 84, 110), light.walls)
                    )
            x += wide + float(rng.choice([0, 0, 14, 30]))
        return strip.layer(20, speed, 1.6)

    def _firs(self, rng: np.random.Generator) -> _Layer:
        speed, light = 0.30, self._light
        width = self._width(speed)
        strip = _Strip(330, width)
        for x in np.sort(rng.uniform(-20, width + 20, width // 62)):
            tall, shade = float(rng.uniform(90, 210)), float(rng.uniform(0.7, 1.15))
            foot = 325.0
            strip.box(x - 4, foot - 30, x + 4, foot, _scaled((74, 56, 48), light.walls))
            for k in range(6):
                y = foot - 14 - tall * k / 7
                half, high = 0.26 * tall * (1 - k / 6.6), tall * 0.26
                green = _scaled((44, 88, 70), (0.45 + 0.55 * light.walls) * shade)
                white = _scaled((226, 236, 246), 0.40 + 0.60 * light.walls)
                strip.polygon(
                    [(x - half, y), (x, y - high), (x + half, y), (x + half * 0.4, y - 5), (x - half * 0.5, y - 4)],
                    green,
                )
                strip.polygon([(x - half, y), (x - half * 0.45, y - high * 0.55), (x - half * 0.30, y - high * 0.35),
                               (x - half * 0.55, y - high * 0.12)], white)  # fmt: skip
        posts = np.arange(int(rng.integers(20, 300)), width, 330)
        for x in posts.tolist():
            strip.box(x - 3, 60, x + 3, 330, _scaled((64, 66, 78), 0.5 + 0.5 * light.walls))
        layer = strip.layer(10, speed, 1.3)
        bulbs = np.zeros_like(layer.rgb)
        colours = ((255, 214, 140), (255, 150, 110), (150, 220, 255), (255, 236, 180))
        for k, x in enumerate(posts):
            cv2.circle(bulbs, (int(x), 58), 11, light.window, -1, cv2.LINE_AA)
            for t in np.linspace(0, 1, 15)[1:-1]:
                y = 60 + 74 * 4 * t * (1 - t) * (0.8 + 0.1 * (k % 3))
                cv2.circle(bulbs, (int(x + 330 * t), int(y)), 4, colours[int(t * 14) % 4], -1, cv2.LINE_AA)
        halo = cv2.GaussianBlur(bulbs, (0, 0), 9).astype(np.float32) * 1.6 * light.lamps
        shown = cv2.GaussianBlur(bulbs, (0, 0), 1.3).astype(np.float32) * (0.35 + 0.65 * light.lamps)
        layer.rgb = np.clip(layer.rgb + halo + shown, 0, 255).astype(np.uint8)  # light only adds
        return layer

    def _stands(self, rng: np.random.Generator) -> _Layer:
        speed, light = nearness(BASE), self._light
        width, top = self._width(speed), 170
        strip = _Strip(BASE - top, width)
        dim = 0.45 + 0.55 * light.walls
        for row, (foot, size) in enumerate(((150, 0.86), (166, 0.93), (186, 1.0))):
            for x in np.arange(-10, width + 10, 33 * size):
                if rng.random() < 0.86:
                    self._spectator(
                        strip,
                        rng,
                        x + float(rng.uniform(-8, 8)),
                        foot + float(rng.uniform(-8, 8)),
                        size,
                        dim * (0.7 + 0.15 * row),
                    )
        foot = BASE - top
        self._boards(strip, rng, TOP_OF_BOARDS - top, foot, width, dim)
        return strip.layer(top, speed, 1.1)

    def _far(self, colour: Colour | NDArray[np.generic], dim: float) -> tuple[int, ...]:
        """A spectator's colour: dimmed, and a third lost in the haze, so that the crowd stays behind the skaters."""
        haze = 0.5 * np.array(self._light.hills, float) + 0.25 * np.array(self._light.glow, float)
        return _scaled(0.66 * dim * np.asarray(colour, float) + 0.34 * haze, 1.0)

    def _spectator(
        self, strip: _Strip, rng: np.random.Generator, x: float, foot: float, size: float, dim: float
    ) -> None:
        """From the waist up, in a coat and perhaps a hat, an arm in the air now and then."""
        coat = self._far(COATS[rng.integers(len(COATS))] * rng.uniform(0.75, 1.15), dim)
        skin = self._far(((238, 196, 168), (206, 156, 120), (140, 96, 70))[rng.integers(3)], dim)
        head = foot - 74 * size
        if rng.random() < 0.18:
            side = float(rng.choice([-1, 1]))
            reach = side * size * np.array([13.0, 22.0, 29.0, 20.0])
            strip.polygon(np.stack([x + reach, head + np.array([26.0, -16.0, -14.0, 34.0])], axis=1), coat)
            strip.disc(x + side * 26 * size, head - 18, 5, 5, skin)
        strip.disc(x, foot - 22 * size, 19 * size, 42 * size, coat)
        strip.box(x - 19 * size, foot - 22 * size, x + 19 * size, foot + 60, coat)
        strip.box(x - 1.5, foot - 58 * size, x + 1.5, foot + 60, self._far(np.array(coat), 0.7))
        strip.disc(x, head, 10.5 * size, 12.5 * size, skin)
        hat = self._far(COATS[rng.integers(len(COATS))], 0.9 * dim)
        strip.disc(x, head - 6 * size, 11.5 * size, 8.5 * size, hat)
        strip.disc(x, foot - 60 * size, 11 * size, 4.5 * size, self._far(COATS[rng.integers(len(COATS))] * 1.2, dim))

    def _boards(self, strip: _Strip, rng: np.random.Generator, top: int, foot: int, width: int, dim: float) -> None:
        strip.box(0, top, width, foot, _scaled((244, 246, 248), dim))
        inks = ((204, 60, 56), (36, 92, 160), (240, 178, 52), (40, 134, 104), (96, 62, 130), (34, 40, 54))
        words = ("VIDSEG", "ALPHA", "CUTOUT", "MASKS", "MATTE", "FRAME")
        x, k = 0.0, int(rng.integers(6))
        while x < width:
            wide = float(rng.uniform(170, 260))
            ink, kind = inks[k % 6], (0, 3, 1, 0, 2, 3, 0)[k % 7]
            low, high = top + 16, foot - 18
            if kind == 0:
                tint = 0.45 * np.array(ink, float) + 0.55 * np.array((244, 246, 248))  # pale, like all that is behind
                strip.box(x, low, x + wide, high, _scaled(tint, dim))
                paper = _scaled((252, 252, 250), dim)
            else:
                paper = _scaled(ink, dim)
            if kind == 1:
                for s in np.arange(x + 8, x + wide - 30, 34):
                    strip.polygon(
                        [(s, high), (s + 18, low), (s + 34, low), (s + 16, high)], _scaled(inks[(k + int(s)) % 6], dim)
                    )
            elif kind == 2:
                for s in np.arange(x + 26, x + wide - 20, 46):
                    strip.disc(s, (low + high) / 2, 19, 19, _scaled(inks[(k + int(s)) % 6], dim))
                    strip.disc(s, (low + high) / 2, 10, 10, _scaled((250, 250, 246), dim))
            else:
                at = (round(x * 2) + 30, high * 2 - 22)
                cv2.putText(strip.rgb, words[k % 6], at, cv2.FONT_HERSHEY_DUPLEX, 2.6, paper, 9, cv2.LINE_8)
            strip.box(x + wide - 2, top, x + wide, foot, _scaled((190, 196, 204), dim))
            x, k = x + wide, k + 1
        strip.box(0, top, width, top + 9, _scaled((52, 90, 150), dim))
        strip.box(0, foot - 12, width, foot, _scaled((236, 190, 60), dim))
        strip.box(0, foot - 2, width, foot, _scaled((120, 120, 130), dim))

    def _reflection(self, stands: _Layer) -> _Layer:
        """The boards and the crowd, upside down and blurred, fading away from the boards."""
        rgb = np.ascontiguousarray(stands.rgb[::-1][:170]).astype(np.float32)
        rgb = cv2.GaussianBlur(cv2.GaussianBlur(rgb, (0, 0), 2.0), (1, 31), 0, sigmaY=7)
        fade = (0.34 * np.linspace(1, 0, len(rgb), dtype=np.float32) ** 1.5)[:, None, None]
        cover = cv2.GaussianBlur(255 - stands.through[::-1][:170], (0, 0), 3).astype(np.float32)
        return _Layer((rgb * fade).astype(np.uint8), (255 - cover * fade).astype(np.uint8), BASE, stands.speed)

    def _paint_ice(self, rng: np.random.Generator) -> RGB:
        """The ice (302, w, 3) with the camera at 0: shade, cloudiness, painted lines, scratches and snow."""
        light, height, width = self._light, HEIGHT - BASE, self._width(nearness(HEIGHT))
        ice = _gradient(light.ice_far, light.ice_near, height, width, 0.8)
        rows = np.arange(BASE, HEIGHT)
        blotches = _clouds(rng, height, width // 3, 64, 5)
        ice += cv2.resize(blotches, (width, height))[..., None] * (15, 12, 9)
        middle = width / 2

        def ground(x: NDArray[np.float64], depth: NDArray[np.float64]) -> NDArray[np.int32]:
            """Pixels (n, 2) << 4 of the ice: x in pixels of the floor row, depth 1 there and growing away."""
            points = np.stack([middle + x / depth, HORIZON - BASE + (FLOOR - HORIZON) / depth], axis=1)
            return np.rint(points * 16).astype(np.int32)

        paint = np.zeros((height, width), np.uint8)
        far = (FLOOR - HORIZON) / (BASE - HORIZON)
        span = np.array([0.70, far])
        for x in np.arange(-2600, 2601, 1040) + rng.uniform(-200, 200):
            line = np.concatenate([ground(np.full(2, x - 26.0), span), ground(np.full(2, x + 26.0), span[::-1])])
            cv2.fillPoly(paint, [line], 120, cv2.LINE_AA, 4)
        ring = np.linspace(0, 2 * np.pi, 120)
        spot = rng.uniform(-400, 400)
        for radius in (330.0, 312.0):
            circle = ground(spot + radius * np.cos(ring), 1.25 + 0.30 * np.sin(ring) * radius / 330)
            cv2.polylines(paint, [circle], True, 90, 4, cv2.LINE_AA, 4)
        ice += (
            (paint / 255.0)[..., None].astype(np.float32)
            * (np.array(((196, 70, 80), (60, 96, 178))[rng.integers(2)]) - ice)
            * 0.75
        )
        marks = np.zeros((2, height, width), np.uint8)
        for k in range(700):  # skates leave long, slightly bent cuts: white with a dark lip
            t = np.linspace(-1, 1, 14)
            turn, length, depth = rng.uniform(0, np.pi), rng.uniform(60, 420), rng.uniform(0.72, far)
            bend = rng.uniform(-0.25, 0.25) * t**2
            x = rng.uniform(-1.15, 1.15) * middle * depth + length * (np.cos(turn) * t - np.sin(turn) * bend)
            cut = ground(
                x, np.clip(depth + length / 420 * (np.sin(turn) * t + np.cos(turn) * bend) * 0.5, 0.70, far + 0.2)
            )
            cv2.polylines(marks[k % 2], [cut], False, int(rng.integers(40, 200)), 1, cv2.LINE_AA, 4)
        ice += (marks[0].astype(np.float32) * 0.22 - marks[1].astype(np.float32) * 0.14)[..., None]
        snow = rng.random((height, width // 2), dtype=np.float32) ** 26
        ice += cv2.resize(snow, (width, height), interpolation=cv2.INTER_LINEAR)[..., None] * 34
        contact = np.exp(-(rows - BASE) / 9.0)[:, None, None]
        return np.clip(ice * (1 - 0.35 * contact), 0, 255).astype(np.uint8)
