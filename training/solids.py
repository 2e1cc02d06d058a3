"""Surfaces in three dimensions, drawn as clouds of points from any side: x to the right, y down, z away.

A thing is a list of parts and may be a few units long. Pictures are uint8 RGB (H, W, 3), masks uint8 (H, W), 0 or 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.figures import Picture

SIDE, LENGTH = 256, 200  # pixels: the canvas, and a thing from corner to corner
_GAP, _FAR = 8, 9999  # depths in pixels: this far behind its neighbours a point is seen through a gap; nothing there
Floats = NDArray[np.float32]
Point = Sequence[float] | Floats
Paint = Callable[[Floats, Floats, Floats], Floats]  # of points (N, 3) at u and v (N,), 0 to 1: colours (N, 3)


@dataclass(frozen=True)
class Finish:
    """What a surface looks like: its colours, how much it shines, and what share of it mirrors what is around."""

    paint: Paint
    shine: float = 0.0
    mirror: float = 0.0


@dataclass(frozen=True)
class Swing:
    """A part's motion to and fro about ``pivot``, as legs have it; ``angle`` and ``phase`` in radians."""

    pivot: Point
    angle: float
    phase: float


@dataclass(frozen=True)
class Part:
    """A surface (U, V, 3) with its finish."""

    surface: Floats
    finish: Finish
    swing: Swing | None = None


def ball(at: Point, size: Point, square: float = 1.0) -> Floats:
    """An ellipsoid; with ``square`` 0.2 nearly a box, with 1.4 a cushion with edges (superquadrics; Barr, 1981)."""
    count = _places(max(size))
    around, up = np.linspace(-np.pi, np.pi, 2 * count)[:, None], np.linspace(-np.pi / 2, np.pi / 2, count)[None]
    way = np.stack([np.cos(up) * np.cos(around), np.sin(up) + 0 * around, np.cos(up) * np.sin(around)], -1)
    # Along even directions: in Barr's own parameters a box has most of its points on its edges
    reach = (np.abs(way) ** (2 / square)).sum(-1, keepdims=True) ** (-square / 2)
    return (way * reach * size + at).astype(np.float32)


def tube(curve: Sequence[Point], width: tuple[float, float]) -> Floats:
    """Round, along the Bezier curve of the control points ``curve``, tapered from one radius to the other."""
    knots = np.float32(curve)
    v = np.linspace(0, 1, _places(float(np.linalg.norm(np.diff(knots, axis=0), axis=1).sum())))
    path = np.stack([bezier(knots[:, k], v) for k in range(3)], 1)
    along = _unit(np.gradient(path, axis=0))
    side = _unit(np.cross(along, np.float32([0.1, 0.2, 1.0])))
    angle = np.linspace(0, 2 * np.pi, _places(max(width)))[:, None, None]
    radius = np.interp(v, [0, 1], width) * np.sqrt(np.clip(1 - np.abs(2 * v - 1) ** 12, 0, 1))  # round ends
    ring = np.cos(angle) * side + np.sin(angle) * np.cross(along, side)
    return (path + radius[:, None] * ring).astype(np.float32)


def lathe(radius: NDArray, height: NDArray) -> Floats:
    """What is turned about the y axis, from its ``radius`` (V,) at every ``height`` (V,)."""
    angle = np.linspace(0, 2 * np.pi, 180)[:, None]
    return np.stack([radius * np.cos(angle), height + 0 * angle, radius * np.sin(angle)], -1).astype(np.float32)


def tyre(at: Point, size: float, thick: float) -> Floats:
    """A torus about the z axis."""
    angle, v = np.linspace(0, 2 * np.pi, 150)[:, None], np.linspace(0, 2 * np.pi, 40)[None]
    reach = size + thick * np.cos(v)
    ring = np.stack([reach * np.cos(angle), reach * np.sin(angle), thick * np.sin(v) + 0 * angle], -1)
    return (ring + at).astype(np.float32)


def disc(at: Point, size: float, thick: float) -> Floats:
    """What is within a tyre: a disc about the z axis, a little thicker in its middle."""
    angle, reach = np.linspace(0, 2 * np.pi, 150)[:, None], np.linspace(0, size, 40)[None]
    flat = np.stack([reach * np.cos(angle), reach * np.sin(angle), 0 * angle + thick * np.cos(2 * reach)], -1)
    return (flat + at).astype(np.float32)


def bezier(knots: NDArray, v: NDArray) -> NDArray:
    """The Bezier curve with ``knots`` (K,) for its control points, at ``v`` from 0 to 1."""
    points = [np.broadcast_to(np.float64(k), v.shape) for k in knots]
    while len(points) > 1:
        points = [(1 - v) * a + v * b for a, b in pairwise(points)]
    return points[0]


