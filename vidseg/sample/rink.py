"""The rink that the skaters cross: everything is painted once; a frame shifts and stacks the layers.

A camera that travels sideways shifts an upright layer as a whole and shears the ice: the speed of a row of ice grows
with its distance from the horizon. Knows nothing about skaters or frames.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.backdrop import firs, houses, sky
from vidseg.sample.layer import BASE, FLOOR, HEIGHT, HORIZON, WIDTH, Light, clouds, gradient, nearness, width_of
from vidseg.sample.stands import reflection, stands
from vidseg.types import RGB

_ICE = HEIGHT - BASE
_NEAR, _FAR = 0.70, (FLOOR - HORIZON) / (BASE - HORIZON)  # depth of the picture's lower edge, and of the boards


class Rink:
    """The rink of one seed in one ``light``, for a camera that travels between -``reach`` and ``reach``."""

    def __init__(self, rng: np.random.Generator, light: Light, reach: float) -> None:
        self._sky, *layers = (paint(rng, light, reach) for paint in (sky, houses, firs, stands))
        self._layers = (*layers, reflection(layers[-1]))
        self._ice = _paint_ice(rng, light, reach)

    def draw(self, travel: float) -> RGB:
        """The empty rink (720, 1280, 3) as the camera sees it after ``travel`` units to the right."""
        frame: RGB = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        offset = (self._ice.shape[1] - WIDTH) / 2 + travel * nearness(BASE)
        shear = np.array([[1.0, travel * (1 / (FLOOR - HORIZON)), offset], [0.0, 1.0, 0.0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self._ice, shear, (WIDTH, _ICE), frame[BASE:], flags, cv2.BORDER_REPLICATE)
        frame[:BASE] = self._sky.shifted(self._sky.rgb, travel)
        for layer in self._layers:
            layer.over(frame, travel)
        return frame


def _paint_ice(rng: np.random.Generator, light: Light, reach: float) -> RGB:
    """The ice (302, w, 3) as seen at camera travel 0."""
    width = width_of(reach, nearness(HEIGHT))
    ice = gradient(light.ice_far, light.ice_near, _ICE, width, 0.8)
    blotches = clouds(rng, _ICE, width // 3, 64, 5)
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
    """Pixels (n, 2), with four fractional bits, of points on the ice.

    ``x`` is in pixels of the row FLOOR, from the middle; ``depth`` is the distance from the camera, 1 at the row FLOOR.
    """
    points = np.stack([width / 2 + x / depth, HORIZON - BASE + (FLOOR - HORIZON) / depth], axis=1)
    return np.rint(points * 16).astype(np.int32)


def _lines(rng: np.random.Generator, width: int) -> NDArray[np.uint8]:
    """How opaque the painted lines and the circle are, (302, w)."""
    paint = np.zeros((_ICE, width), np.uint8)
    span = np.array([_NEAR, _FAR])
    for x in np.arange(-2600, 2601, 1040) + rng.uniform(-200, 200):
        left, right = _on_ice(np.full(2, x - 26.0), span, width), _on_ice(np.full(2, x + 26.0), span[::-1], width)
        cv2.fillPoly(paint, [np.concatenate([left, right])], 120, cv2.LINE_AA, 4)
    ring = np.linspace(0, 2 * np.pi, 120)
    spot = rng.uniform(-400, 400)
    for radius in (330.0, 312.0):
        circle = _on_ice(spot + radius * np.cos(ring), 1.25 + 0.30 * np.sin(ring) * radius / 330, width)
        cv2.polylines(paint, [circle], True, 90, 4, cv2.LINE_AA, 4)
    return paint


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
