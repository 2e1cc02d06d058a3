"""The skaters of the built-in clip: who skates where is drawn from the seed, with their clothes and the camera.

A ``Sprite`` is a skater in one frame: its picture, its shadow on the ice and its reflection in it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.figure import Figure, Outfit
from vidseg.sample.paint import RGBA, Colour, nearness
from vidseg.sample.pose import Points
from vidseg.types import RGB

_JACKETS: tuple[Colour, ...] = ((206, 56, 50), (34, 140, 132), (232, 150, 40), (104, 70, 160), (44, 104, 184))
_TROUSERS: tuple[Colour, ...] = ((46, 92, 158), (124, 88, 62), (76, 88, 62), (48, 50, 56), (84, 54, 84))
_ACCENTS: tuple[Colour, ...] = ((246, 236, 216), (250, 206, 84), (244, 244, 248), (240, 120, 84), (150, 216, 220))
_SCARVES: tuple[tuple[Colour, Colour], ...] = (
    ((246, 196, 60), (36, 96, 140)), ((226, 92, 120), (250, 224, 222)),
    ((240, 240, 232), (176, 48, 52)), ((120, 190, 120), (250, 236, 170)),
)  # fmt: skip
_SKINS: tuple[Colour, ...] = ((238, 190, 162), (222, 168, 132), (176, 124, 96), (128, 86, 64))
_HAIRS: tuple[Colour, ...] = ((92, 58, 36), (44, 32, 30), (196, 148, 82), (140, 66, 38))
SHADOW_SLANT = (0.62, 0.20)  # the shadow of a point falls so many times its height to the right, and away


@dataclass(frozen=True, slots=True)
class Sprite:
    """A skater in one frame. Its methods draw into a picture (h, w, 3) in place."""

    label: int  # its object id
    rgba: RGBA  # its picture
    corner: tuple[int, int]  # where the picture's upper left corner lies in the frame, (x, y)
    ground: float  # the frame's row of the ice below its hips

    def draw(self, picture: RGB) -> None:
        """Draws the skater."""
        _lay(picture, self.rgba, self.corner)

    def cast_shadow(self, picture: RGB) -> None:
        """Darkens the ice by the silhouette, laid down away from the light and blurred."""
        foot = self.ground - self.corner[1]  # the row of the skater's picture that touches the ice
        right, away = SHADOW_SLANT
        size = self.rgba.shape[1] + int(right * foot) + 24, int(away * foot) + 40
        base = int(away * foot) + 16  # the row of the shadow's picture that touches the ice
        matrix = np.array([[1.0, -right, right * foot], [0.0, away, base - away * foot]])
        shadow = cv2.warpAffine(np.ascontiguousarray(self.rgba[..., 3]), matrix, size, flags=cv2.INTER_AREA)
        shadow = cv2.GaussianBlur(shadow, (0, 0), 4.0)
        window, piece = overlap(picture, shadow, (self.corner[0], round(self.ground) - base))
        if window.size:
            cool = cv2.merge([255 - cv2.multiply(piece, (k,)) for k in (0.44, 0.39, 0.30)])  # the sky lights it blue
            window[:] = cv2.multiply(window, cool, None, 1 / 255)

    def mirror(self, picture: RGB) -> None:
        """Adds the faint reflection."""
        foot = round(self.ground) - self.corner[1]
        flipped = np.ascontiguousarray(self.rgba[max(foot - 150, 0) : foot][::-1])
        fade = (0.30 * np.linspace(1, 0, len(flipped), dtype=np.float32) ** 1.3)[:, None, None]
        blurred = cv2.GaussianBlur(flipped, (3, 9), 0)
        _lay(picture, (blurred * fade).astype(np.uint8), (self.corner[0], round(self.ground)))


def overlap(
    frame: NDArray[np.uint8], piece: NDArray[np.uint8], corner: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Views of ``frame`` and ``piece`` where they overlap, with the corner of ``piece`` at ``corner`` (x, y)."""
    x, y = corner
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + piece.shape[1], frame.shape[1]), min(y + piece.shape[0], frame.shape[0])
    x1, y1 = max(x1, x0), max(y1, y0)
    return frame[y0:y1, x0:x1], piece[y0 - y : y1 - y, x0 - x : x1 - x]


def _lay(picture: RGB, rgba: RGBA, corner: tuple[int, int]) -> None:
    """Lays a premultiplied picture over another one."""
    window, piece = overlap(picture, rgba, corner)
    if window.size:
        through = cv2.merge([255 - piece[..., 3]] * 3)
        window[:] = cv2.add(cv2.multiply(window, through, None, 1 / 255), np.ascontiguousarray(piece[..., :3]))


