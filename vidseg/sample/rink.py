"""The rink that the skaters cross: everything is painted once; a frame shifts and stacks the layers.

A camera that travels sideways shifts an upright layer as a whole and shears the ice: the speed of a row of ice grows
with its distance from the horizon. Knows nothing about skaters or frames.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample import paint
from vidseg.sample.paint import BASE, FLOOR, HEIGHT, HORIZON, WIDTH, Colour, Layer, Light, Strip, scaled
from vidseg.types import RGB

_ICE = HEIGHT - BASE
_NEAR, _FAR = 0.70, (FLOOR - HORIZON) / (BASE - HORIZON)  # depth of the picture's lower edge, and of the boards
_TOP_OF_STANDS = 170  # row where the layer of spectators begins
TOP_OF_BOARDS = 322

_COATS = np.array(
    [(178, 62, 58), (52, 84, 132), (62, 112, 88), (206, 152, 70), (112, 78, 128), (60, 64, 78), (150, 152, 160),
     (196, 112, 88), (84, 132, 150), (222, 206, 180), (126, 58, 74), (94, 100, 66)], float
)  # fmt: skip
_SKINS = ((238, 196, 168), (206, 156, 120), (140, 96, 70))
_INKS = ((204, 60, 56), (36, 92, 160), (240, 178, 52), (40, 134, 104), (96, 62, 130), (34, 40, 54))
_WORDS = ("VIDSEG", "ALPHA", "CUTOUT", "MASKS", "MATTE", "FRAME")


class Rink:
    """The rink of one seed in one ``light``, for a camera that travels between -``reach`` and ``reach``."""

    def __init__(self, rng: np.random.Generator, light: Light, reach: float) -> None:
        self._sky, *layers = (make(rng, light, reach) for make in (sky, houses, firs, stands))
        self._layers = (*layers, reflection(layers[-1]))
        self._ice = _paint_ice(rng, light, reach)

    def draw(self, travel: float) -> RGB:
        """The empty rink (720, 1280, 3) as the camera sees it after ``travel`` units to the right."""
        frame: RGB = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        offset = (self._ice.shape[1] - WIDTH) / 2 + travel * paint.nearness(BASE)
        shear = np.array([[1.0, travel * (1 / (FLOOR - HORIZON)), offset], [0.0, 1.0, 0.0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self._ice, shear, (WIDTH, _ICE), frame[BASE:], flags, cv2.BORDER_REPLICATE)
        frame[:BASE] = self._sky.shifted(self._sky.rgb, travel)
        for layer in self._layers:
            layer.over(frame, travel)
        return frame


def _paint_ice(rng: np.random.Generator, light: Light, reach: float) -> RGB:
    """The ice (302, w, 3) as seen at camera travel 0."""
    width = paint.width_of(reach, paint.nearness(HEIGHT))
    ice = paint.gradient(light.ice_far, light.ice_near, _ICE, width, 0.8)
    blotches = paint.clouds(rng, _ICE, width // 3, 64, 5)
    ice += cv2.resize(blotches, (width, _ICE))[..., None] * (15, 12, 9)
    lines_hw1 = (_lines(rng, width) / 255.0)[..., None].astype(np.float32)
    ice += lines_hw1 * (np.array(((196, 70, 80), (60, 96, 178))[rng.integers(2)]) - ice) * 0.75
    white_hw, dark_hw = _cuts(rng, width)
    ice += (white_hw.astype(np.float32) * 0.22 - dark_hw.astype(np.float32) * 0.14)[..., None]
    snow = rng.random((_ICE, width // 2), dtype=np.float32) ** 26
    ice += cv2.resize(snow, (width, _ICE), interpolation=cv2.INTER_LINEAR)[..., None] * 34
    contact = np.exp(-np.arange(_ICE) / 9.0)[:, None, None]  # the boards' shadow
    return np.clip(ice * (1 - 0.35 * contact), 0, 255).astype(np.uint8)


def _on_ice(x: NDArray[np.float64], depth: NDArray[np.float64], width: int) -> NDArray[np.int32]:
    """Pixels (n, 2), with four fractional bits, of points on the ice: ``x`` is in pixels of the row FLOOR, from the
    middle, and ``depth`` is the distance from the camera, 1 at the row FLOOR."""
    points = np.stack([width / 2 + x / depth, HORIZON - BASE + (FLOOR - HORIZON) / depth], axis=1)
    return np.rint(points * 16).astype(np.int32)


def _lines(rng: np.random.Generator, width: int) -> NDArray[np.uint8]:
    """How opaque the painted lines and the circle are, (302, w)."""
    painted_hw = np.zeros((_ICE, width), np.uint8)
    span = np.array([_NEAR, _FAR])
    for x in np.arange(-2600, 2601, 1040) + rng.uniform(-200, 200):
        left, right = _on_ice(np.full(2, x - 26.0), span, width), _on_ice(np.full(2, x + 26.0), span[::-1], width)
        cv2.fillPoly(painted_hw, [np.concatenate([left, right])], 120, cv2.LINE_AA, 4)
    ring = np.linspace(0, 2 * np.pi, 120)
    spot = rng.uniform(-400, 400)
    for radius in (330.0, 312.0):
        circle = _on_ice(spot + radius * np.cos(ring), 1.25 + 0.30 * np.sin(ring) * radius / 330, width)
        cv2.polylines(painted_hw, [circle], True, 90, 4, cv2.LINE_AA, 4)
    return painted_hw


def _cuts(rng: np.random.Generator, width: int) -> NDArray[np.uint8]:
    """What skates leave: long, slightly bent cuts, (2, 302, w): how white, and how dark."""
    cuts = np.zeros((2, _ICE, width), np.uint8)
    for k in range(700):
        t = np.linspace(-1, 1, 14)
        turn, length, depth = rng.uniform(0, np.pi), rng.uniform(60, 420), rng.uniform(0.72, _FAR)
        bend = rng.uniform(-0.25, 0.25) * t**2
        x = rng.uniform(-1.15, 1.15) * (width / 2) * depth + length * (np.cos(turn) * t - np.sin(turn) * bend)
        away = depth + length / 420 * (np.sin(turn) * t + np.cos(turn) * bend) * 0.5
        cut = _on_ice(x, np.clip(away, _NEAR, _FAR + 0.2), width)
        cv2.polylines(cuts[k % 2], [cut], False, int(rng.integers(40, 200)), 1, cv2.LINE_AA, 4)
    return cuts


def sky(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """The sky with veils of cloud over two ranges of hills, the farther one with snow; no part of it is clear."""
    speed = 0.04
    height, width = BASE, paint.width_of(reach, speed)
    picture = paint.gradient(light.zenith, light.glow, height, width, 1.3)
    glow, hills = np.array(light.glow, np.float32), np.array(light.hills, np.float32)
    veil = np.clip(cv2.resize(paint.clouds(rng, height // 2, width // 5, 90), (width, height)), 0, 1)[..., None]
    picture += veil * (glow - picture) * 0.55
    x = np.arange(width)
    for k, (foot, rough) in enumerate(((150.0, 46.0), (196.0, 30.0))):
        ridge = np.full(width, foot)
        for octave in range(7):
            wave = rough / 1.7**octave
            ridge += wave * np.sin(x * 0.004 * 1.9**octave + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.6, 1.0)
        haze = hills * (0.9, 0.72)[k] + glow * (0.1, 0.28)[k]
        depth = np.arange(height)[:, None] - ridge[None]
        cover = np.clip(depth, 0, 1)[..., None]
        snow = np.clip((26 - depth + 14 * paint.clouds(rng, height, width, 24)) / 8, 0, 1)[..., None] * (1 - k)
        hill = haze + snow * (glow * 0.5 + 118 - haze) * 0.8
        picture += cover * (hill - picture)
    return Layer(np.clip(picture, 0, 255).astype(np.uint8), np.zeros((1, 1, 3), np.uint8), 0, speed)


def houses(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """A row of houses with snow on their roofs; half of the windows are lit."""
    speed, foot = 0.16, 320
    width = paint.width_of(reach, speed)
    strip = Strip(foot, width)
    walls = ((190, 120, 96), (206, 176, 130), (150, 156, 170), (176, 98, 84), (216, 200, 172), (120, 140, 150))
    roof, dark = scaled((110, 82, 84), light.walls), scaled((70, 84, 110), light.walls)
    snow = scaled((240, 242, 250), 0.35 + 0.65 * light.walls)
    x = -20.0
    while x < width:
        wide, tall = float(rng.uniform(62, 118)), float(rng.uniform(105, 205))
        colour = scaled(walls[rng.integers(len(walls))], light.walls)
        top, middle, right = foot - tall, x + wide / 2, x + wide
        strip.box(x, top, right, foot, colour)
        strip.box(x + wide * 0.86, top, right, foot, scaled(colour, 0.8))
        peak = top - float(rng.uniform(18, 44))
        strip.polygon([(x - 4, top), (middle, peak), (right + 4, top)], roof)
        strip.polygon([(x - 5, top + 1), (middle, peak - 3), (right + 5, top + 1), (middle, peak + 9)], snow)
        for row in np.arange(top + 12, 310, 21).tolist():
            for column in np.arange(x + 9, right - 14, 17).tolist():
                strip.box(column, row, column + 8, row + 12, light.window if rng.random() < 0.55 else dark)
        x += wide + float(rng.choice([0, 0, 14, 30]))
    return strip.layer(20, speed, 1.6)


def firs(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """Firs with snow, and strings of lamps between posts."""
    speed, foot = 0.30, 325.0
    width = paint.width_of(reach, speed)
    strip = Strip(330, width)
    trunk, white = scaled((74, 56, 48), light.walls), scaled((226, 236, 246), 0.40 + 0.60 * light.walls)
    for x in np.sort(rng.uniform(-20, width + 20, width // 62)):
        tall, shade = float(rng.uniform(90, 210)), float(rng.uniform(0.7, 1.15))
        green = scaled((44, 88, 70), (0.45 + 0.55 * light.walls) * shade)
        strip.box(x - 4, foot - 30, x + 4, foot, trunk)
        for k in range(6):
            y = foot - 14 - tall * k / 7
            half, high = 0.26 * tall * (1 - k / 6.6), tall * 0.26
            strip.polygon(
                [(x - half, y), (x, y - high), (x + half, y), (x + half * 0.4, y - 5), (x - half * 0.5, y - 4)], green
            )
            strip.polygon([(x - half, y), (x - half * 0.45, y - high * 0.55), (x - half * 0.30, y - high * 0.35),
                           (x - half * 0.55, y - high * 0.12)], white)  # fmt: skip
    posts = np.arange(int(rng.integers(20, 300)), width, 330)
    for x in posts.tolist():
        strip.box(x - 3, 60, x + 3, 330, scaled((64, 66, 78), 0.5 + 0.5 * light.walls))
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


def stands(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """Three rows of spectators, and the boards before them."""
    speed = paint.nearness(BASE)
    width = paint.width_of(reach, speed)
    strip = Strip(BASE - _TOP_OF_STANDS, width)
    dim = 0.45 + 0.55 * light.walls
    haze = 0.5 * np.array(light.hills, float) + 0.25 * np.array(light.glow, float)
    for row, (foot, size) in enumerate(((150, 0.86), (166, 0.93), (186, 1.0))):
        for x in np.arange(-10, width + 10, 33 * size):
            if rng.random() < 0.86:
                at = x + float(rng.uniform(-8, 8)), foot + float(rng.uniform(-8, 8))
                _spectator(strip, rng, haze, dim * (0.7 + 0.15 * row), *at, size)
    _boards(strip, rng, width, dim)
    return strip.layer(_TOP_OF_STANDS, speed, 1.1)


def reflection(of: Layer) -> Layer:
    """The stands' layer upside down and blurred, fading away from the boards."""
    rgb = np.ascontiguousarray(of.rgb[::-1][:170]).astype(np.float32)
    rgb = cv2.GaussianBlur(cv2.GaussianBlur(rgb, (0, 0), 2.0), (1, 31), 0, sigmaY=7)
    fade = (0.34 * np.linspace(1, 0, len(rgb), dtype=np.float32) ** 1.5)[:, None, None]
    cover = cv2.GaussianBlur(255 - of.through[::-1][:170], (0, 0), 3).astype(np.float32)
    return Layer((rgb * fade).astype(np.uint8), (255 - cover * fade).astype(np.uint8), BASE, of.speed)


