"""What a skater looks like: clothes, skates, scarf and head, drawn on the joints that pose.py gives.

Figure coordinates: x forward, y down, the origin on the ice below the hips, 1.0 is the skater's standing height. Knows
nothing about the rink, the camera or frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidseg.sample.paint import RGBA, TO_LIGHT, TONES, Bone, Canvas, Colour, tones
from vidseg.sample.pose import Arm, Leg, Points, Pose, direction, pose, smooth, turned


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colours of a skater. With ``ponytail`` it wears a headband over long hair, else a bobble hat."""

    jacket: Colour
    stripe: Colour
    trousers: Colour
    piping: Colour
    scarf: tuple[Colour, Colour]
    gloves: Colour
    boots: Colour
    skin: Colour
    hair: Colour
    ponytail: bool


# The jacket's silhouette: position along the spine (0 hips, 1 neck), its back and its front.
_JACKET = np.array(
    [(-0.24, -0.080, 0.088), (-0.10, -0.092, 0.094), (0.08, -0.088, 0.086), (0.28, -0.080, 0.079),
     (0.50, -0.084, 0.086), (0.70, -0.086, 0.090), (0.86, -0.074, 0.078), (0.97, -0.052, 0.056), (1.06, -0.030, 0.034)]
)  # fmt: skip
_HEM = (0.03, 0.055, 0.02, 0.06, 0.035)  # lengths of the jacket's creases
_FACE = np.array(  # forward, up, in head radii: from the nape over the crown to the chin
    [(-0.62, -0.95), (-0.95, -0.2), (-0.9, 0.45), (-0.35, 0.95), (0.35, 0.95), (0.82, 0.5), (0.84, 0.2), (0.80, 0.06),
     (1.10, -0.22), (0.86, -0.34), (0.90, -0.50), (0.84, -0.66), (0.72, -0.98), (0.3, -1.02), (-0.1, -0.8)]
)  # fmt: skip
_HAIR = np.array([(-0.7, -0.95), (-1.08, -0.2), (-1.0, 0.5), (-0.4, 1.04), (0.4, 1.03), (0.86, 0.55),
                  (0.4, 0.45), (0.1, 0.1), (-0.05, -0.5), (-0.3, -0.95)])  # fmt: skip
_HAT = np.array([(-1.1, 0.1), (-1.12, 0.55), (-0.85, 1.08), (-0.25, 1.4), (0.35, 1.32), (0.84, 0.95),
                 (0.98, 0.5), (0.95, 0.3), (0.0, 0.2)])  # fmt: skip
_BAND = np.array([(-1.16, 0.06), (-1.16, 0.42), (-0.1, 0.55), (1.0, 0.66), (1.04, 0.34), (0.0, 0.18)])
_BOOT = np.array([(-0.034, 0.075), (-0.040, 0.03), (-0.042, -0.028), (0.03, -0.034), (0.082, -0.030), (0.098, -0.014),
                  (0.090, 0.004), (0.052, 0.018), (0.034, 0.036), (0.032, 0.078)])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """The coordinates of a head or a skate: where its origin lies, and its axes (2, 2), the rows forward and up."""

    origin: Points
    axes: Points

    def at(self, points: Sequence[float] | Sequence[tuple[float, float]] | Points) -> Points:
        """Points of the part in figure coordinates."""
        return np.asarray(self.origin + np.asarray(points, float) @ self.axes)

    def curve(self, keys: Sequence[tuple[float, float]] | Points, samples: int = 40) -> Points:
        """A closed curve through points of the part, in figure coordinates."""
        return self.at(smooth(np.asarray(keys, float), np.linspace(0, len(keys), samples + 1)[:-1], closed=True))


