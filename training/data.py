"""What training clips are made of: real sequences, photographs of people, backgrounds, and shapes drawn by code.

All pictures are uint8 RGB (H, W, 3), all masks uint8 (H, W), 0 or 1.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from training.figures import Colour, Picture, colour

DAVIS = ("davis/JPEGImages/480p", "davis/Annotations/480p")
WHOLE = (*DAVIS, "ccp/images", "ccp/labels", "emoji", "clipart", "videos")
SIDE = 480  # pixels: the height that pictures are kept at; clips are at most about as fine
CUTOUT = 320  # pixels: the longer side that cutouts are kept at


@dataclass(frozen=True)
class Sequence:
    """A video with the mask of its one object in every frame."""

    name: str
    frames: list[Picture]
    masks: list[Picture]


def holding(*parts: str) -> Callable[[str], Path]:
    """For argparse: a folder that holds ``parts``."""

    def folder(text: str) -> Path:
        lacking = [part for part in parts if not (Path(text) / part).is_dir()]
        if lacking:
            raise ArgumentTypeError(f"{text} lacks {', '.join(lacking)}; training/README.md says where they come from")
        return Path(text)

    return folder


def davis(root: Path, name: str, side: int) -> Sequence:
    """One sequence of DAVIS-2016 below ``root``, ``side`` pixels high; its pictures may be one video (``pack``)."""
    folder = root / "JPEGImages/480p" / name
    if folder.is_dir():
        frames = [read(path, side) for path in sorted(folder.iterdir())]
    else:
        frames = [at_height(frame, side) for frame in video(folder.with_suffix(".mp4"))]
    size = frames[0].shape[1::-1]
    masks = [cv2.imread(str(path), 0) for path in sorted((root / "Annotations/480p" / name).iterdir())]
    return Sequence(name, frames, [(cv2.resize(mask, size) > 127).astype(np.uint8) for mask in masks])


def video(path: Path) -> Iterator[Picture]:
    """All frames of a video file."""
    capture = cv2.VideoCapture(str(path))
    while (read := capture.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def read(path: Path, side: int) -> Picture:
    """A picture file, ``side`` pixels high."""
    return at_height(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), side)


def at_height(image: Picture, side: int) -> Picture:
    """``image``, ``side`` pixels high."""
    return cv2.resize(image, (round(image.shape[1] * side / image.shape[0]), side), interpolation=cv2.INTER_AREA)


def cut(image: Picture, mask: Picture) -> tuple[Picture, Picture]:
    """The part of ``image`` around ``mask``, at most 320 pixels long."""
    x, y, w, h = cv2.boundingRect(mask)
    image, mask = image[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    scale = min(1.0, CUTOUT / max(w, h))
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST),
    )


class Library:
    """Everything that is read from disk, kept in memory (about 1.3 GiB).

    ``root`` holds davis/, ccp/, emoji/, clipart/ and videos/; ``sequences`` are the names of the DAVIS sequences to
    train on.
    """

    def __init__(self, root: Path, sequences: list[str]) -> None:
        with ThreadPoolExecutor() as pool:  # 54 s in one thread, most of it OpenCV
            sequences_read = pool.map(lambda name: davis(root / "davis", name, SIDE), sequences)
            people = pool.map(person, sorted((root / "ccp/images").iterdir()))
            emoji = pool.map(cutout, sorted((root / "emoji").iterdir()))
            clipart = pool.map(cutout, sorted(path for path in (root / "clipart").rglob("*") if path.is_file()))
            stills = pool.map(lambda path: _stills(path, 16), sorted((root / "videos").iterdir()))
            self.sequences = list(sequences_read)
            # A few photographs have no labels
            self.people = [(image, mask) for image, mask in people if mask.sum() >= 400]
            self.emoji, self.clipart = [p for some in emoji for p in some], [p for some in clipart for p in some]
            self.backgrounds = [s.frames[k] for s in self.sequences for k in range(0, len(s.frames), 20)]
            self.backgrounds += [still for some in stills for still in some]
        self.cutouts = [
            [cut(s.frames[k], s.masks[k]) for k in range(0, len(s.frames), 3) if s.masks[k].sum() >= 400]
            for s in self.sequences
        ]


def person(path: Path) -> tuple[Picture, Picture]:
    """A photograph of CCP, and the mask of the person in it."""
    image = read(path, SIDE)
    labels = cv2.imread(str(path.parents[1] / "labels" / f"{path.stem}.png"), 0)
    labels = cv2.resize(labels, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    # The labels leave thin gaps between the clothes
    return image, cv2.morphologyEx((labels > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))


def cutout(path: Path) -> list[tuple[Picture, Picture]]:
    """A picture with an alpha channel and its mask, if it is one object in one piece; an empty list otherwise."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim < 3 or image.shape[2] < 4 or image.dtype != np.uint8:
        return []
    scale = min(1.0, CUTOUT / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    image = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), size, interpolation=cv2.INTER_AREA)
    mask = (image[..., 3] > 127).astype(np.uint8)
    _, _, w, h = cv2.boundingRect(mask)
    _, _, parts, _ = cv2.connectedComponentsWithStats(mask)
    # Specks, signs and flags, and what is drawn in lines
    if not 3000 <= mask.sum() <= 0.93 * w * h or parts[1:, cv2.CC_STAT_AREA].max() < 0.97 * mask.sum():
        return []
    # Beyond the mask the file is black: there the colours near by go on
    solid = image[..., :3] * mask[..., None].astype(np.float32)
    near = cv2.blur(solid, (15, 15)) / np.maximum(cv2.blur(mask.astype(np.float32), (15, 15)), 1e-3)[..., None]
    beyond = np.where(mask[..., None] > 0, image[..., :3], np.clip(near, 0, 255)).astype(np.uint8)
    return [cut(beyond, mask)]


