"""The built-in clip as it is drawn: picture, alpha and label map of each frame, functions of the seed and its number.

Drawing takes about 100 ms a frame, three fifths of them for the skaters, and twelve times as long with a shutter;
cache.py keeps what was drawn.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.paint import HEIGHT, LIGHTS, WIDTH
from vidseg.sample.rink import Rink
from vidseg.sample.skater import Skater, Sprite, direct, overlap
from vidseg.types import RGB

FPS = 30
NUM_FRAMES = 180
EXPOSURES = (
    12  # pictures of which a frame with a shutter is the mean: a skate moves by half a pixel from one to the next
)
GRAIN = 5  # film grain changes a pixel by at most so many levels of 255


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all frames share: the rink, the film grain (784, 1344, 3), of which a frame takes a part, the vignette."""

    rink: Rink
    grain: NDArray[np.uint8]
    vignette: NDArray[np.uint8]


class Drawing:
    """The clip of one ``seed``, 0 or more. Frame numbers are 0 to 179, unchecked. ``skaters`` are its two skaters.

    ``shutter`` is the part of a frame's time for which the shutter is open, around the frame's moment: what moves is
    blurred. With 0 it is open for a moment.
    """

    def __init__(self, seed: int, shutter: float = 0.0) -> None:
        self.seed, self._shutter = seed, shutter
        self.skaters, self._camera, _ = self._direct()
        # Skaters are the slowest part of a frame, and truth() needs those of picture() some frames later.
        self._cast = lru_cache(16)(self._draw_skaters)
        self._exposed = lru_cache(2)(self._expose)

    def picture(self, index: int) -> RGB:
        """The picture (720, 1280, 3)."""
        scene = self._scene
        picture = self._exposed(index)[0].copy() if self._shutter else self._scenery(index)
        cv2.multiply(picture, scene.vignette, picture, 1 / 255)
        top, left = np.random.default_rng([self.seed, 3, index]).integers(0, 65, 2)
        cv2.add(picture, scene.grain[top : top + HEIGHT, left : left + WIDTH], picture)
        cv2.subtract(picture, (GRAIN,) * 4, picture)
        return picture

    def truth(self, index: int) -> NDArray[np.uint8]:
        """The label map (720, 1280), as ``SampleSource.truth`` describes it."""
        labels_hw = np.zeros((HEIGHT, WIDTH), np.uint8)
        for label, alpha_hw in reversed(list(enumerate(self.alpha(index), start=1))):
            labels_hw[alpha_hw > 127] = label
        return labels_hw

    def alpha(self, index: int) -> NDArray[np.uint8]:
        """The skaters' shares (2, 720, 1280) of each pixel's colour, in 255ths."""
        return self._exposed(index)[1] if self._shutter else self._shares(index)

    def _scenery(self, moment: float) -> RGB:
        """The picture at a moment, counted in frames, without vignette and grain."""
        picture = self._scene.rink.draw(self._camera * (moment / FPS - NUM_FRAMES / FPS / 2))
        for paint in (Sprite.cast_shadow, Sprite.mirror, Sprite.draw):
            for skater in self._cast(moment):
                paint(skater, picture)
        return picture

    def _shares(self, moment: float) -> NDArray[np.uint8]:
        """The skaters' shares (2, 720, 1280) at a moment, counted in frames."""
        shares = np.zeros((2, HEIGHT, WIDTH), np.uint8)
        for figure in self._cast(moment):
            own, piece = overlap(shares[figure.label - 1], figure.rgba, figure.corner)
            own[:] = piece[..., 3]
            if figure.label == 2 and own.size:  # it is in front
                behind, _ = overlap(shares[0], figure.rgba, figure.corner)
                behind[:] = cv2.multiply(behind, 255 - own, None, 1 / 255)
        return shares

    def _expose(self, index: int) -> tuple[RGB, NDArray[np.uint8]]:
        """The mean of EXPOSURES pictures, and that of their shares."""
        light, shares = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((2, HEIGHT, WIDTH), np.float32)
        for number in range(EXPOSURES):
            moment = index + self._shutter * ((number + 0.5) / EXPOSURES - 0.5)
            cv2.add(light, self._scenery(moment), light, dtype=cv2.CV_32F)
            shares += self._shares(moment)
        return tuple(np.rint(total / EXPOSURES).astype(np.uint8) for total in (light, shares))  # type: ignore[return-value]

    def _direct(self) -> tuple[tuple[Skater, Skater], float, np.random.Generator]:
        """The skaters, the camera's speed, and the generator that chose them."""
        rng = np.random.default_rng([self.seed, 2])
        skater, other, camera = direct(rng, self.seed == 0)
        return (skater, other), camera, rng

    @cached_property
    def _scene(self) -> _Scene:
        """Painted for the first picture: it takes 0.7 s, and where all frames are in the cache nobody needs it."""
        *_, rng = self._direct()  # the grain is what it chooses next
        reach = abs(self._camera) * NUM_FRAMES / FPS / 2 + 8
        rink = Rink(np.random.default_rng([self.seed, 1]), LIGHTS[self.seed % len(LIGHTS)], reach)
        grain = rng.integers(0, 2 * GRAIN + 1, (HEIGHT + 64, WIDTH + 64, 3), np.uint8)
        across, down = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
        vignette = 255 * (1 - 0.20 * np.clip((across**2 + down**2) / 2 - 0.15, 0, 1))
        grain = cv2.GaussianBlur(grain, (0, 0), 0.6)
        return _Scene(rink, grain, np.repeat(vignette.astype(np.uint8)[..., None], 3, axis=2))

    def _draw_skaters(self, moment: float) -> list[Sprite]:
        """The skaters at a moment, counted in frames, the farthest first, without those outside the picture."""
        drawn = (skater.drawn(moment / FPS, label, WIDTH) for label, skater in enumerate(self.skaters, 1))
        return [sprite for sprite in drawn if sprite is not None]
