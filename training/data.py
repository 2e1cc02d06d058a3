"""What training clips are made of: real sequences, photographs of people, backgrounds, and shapes drawn by code.

All pictures are uint8 RGB (H, W, 3), all masks uint8 (H, W), 0 or 1.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SIDE = 320  # pixels: the height that pictures are kept at; clips are at most about as fine
_CUTOUT = 190  # pixels: the longer side that cutouts are kept at


@dataclass(frozen=True)
class Sequence:
    """A video with the mask of its one object in every frame."""

    name: str
    frames: list[Picture]
    masks: list[Picture]


def davis(root: Path, name: str, side: int) -> Sequence:
    """One sequence of DAVIS-2016 below ``root``, ``side`` pixels high."""
    paths = sorted((root / "JPEGImages/480p" / name).glob("*.jpg"))
    frames = [read(path, side) for path in paths]
    size = frames[0].shape[1::-1]
    masks = [cv2.imread(str(root / "Annotations/480p" / name / f"{path.stem}.png"), 0) for path in paths]
    return Sequence(name, frames, [(cv2.resize(mask, size) > 127).astype(np.uint8) for mask in masks])


def read(path: Path, side: int) -> Picture:
    """A picture file, ``side`` pixels high."""
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return cv2.resize(image, (round(image.shape[1] * side / image.shape[0]), side), interpolation=cv2.INTER_AREA)


def cut(image: Picture, mask: Picture) -> tuple[Picture, Picture]:
    """The part of ``image`` around ``mask``, at most 190 pixels long."""
    x, y, w, h = cv2.boundingRect(mask)
    image, mask = image[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    scale = min(1.0, _CUTOUT / max(w, h))
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST),
    )


class Library:
    """Everything that is read from disk, kept in memory (about 0.8 GiB).

    ``root`` holds davis/, ccp/ and videos/; ``sequences`` are the names of the DAVIS sequences to train on.
    """

    def __init__(self, root: Path, sequences: list[str]) -> None:
        self.sequences = [davis(root / "davis", name, SIDE) for name in sequences]
        self.people: list[tuple[Picture, Picture, Picture]] = []  # photograph, labels of the clothes, whole person
        for path in sorted((root / "ccp/images").glob("*.jpg")):
            image = read(path, SIDE)
            labels = cv2.imread(str(root / "ccp/labels" / f"{path.stem}.png"), 0)
            labels = cv2.resize(labels, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            # The labels leave thin gaps between the clothes
            person = cv2.morphologyEx((labels > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            if person.sum() >= 400:  # a few photographs have no labels
                self.people.append((image, labels, person))
        self.backgrounds = [
            sequence.frames[k] for sequence in self.sequences for k in range(0, len(sequence.frames), 20)
        ]
        for path in sorted((root / "videos").glob("*.mp4")):
            self.backgrounds += _stills(path, 16)
        self.cutouts = [
            [cut(s.frames[k], s.masks[k]) for k in range(0, len(s.frames), 3) if s.masks[k].sum() >= 400]
            for s in self.sequences
        ]


def _stills(path: Path, count: int) -> list[Picture]:
    capture, stills = cv2.VideoCapture(str(path)), []
    for index in np.linspace(0, capture.get(cv2.CAP_PROP_FRAME_COUNT) - 2, count).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        ok, frame = capture.read()
        if ok:
            width = round(frame.shape[1] * SIDE / frame.shape[0])
            frame = cv2.resize(frame, (width, SIDE), interpolation=cv2.INTER_AREA)
            stills.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return stills


def colour(rng: Generator) -> tuple[int, int, int]:
    """A random colour, of the muted kind that clothes and walls have."""
    hsv = np.uint8([[[rng.integers(180), 255 * rng.random() ** 1.3, 40 + 215 * rng.random()]]])
    r, g, b = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return int(r), int(g), int(b)


def blob(rng: Generator, backgrounds: list[Picture]) -> tuple[Picture, Picture]:
    """A polygon, an ellipse or a bar, filled with a piece of a picture or with one colour."""
    mask = np.zeros((160, 160), np.uint8)
    kind = rng.random()
    if kind < 0.4:
        angles = np.sort(rng.random(8)) * 2 * np.pi
        radii = (0.4 + 0.6 * rng.random(8)) * 76
        points = np.stack([80 + radii * np.cos(angles), 80 + radii * np.sin(angles)], 1)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    elif kind < 0.8:
        axes = (int(25 + 50 * rng.random()), int(15 + 60 * rng.random()))
        cv2.ellipse(mask, (80, 80), axes, 180 * rng.random(), 0, 360, 1, -1)
    else:
        ends = rng.integers(10, 150, (3, 2)).astype(np.int32)
        cv2.polylines(mask, [ends], False, 1, int(8 + 24 * rng.random()))
    texture = backgrounds[rng.integers(len(backgrounds))]
    y, x = rng.integers(texture.shape[0] - 160), rng.integers(texture.shape[1] - 160)
    image = texture[y : y + 160, x : x + 160].astype(np.float32)
    image = image * (0.2 + 0.8 * rng.random()) + np.float32(colour(rng)) * rng.random()
    return np.clip(image, 0, 255).astype(np.uint8), mask


class Walker:
    """A figure of capsules that swings its limbs: people in flat colours, thin parts, and motion that is not rigid."""

    def __init__(self, rng: Generator) -> None:
        tone = rng.random()
        self._skin = (int(90 + 150 * tone), int(60 + 130 * tone), int(45 + 110 * tone))
        self._hair, self._top, self._legs, self._feet = (colour(rng) for _ in range(4))
        self._bare = rng.random() < 0.25  # short sleeves
        self._phase, self._rate = 2 * np.pi * rng.random(), rng.uniform(0.15, 1.1)
        self._swing, self._lean = rng.uniform(0.2, 0.95), rng.normal() * 0.15
        self._raise, self._bulk = rng.normal() * 0.5, rng.uniform(0.75, 1.35)
        self._board = colour(rng) if rng.random() < 0.2 else None
        self._shade = rng.normal(0, 12, (23, 15, 1)).astype(np.float32)

    def draw(self, t: int) -> tuple[Picture, Picture]:
        """The figure at frame ``t``: 230 x 150 pixels."""
        image, mask = np.zeros((230, 150, 3), np.uint8), np.zeros((230, 150), np.uint8)
        swing = self._swing * np.sin(self._phase + self._rate * t)
        hip, neck = np.array([75.0, 120.0]), np.array([75 + 62 * np.sin(self._lean), 120 - 62 * np.cos(self._lean)])

        def limb(start: NDArray, angles: tuple[float, float], length: float, width: float, colours: tuple) -> None:
            width = max(3, round(width * self._bulk))
            for angle, tint in zip(angles, colours, strict=True):
                end = start + length * np.array([np.sin(angle), np.cos(angle)])
                a, b = tuple(map(int, start)), tuple(map(int, end))
                cv2.line(image, a, b, tint, width, cv2.LINE_AA)
                cv2.line(mask, a, b, 1, width)
                start, width = end, max(3, width - 3)
            foot = tuple(map(int, start))
            cv2.circle(image, foot, width // 2 + 2, self._feet if length > 35 else self._skin, -1, cv2.LINE_AA)
            cv2.circle(mask, foot, width // 2 + 2, 1, -1)

        sleeve = (self._top, self._skin if self._bare else self._top)
        for side in (-1, 1):
            arm = -side * swing + self._raise * side
            dark = tuple(tuple(int(0.8 * c) for c in tint) if side < 0 else tint for tint in sleeve)
            knee = side * swing - max(0.0, 0.7 * np.cos(self._phase + self._rate * t + side)) * self._swing
            if side < 0:
                limb(neck + (0, 8), (arm, arm + 0.5), 32, 13, dark)
            limb(hip, (side * swing * 0.8 + self._lean, knee), 46, 18, (self._legs, self._legs))
            if side > 0:
                torso = (tuple(map(int, neck + (0, 6))), tuple(map(int, hip)))
                cv2.line(image, *torso, self._top, round(30 * self._bulk), cv2.LINE_AA)
                cv2.line(mask, *torso, 1, round(30 * self._bulk))
                limb(neck + (0, 8), (arm, arm + 0.5), 32, 13, dark)
        head = tuple(map(int, neck + (4 * np.sin(self._lean), -17)))
        cv2.ellipse(image, head, (11, 14), 0, 0, 360, self._skin, -1, cv2.LINE_AA)
        cv2.ellipse(image, (head[0], head[1] - 6), (12, 9), 0, 0, 360, self._hair, -1, cv2.LINE_AA)
        cv2.ellipse(mask, head, (11, 15), 0, 0, 360, 1, -1)
        if self._board is not None:
            cv2.line(image, (30, 220), (120, 220), self._board, 8, cv2.LINE_AA)
            cv2.line(mask, (30, 220), (120, 220), 1, 8)
        shade = cv2.resize(self._shade, (150, 230))[..., None]
        return np.clip(image + shade, 0, 255).astype(np.uint8), mask


def drawn_background(rng: Generator, plain: bool) -> Picture:
    """A gradient, and unless ``plain`` a floor, clutter of shapes, stripes and noise on it: 320 x 568 pixels."""
    h, w = SIDE, 568
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    image = np.float32(colour(rng)) * (1 - down) + np.float32(colour(rng)) * down
    image = np.ascontiguousarray(np.broadcast_to(image, (h, w, 3)))
    if not plain:
        floor = int(h * rng.uniform(0.4, 0.8))
        if rng.random() < 0.6:
            image[floor:] = np.float32(colour(rng)) * (0.8 + 0.2 * down[floor:])
        for _ in range(rng.integers(5, 60)):
            at = (int(w * rng.random()), int(floor * rng.random() if rng.random() < 0.7 else h * rng.random()))
            axes = (int(3 + 40 * rng.random() ** 2), int(3 + 40 * rng.random() ** 2))
            if rng.random() < 0.5:
                cv2.ellipse(image, at, axes, 180 * rng.random(), 0, 360, colour(rng), -1, cv2.LINE_AA)
            else:
                cv2.rectangle(image, at, (at[0] + axes[0], at[1] + axes[1]), colour(rng), -1)
        for _ in range(rng.integers(0, 8)):
            ends = [(int(w * rng.random()), int(h * rng.random())) for _ in range(2)]
            cv2.line(image, *ends, colour(rng), int(1 + 5 * rng.random()), cv2.LINE_AA)
        if rng.random() < 0.4:
            image = cv2.GaussianBlur(image, (0, 0), 0.5 + 3 * rng.random())
    coarse = rng.normal(0, 1, (h // 8, w // 8, 1)).astype(np.float32) * 14 * rng.random()
    return np.clip(image + cv2.resize(coarse, (w, h))[..., None], 0, 255).astype(np.uint8)
