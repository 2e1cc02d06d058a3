"""Training clips: scenes in which the prompt alone says what the object is.

Nearly every clip holds several candidates (people among people, twins, two videos side by side), and the targets of
one clip are different objects in the same frames: a network that ignores its prompt or its memory can't be right about
both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.data import Library, Picture, blob, cut, drawn_background, recoloured, textured
from training.figures import Figure
from training.things import thing

MIN_AREA = 0.004  # of the picture: what a target shows at least in its first frame
_PASTED, _RIGHT = 2, 20  # labels: 1 is a sequence's or a photograph's own object; these are where others start
Drawing = Callable[[int], tuple[Picture, Picture]]


@dataclass
class Clip:
    """``frames`` uint8 (T, S, S, 3) and ``masks`` uint8 (K, T, S, S), one for each target."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]


@dataclass
class _Scene:
    frames: NDArray[np.uint8]  # (T, S, S, 3)
    labels: NDArray[np.uint8]  # (T, S, S)
    targets: list[int]  # their labels


class Clips:
    """Draws clips of ``size`` pixels from a library; what it draws is a function of the generator given alone."""

    def __init__(self, library: Library, size: int) -> None:
        self._library = library
        self._size = size

    def sample(self, rng: Generator, length: int, targets: int, plain: float) -> Clip:
        """A clip of ``length`` frames with ``targets`` targets; ``plain``: the share of twins on plain ground."""
        while True:
            scene = self._scene(rng, length, plain)
            first = scene.labels[0]
            least = MIN_AREA * first.size
            found = [label for label in scene.targets if (first == label).sum() >= least]
            if not found:
                continue
            rng.shuffle(found)
            chosen = [found[k % len(found)] for k in range(targets)]
            masks = np.stack([scene.labels == label for label in chosen]).astype(np.uint8)
            return Clip(_weathered(rng, scene.frames), masks)

    def _scene(self, rng: Generator, length: int, plain: float) -> _Scene:
        if rng.random() < plain:
            return self._composite(rng, length, plain=True)
        kind = rng.random()
        if kind < 0.14:
            return self._real(rng, length)
        if kind < 0.48:
            return self._photo(rng, length)
        if kind < 0.94:
            return self._composite(rng, length, plain=False)
        halves = [self._real(rng, length) if rng.random() < 0.4 else self._photo(rng, length) for _ in range(2)]
        return self._side_by_side(halves)

    def _side_by_side(self, halves: list[_Scene]) -> _Scene:
        size, half = self._size, self._size // 2
        frames, labels = [], []
        for t in range(len(halves[0].frames)):
            frames.append(
                np.hstack([cv2.resize(h.frames[t], (half, size), interpolation=cv2.INTER_AREA) for h in halves])
            )
            parts = [cv2.resize(h.labels[t], (half, size), interpolation=cv2.INTER_NEAREST) for h in halves]
            parts[1][parts[1] > 0] += _RIGHT
            labels.append(np.hstack(parts))
        targets = [halves[0].targets[0], _RIGHT + halves[1].targets[0]]
        return _Scene(np.stack(frames), np.stack(labels), targets)

    def _real(self, rng: Generator, length: int) -> _Scene:
        """A stretch of a real sequence, at a random pace; objects may be pasted into it, its own twin among them."""
        which = rng.integers(len(self._library.sequences))
        sequence = self._library.sequences[which]
        count = len(sequence.frames)
        step = min(int(rng.integers(1, 6)), (count - 1) // length)
        first = int(rng.integers(count - step * (length - 1)))
        index = [first + step * t for t in range(length)][:: -1 if rng.random() < 0.3 else 1]
        h, w = sequence.masks[0].shape
        x, y, bw, bh = cv2.boundingRect(sequence.masks[index[0]])
        centre = np.array([x + bw / 2, y + bh / 2]) if bw else np.array([w / 2, h / 2])
        view = self._view(rng, (h, w), centre, rng.uniform(0.95, 1.7), 0.12 * rng.normal())
        frames = [self._warp(sequence.frames[k], view) for k in index]
        labels = [self._warp_mask(sequence.masks[k], view) for k in index]
        scene = _Scene(np.stack(frames), np.stack(labels), [1])
        if rng.random() < 0.6:
            twins = self._library.cutouts[which] if rng.random() < 0.5 else None
            self._paste(rng, scene, int(rng.integers(1, 3)), twins)
        return scene

    def _photo(self, rng: Generator, length: int) -> _Scene:
        """A photograph of a person under a moving camera; others may be pasted in."""
        image, person = self._library.people[rng.integers(len(self._library.people))]
        x, y, w, h = cv2.boundingRect(person)
        centre = np.array([x + w / 2, y + h / 2])
        zoom = np.clip(rng.uniform(0.35, 1.35) / (max(h, 1) / person.shape[0]), 0.9, 2.5)
        path = _Path(rng, length, 0.04, 0.06, 0.035 * self._size)
        view = self._view(rng, person.shape, centre, zoom, 0.2 * rng.normal())
        bent = _wobbling(rng, image, person, 0.03)
        frames, labels = [], []
        for t in range(length):
            moved = path.around(t, np.full(2, self._size / 2)) @ _square(view)
            now, mask = bent(t)
            frames.append(self._warp(now, moved))
            labels.append(self._warp_mask(mask, moved))
        scene = _Scene(np.stack(frames), np.stack(labels), [1])
        if rng.random() < 0.8:
            self._paste(rng, scene, int(rng.integers(1, 3)), None)
        return scene

    def _composite(self, rng: Generator, length: int, plain: bool) -> _Scene:
        """Objects that move over a background that moves too."""
        backgrounds = self._library.backgrounds
        if plain or rng.random() < 0.35:
            background = drawn_background(rng, plain)
        else:
            background = backgrounds[rng.integers(len(backgrounds))]
        h, w = background.shape[:2]
        path = _Path(rng, length, 0.012, 0.015, 0.015 * self._size)
        view = self._view(rng, (h, w), np.array([w / 2, h / 2]), rng.uniform(1.05, 1.6), 0.05 * rng.normal())
        frames = [
            self._warp(background, path.around(t, np.full(2, self._size / 2)) @ _square(view)) for t in range(length)
        ]
        scene = _Scene(np.stack(frames), np.zeros((length, self._size, self._size), np.uint8), [])
        self._paste(rng, scene, 2 if plain else int(rng.integers(1, 4)), None, twins=plain or rng.random() < 0.4)
        return scene

    def _drawing(self, rng: Generator) -> Drawing:
        kind = rng.random()
        if kind < 0.12:
            one = self._library.cutouts[rng.integers(len(self._library.cutouts))]
            first, step = int(rng.integers(len(one))), int(rng.integers(0, 3))
            bounce = np.concatenate([np.arange(len(one)), np.arange(len(one))[::-1]])
            return lambda t: one[bounce[(first + step * t) % len(bounce)]]
        if kind < 0.36:
            return _wobbling(rng, *cut(*self._library.people[rng.integers(len(self._library.people))]))
        if kind < 0.52:
            return thing(rng, self._library.backgrounds)
        if kind < 0.72:
            drawn = self._library.emoji if rng.random() < 0.4 else self._library.clipart
            image, mask = drawn[rng.integers(len(drawn))]
            image = recoloured(rng, image)
            if rng.random() < 0.5:
                image = textured(rng, image, self._library.backgrounds)
            return _wobbling(rng, image, mask)
        if kind < 0.94:
            return Figure(rng).draw
        return _wobbling(rng, *blob(rng, self._library.backgrounds, self._library.clipart))

    def _paste(self, rng: Generator, scene: _Scene, count: int, cutouts: list | None, twins: bool = False) -> None:
        """Puts ``count`` moving objects on the scene, in place; the later ones hide the earlier."""
        size, length = self._size, len(scene.frames)
        drawing = self._drawing(rng)
        height = size * _height(rng)
        seen = np.argwhere(scene.labels[0] == scene.targets[0]) if scene.targets else np.empty((0, 2))
        places: list[NDArray] = [seen.mean(0)[::-1]] if len(seen) else []
        for k in range(count):
            if cutouts:
                still = cutouts[rng.integers(len(cutouts))]
                drawing = _wobbling(rng, *still)
            elif k and not twins:
                drawing, height = self._drawing(rng), size * _height(rng)
            height *= rng.uniform(0.85, 1.15)
            at, angle = size * rng.uniform(0.12, 0.88, 2), 0.25 * rng.normal()
            # Objects that pass each other are what a memory is for, from afar or from half behind
            passes = None
            if places and rng.random() < 0.65:
                other = places[rng.integers(len(places))]
                if rng.random() < 0.4:
                    at = np.clip(other + height * rng.normal(0, 0.3, 2), 0.05 * size, 0.95 * size)
                passes = (other - at) * rng.uniform(1.0, 2.0) + height * rng.normal(0, 0.15, 2)
            path = _Path(rng, length, 0.025, 0.06, 0.045 * size, leaves=rng.random() < 0.2, passes=passes)
            places.append(at)
            flip = rng.choice([-1.0, 1.0])
            squash = rng.choice([1.0, 9 / 16]) if rng.random() < 0.7 else rng.uniform(0.5, 1.2)
            tint = rng.uniform(0.7, 1.25) * rng.uniform(0.9, 1.1, 3)
            blur = int(rng.integers(3, 12)) if rng.random() < 0.15 else 0
            shadow = rng.uniform(0.3, 0.75) if rng.random() < 0.35 else 1.0
            slant = rng.normal() * 0.8
            label = _PASTED + k
            for t in range(length):
                image, mask = drawing(t)
                h, w = mask.shape
                scale = height / max(h, w)
                base = np.float32([[scale * flip * squash, 0, at[0]], [0, scale, at[1]], [0, 0, 1]])
                base = base @ np.float32([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1]])
                matrix = (path.around(t, at, angle) @ base)[:2].astype(np.float32)
                _lay(scene.frames[t], scene.labels[t], image * tint, mask, matrix, label, blur, shadow, slant)
            scene.targets.append(label)

    def _view(self, rng: Generator, shape: tuple[int, ...], centre: NDArray, zoom: float, angle: float) -> NDArray:
        """2 x 3: from a picture to the clip, which sees 1/zoom of its height and is squashed as a wide frame is."""
        size, (h, w) = self._size, shape[:2]
        scale = zoom * size / h
        squash = rng.uniform(0.85, 1.1) if rng.random() < 0.35 else rng.uniform(0.5, 0.75)
        across = max(scale * squash, 0.9 * size / w)
        flip = rng.choice([-1.0, 1.0])
        c, s = np.cos(angle), np.sin(angle)
        linear = np.diag([across * flip, scale]) @ np.array([[c, -s], [s, c]])
        # The view stays within the picture where it can: what lies beyond is a reflection.
        half = 0.5 * size / np.array([across, scale])
        jitter = rng.normal(0, 0.12, 2) * size / np.array([across, scale])
        low, high = np.minimum(half, [w / 2, h / 2]), np.maximum(np.array([w, h]) - half, [w / 2, h / 2])
        centre = np.clip(centre + jitter, low, high)
        return np.hstack([linear, (size / 2 - linear @ centre)[:, None]]).astype(np.float32)

    def _warp(self, image: Picture, matrix: NDArray) -> Picture:
        return cv2.warpAffine(image, matrix[:2], (self._size, self._size), borderMode=cv2.BORDER_REFLECT)

    def _warp_mask(self, mask: Picture, matrix: NDArray) -> Picture:
        return cv2.warpAffine(mask, matrix[:2], (self._size, self._size), flags=cv2.INTER_NEAREST)


