"""The built-in clip: a skater crosses a rink before a crowd, the camera pans along, another skater passes in front.

1280x720, 30 frames a second, 6 seconds, drawn from a seed with exact ground truth; nothing is read or written. Every
frame is a pure function of the seed and its number, so that seeking needs no decoding. This module knows how the
skaters travel and how the layers meet: sample_scene.py paints the rink, sample_figure.py the skaters, whom
sample_pose.py moves.
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
from vidseg.types import RGB, Frame, Prompt, VideoInfo
from vidseg.sample.canvas import RGBA, Colour
from vidseg.sample.figure import Figure, Outfit
from vidseg.sample.pose import Points
from vidseg.sample.scene import HEIGHT, LIGHTS, WIDTH, Rink, nearness

FPS = 30
NUM_FRAMES = 180
SHADOW_SLANT = (0.62, 0.20)  # of a point's height above the ice: its shadow falls this far to the right and away
GRAIN = 5  # levels of 255: the range of the film grain, on either side

_JACKETS: tuple[Colour, ...] = ((206, 56, 50), (34, 140, 132), (232, 150, 40), (104, 70, 160), (44, 104, 184))
_TROUSERS: tuple[Colour, ...] = ((46, 92, 158), (124, 88, 62), (76, 88, 62), (48, 50, 56), (84, 54, 84))
_ACCENTS: tuple[Colour, ...] = ((246, 236, 216), (250, 206, 84), (244, 244, 248), (240, 120, 84), (150, 216, 220))
_SCARVES: tuple[tuple[Colour, Colour], ...] = (
    ((246, 196, 60), (36, 96, 140)),
    ((226, 92, 120), (250, 224, 222)),
    ((240, 240, 232), (176, 48, 52)),
    ((120, 190, 120), (250, 236, 170)),
)
_SKINS: tuple[Colour, ...] = ((238, 190, 162), (222, 168, 132), (176, 124, 96), (128, 86, 64))
_HAIRS: tuple[Colour, ...] = ((92, 58, 36), (44, 32, 30), (196, 148, 82), (140, 66, 38))


@dataclass(frozen=True, slots=True)
class _Walk:
    """One skater's way across the picture: where it stands on the ice at time_s, and how tall it is."""

    figure: Figure
    facing: int  # +1 travels to the right, -1 to the left
    start_xy: tuple[float, float]
    speed: float  # of the picture, in pixels a second, signed
    sway: tuple[float, float]  # pixels, across and towards the camera
    tall: float  # pixels, when it stands on the floor row

    def foot(self, time_s: float) -> Points:
        """The pixel (2,) of the ice below its hips."""
        x = self.start_xy[0] + self.speed * time_s + self.sway[0] * np.sin(1.35 * time_s)
        return np.array([x, self.start_xy[1] + self.sway[1] * np.sin(0.8 * time_s)])

    def stature(self, time_s: float) -> float:
        """Its standing height in pixels: nearer skaters are taller."""
        return float(self.tall * nearness(self.foot(time_s)[1]))

    def clothes(self, time_s: float) -> Points:
        """A pixel (2,) well inside its jacket."""
        joints = self.figure.pose(time_s)
        return np.asarray(self.foot(time_s) + joints.clothes * (self.facing, 1.0) * self.stature(time_s))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A skater as it stands in one frame: its picture, where that lies (x, y), and the row of the ice below it."""

    label: int
    rgba: RGBA
    corner: tuple[int, int]
    ground: float


def _outfits(rng: np.random.Generator, first: bool) -> tuple[Outfit, Outfit]:
    """Two skaters whose clothes share no colour; ``first`` is seed 0, whose skater wears red and denim."""

    def shuffled(n: int) -> NDArray[np.intp]:
        order = rng.permutation(n)
        return np.arange(n) if first else order

    jacket, trousers, accent, scarf = (shuffled(n) for n in (5, 5, 5, 4))
    skin, hair, tail = shuffled(4), shuffled(4), (0, 1) if first else rng.permutation(2)
    return tuple(  # type: ignore[return-value]
        Outfit(
            jacket=_JACKETS[jacket[k]],
            stripe=_ACCENTS[accent[2 * k]],
            trousers=_TROUSERS[trousers[k]],
            piping=_ACCENTS[accent[2 * k + 1]],
            scarf=_SCARVES[scarf[k]],
            hat=_SCARVES[scarf[k]][1],
            gloves=((60, 44, 42), (74, 70, 88))[k],
            boots=((66, 48, 46), (104, 70, 48))[k],
            skin=_SKINS[skin[2 * k]],
            hair=_HAIRS[hair[k]],
            ponytail=bool(tail[k]),
        )
        for k in range(2)
    )


class SampleSource:
    """The built-in clip of one seed, a ``vidseg.types.Source``.

    ``frames`` are the frame numbers that iteration yields, all 180 unless given. ``prompts`` is one positive click on
    the skater's clothes (object 1) on frame 0, or on the first of ``frames`` if that is a later one. Raises InputError
    for a frame outside 0..179.
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
        first = 0 if len(self.frames) == 0 or 0 in self.frames else self.frames[0]
        self.offset_s = self.frames[0] / FPS if len(self.frames) else 0.0
        # Drawing a skater is the dearest part of a frame, and truth() needs the same ones a few frames later.
        self._cast = lru_cache(16)(self._draw_cast)
        self._direct(np.random.default_rng([self.seed, 2]))
        click = np.rint(self._skater.clothes(first / FPS))
        self.prompts: tuple[Prompt, ...] = (Prompt(first, 1, click[None].astype(np.float32), np.ones(1, np.int32)),)

    def _direct(self, rng: np.random.Generator) -> None:
        """Casts the clip: who skates where, how fast the camera travels, and when the second skater passes."""
        first = self.seed == 0
        facing = -1 if first else int(rng.choice([-1, 1]))
        click = (
            np.array([782.0, 301.0])
            if first
            else np.array([640 - facing * rng.uniform(90, 170), rng.uniform(290, 312)])
        )
        outfits = _outfits(rng, first)
        figure = Figure(
            outfits[0],
            float(rng.uniform(1.45, 1.85)),
            0.56 if first else float(rng.uniform(0, 1)),
            float(rng.uniform(0.2, 0.8)),
        )
        tall = 470.0 if first else float(rng.uniform(430, 490))
        # The click comes first; the skater is stood so that its jacket is there.
        foot = click[1] - figure.pose(0).clothes[1] * tall
        tall = tall / nearness(foot)
        x = click[0] - facing * figure.pose(0).clothes[0] * tall * nearness(foot)
        drift = facing * float(rng.uniform(38, 60))
        self._skater = _Walk(figure, facing, (float(x), float(foot)), drift, (-facing * 14.0, 9.0), tall)
        self._camera = facing * float(rng.uniform(190, 250))
        meeting = float(rng.uniform(2.7, 3.3))
        speed = -facing * float(rng.uniform(310, 360))
        second = Figure(
            outfits[1], float(rng.uniform(1.35, 1.6)), float(rng.uniform(0, 1)), float(rng.uniform(0.3, 0.9))
        )
        near = float(foot + rng.uniform(66, 82))
        start = self._skater.foot(meeting)[0] - speed * meeting
        self._passer = _Walk(
            second, -facing, (float(start), near), speed, (0.0, -4.0), tall * float(rng.uniform(0.76, 0.84))
        )
        reach = abs(self._camera) * NUM_FRAMES / FPS / 2 + 8
        light = LIGHTS[self.seed % len(LIGHTS)]
        self._rink = Rink(np.random.default_rng([self.seed, 1]), light, reach)
        grain = rng.integers(0, 2 * GRAIN + 1, (HEIGHT + 64, WIDTH + 64, 3), np.uint8)
        self._grain = cv2.GaussianBlur(grain, (0, 0), 0.6)
        across, down = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
        vignette = 255 * (1 - 0.20 * np.clip((across**2 + down**2) / 2 - 0.15, 0, 1))
        self._vignette = np.repeat(vignette.astype(np.uint8)[..., None], 3, axis=2)

    def _draw_cast(self, index: int) -> tuple[_Drawn, ...]:
        """The skaters in frame ``index``, farthest first, without those outside the picture."""
        time_s, cast = index / FPS, []
        for label, walk in enumerate((self._skater, self._passer), 1):
            foot, stature = walk.foot(time_s), walk.stature(time_s)
            if -stature < foot[0] < WIDTH + stature:  # its shadow reaches farther than it does itself
                whole = np.floor(foot)
                rgba, origin = walk.figure.draw(time_s, stature, walk.facing, foot - whole)
                corner = (int(whole[0]) - origin[0], int(whole[1]) - origin[1])
                cast.append(_Drawn(label, rgba, corner, float(foot[1])))
        return tuple(cast)

    def _check(self, index: int) -> None:
        if not 0 <= index < NUM_FRAMES:
            raise InputError(f"extract: the built-in clip has no frame {index}; its frames are 0 to {NUM_FRAMES - 1}")

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        for place in range(position, -1, -1):
            yield self[self.frames[place]]

    def __getitem__(self, index: int) -> Frame:
        """Draws frame ``index``. Raises InputError outside 0..179."""
        self._check(index)
        time_s = index / FPS
        picture = self._rink.draw(self._camera * (time_s - NUM_FRAMES / FPS / 2))
        cast = self._cast(index)
        for figure in cast:
            _cast_shadow(picture, figure)
        for figure in cast:
            _mirror(picture, figure)
        for figure in cast:
            _compose(picture, figure.rgba, figure.corner)
        cv2.multiply(picture, self._vignette, picture, 1 / 255)
        top, left = np.random.default_rng([self.seed, 3, index]).integers(0, 65, 2)
        cv2.add(picture, self._grain[top : top + HEIGHT, left : left + WIDTH], picture)
        cv2.subtract(picture, (GRAIN,) * 4, picture)
        return Frame(index, time_s, picture)

    def truth(self, index: int) -> NDArray[np.uint8]:
        """The label map (720, 1280) of frame ``index``: 0 background, 1 the skater, 2 who passes.

        A pixel is an object's where more than half of its colour is the object's; shadows and reflections are not.
        """
        self._check(index)
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        share = np.zeros((HEIGHT, WIDTH), np.uint8)  # of the pixel's colour that is the skater's, in 255ths
        for figure in self._cast(index):
            window, piece = _overlap(share, figure.rgba, figure.corner)
            alpha = np.ascontiguousarray(piece[..., 3])
            if figure.label == 1:
                window[:] = alpha
            elif alpha.size:
                window[:] = cv2.multiply(window, 255 - alpha, None, 1 / 255)
                _overlap(labels, figure.rgba, figure.corner)[0][alpha > 127] = figure.label
        labels[share > 127] = 1
        return labels

    def provenance(self) -> Mapping[str, str]:
        """The clip's name and seed."""
        return {"name": self.name, "seed": str(self.seed)}


