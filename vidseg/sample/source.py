"""The built-in clip as a source: its frames, their ground truth, and the click on the skater."""

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.sample.cast import Sprite, direct, overlap
from vidseg.sample.layer import HEIGHT, LIGHTS, WIDTH
from vidseg.sample.rink import Rink
from vidseg.types import Frame, Prompt, VideoInfo

FPS = 30
NUM_FRAMES = 180
GRAIN = 5  # film grain changes a pixel by at most so many levels of 255


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
        """The frames of ``self.frames``, drawn ahead in a thread."""
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        """Draws frame ``index``. Raises InputError outside 0..179."""
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
        """The label map (720, 1280) of frame ``index``: 0 background, 1 the skater, 2 the one who passes.

        A pixel belongs to an object that makes up more than half of its colour; shadow and reflection don't count.
        """
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

    def _draw_skaters(self, index: int) -> list[Sprite]:
        """The skaters in frame ``index``, the farthest first, without those outside the picture."""
        drawn = (skater.drawn(index / FPS, label, WIDTH) for label, skater in enumerate(self._skaters, 1))
        return [sprite for sprite in drawn if sprite is not None]

    def _check(self, index: int) -> None:
        if not 0 <= index < NUM_FRAMES:
            raise InputError(f"extract: the built-in clip has no frame {index}; its frames are 0 to {NUM_FRAMES - 1}")
