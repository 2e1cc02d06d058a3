"""People drawn by code: jointed figures at sports and on walks, with the loose ends that real ones have.

Scarves, ponytails, gloves, sticks, boards and blades belong to the figure: thin parts and colours unlike the rest are
what a tracker loses first. All pictures are uint8 RGB (H, W, 3), all masks uint8 (H, W), 0 or 1.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
SIDE = 320  # pixels: the canvas
_RIM = 4  # pixels that a part's colours reach beyond its mask, so that no seam shows when it is pasted


def colour(rng: Generator) -> Colour:
    """A random colour, of the muted kind that clothes and walls have."""
    hsv = np.uint8([[[rng.integers(180), 255 * rng.random() ** 1.3, 40 + 215 * rng.random()]]])
    r, g, b = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return int(r), int(g), int(b)


def _tone(base: Colour, gain: float) -> Colour:
    r, g, b = (int(min(255, gain * c)) for c in base)
    return r, g, b


def _towards(angle: float) -> NDArray[np.float64]:
    """The unit vector at ``angle`` from straight down, positive forward (to the right)."""
    return np.array([np.sin(angle), np.cos(angle)])


@dataclass
class _Canvas:
    image: Picture = field(default_factory=lambda: np.zeros((SIDE, SIDE, 3), np.uint8))
    mask: Picture = field(default_factory=lambda: np.zeros((SIDE, SIDE), np.uint8))

    def part(self, a: NDArray, b: NDArray, width_a: float, width_b: float, tint: Colour, round_: bool = True) -> None:
        """A tapered limb from ``a`` to ``b``: dark at its sides, lit along its middle."""
        for extra, gain, share in ((_RIM, 0.72, 1.0), (0, 0.72, 1.0), (0, 1.0, 0.72), (0, 1.12, 0.3)):
            self._taper(self.image, a, b, share * width_a + extra, share * width_b + extra, _tone(tint, gain), round_)
        self._taper(self.mask, a, b, width_a, width_b, 1, round_)

    def line(self, points: NDArray, width: int, tint: Colour) -> None:
        """A thin thing that belongs to the figure."""
        path = [np.round(points).astype(np.int32)]
        cv2.polylines(self.image, path, False, _tone(tint, 0.85), width + _RIM, cv2.LINE_AA)
        cv2.polylines(self.image, path, False, tint, width, cv2.LINE_AA)
        cv2.polylines(self.mask, path, False, 1, width)

    def mark(self, a: NDArray, b: NDArray, width: int, tint: Colour) -> None:
        """A stripe on what is there already."""
        cv2.line(self.image, tuple(map(int, a)), tuple(map(int, b)), tint, width, cv2.LINE_AA)

    def oval(self, at: NDArray, axes: tuple[float, float], angle: float, tint: Colour) -> None:
        """An ellipse, lit from above."""
        centre, degrees = tuple(map(int, np.round(at))), float(np.degrees(angle))
        for extra, gain, lift in ((_RIM / 2, 0.75, 0), (-1, 1.0, 1), (-0.4 * min(axes), 1.1, 2)):
            size = (max(1, round(axes[0] + extra)), max(1, round(axes[1] + extra)))
            where = (centre[0], centre[1] - lift)
            cv2.ellipse(self.image, where, size, degrees, 0, 360, _tone(tint, gain), -1, cv2.LINE_AA)
        cv2.ellipse(self.mask, centre, (max(1, round(axes[0])), max(1, round(axes[1]))), degrees, 0, 360, 1, -1)

    @staticmethod
    def _taper(target: Picture, a: NDArray, b: NDArray, wide: float, narrow: float, tint: object, round_: bool) -> None:
        along = (b - a) / (np.linalg.norm(b - a) + 1e-6)
        across = np.array([-along[1], along[0]])
        ends = [a + across * wide / 2, b + across * narrow / 2, b - across * narrow / 2, a - across * wide / 2]
        cv2.fillPoly(target, [np.round(ends).astype(np.int32)], tint)
        if round_:
            for at, width in ((a, wide), (b, narrow)):
                cv2.circle(target, tuple(map(int, np.round(at))), max(1, round(width / 2)), tint, -1)


class Figure:
    """A person in motion, drawn from the side; what it wears and carries, and how it moves, come from ``rng``."""

    def __init__(self, rng: Generator) -> None:
        light = rng.random()
        self._skin = (int(95 + 145 * light), int(60 + 130 * light), int(45 + 110 * light))
        names = ("hair", "top", "trim", "legs", "stripe", "shoes", "glove", "hat", "scarf", "other_scarf", "gear")
        self._tint = {name: colour(rng) for name in names}
        if rng.random() < 0.6:
            self._tint["hair"] = _tone((150, 105, 60), 0.25 + 0.9 * rng.random())
        if rng.random() < 0.5:
            self._tint["shoes"] = _tone((70, 60, 55), 0.3 + rng.random())
        self._has = {
            name: rng.random() < share
            for name, share in {
                "bare arms": 0.2, "bare legs": 0.15, "gloves": 0.5, "stripes": 0.45, "bands": 0.4, "badge": 0.4,
                "skirt": 0.15, "tail": 0.3, "scarf": 0.4, "bag": 0.15, "stick": 0.12, "ball": 0.08,
            }.items()
        }  # fmt: skip
        self._hat = rng.choice(["none", "beanie", "band", "helmet", "cap"], p=[0.35, 0.2, 0.15, 0.15, 0.15])
        self._gear = rng.choice(["none", "blades", "board", "skis"], p=[0.45, 0.27, 0.18, 0.1])
        self._phase, self._rate = 2 * np.pi * rng.random(), rng.uniform(0.12, 0.9)
        self._swing, self._arms = rng.uniform(0.15, 0.85), rng.uniform(0.2, 1.1)
        self._lean, self._crouch = rng.normal(0.22, 0.28), rng.uniform(0.0, 0.7)
        self._raise, self._elbow = rng.normal(0.3, 0.5), rng.uniform(0.2, 1.5)
        self._bulk, self._wind = rng.uniform(0.75, 1.3), rng.uniform(0.2, 1.6)
        self._shade = cv2.resize(rng.normal(0, 9, (20, 20)).astype(np.float32), (SIDE, SIDE))[..., None]

    def draw(self, t: int) -> tuple[Picture, Picture]:
        """The figure at frame ``t``: 320 x 320 pixels."""
        canvas = _Canvas()
        beat = self._phase + self._rate * t
        hip = np.array([160.0, 176 + 5 * np.sin(2 * beat)])
        neck = hip - 80 * _towards(-self._lean)
        if self._has["scarf"]:
            self._flow(canvas, neck + (0, 4), beat, 82, 14)
        self._arm(canvas, neck, beat, -1)
        self._leg(canvas, hip, beat, -1)
        if self._has["bag"]:
            canvas.part(neck + (-18, 16), hip + (-18, -22), 34, 38, self._tint["gear"])
        self._leg(canvas, hip, beat, 1)
        self._torso(canvas, hip, neck)
        self._head(canvas, neck, beat)
        self._arm(canvas, neck, beat, 1)
        image = np.clip(canvas.image + self._shade, 0, 255).astype(np.uint8)
        return image, canvas.mask

    def _torso(self, canvas: _Canvas, hip: NDArray, neck: NDArray) -> None:
        tint, trim = self._tint["top"], self._tint["trim"]
        chest = neck + 0.16 * (hip - neck)
        canvas.part(chest, hip, 46 * self._bulk, 40 * self._bulk, tint)
        if self._has["bands"]:
            for share in (0.3, 1.1):
                at, across = neck + share * (hip - neck), 17 * self._bulk * _towards(np.pi / 2 - self._lean)
                canvas.mark(at - across, at + across, 7, trim)
        if self._has["badge"]:
            canvas.oval(neck + 0.6 * (hip - neck), (7, 7), 0, self._tint["stripe"])
        if self._has["skirt"]:
            canvas.part(hip, hip + 44 * _towards(-0.1), 36 * self._bulk, 62 * self._bulk, tint, round_=False)
        if self._has["scarf"]:
            canvas.oval(neck + (1, 0), (15, 9), 0.2, self._tint["scarf"])

    def _arm(self, canvas: _Canvas, neck: NDArray, beat: float, side: int) -> None:
        angle = -side * self._arms * np.sin(beat) + self._raise + 0.3 * self._lean
        gain = 1.0 if side > 0 else 0.75
        sleeve = _tone(self._tint["top"], gain)
        below = _tone(self._skin, gain) if self._has["bare arms"] else sleeve
        shoulder = neck + (0, 13)
        elbow = shoulder + 44 * _towards(angle)
        wrist = elbow + 40 * _towards(angle + self._elbow)
        hand = wrist + 8 * _towards(angle + self._elbow)
        if self._has["stick"] and side > 0:
            reach = _towards(angle + 0.4)
            canvas.line(np.stack([hand - 40 * reach, hand + 100 * reach]), 5, self._tint["gear"])
        canvas.part(elbow, wrist, 17 * self._bulk, 12 * self._bulk, below)
        canvas.part(shoulder, elbow, 21 * self._bulk, 17 * self._bulk, sleeve)
        if self._has["stripes"]:
            canvas.mark(shoulder, elbow, 4, self._tint["trim"])
            canvas.mark(elbow, wrist, 4, self._tint["trim"])
        canvas.oval(hand, (8, 8), 0, _tone(self._tint["glove"] if self._has["gloves"] else self._skin, gain))
        if self._has["ball"] and side > 0:
            canvas.oval(hand + (10, 8), (17, 17), 0, self._tint["gear"])

    def _leg(self, canvas: _Canvas, hip: NDArray, beat: float, side: int) -> None:
        thigh = side * self._swing * np.sin(beat) + 0.6 * self._crouch + 0.1
        shin = thigh - self._crouch - 1.2 * self._swing * max(0.0, np.cos(beat + (0 if side > 0 else np.pi)))
        gain = 1.0 if side > 0 else 0.75
        tint = _tone(self._tint["legs"], gain)
        knee = hip + 58 * _towards(thigh)
        ankle = knee + 56 * _towards(shin)
        if self._gear == "board" and side < 0:
            nose = np.array([60.0, 8 * np.sin(beat)])
            middle = np.array([hip[0], hip[1] + 128])
            canvas.part(middle - nose, middle + nose, 11, 11, self._tint["gear"])
        foot = shin + np.pi / 2 if self._gear == "blades" else np.pi / 2
        toe = ankle + 20 * _towards(foot)
        sole = 11 * _towards(foot - np.pi / 2)
        self._on_feet(canvas, ankle, toe, sole)
        below = _tone(self._skin, gain) if self._has["bare legs"] else tint
        canvas.part(knee, ankle, 26 * self._bulk, 17 * self._bulk, below)
        canvas.part(hip, knee, 36 * self._bulk, 26 * self._bulk, tint)
        if self._has["stripes"]:
            canvas.mark(hip, knee, 4, self._tint["stripe"])
            canvas.mark(knee, ankle, 4, self._tint["stripe"])
        canvas.part(ankle, ankle - 8 * _towards(shin), 18, 18, _tone(self._tint["shoes"], gain))
        canvas.part(ankle + 0.3 * sole, toe + 0.3 * sole, 17, 12, _tone(self._tint["shoes"], gain))

    def _on_feet(self, canvas: _Canvas, ankle: NDArray, toe: NDArray, sole: NDArray) -> None:
        tint, back = self._tint["gear"], (ankle - toe) / 20
        if self._gear == "blades":
            canvas.line(np.stack([ankle + 1.6 * sole + 8 * back, toe + 1.6 * sole]), 4, tint)
            for at in (ankle, toe + 5 * back):
                canvas.line(np.stack([at + 0.4 * sole, at + 1.5 * sole]), 3, tint)
        elif self._gear == "skis":
            canvas.line(np.stack([ankle + sole + (-55, 0), ankle + sole + (65, 0), ankle + sole + (78, -8)]), 5, tint)

    def _head(self, canvas: _Canvas, neck: NDArray, beat: float) -> None:
        at = neck + np.array([10 * np.sin(self._lean) + 3, -22])
        hair, hat = self._tint["hair"], self._tint["hat"]
        if self._has["tail"]:
            self._flow(canvas, at + (-12, -6), beat, 46, 12, hair)
        canvas.part(neck, at, 13, 13, self._skin)
        canvas.oval(at + (-3, -2), (17, 20), 0, hair)
        canvas.oval(at + (3, 2), (13, 16), 0, self._skin)
        if self._hat == "band":
            canvas.part(at + (-16, -8), at + (15, -8), 7, 7, hat)
        elif self._hat == "cap":
            canvas.part(at + (-14, -12), at + (26, -10), 9, 4, hat)
        elif self._hat in ("beanie", "helmet"):
            canvas.oval(at + (-2, -11), (19, 14), 0, hat)
            if self._hat == "beanie":
                canvas.part(at + (-17, -5), at + (15, -5), 8, 8, self._tint["trim"])
                canvas.oval(at + (-3, -27), (6, 6), 0, hat)

    def _flow(
        self, canvas: _Canvas, start: NDArray, beat: float, length: float, width: float, tint: Colour | None = None
    ) -> None:
        """A scarf or a ponytail that waves behind; a scarf in bands of two colours, with a second, shorter end."""
        for end in range(1 if tint else 2):
            share = np.linspace(0, 1, 9)[:, None]
            droop = (1.2 - self._wind) * length * share**1.5
            wave = 9 * share * np.sin(2.2 * beat + 4 * share + 1.7 * end)
            back = -length * (1 - 0.3 * end) * min(1.0, self._wind) * share
            points = start + np.hstack([back, droop + wave + 8 * end * share])
            for k in range(8):
                banded = self._tint["scarf" if k // 2 % 2 == 0 else "other_scarf"]
                canvas.part(points[k], points[k + 1], width, width, tint or banded)