def _overlap(
    frame: NDArray[np.uint8], piece: NDArray[np.uint8], corner: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Views of where ``frame`` and ``piece`` meet when ``piece`` lies at ``corner`` (x, y)."""
    x, y = corner
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + piece.shape[1], frame.shape[1]), min(y + piece.shape[0], frame.shape[0])
    x1, y1 = max(x1, x0), max(y1, y0)
    return frame[y0:y1, x0:x1], piece[y0 - y : y1 - y, x0 - x : x1 - x]


def _compose(picture: RGB, figure: RGBA, corner: tuple[int, int]) -> None:
    """Lays a premultiplied figure over the picture, in place."""
    window, piece = _overlap(picture, figure, corner)
    if window.size:
        through = cv2.merge([255 - piece[..., 3]] * 3)
        window[:] = cv2.add(cv2.multiply(window, through, None, 1 / 255), np.ascontiguousarray(piece[..., :3]))


def _cast_shadow(picture: RGB, figure: _Drawn) -> None:
    """Darkens the ice by the figure's silhouette, laid down away from the light and soft, in place."""
    width = figure.rgba.shape[1]
    foot = figure.ground - figure.corner[1]  # the row of the figure's picture that touches the ice
    right, away = SHADOW_SLANT
    reach, room = int(right * foot) + 24, int(away * foot) + 40
    base = room - 24
    matrix = np.array([[1.0, -right, right * foot], [0.0, away, base - away * foot]])
    shadow = cv2.warpAffine(
        np.ascontiguousarray(figure.rgba[..., 3]), matrix, (width + reach, room), flags=cv2.INTER_AREA
    )
    shadow = cv2.GaussianBlur(shadow, (0, 0), 4.0)
    window, piece = _overlap(picture, np.asarray(shadow, np.uint8), (figure.corner[0], round(figure.ground) - base))
    if window.size:
        cool = cv2.merge([255 - cv2.multiply(piece, (k,)) for k in (0.44, 0.39, 0.30)])  # skylight fills it with blue
        window[:] = cv2.multiply(window, cool, None, 1 / 255)


def _mirror(picture: RGB, figure: _Drawn) -> None:
    """Adds the figure's faint reflection in the ice, in place."""
    foot = round(figure.ground) - figure.corner[1]
    flipped = np.ascontiguousarray(figure.rgba[max(foot - 150, 0) : foot][::-1])
    fade = (0.30 * np.linspace(1, 0, len(flipped), dtype=np.float32) ** 1.3)[:, None, None]
    soft = cv2.GaussianBlur(flipped, (3, 9), 0)
    _compose(picture, (soft * fade).astype(np.uint8), (figure.corner[0], round(figure.ground)))