def _spectator(
    strip: Strip, rng: np.random.Generator, haze: NDArray[np.float64], dim: float, x: float, foot: float, size: float
) -> None:
    """From the waist up, in coat, hat and scarf; some wave. ``dim`` is the brightness."""

    def far(colour: Colour | NDArray[np.float64], dim: float = dim) -> Colour:
        """The colour dimmed, and a third of it lost in haze, so that the crowd stands out less than the skaters."""
        return scaled(0.66 * dim * np.asarray(colour, float) + 0.34 * haze, 1.0)

    coat = far(_COATS[rng.integers(len(_COATS))] * rng.uniform(0.75, 1.15))
    skin = far(_SKINS[rng.integers(3)])
    head = foot - 74 * size
    if rng.random() < 0.18:
        side = float(rng.choice([-1, 1]))
        reach = side * size * np.array([13.0, 22.0, 29.0, 20.0])
        strip.polygon(np.stack([x + reach, head + np.array([26.0, -16.0, -14.0, 34.0])], axis=1), coat)
        strip.disc(x + side * 26 * size, head - 18, 5, 5, skin)
    strip.disc(x, foot - 22 * size, 19 * size, 42 * size, coat)
    strip.box(x - 19 * size, foot - 22 * size, x + 19 * size, foot + 60, coat)
    strip.box(x - 1.5, foot - 58 * size, x + 1.5, foot + 60, far(coat, 0.7))
    strip.disc(x, head, 10.5 * size, 12.5 * size, skin)
    strip.disc(x, head - 6 * size, 11.5 * size, 8.5 * size, far(_COATS[rng.integers(len(_COATS))], 0.9 * dim))
    strip.disc(x, foot - 60 * size, 11 * size, 4.5 * size, far(_COATS[rng.integers(len(_COATS))] * 1.2))