def recoloured(rng: Generator, image: Picture) -> Picture:
    """``image`` in other hues, half of the time, and paler: emoji and clip art are bright, many are yellow."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    if rng.random() < 0.5:
        hsv[..., 0] = (hsv[..., 0] + 180 * rng.random()) % 180
    hsv[..., 1] *= rng.uniform(0.2, 1.0)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def textured(rng: Generator, image: Picture, backgrounds: list[Picture]) -> Picture:
    """``image`` with a piece of a picture over it, its own shades still there: hides and paint aren't flat."""
    ground = backgrounds[rng.integers(len(backgrounds))]
    side = int(rng.integers(60, min(ground.shape[:2])))
    y, x = rng.integers(ground.shape[0] - side + 1), rng.integers(ground.shape[1] - side + 1)
    piece = cv2.resize(ground[y : y + side, x : x + side], image.shape[1::-1]).astype(np.float32)
    share = rng.uniform(0.3, 0.85)
    return np.clip((1 - share) * image + share * piece * (0.5 + image / 255), 0, 255).astype(np.uint8)


def _stills(path: Path, count: int) -> list[Picture]:
    capture, stills = cv2.VideoCapture(str(path)), []
    for index in np.linspace(0, capture.get(cv2.CAP_PROP_FRAME_COUNT) - 2, count).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        ok, frame = capture.read()
        if ok:
            stills.append(at_height(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), SIDE))
    return stills