class _Path:
    """A smooth way: position, size and angle over the frames; now and then out of the picture and back.

    ``passes`` leads by way of a point (x, y) from the start, which it reaches in the midst of the clip.
    """

    def __init__(
        self, rng: Generator, length: int, scale: float, turn: float, speed: float,
        leaves: bool = False, passes: NDArray | None = None,
    ) -> None:  # fmt: skip
        t = np.arange(length)[:, None]
        velocity, bend = rng.normal(0, speed, 2) * rng.random(), rng.normal(0, speed * 0.1, 2)
        self._offset = velocity * t + bend * t * t / 2
        if passes is not None:
            self._offset += passes * t / (rng.uniform(0.35, 0.8) * length)
        elif leaves:
            away = rng.normal(0, 1, 2)
            away *= rng.uniform(12, 22) * speed / np.linalg.norm(away)
            when = rng.uniform(0.35, 0.8) * length
            self._offset = away * np.exp(-(((t - when) / rng.uniform(0.8, 1.5)) ** 2))
            self._offset -= self._offset[0]
        self._scale = np.clip((1 + scale * rng.normal()) ** t[:, 0], 0.5, 1.9)
        self._angle = turn * rng.normal() * t[:, 0]

    def around(self, t: int, centre: NDArray, angle: float = 0.0) -> NDArray:
        """3 x 3: scales and turns about ``centre``, then moves."""
        c, s = np.cos(self._angle[t] + angle) * self._scale[t], np.sin(self._angle[t] + angle) * self._scale[t]
        linear = np.array([[c, -s], [s, c]])
        matrix = np.eye(3)
        matrix[:2, :2], matrix[:2, 2] = linear, centre + self._offset[t] - linear @ centre
        return matrix


