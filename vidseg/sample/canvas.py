"""Shaded shapes on a supersampled RGBA picture, in figure coordinates (x forward, y down, units of its height).

A shape looks round because it is drawn several times, smaller and lighter each time, from a dark rim to a lit ridge.
Knows nothing about skaters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.pose import Points

RGBA = NDArray[np.uint8]  # (h, w, 4), premultiplied
Colour = tuple[int, int, int]

SUPERSAMPLING = 3  # nine samples a pixel: enough for edges and for the truth's majority
TONES = 7  # times that a shape is drawn; under the film grain more can't be told apart
LIGHT = np.array([-0.55, -0.62])  # shift of the lightest tone, in radii, to the right and down

_ALONG = np.linspace(0, 1, 9)[:, None]
_SWELL = np.sin(np.pi * _ALONG**0.8)
_TURN = np.linspace(0, np.pi, 9)[1:-1]
_CAP = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


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
        fixed: NDArray[np.int32] = np.rint((points * self._scale + self._origin + offset - 0.5) * 16).astype(np.int32)
        return fixed

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
            towards = LIGHT * radius * self._scale[1] * k / TONES
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
