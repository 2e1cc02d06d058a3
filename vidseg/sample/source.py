"""The built-in clip as a source: its frames, their ground truth, and the click on the skater."""

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.sample.cache import FrameCache
from vidseg.sample.drawing import FPS, NUM_FRAMES, Drawing
from vidseg.sample.paint import HEIGHT, WIDTH
from vidseg.types import Frame, Prompt, VideoInfo


class SampleSource:
    """The built-in clip of one seed, a ``vidseg.types.Source``.

    ``frames`` are the frame numbers that iteration yields; by default all 180. ``prompts`` holds one positive click on
    the skater's clothes (object 1), on frame 0 or, if that isn't in ``frames``, on the first of them. Each frame is
    drawn once and then read from the user's cache folder (``FrameCache``). ``shutter`` is the part of a frame's time
    for which the shutter is open: 0.5 is film's 180 degrees, and 0 blurs no motion. Raises InputError for a negative
    seed, a shutter outside 0..1 and a frame outside 0..179.
    """

    def __init__(self, seed: int = 0, frames: Sequence[int] | None = None, shutter: float = 0.0) -> None:
        self.name = "sample"
        self.seed, self.shutter = int(seed), float(shutter)
        if self.seed < 0:
            raise InputError(f"sample.seed={seed} must be 0 or more")
        if not 0 <= self.shutter <= 1:
            raise InputError(f"sample.shutter={shutter} must be from 0 to 1, the part of a frame's time it is open")
        self.info = VideoInfo(WIDTH, HEIGHT, Fraction(FPS), NUM_FRAMES, Fraction(1, FPS))
        self.frames: Sequence[int] = range(NUM_FRAMES) if frames is None else frames
        for index in self.frames:
            self._check(index)
        self.audio: Path | None = None
        self.offset_s = self.frames[0] / FPS if len(self.frames) else 0.0
        self._drawing = Drawing(self.seed, self.shutter)
        self._cache = FrameCache(self.seed, self.shutter)
        first = 0 if len(self.frames) == 0 or 0 in self.frames else self.frames[0]
        click = np.rint(self._drawing.skaters[0].clothes(first / FPS))
        self.prompts: tuple[Prompt, ...] = (Prompt(first, 1, click[None].astype(np.float32), np.ones(1, np.int32)),)

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        self._check(index)
        picture = self._cache.picture(index)
        if picture is None:
            picture = self._drawing.picture(index)
            self._cache.keep(index, picture, self._drawing.truth(index))
            if self.shutter:  # its alpha is there, and takes as long to draw
                self._cache.keep_alpha(index, self._drawing.alpha(index))
        return Frame(index, index / FPS, picture)

    def time_s(self, index: int) -> float:
        """By the clip's rate."""
        return index / FPS

    def truth(self, index: int) -> NDArray[np.uint8]:
        """The label map (720, 1280): 0 background, 1 the skater, 2 the one who passes. A pixel belongs to an object
        that makes up more than half of its colour; shadow and reflection don't count."""
        self._check(index)
        labels_hw = self._cache.truth(index)
        return self._drawing.truth(index) if labels_hw is None else labels_hw

    def alpha(self, index: int) -> NDArray[np.uint8]:
        """The exact alpha (2, 720, 1280) of the skater and of the one who passes: their supersampled shares of each
        pixel's colour, in 255ths. Shadow and reflection don't count."""
        self._check(index)
        alpha_nhw = self._cache.alpha(index)
        if alpha_nhw is None:
            alpha_nhw = self._drawing.alpha(index)
            self._cache.keep_alpha(index, alpha_nhw)
        return alpha_nhw

    def provenance(self) -> Mapping[str, str]:
        """The clip's name and seed, and its shutter if there is one."""
        found = {"name": self.name, "seed": str(self.seed)}
        return found | ({"shutter": f"{self.shutter:g}"} if self.shutter else {})

    def _check(self, index: int) -> None:
        if not 0 <= index < NUM_FRAMES:
            raise InputError(f"extract: the built-in clip has no frame {index}; its frames are 0 to {NUM_FRAMES - 1}")