def _height(rng: Generator) -> float:
    """Of an object, in that of the picture."""
    return rng.uniform(0.3, 0.9) if rng.random() < 0.75 else rng.uniform(0.8, 1.3)


def _square(matrix: NDArray) -> NDArray:
    return np.vstack([matrix, [0, 0, 1]])


def _wobbling(rng: Generator, image: Picture, mask: Picture, much: float = 0.09) -> Drawing:
    """A still that bends smoothly from frame to frame, or, half of the time, doesn't."""
    if rng.random() < 0.5:
        return lambda t: (image, mask)
    h, w = mask.shape
    across, down = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    fields = [cv2.resize(rng.normal(0, much, (4, 4)).astype(np.float32), (w, h)) * max(h, w) for _ in range(2)]
    phase, rate = 2 * np.pi * rng.random(), rng.uniform(0.3, 1.2)

    def draw(t: int) -> tuple[Picture, Picture]:
        now = np.float32(np.sin(phase + rate * t))
        x, y = across + now * fields[0], down + now * fields[1]
        moved = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return moved, cv2.remap(mask, x, y, cv2.INTER_NEAREST)

    return draw


def _lay(
    frame: Picture, labels: Picture, image: NDArray, mask: Picture, matrix: NDArray, label: int, blur: int,
    shadow: float, slant: float,
) -> None:  # fmt: skip
    """Lays one object over a frame, in place, with its shadow below it."""
    size = frame.shape[1::-1]
    moved = cv2.warpAffine(mask * 255, matrix, size)
    x, y, w, h = cv2.boundingRect(moved)
    if not w:
        return
    if shadow < 1:
        flat = np.float32([[1, -slant * 0.4, slant * 0.4 * (y + h)], [0, -0.3, 1.3 * (y + h)]])
        dark = cv2.GaussianBlur(cv2.warpAffine(moved, flat, size), (5, 5), 0)
        below = _around(cv2.boundingRect(dark), 0)
        share = dark[below][..., None] * np.float32((1 - shadow) / 255)
        frame[below] = (frame[below] * (1 - share)).astype(np.uint8)
    here = _around((x, y, w, h), 2 + blur)
    top, left = here[0].start, here[1].start
    alpha = moved[here]
    shifted = matrix - np.float32([[0, 0, left], [0, 0, top]])
    solid = np.clip(image, 0, 255).astype(np.uint8)
    colours = cv2.warpAffine(solid, shifted, alpha.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.GaussianBlur(alpha, (3, 3), 0)
    if blur:
        alpha, colours = cv2.blur(alpha, (blur, 1)), cv2.blur(colours, (blur, 1))
    share = alpha[..., None] * np.float32(1 / 255)
    frame[here] = (frame[here] * (1 - share) + colours * share).astype(np.uint8)
    labels[here][alpha > 127] = label


def _around(box: tuple[int, int, int, int], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a bounding box: most objects are a small part of the picture."""
    x, y, w, h = box
    return slice(max(0, y - margin), y + h + margin), slice(max(0, x - margin), x + w + margin)


def _weathered(rng: Generator, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Light, contrast, tint, softness and grain; in half of the clips the light changes from the first frame on."""
    first = _light(rng)
    last = _light(rng) if rng.random() < 0.5 else first
    lit = np.empty_like(frames)
    for t, frame in enumerate(frames):
        share = t / max(1, len(frames) - 1)
        table = np.clip((1 - share) * first + share * last, 0, 255).astype(np.uint8)
        lit[t] = cv2.LUT(frame, table[:, None])
    frames = lit
    if rng.random() < 0.2:
        frames = np.stack([cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.4, 1.1)) for frame in frames])
    if rng.random() < 0.3:
        grain = rng.normal(0, rng.uniform(2, 7), (*frames.shape[1:3], 1))
        frames = np.clip(frames + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        grey = frames.mean(-1, keepdims=True)
        frames = np.broadcast_to(grey, frames.shape).astype(np.uint8)
    return np.ascontiguousarray(frames)


def _light(rng: Generator) -> NDArray[np.float64]:
    """What becomes of the values 0 to 255 of each channel: (256, 3)."""
    tint = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    table: NDArray[np.float64] = (np.arange(256)[:, None] - 128) * tint * rng.uniform(0.75, 1.2) + 128
    return table + rng.normal(0, 14)