def blob(rng: Generator, backgrounds: list[Picture], shapes: list[tuple[Picture, Picture]]) -> tuple[Picture, Picture]:
    """A polygon, an ellipse, a bar or an outline of ``shapes``, filled with a piece of a picture or a colour."""
    mask = np.zeros((160, 160), np.uint8)
    kind = rng.random()
    if kind < 0.2:
        angles = np.sort(rng.random(8)) * 2 * np.pi
        radii = (0.4 + 0.6 * rng.random(8)) * 76
        points = np.stack([80 + radii * np.cos(angles), 80 + radii * np.sin(angles)], 1)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    elif kind < 0.4:
        axes = (int(25 + 50 * rng.random()), int(15 + 60 * rng.random()))
        cv2.ellipse(mask, (80, 80), axes, 180 * rng.random(), 0, 360, 1, -1)
    elif kind < 0.5:
        ends = rng.integers(10, 150, (3, 2)).astype(np.int32)
        cv2.polylines(mask, [ends], False, 1, int(8 + 24 * rng.random()))
    else:
        outline = shapes[rng.integers(len(shapes))][1]
        h, w = outline.shape
        scale = 150 / max(h, w)
        small = cv2.resize(outline, (max(1, int(w * scale)), max(1, int(h * scale))), interpolation=cv2.INTER_NEAREST)
        mask[5 : 5 + small.shape[0], 5 : 5 + small.shape[1]] = small
    texture = backgrounds[rng.integers(len(backgrounds))]
    y, x = rng.integers(texture.shape[0] - 160), rng.integers(texture.shape[1] - 160)
    image = texture[y : y + 160, x : x + 160].astype(np.float32)
    image = image * (0.2 + 0.8 * rng.random()) + np.float32(colour(rng)) * rng.random()
    return np.clip(image, 0, 255).astype(np.uint8), mask


def _furnish(rng: Generator, image: Picture, floor: int) -> None:
    """Houses with windows, rows of heads, boards with letters and lamps, as behind a sports ground."""
    w = image.shape[1]
    if rng.random() < 0.5:
        for _ in range(rng.integers(2, 7)):
            x, wide, high = int(w * rng.random()), int(rng.integers(40, 130)), int(rng.integers(50, 170))
            cv2.rectangle(image, (x, floor - high), (x + wide, floor), colour(rng), -1)
            pane = colour(rng)
            for row in range(floor - high + 8, floor - 14, 20):
                for column in range(x + 6, x + wide - 10, 16):
                    cv2.rectangle(image, (column, row), (column + 8, row + 11), pane, -1)
    if rng.random() < 0.5:
        gain = rng.uniform(0.3, 1.0)
        for row in range(int(rng.integers(1, 4))):
            for x in range(int(rng.integers(12)), w, 12):
                r, g, b = colour(rng)
                dim: Colour = (int(gain * r), int(gain * g), int(gain * b))
                cv2.circle(image, (x, floor - 40 + 10 * row), 5, (150 * gain, 115 * gain, 95 * gain), -1, cv2.LINE_AA)
                cv2.rectangle(image, (x - 5, floor - 35 + 10 * row), (x + 5, floor - 20 + 10 * row), dim, -1)
    if rng.random() < 0.5:
        high, x = int(rng.integers(24, 60)), 0
        while x < w:
            wide = int(rng.integers(60, 180))
            cv2.rectangle(image, (x, floor - high // 2), (x + wide, floor + high // 2), colour(rng), -1)
            text = "".join(chr(k) for k in rng.integers(65, 91, 6))
            cv2.putText(image, text, (x + 6, floor + high // 4), 0, high / 45, colour(rng), 3, cv2.LINE_AA)
            x += wide
    if rng.random() < 0.3:
        for x in range(int(rng.integers(30)), w, 30):
            cv2.circle(image, (x, int(rng.integers(10, 60))), int(rng.integers(2, 5)), (255, 240, 210), -1, cv2.LINE_AA)


def drawn_background(rng: Generator, plain: bool) -> Picture:
    """A gradient, and unless ``plain`` a floor, clutter of shapes, stripes and noise on it: 400 x 710 pixels."""
    h, w = 400, 710
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
        if rng.random() < 0.6:
            image = np.clip(image, 0, 255).astype(np.uint8)  # which letters want
            _furnish(rng, image, floor)
        if rng.random() < 0.4:
            image = cv2.GaussianBlur(image, (0, 0), 0.5 + 3 * rng.random())
    coarse = rng.normal(0, 1, (h // 8, w // 8, 1)).astype(np.float32) * 14 * rng.random()
    return np.clip(image + cv2.resize(coarse, (w, h))[..., None], 0, 255).astype(np.uint8)