def _boards(strip: Strip, rng: np.random.Generator, width: int, dim: float) -> None:
    """White boards with advertisements: words on colour or pale ground, slanted bars, rings."""
    top, foot = TOP_OF_BOARDS - _TOP_OF_STANDS, BASE - _TOP_OF_STANDS
    low, high = top + 16, foot - 18
    white = (244, 246, 248)
    strip.box(0, top, width, foot, scaled(white, dim))
    x, k = 0.0, int(rng.integers(6))
    while x < width:
        wide = float(rng.uniform(170, 260))
        ink, kind = _INKS[k % 6], (0, 3, 1, 0, 2, 3, 0)[k % 7]
        if kind == 1:
            for s in np.arange(x + 8, x + wide - 30, 34):
                bar = [(s, high), (s + 18, low), (s + 34, low), (s + 16, high)]
                strip.polygon(bar, scaled(_INKS[(k + int(s)) % 6], dim))
        elif kind == 2:
            for s in np.arange(x + 26, x + wide - 20, 46):
                strip.disc(s, (low + high) / 2, 19, 19, scaled(_INKS[(k + int(s)) % 6], dim))
                strip.disc(s, (low + high) / 2, 10, 10, scaled((250, 250, 246), dim))
        else:
            paper = scaled(ink, dim)
            if kind == 0:  # as pale as all that is behind the skaters
                strip.box(x, low, x + wide, high, scaled(0.45 * np.array(ink, float) + 0.55 * np.array(white), dim))
                paper = scaled((252, 252, 250), dim)
            strip.word(_WORDS[k % 6], round(x * 2) + 30, high * 2 - 22, paper)
        strip.box(x + wide - 2, top, x + wide, foot, scaled((190, 196, 204), dim))
        x, k = x + wide, k + 1
    strip.box(0, top, width, top + 9, scaled((52, 90, 150), dim))
    strip.box(0, foot - 12, width, foot, scaled((236, 190, 60), dim))
    strip.box(0, foot - 2, width, foot, scaled((120, 120, 130), dim))
