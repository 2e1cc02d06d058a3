"""The built-in clip as it is drawn: the picture and the label map of each frame, functions of the seed and its number.

Drawing takes about 100 ms a frame, three fifths of them for the skaters; cache.py keeps what was drawn.
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
GRAIN = 5  # film grain changes a pixel by at most so many levels of 255


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all frames share: the rink, the film grain (784, 1344, 3), of which a frame takes a part, the vignette."""

    rink: Rink
    grain: NDArray[np.uint8]
    vignette: NDArray[np.uint8]


class Drawing:
    """The clip of one ``seed``, 0 or more. Frame numbers are 0 to 179, unchecked. ``skaters`` are its two skaters."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.skaters, self._camera, _ = self._direct()
        # Skaters are the slowest part of a frame, and truth() needs those of picture() some frames later.
        self._cast = lru_cache(16)(self._draw_skaters)

    def picture(self, index: int) -> RGB:
        """The picture (720, 1280, 3)."""
        scene = self._scene
        picture = scene.rink.draw(self._camera * (index / FPS - NUM_FRAMES / FPS / 2))
        for paint in (Sprite.cast_shadow, Sprite.mirror, Sprite.draw):
            for skater in self._cast(index):
                paint(skater, picture)
        cv2.multiply(picture, scene.vignette, picture, 1 / 255)
        top, left = np.random.default_rng([self.seed, 3, index]).integers(0, 65, 2)
        cv2.add(picture, scene.grain[top : top + HEIGHT, left : left + WIDTH], picture)
        cv2.subtract(picture, (GRAIN,) * 4, picture)
        return picture

    def truth(self, index: int) -> NDArray[np.uint8]:
        """The label map (720, 1280), as ``SampleSource.truth`` describes it."""
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

    def _draw_skaters(self, index: int) -> list[Sprite]:
        """The skaters in frame ``index``, the farthest first, without those outside the picture."""
        drawn = (skater.drawn(index / FPS, label, WIDTH) for label, skater in enumerate(self.skaters, 1))
        return [sprite for sprite in drawn if sprite is not None]
