"""The built-in clip as a source: its frames, their ground truth, and the click on the skater.

Who skates where is drawn from the seed: two skaters with their clothes and ways across the picture, and the camera. A
``Sprite`` is a skater in one frame: its picture, its shadow on the ice and its reflection in it.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.sample.figure import Figure, Outfit
from vidseg.sample.paint import HEIGHT, LIGHTS, RGBA, WIDTH, Colour, nearness
from vidseg.sample.pose import Points
from vidseg.sample.rink import Rink
from vidseg.types import RGB, Frame, Prompt, VideoInfo

FPS = 30
NUM_FRAMES = 180
GRAIN = 5  # film grain changes a pixel by at most so many levels of 255

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


class SampleSource:
    """The built-in clip of one seed, a ``vidseg.types.Source``.

    ``frames`` are the frame numbers that iteration yields; by default all 180. ``prompts`` holds one positive click on
    the skater's clothes (object 1), on frame 0 or, if that isn't in ``frames``, on the first of them. Raises InputError
    for a negative seed and for a frame outside 0..179.
    """

    def __init__(self, seed: int = 0, frames: Sequence[int] | None = None) -> None:
        self.name = "sample"
        self.seed = int(seed)
        if self.seed < 0:
            raise InputError(f"sample.seed={seed} must be 0 or more")
        self.info = VideoInfo(WIDTH, HEIGHT, Fraction(FPS), NUM_FRAMES, Fraction(1, FPS))
        self.frames: Sequence[int] = range(NUM_FRAMES) if frames is None else frames
        for index in self.frames:
            self._check(index)
        self.audio: Path | None = None
        self.offset_s = self.frames[0] / FPS if len(self.frames) else 0.0
        rng = np.random.default_rng([self.seed, 2])
        *self._skaters, self._camera = direct(rng, self.seed == 0)
        reach = abs(self._camera) * NUM_FRAMES / FPS / 2 + 8
        self._rink = Rink(np.random.default_rng([self.seed, 1]), LIGHTS[self.seed % len(LIGHTS)], reach)
        grain = rng.integers(0, 2 * GRAIN + 1, (HEIGHT + 64, WIDTH + 64, 3), np.uint8)
        self._grain = cv2.GaussianBlur(grain, (0, 0), 0.6)
        across, down = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
        vignette = 255 * (1 - 0.20 * np.clip((across**2 + down**2) / 2 - 0.15, 0, 1))
        self._vignette = np.repeat(vignette.astype(np.uint8)[..., None], 3, axis=2)
        # Skaters are the slowest part of a frame, and truth() needs those of __getitem__ some frames later.
        self._cast = lru_cache(16)(self._draw_skaters)
        first = 0 if len(self.frames) == 0 or 0 in self.frames else self.frames[0]
        click = np.rint(self._skaters[0].clothes(first / FPS))
        self.prompts: tuple[Prompt, ...] = (Prompt(first, 1, click[None].astype(np.float32), np.ones(1, np.int32)),)

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        self._check(index)
        time_s = index / FPS
        picture = self._rink.draw(self._camera * (time_s - NUM_FRAMES / FPS / 2))
        for paint in (Sprite.cast_shadow, Sprite.mirror, Sprite.draw):
            for skater in self._cast(index):
                paint(skater, picture)
        cv2.multiply(picture, self._vignette, picture, 1 / 255)
        top, left = np.random.default_rng([self.seed, 3, index]).integers(0, 65, 2)
        cv2.add(picture, self._grain[top : top + HEIGHT, left : left + WIDTH], picture)
        cv2.subtract(picture, (GRAIN,) * 4, picture)
        return Frame(index, time_s, picture)

    def truth(self, index: int) -> NDArray[np.uint8]:
        """The label map (720, 1280): 0 background, 1 the skater, 2 the one who passes. A pixel belongs to an object
        that makes up more than half of its colour; shadow and reflection don't count."""
        self._check(index)
        labels_hw = np.zeros((HEIGHT, WIDTH), np.uint8)
        share_hw = np.zeros((HEIGHT, WIDTH), np.uint8)  # the skater's share of a pixel's colour, in 255ths
        for figure in self._cast(index):
            window, piece = overlap(share_hw, figure.rgba, figure.corner)
            alpha = np.ascontiguousarray(piece[..., 3])
            if figure.label == 1:
                window[:] = alpha
            elif alpha.size:
                window[:] = cv2.multiply(window, 255 - alpha, None, 1 / 255)
                overlap(labels_hw, figure.rgba, figure.corner)[0][alpha > 127] = figure.label
        labels_hw[share_hw > 127] = 1
        return labels_hw

    def provenance(self) -> Mapping[str, str]:
        """The clip's name and seed."""
        return {"name": self.name, "seed": str(self.seed)}

    def _draw_skaters(self, index: int) -> "list[Sprite]":
        """The skaters in frame ``index``, the farthest first, without those outside the picture."""
        drawn = (skater.drawn(index / FPS, label, WIDTH) for label, skater in enumerate(self._skaters, 1))
        return [sprite for sprite in drawn if sprite is not None]

    def _check(self, index: int) -> None:
        if not 0 <= index < NUM_FRAMES:
            raise InputError(f"extract: the built-in clip has no frame {index}; its frames are 0 to {NUM_FRAMES - 1}")


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
