"""What a skater looks like: clothes, skates, scarf and head, drawn on the joints that sample_pose.py gives.

This module knows nothing about the rink, the camera or frames. Figure coordinates: x forward, y down, the origin on
the ice below the hips, 1.0 is the skater's standing height.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vidseg.sample.canvas import LIGHT, RGBA, TONES, Bone, Canvas, Colour, tones
from vidseg.sample.pose import Arm, Leg, Points, Pose, direction, pose, smooth


@dataclass(frozen=True, slots=True)
class Outfit:
    """The colours of a skater, 0..255 RGB; ``ponytail`` wears a headband over long hair, else it is a bobble hat."""

    jacket: Colour
    stripe: Colour
    trousers: Colour
    piping: Colour
    scarf: tuple[Colour, Colour]
    hat: Colour
    gloves: Colour
    boots: Colour
    skin: Colour
    hair: Colour
    ponytail: bool


def _frame(origin: Points, up: Points) -> NDArray[np.float64]:
    """Axes (2, 2) whose rows are forward and up of a part that stands along ``up``."""
    return np.stack([np.array([-up[1], up[0]]), up])


# The jacket's silhouette: along the spine (0 hips, 1 neck), its back and its front.
_JACKET = np.array(
    [
        [-0.24, -0.080, 0.088],
        [-0.10, -0.092, 0.094],
        [0.08, -0.088, 0.086],
        [0.28, -0.080, 0.079],
        [0.50, -0.084, 0.086],
        [0.70, -0.086, 0.090],
        [0.86, -0.074, 0.078],
        [0.97, -0.052, 0.056],
        [1.06, -0.030, 0.034],
    ]
)
_FACE = np.array(  # ahead, up, in head radii: from the nape over the crown to the chin
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
class Figure:
    """One skater: its colours, how long its stroke takes, where in it time zero falls, and how deep it sits."""

    outfit: Outfit
    period_s: float
    phase: float
    crouch: float
    _hem: tuple[float, ...] = field(default=(0.03, 0.055, 0.02, 0.06, 0.035), repr=False)

    def pose(self, time_s: float) -> Pose:
        """The pose at a time in seconds."""
        return pose(self.phase + time_s / self.period_s, self.crouch)

    def draw(self, time_s: float, stature: float, facing: int, subpixel: Points) -> tuple[RGBA, tuple[int, int]]:
        """The figure ``stature`` pixels tall facing ±1, and the pixel (x, y) in it of its origin on the ice.

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
        out = np.array([-down[1], down[0]]) / np.hypot(*down)
        for k, (along, reach) in enumerate(((-0.10, 0.032), (-0.02, 0.040), (0.10, 0.030), (0.80, 0.024))):
            start = leg.knee + along * down - (0.034 if k < 3 else 0.02) * out
            fold = np.stack([start, start + (0.5 * reach) * out + 0.012 * down, start + reach * out - 0.01 * k * down])
            canvas.stroke(smooth(fold, np.linspace(0, 2, 7)), cloth[2], 0.004)

    def _skate(self, canvas: Canvas, leg: Leg, depth: float) -> None:
        ahead = -direction(leg.pitch - 90) * (1, 1)
        axes = np.stack([ahead, np.array([ahead[1], -ahead[0]])])

        def place(points: Sequence[tuple[float, float]] | Points) -> Points:
            placed: Points = leg.ankle + np.asarray(points, float) @ axes
            return placed

        steel = tones((196, 206, 218), depth)
        canvas.fill(
            place([(-0.048, -0.071), (-0.042, -0.082), (0.094, -0.082), (0.112, -0.074), (0.116, -0.066)]), steel[4]
        )
        for x in (-0.018, 0.062):
            canvas.fill(
                place([(x - 0.016, -0.034), (x - 0.009, -0.072), (x + 0.009, -0.072), (x + 0.016, -0.034)]), steel[2]
            )
        boot = tones(self.outfit.boots, depth)
        canvas.blob(place(smooth(_BOOT, np.linspace(0, len(_BOOT), 31)[:-1], closed=True)), boot, 0.022)
        canvas.stroke(place([(-0.042, -0.032), (0.090, -0.032)]), tones((40, 42, 50), depth)[2], 0.010)
        for k in range(4):
            canvas.stroke(place([(0.016 + 0.006 * k, 0.052 - 0.012 * k), (0.036 + 0.008 * k, 0.056 - 0.014 * k)]),
                          tones((240, 240, 240), depth)[4], 0.004)  # fmt: skip

    def _arm(self, canvas: Canvas, arm: Arm, depth: float) -> None:
        glove = tones(self.outfit.gloves, depth)
        palm = arm.wrist + 0.040 * arm.hand
        thumb = arm.wrist + 0.018 * arm.hand
        canvas.limb([Bone(arm.wrist, palm, 0.024, 0.027)], glove)
        canvas.limb(
            [Bone(thumb, thumb + 0.024 * arm.hand + 0.026 * np.array([-arm.hand[1], arm.hand[0]]), 0.011, 0.009)], glove
        )
        cloth = tones(self.outfit.jacket, depth)
        canvas.limb(
            [
                Bone(arm.shoulder, arm.elbow, 0.050, 0.037, 0.004, 0.004),
                Bone(arm.elbow, arm.wrist, 0.037, 0.028, 0.0, 0.004),
            ],
            cloth,
        )
        line = np.stack([arm.shoulder, arm.elbow, arm.wrist])
        canvas.stroke(smooth(line, np.linspace(0.15, 1.93, 15)), tones(self.outfit.stripe, depth)[TONES - 3], 0.013)
        lower = arm.wrist - arm.elbow
        canvas.limb(
            [Bone(arm.elbow + 0.88 * lower, arm.elbow + 1.02 * lower, 0.031, 0.030)], tones(self.outfit.stripe, depth)
        )
        out = np.array([-lower[1], lower[0]]) / np.hypot(*lower)
        for along in (-0.16, 0.02, 0.20):
            start = arm.elbow + along * lower - 0.026 * out
            canvas.stroke(np.stack([start, start + 0.014 * out + 0.03 * lower, start + 0.026 * out]), cloth[2], 0.004)

    def _jacket(self, canvas: Canvas, joints: Pose) -> None:
        spine = joints.neck - joints.hip
        ahead = np.array([-spine[1], spine[0]]) / np.hypot(*spine)
        keys = smooth(_JACKET, np.linspace(0, len(_JACKET) - 1, 41))

        light = float(LIGHT @ (ahead * canvas.facing))  # across the body only, so that bands stay bands

        def between(low: float, high: float, shrink: float = 1.0) -> Points:
            along = np.linspace(low, high, max(int(30 * (high - low)), 5))
            back, front = (np.interp(along, keys[:, 0], keys[:, k]) for k in (1, 2))
            middle = joints.hip + along[:, None] * spine - (0.012 * np.sin(np.pi * along))[:, None] * ahead
            side = [middle + (shrink * v[:, None] + 0.05 * light * (1 - shrink)) * ahead for v in (front, back)]
            return np.concatenate([side[0], side[1][::-1]])

        def shaded(low: float, high: float, colour: Colour) -> None:
            canvas.shade([[between(low, high, 1 - k / TONES)] for k in range(TONES)], tones(colour), 0.0)

        shaded(-0.24, 1.06, self.outfit.jacket)
        shaded(-0.24, -0.16, self.outfit.stripe)
        shaded(0.56, 0.70, self.outfit.stripe)
        shaded(0.735, 0.765, self.outfit.stripe)
        dark = tones(self.outfit.jacket)
        for k, length in enumerate(self._hem):
            start = joints.hip + (0.04 + 0.085 * k) * spine + (0.082 - 0.004 * k) * ahead
            fold = np.stack(
                [start, start - 0.5 * length * ahead + 0.012 * spine, start - length * ahead - 0.05 * spine]
            )
            canvas.stroke(smooth(fold, np.linspace(0, 2, 9)), dark[2], 0.004)
            start = joints.hip + (0.0 + 0.10 * k) * spine - 0.083 * ahead
            fold = np.stack(
                [start, start + 0.5 * length * ahead - 0.02 * spine, start + 0.8 * length * ahead - 0.10 * spine]
            )
            canvas.stroke(smooth(fold, np.linspace(0, 2, 9)), dark[TONES - 2], 0.004)
        self._badge(canvas, joints.hip + 0.30 * spine - 0.012 * ahead)

    def _badge(self, canvas: Canvas, middle: Points) -> None:
        corners = np.arange(10) * np.pi / 5
        radius = np.where(np.arange(10) % 2 == 0, 0.030, 0.013)[:, None]
        star = middle + radius * np.stack([np.sin(corners), -np.cos(corners)], axis=1)
        canvas.fill(star, tones(self.outfit.scarf[0])[TONES - 2])

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
                colour = tones(self.outfit.scarf[(k // 4) % 2], round(float(light[k]), 1) * (1.0 - 0.12 * tail))[
                    TONES - 2
                ]
                piece = np.concatenate([line[k : k + 2] + half[k : k + 2], (line[k : k + 2] - half[k : k + 2])[::-1]])
                canvas.fill(piece, colour)
            for side in (-0.8, -0.4, 0.0, 0.4, 0.8):  # the fringe
                start = line[-1] + side * half[-1]
                canvas.stroke(
                    np.stack([start, start + np.array([-0.022, 0.004 * np.sin(wave[-1])])]), self.outfit.scarf[0], 0.005
                )

    def _head(self, canvas: Canvas, joints: Pose, time_s: float) -> None:
        radius = 0.064
        axes = radius * _frame(joints.head, direction(joints.nod))

        def place(keys: Points | Sequence[tuple[float, float]], samples: int = 40) -> Points:
            keys = np.asarray(keys, float)
            placed: Points = joints.head + smooth(keys, np.linspace(0, len(keys), samples + 1)[:-1], closed=True) @ axes
            return placed

        skin, hair = tones(self.outfit.skin), tones(self.outfit.hair)
        canvas.limb(
            [Bone(joints.neck, joints.head + np.array([-0.015, 0.02]), 0.036, 0.034)], tones(self.outfit.skin, 0.86)
        )
        if self.outfit.ponytail:
            self._ponytail(canvas, joints.head + np.array([-0.95, 0.45]) @ axes, time_s)
        canvas.blob(place(_FACE), skin, 0.028)
        canvas.blob(place(_HAIR), hair, 0.03)
        ear = [(-0.18, 0.14), (-0.02, 0.10), (0.0, -0.12), (-0.12, -0.34), (-0.24, -0.1)]
        canvas.blob(place(ear, 16), skin, 0.01)
        eye = joints.head + np.array([0.62, 0.12]) @ axes
        canvas.fill(place([(0.52, 0.13), (0.66, 0.22), (0.76, 0.12), (0.66, 0.05)], 12), (244, 244, 240))
        canvas.fill(
            eye + 0.0065 * np.array([(1.3, 0), (0.9, 0.8), (0.4, 1), (0, 0), (0.4, -1), (0.9, -0.8)]), (42, 30, 28)
        )
        canvas.stroke(joints.head + np.array([(0.48, 0.34), (0.64, 0.42), (0.80, 0.36)]) @ axes, hair[1], 0.006)
        canvas.stroke(
            joints.head + np.array([(0.62, -0.58), (0.74, -0.56), (0.86, -0.50)]) @ axes, (150, 66, 62), 0.005
        )
        blush = (min(self.outfit.skin[0] + 12, 255), int(self.outfit.skin[1] * 0.80), int(self.outfit.skin[2] * 0.80))
        canvas.fill(place([(0.42, -0.22), (0.56, -0.12), (0.66, -0.26), (0.54, -0.38)], 14), blush)
        if not self.outfit.ponytail:
            canvas.blob(place(_HAT), tones(self.outfit.hat), 0.03)
            for x in np.linspace(-0.8, 0.8, 7):  # knitted ribs
                rib = joints.head + np.array([(x, 0.62), (0.75 * x - 0.06, 1.0), (0.35 * x - 0.10, 1.28)]) @ axes
                canvas.stroke(rib, tones(self.outfit.hat)[2], 0.0035)
            bobble = np.linspace(0, 2 * np.pi, 18)[:-1]
            wool = np.stack([np.cos(bobble), np.sin(bobble)], axis=1) * (0.32 + 0.03 * np.cos(7 * bobble))[:, None]
            canvas.blob(joints.head + (np.array([-0.28, 1.56]) + wool) @ axes, tones(self.outfit.scarf[1]), 0.015)
        canvas.blob(place(_BAND), tones(self.outfit.scarf[0] if self.outfit.ponytail else self.outfit.stripe), 0.012)
        back, front = joints.neck + np.array([(-0.048, -0.002), (0.050, -0.012)])
        canvas.limb([Bone(back, front, 0.027, 0.025)], tones(self.outfit.scarf[0]))
        for x in (-0.03, 0.0, 0.03):
            canvas.stroke(
                joints.neck + np.array([(x - 0.004, -0.024), (x + 0.006, 0.010)]), tones(self.outfit.scarf[1])[3], 0.008
            )

    def _ponytail(self, canvas: Canvas, root: Points, time_s: float) -> None:
        t = np.linspace(0, 1, 8)
        wave = 2 * np.pi * (0.8 * t - 1.4 * time_s)
        line = root + np.stack([-0.15 * t, 0.10 * t**1.5 + 0.022 * t * np.sin(wave)], axis=1)
        radius = 0.016 + 0.020 * np.sin(np.pi * np.minimum(t + 0.12, 1.0))
        bones = [Bone(line[k], line[k + 1], float(radius[k]), float(radius[k + 1])) for k in range(len(t) - 1)]
        canvas.limb(bones, tones(self.outfit.hair))
