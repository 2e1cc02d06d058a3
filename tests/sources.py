"""Sources of drawn motion with known truth, and what is prompted on them."""

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.types import RGB, Frame, Prompt, VideoInfo


class ArraySource:
    """The frames ``frames`` of a clip (frames, h, w, 3); ``fails_at`` is the position at which reading it fails."""

    name = "array"
    audio: Path | None = None
    offset_s = 0.0
    prompts: tuple[Prompt, ...] = ()

    def __init__(
        self, clip_nhw3: NDArray[np.uint8], frames: Sequence[int] | None = None, fails_at: int | None = None
    ) -> None:
        self._clip_nhw3 = clip_nhw3
        num_frames, height, width, _ = clip_nhw3.shape
        self.frames: Sequence[int] = range(num_frames) if frames is None else frames
        self.info = VideoInfo(width, height, Fraction(25), num_frames, Fraction(1, 25))
        self.fails_at = fails_at
        self.closed = False
        self.sought: list[int] = []

    def __iter__(self) -> Generator[Frame]:
        try:
            for position, index in enumerate(self.frames):
                if position == self.fails_at:
                    raise OSError("the reader failed")
                yield self._frame(index)
        finally:
            self.closed = True

    def backwards(self, position: int) -> Generator[Frame]:
        for place in range(position, -1, -1):
            if place == self.fails_at:
                self.closed = True
                raise OSError("the reader failed")
            yield self._frame(self.frames[place])

    def __getitem__(self, index: int) -> Frame:
        self.sought.append(index)
        return self._frame(index)

    def time_s(self, index: int) -> float:
        return index / 25

    def _frame(self, index: int) -> Frame:
        rgb_hw3: RGB = self._clip_nhw3[index]
        return Frame(index, index / 25, rgb_hw3)

    def truth(self, index: int) -> None:
        return None

    def provenance(self) -> dict[str, str]:
        return {"path": self.name}


def moving_squares(num_frames: int, height: int = 120, width: int = 200, seed: int = 0) -> NDArray[np.uint8]:
    """(num_frames, height, width, 3): a textured background, over which a red, a green and a blue square move."""
    rng = np.random.default_rng(seed)
    background_hw3 = rng.integers(40, 160, (height, width, 3), dtype=np.uint8)
    clip_nhw3 = np.repeat(background_hw3[None], num_frames, axis=0)
    for square in range(3):
        for frame in range(num_frames):
            x, y = 15 + 50 * square + 2 * frame, 10 + 25 * square + frame
            clip_nhw3[frame, y % height : y % height + 40, x % width : x % width + 40] = 230 * np.eye(3)[square]
    return clip_nhw3


HEIGHT, WIDTH = 180, 320


class Discs:
    """Textured discs that slide over a textured, slowly panning floor: a source whose truth is known."""

    name, audio, offset_s = "discs", None, 0.0
    prompts: tuple[Prompt, ...] = ()

    def __init__(self, num_frames: int, paths: Sequence[tuple[float, float, float, float]], radius: int = 30) -> None:
        """``paths`` are x and y on frame 0, and their change a frame."""
        rng = np.random.default_rng(5)
        self.info = VideoInfo(WIDTH, HEIGHT, Fraction(25), num_frames, Fraction(1, 25))
        self.frames: Sequence[int] = range(num_frames)
        self._paths, self._radius = paths, radius
        floor = rng.uniform(0, 1, (HEIGHT // 6 + 1, 2 * WIDTH // 6 + 1, 1)).repeat(6, 0).repeat(6, 1)
        self._floor = (60 + 70 * floor * np.array([0.7, 1.0, 0.8])).astype(np.uint8)
        self._skins = [
            (np.array(colour) * rng.uniform(0.7, 1.0, (200, 200, 1)).repeat(1, 1)).astype(np.uint8)
            for colour in ((230, 60, 40), (50, 80, 240), (240, 220, 60))
        ]

    def _inside(self, index: int, k: int) -> tuple[NDArray[np.bool_], int, int]:
        x, y, dx, dy = self._paths[k]
        cx, cy = round(x + dx * index), round(y + dy * index)
        rows, columns = np.ogrid[:HEIGHT, :WIDTH]
        return (columns - cx) ** 2 + (rows - cy) ** 2 <= self._radius**2, cx, cy

    def time_s(self, index: int) -> float:
        return index / 25

    def truth(self, index: int) -> NDArray[np.uint8]:
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for k in range(len(self._paths)):
            labels[self._inside(index, k)[0]] = k + 1
        return labels

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(range(self.info.num_frames or 0)):
            raise InputError(f"no frame {index}")
        rgb = self._floor[:HEIGHT, index : index + WIDTH].copy()
        for k in range(len(self._paths)):
            inside, cx, cy = self._inside(index, k)
            rows, columns = np.nonzero(inside)
            rgb[rows, columns] = self._skins[k][rows - cy + 100, columns - cx + 100]
        return Frame(index, index / 25, rgb)

    def __iter__(self) -> Generator[Frame]:
        for index in self.frames:
            yield self[index]

    def backwards(self, position: int) -> Generator[Frame]:
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def provenance(self) -> Mapping[str, str]:
        return {}


def click(frame: int, number: int, *points: tuple[float, float, int]) -> Prompt:
    xy = np.array([p[:2] for p in points], np.float32)
    return Prompt(frame, number, xy, np.array([p[2] for p in points], np.int32))