@dataclass(frozen=True, slots=True)
class Figure:
    """One skater: its clothes, how long its stroke takes, where in the stroke time 0 is, and how deep it crouches."""

    outfit: Outfit
    period_s: float
    phase: float
    crouch: float

    def pose(self, time_s: float) -> Pose:
        """The pose at a time in seconds."""
        return pose(self.phase + time_s / self.period_s, self.crouch)

    def draw(self, time_s: float, stature: float, facing: int, subpixel: Points) -> tuple[RGBA, tuple[int, int]]:
        """The figure, ``stature`` pixels tall, facing ±1, and the pixel (x, y) in it of its origin on the ice.

        ``subpixel`` (2,), 0..1, is how far the origin lies beyond that pixel.
        """
        joints = self.pose(time_s)
        half, above, below = int(0.58 * stature), int(0.97 * stature), int(0.06 * stature)
        canvas = Canvas(2 * half, above + below, np.array([half, above]) + subpixel, stature, facing)
        self._arm(canvas, joints.arms[0], 0.72)
        self._scarf_tail(canvas, joints, time_s)
        self._leg(canvas, joints.legs[0], 0.74)
        self._leg(canvas, joints.legs[1], 1.0)
        self._jacket(canvas, joints)
        self._head(canvas, joints, time_s)
        self._arm(canvas, joints.arms[1], 1.0)
        return canvas.picture(), (half, above)

    def _leg(self, canvas: Canvas, leg: Leg, depth: float) -> None:
        self._skate(canvas, leg, depth)
        cloth = tones(self.outfit.trousers, depth)
        down = leg.ankle - leg.knee
        cuff = leg.knee + 0.90 * down
        bones = [Bone(leg.hip, leg.knee, 0.082, 0.050, 0.010, 0.012), Bone(leg.knee, cuff, 0.050, 0.036, 0.0, 0.018)]
        canvas.limb(bones, cloth)
        side = np.stack([leg.hip, 0.5 * (leg.hip + leg.knee), leg.knee, 0.5 * (leg.knee + cuff), cuff])
        piping = tones(self.outfit.piping, depth)[TONES - 3]
        canvas.stroke(smooth(side, np.linspace(0, 4, 17)) - (0.012, 0.0), piping, 0.011)
        out = turned(down) / np.hypot(*down)
        for k, (along, reach) in enumerate(((-0.10, 0.032), (-0.02, 0.040), (0.10, 0.030), (0.80, 0.024))):
            start = leg.knee + along * down - (0.034 if k < 3 else 0.02) * out
            _crease(canvas, start, 0.5 * reach * out + 0.012 * down, reach * out - 0.01 * k * down, cloth[2], 7)

    def _skate(self, canvas: Canvas, leg: Leg, depth: float) -> None:
        forward = -direction(leg.pitch - 90)
        skate = _Part(leg.ankle, np.stack([forward, -turned(forward)]))
        steel = tones((196, 206, 218), depth)
        blade = [(-0.048, -0.071), (-0.042, -0.082), (0.094, -0.082), (0.112, -0.074), (0.116, -0.066)]
        canvas.fill(skate.at(blade), steel[4])
        for x in (-0.018, 0.062):
            holder = [(x - 0.016, -0.034), (x - 0.009, -0.072), (x + 0.009, -0.072), (x + 0.016, -0.034)]
            canvas.fill(skate.at(holder), steel[2])
        canvas.blob(skate.curve(_BOOT, 30), tones(self.outfit.boots, depth), 0.022)
        canvas.stroke(skate.at([(-0.042, -0.032), (0.090, -0.032)]), tones((40, 42, 50), depth)[2], 0.010)
        for k in range(4):
            lace = [(0.016 + 0.006 * k, 0.052 - 0.012 * k), (0.036 + 0.008 * k, 0.056 - 0.014 * k)]
            canvas.stroke(skate.at(lace), tones((240, 240, 240), depth)[4], 0.004)

    def _arm(self, canvas: Canvas, arm: Arm, depth: float) -> None:
        outfit = self.outfit
        glove, cloth, stripe = (tones(colour, depth) for colour in (outfit.gloves, outfit.jacket, outfit.stripe))
        palm, thumb = arm.wrist + 0.040 * arm.hand, arm.wrist + 0.018 * arm.hand
        canvas.limb([Bone(arm.wrist, palm, 0.024, 0.027)], glove)
        canvas.limb([Bone(thumb, thumb + 0.024 * arm.hand + 0.026 * turned(arm.hand), 0.011, 0.009)], glove)
        upper = Bone(arm.shoulder, arm.elbow, 0.050, 0.037, 0.004, 0.004)
        canvas.limb([upper, Bone(arm.elbow, arm.wrist, 0.037, 0.028, 0.0, 0.004)], cloth)
        line = np.stack([arm.shoulder, arm.elbow, arm.wrist])
        canvas.stroke(smooth(line, np.linspace(0.15, 1.93, 15)), stripe[TONES - 3], 0.013)
        lower = arm.wrist - arm.elbow
        canvas.limb([Bone(arm.elbow + 0.88 * lower, arm.elbow + 1.02 * lower, 0.031, 0.030)], stripe)
        out = turned(lower) / np.hypot(*lower)
        for along in (-0.16, 0.02, 0.20):
            start = arm.elbow + along * lower - 0.026 * out
            canvas.stroke(np.stack([start, start + 0.014 * out + 0.03 * lower, start + 0.026 * out]), cloth[2], 0.004)

    def _jacket(self, canvas: Canvas, joints: Pose) -> None:
        spine = joints.neck - joints.hip
        ahead = turned(spine) / np.hypot(*spine)
        keys = smooth(_JACKET, np.linspace(0, len(_JACKET) - 1, 41))
        light = float(TO_LIGHT @ (ahead * canvas.facing))  # across the body only, so that bands stay bands

        def between(low: float, high: float, shrink: float) -> Points:
            along = np.linspace(low, high, max(int(30 * (high - low)), 5))
            back, front = (np.interp(along, keys[:, 0], keys[:, k]) for k in (1, 2))
            middle = joints.hip + along[:, None] * spine - (0.012 * np.sin(np.pi * along))[:, None] * ahead
            side = [middle + (shrink * v[:, None] + 0.05 * light * (1 - shrink)) * ahead for v in (front, back)]
            return np.concatenate([side[0], side[1][::-1]])

        cloth, stripe = tones(self.outfit.jacket), tones(self.outfit.stripe)
        for low, high, shades in (
            (-0.24, 1.06, cloth), (-0.24, -0.16, stripe), (0.56, 0.70, stripe), (0.735, 0.765, stripe)
        ):  # fmt: skip
            canvas.shade([[between(low, high, 1 - k / TONES)] for k in range(TONES)], shades, 0.0)
        for k, length in enumerate(_HEM):
            start = joints.hip + (0.04 + 0.085 * k) * spine + (0.082 - 0.004 * k) * ahead
            bent, end = -0.5 * length * ahead + 0.012 * spine, -length * ahead - 0.05 * spine
            _crease(canvas, start, bent, end, cloth[2], 9)
            start = joints.hip + 0.10 * k * spine - 0.083 * ahead
            bent, end = 0.5 * length * ahead - 0.02 * spine, 0.8 * length * ahead - 0.10 * spine
            _crease(canvas, start, bent, end, cloth[TONES - 2], 9)
        corners = np.arange(10) * np.pi / 5
        radius = np.where(np.arange(10) % 2 == 0, 0.030, 0.013)[:, None]
        star = radius * np.stack([np.sin(corners), -np.cos(corners)], axis=1)
        badge = joints.hip + 0.30 * spine - 0.012 * ahead + star
        canvas.fill(badge, tones(self.outfit.scarf[0])[TONES - 2])

    def _scarf_tail(self, canvas: Canvas, joints: Pose, time_s: float) -> None:
        t = np.linspace(0, 1, 25)
        root = joints.neck + np.array([-0.035, -0.005])
        for tail, (length, width, lag) in enumerate(((0.34, 0.052, 0.0), (0.25, 0.046, 1.1))):
            wave = 2 * np.pi * (1.25 * t - 1.9 * time_s) + lag
            x = root[0] - length * t * (1 - 0.08 * np.sin(wave))
            y = root[1] - 0.02 * t + 0.045 * t * np.sin(wave) + (0.05 + 0.05 * tail) * t**1.4
            line = np.stack([x, y], axis=1)
            slope = np.gradient(line, axis=0)
            out = np.stack([-slope[:, 1], slope[:, 0]], axis=1) / np.hypot(*slope.T)[:, None]
            half = width * (0.42 + 0.16 * t)[:, None] * out
            light = 0.86 + 0.20 * np.cos(wave + 0.8)
            for k in range(len(t) - 1):
                shades = tones(self.outfit.scarf[(k // 4) % 2], round(float(light[k]), 1) * (1.0 - 0.12 * tail))
                piece = np.concatenate([line[k : k + 2] + half[k : k + 2], (line[k : k + 2] - half[k : k + 2])[::-1]])
                canvas.fill(piece, shades[TONES - 2])
            for side in (-0.8, -0.4, 0.0, 0.4, 0.8):  # the fringe
                start = line[-1] + side * half[-1]
                thread = np.stack([start, start + np.array([-0.022, 0.004 * np.sin(wave[-1])])])
                canvas.stroke(thread, self.outfit.scarf[0], 0.005)

    def _head(self, canvas: Canvas, joints: Pose, time_s: float) -> None:
        outfit, up = self.outfit, direction(joints.nod)
        head = _Part(joints.head, 0.064 * np.stack([turned(up), up]))
        throat = Bone(joints.neck, joints.head + np.array([-0.015, 0.02]), 0.036, 0.034)
        canvas.limb([throat], tones(outfit.skin, 0.86))
        if outfit.ponytail:
            self._ponytail(canvas, head.at((-0.95, 0.45)), time_s)
        self._face(canvas, head)
        if not outfit.ponytail:
            self._hat(canvas, head)
        canvas.blob(head.curve(_BAND), tones(outfit.scarf[0] if outfit.ponytail else outfit.stripe), 0.012)
        back, front = joints.neck + np.array([(-0.048, -0.002), (0.050, -0.012)])
        canvas.limb([Bone(back, front, 0.027, 0.025)], tones(outfit.scarf[0]))
        for x in (-0.03, 0.0, 0.03):
            fold = joints.neck + np.array([(x - 0.004, -0.024), (x + 0.006, 0.010)])
            canvas.stroke(fold, tones(outfit.scarf[1])[3], 0.008)

    def _face(self, canvas: Canvas, head: _Part) -> None:
        skin, hair = tones(self.outfit.skin), tones(self.outfit.hair)
        canvas.blob(head.curve(_FACE), skin, 0.028)
        canvas.blob(head.curve(_HAIR), hair, 0.03)
        ear = [(-0.18, 0.14), (-0.02, 0.10), (0.0, -0.12), (-0.12, -0.34), (-0.24, -0.1)]
        canvas.blob(head.curve(ear, 16), skin, 0.01)
        canvas.fill(head.curve([(0.52, 0.13), (0.66, 0.22), (0.76, 0.12), (0.66, 0.05)], 12), (244, 244, 240))
        iris = 0.0065 * np.array([(1.3, 0), (0.9, 0.8), (0.4, 1), (0, 0), (0.4, -1), (0.9, -0.8)])
        canvas.fill(head.at((0.62, 0.12)) + iris, (42, 30, 28))
        canvas.stroke(head.at([(0.48, 0.34), (0.64, 0.42), (0.80, 0.36)]), hair[1], 0.006)
        canvas.stroke(head.at([(0.62, -0.58), (0.74, -0.56), (0.86, -0.50)]), (150, 66, 62), 0.005)
        red, green, blue = self.outfit.skin
        blush = (min(red + 12, 255), int(green * 0.80), int(blue * 0.80))
        canvas.fill(head.curve([(0.42, -0.22), (0.56, -0.12), (0.66, -0.26), (0.54, -0.38)], 14), blush)

    def _hat(self, canvas: Canvas, head: _Part) -> None:
        wool = tones(self.outfit.scarf[1])
        canvas.blob(head.curve(_HAT), wool, 0.03)
        for x in np.linspace(-0.8, 0.8, 7):
            rib = [(x, 0.62), (0.75 * x - 0.06, 1.0), (0.35 * x - 0.10, 1.28)]
            canvas.stroke(head.at(rib), wool[2], 0.0035)
        turn = np.linspace(0, 2 * np.pi, 18)[:-1]
        bobble = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (0.32 + 0.03 * np.cos(7 * turn))[:, None]
        canvas.blob(head.at(np.array([-0.28, 1.56]) + bobble), tones(self.outfit.scarf[1]), 0.015)

    def _ponytail(self, canvas: Canvas, root: Points, time_s: float) -> None:
        t = np.linspace(0, 1, 8)
        wave = 2 * np.pi * (0.8 * t - 1.4 * time_s)
        line = root + np.stack([-0.15 * t, 0.10 * t**1.5 + 0.022 * t * np.sin(wave)], axis=1)
        radius = 0.016 + 0.020 * np.sin(np.pi * np.minimum(t + 0.12, 1.0))
        bones = [Bone(line[k], line[k + 1], float(radius[k]), float(radius[k + 1])) for k in range(len(t) - 1)]
        canvas.limb(bones, tones(self.outfit.hair))


def _crease(canvas: Canvas, start: Points, middle: Points, end: Points, colour: Colour, samples: int) -> None:
    """A crease in cloth, from ``start`` over ``start + middle`` to ``start + end``."""
    keys = np.stack([start, start + middle, start + end])
    canvas.stroke(smooth(keys, np.linspace(0, 2, samples)), colour, 0.004)