class Turntable:
    """Parts that turn, lit from above; how they turn and are lit comes from ``rng``, what they mirror is a picture."""

    def __init__(self, rng: Generator, parts: list[Part], surroundings: Picture) -> None:
        self._around = cv2.resize(surroundings, (64, 64)).astype(np.float32)
        self._parts = [(part, *_painted(part)) for part in parts]
        everything = np.concatenate([part.surface.reshape(-1, 3) for part in parts])
        self._middle = (everything.max(0) + everything.min(0)) / 2
        self._scale = LENGTH / np.linalg.norm(np.ptp(everything, 0))
        self._yaw, self._turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.08) if rng.random() < 0.7 else 0.0
        self._pitch, self._nod = rng.normal(0.15, 0.25), rng.normal(0, 0.02)
        self._near = rng.uniform(0.0, 0.35)  # perspective: how much larger is what is 100 pixels nearer
        self._light = _unit(np.float32([rng.normal(0, 0.7), -1, rng.normal(-0.5, 0.4)]))
        self._ambient = rng.uniform(0.4, 0.85)
        self._rate = rng.uniform(0.2, 0.9)

    def draw(self, t: int) -> tuple[Picture, Picture]:
        """Picture and mask at frame ``t``: 256 x 256 pixels."""
        turned = _turning(1, self._yaw + self._turn * t).T @ _turning(0, self._pitch + self._nod * t).T
        seen = [self._seen(*part, t, turned) for part in self._parts]
        points, colours = (np.concatenate(some) for some in zip(*seen, strict=True))
        points[:, :2] *= 1 - self._near * points[:, 2:] / 100
        depth = points[:, 2].astype(np.int16)  # whole pixels: sorted four times as fast
        order = np.argsort(-depth, kind="stable")  # the nearest is written last
        x, y = (points[order, :2] + SIDE / 2).astype(np.int32).clip(0, SIDE - 1).T
        image, behind = np.zeros((SIDE, SIDE, 3), np.float32), np.full((SIDE, SIDE), _FAR, np.float32)
        image[y, x], behind[y, x] = colours[order], depth[order]
        return _closed(image, behind)

    def _seen(self, part: Part, normals: Floats, colours: Floats, t: int, turned: Floats) -> tuple[Floats, Floats]:
        points, finish = part.surface.reshape(-1, 3), part.finish
        if part.swing:
            about = _turning(2, part.swing.angle * np.sin(part.swing.phase + self._rate * t)).T
            points, normals = (points - part.swing.pivot) @ about + part.swing.pivot, normals @ about
        points, normals = (points - self._middle) @ turned * self._scale, normals @ turned
        normals = normals * -np.sign(normals[:, 2:] + 1e-9)  # towards the eye: insides are lit as well
        lit = np.clip(normals @ self._light, 0, 1)[:, None]
        bright = self._ambient + (1 - self._ambient) * 1.2 * lit
        bright = bright * (0.8 - 0.3 * np.clip(points[:, 1:2] / 100, -0.5, 1))  # darker below
        if finish.mirror:
            at = ((normals[:, :2] * 0.5 + 0.5) * 63).astype(int)
            colours = (1 - finish.mirror) * colours + finish.mirror * self._around[at[:, 1], at[:, 0]]
        half = _unit(self._light + np.float32([0, 0, -1]))  # between light and eye (Blinn, 1977)
        glint = 255 * finish.shine * np.clip(normals @ half, 0, 1)[:, None] ** 30
        return points.astype(np.float32), (colours * bright + glint).astype(np.float32)


def _painted(part: Part) -> tuple[Floats, Floats]:
    """Normals and colours of a part's points: (N, 3) each."""
    down, across = (np.gradient(part.surface, axis=axis) for axis in (0, 1))
    places = (np.linspace(0, 1, count, dtype=np.float32) for count in part.surface.shape[:2])
    u, v = (place.ravel() for place in np.meshgrid(*places, indexing="ij"))
    points = part.surface.reshape(-1, 3)
    return _unit(np.cross(down, across).reshape(-1, 3)), part.finish.paint(points, u, v)


def _places(size: float) -> int:
    """How many points go across a surface of ``size``, so that they are up to some two pixels apart."""
    return int(np.clip(110 * size, 24, 150))


def _unit(x: NDArray) -> Floats:
    return (x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-6)).astype(np.float32)


def _turning(axis: int, angle: float) -> Floats:
    """3 x 3, about an axis."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.eye(3, dtype=np.float32)
    a, b = (k for k in range(3) if k != axis)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def _closed(image: Floats, depth: Floats) -> tuple[Picture, Picture]:
    """Fills the gaps between points, and lets the colours go on beyond the mask: no seam shows when it is pasted."""
    nearest = cv2.erode(depth, np.ones((3, 3), np.uint8))
    solid = ((depth <= nearest + _GAP) & (depth < _FAR)).astype(np.float32)[..., None]
    filled = image * solid
    for reach in (3, 11):
        known = cv2.blur(solid, (reach, reach))[..., None]
        near = cv2.blur(image * solid, (reach, reach)) / np.maximum(known, 1e-3)
        filled = np.where(filled.any(-1, keepdims=True), filled, near)
    mask = cv2.morphologyEx((depth < _FAR).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.clip(filled, 0, 255).astype(np.uint8), mask
