"""The spectators behind the boards, the boards with their advertisements, and the reflection of both in the ice."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.layer import BASE, Colour, Layer, Light, Strip, nearness, scaled, width_of

TOP = 170  # row where the layer begins
TOP_OF_BOARDS = 322

_COATS = np.array(
    [(178, 62, 58), (52, 84, 132), (62, 112, 88), (206, 152, 70), (112, 78, 128), (60, 64, 78), (150, 152, 160),
     (196, 112, 88), (84, 132, 150), (222, 206, 180), (126, 58, 74), (94, 100, 66)], float
)  # fmt: skip
_SKINS = ((238, 196, 168), (206, 156, 120), (140, 96, 70))
_INKS = ((204, 60, 56), (36, 92, 160), (240, 178, 52), (40, 134, 104), (96, 62, 130), (34, 40, 54))
_WORDS = ("VIDSEG", "ALPHA", "CUTOUT", "MASKS", "MATTE", "FRAME")


def stands(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """Three rows of spectators, and the boards before them."""
    speed = nearness(BASE)
    width = width_of(reach, speed)
    strip = Strip(BASE - TOP, width)
    dim = 0.45 + 0.55 * light.walls
    haze = 0.5 * np.array(light.hills, float) + 0.25 * np.array(light.glow, float)
    for row, (foot, size) in enumerate(((150, 0.86), (166, 0.93), (186, 1.0))):
        for x in np.arange(-10, width + 10, 33 * size):
            if rng.random() < 0.86:
                at = x + float(rng.uniform(-8, 8)), foot + float(rng.uniform(-8, 8))
                _spectator(strip, rng, haze, dim * (0.7 + 0.15 * row), *at, size)
    _boards(strip, rng, width, dim)
    return strip.layer(TOP, speed, 1.1)


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
    top, foot = TOP_OF_BOARDS - TOP, BASE - TOP
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