@dataclass(frozen=True, slots=True)
class Skater:
    """One skater and its way across the picture, in pixels."""

    figure: Figure
    facing: int  # +1 skates to the right, -1 to the left
    start_xy: tuple[float, float]  # of the ice below its hips, at time 0
    speed: float  # a second, across the picture, signed
    sway: tuple[float, float]  # across, and towards the camera
    tall: float  # its height on the row FLOOR

    def foot(self, time_s: float) -> Points:
        """The pixel (2,) of the ice below its hips."""
        x = self.start_xy[0] + self.speed * time_s + self.sway[0] * np.sin(1.35 * time_s)
        return np.array([x, self.start_xy[1] + self.sway[1] * np.sin(0.8 * time_s)])

    def stature(self, time_s: float) -> float:
        """Its standing height in pixels, larger nearer to the camera."""
        return float(self.tall * nearness(self.foot(time_s)[1]))

    def clothes(self, time_s: float) -> Points:
        """A pixel (2,) well inside its jacket."""
        offset = self.figure.pose(time_s).clothes * (self.facing, 1.0) * self.stature(time_s)
        return np.asarray(self.foot(time_s) + offset)

    def drawn(self, time_s: float, label: int, width: int) -> Sprite | None:
        """The skater at a time; None if it is outside a picture of that width."""
        foot, stature = self.foot(time_s), self.stature(time_s)
        if not -stature < foot[0] < width + stature:  # its shadow reaches farther than the skater
            return None
        whole = np.floor(foot)
        rgba, origin = self.figure.draw(time_s, stature, self.facing, foot - whole)
        return Sprite(label, rgba, (int(whole[0]) - origin[0], int(whole[1]) - origin[1]), float(foot[1]))


def direct(rng: np.random.Generator, first: bool) -> tuple[Skater, Skater, float]:
    """The skater, the second one who passes in front, and the camera's speed in units of travel a second.

    ``first`` is seed 0, in which some choices are fixed.
    """
    facing = -1 if first else int(rng.choice([-1, 1]))
    click = np.array([782.0, 301.0])
    if not first:
        click = np.array([640 - facing * rng.uniform(90, 170), rng.uniform(290, 312)])
    outfits = _outfits(rng, first)
    period_s, phase = float(rng.uniform(1.45, 1.85)), 0.56 if first else float(rng.uniform(0, 1))
    figure = Figure(outfits[0], period_s, phase, float(rng.uniform(0.2, 0.8)))
    tall = 470.0 if first else float(rng.uniform(430, 490))
    # The skater is placed so that its jacket is at the click.
    clothes = figure.pose(0).clothes
    foot = click[1] - clothes[1] * tall
    tall = tall / nearness(foot)
    x = click[0] - facing * clothes[0] * tall * nearness(foot)
    drift = facing * float(rng.uniform(38, 60))
    skater = Skater(figure, facing, (float(x), float(foot)), drift, (-facing * 14.0, 9.0), tall)
    camera = facing * float(rng.uniform(190, 250))
    meeting_s = float(rng.uniform(2.7, 3.3))
    speed = -facing * float(rng.uniform(310, 360))
    period_s, phase, crouch = (float(rng.uniform(*limits)) for limits in ((1.35, 1.6), (0, 1), (0.3, 0.9)))
    figure = Figure(outfits[1], period_s, phase, crouch)
    nearer = float(foot + rng.uniform(66, 82))
    start = skater.foot(meeting_s)[0] - speed * meeting_s
    tall *= float(rng.uniform(0.76, 0.84))
    return skater, Skater(figure, -facing, (float(start), nearer), speed, (0.0, -4.0), tall), camera


def _outfits(rng: np.random.Generator, first: bool) -> list[Outfit]:
    """Two skaters whose clothes share no colour; the skater of seed 0 (``first``) wears red and denim."""

    def shuffled(n: int) -> NDArray[np.intp]:
        order = rng.permutation(n)
        return np.arange(n) if first else order

    jacket, trousers, accent, scarf = (shuffled(n) for n in (5, 5, 5, 4))
    skin, hair, tail = shuffled(4), shuffled(4), (0, 1) if first else rng.permutation(2)
    return [
        Outfit(
            jacket=_JACKETS[jacket[k]],
            stripe=_ACCENTS[accent[2 * k]],
            trousers=_TROUSERS[trousers[k]],
            piping=_ACCENTS[accent[2 * k + 1]],
            scarf=_SCARVES[scarf[k]],
            gloves=((60, 44, 42), (74, 70, 88))[k],
            boots=((66, 48, 46), (104, 70, 48))[k],
            skin=_SKINS[skin[2 * k]],
            hair=_HAIRS[hair[k]],
            ponytail=bool(tail[k]),
        )
        for k in range(2)
    ]
