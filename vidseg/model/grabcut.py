"""The classical baseline: GrabCut re-estimated on every frame, on the mask that optical flow carries over.

Rother, Kolmogorov, Blake, "GrabCut" (SIGGRAPH 2004) in OpenCV's implementation, with dense inverse search flow
(Kroeger et al., ECCV 2016). It needs no weights. Everything happens at a small working size; logits come back at the
video's. This module knows nothing about files, devices, SAM-2 or ground truth.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from vidseg.errors import InputError
from vidseg.model.grabcut_colour import Colours
from vidseg.model.grabcut_cut import Map, cut, signed_distance, tidy, window
from vidseg.model.grabcut_motion import Flow, affine, odds_of_moving, shift, spread
from vidseg.model.grabcut_plate import standing_out
from vidseg.model.grabcut_start import corrected, dots, from_box, from_points
from vidseg.types import RGB, Frame, FrameMasks, Logits, Mask, Prompt, Source

PLATE_FRAMES, PLATE_STEP = 25, 3  # a click is compared with what these following frames uncover behind it
AHEAD = (1, 2, 4)  # a click is compared with these following frames to see what moves along
COLOUR, MOTION = 1.5, 1.5  # weights of the log-odds
INERTIA = 1.5  # the most that the carried mask can say for or against a pixel, within reach of its edge
CONFIDENCE = 8.0  # the largest logit


@dataclass(slots=True)
class _Object:
    """What is kept of one object: its mask on the last frame (working size), its colours, its usual area."""

    mask: Mask
    colours: Colours
    area: float


def shrunk(mask: Mask, shape: tuple[int, int]) -> Mask:
    """A mask at the working size (h, w); a mask of a few pixels does not vanish."""
    share = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    small = share > 0.5
    return np.asarray(small if small.any() else share > 0)


def full_size(mask: Mask | None, shape: tuple[int, ...]) -> Logits:
    """Logits (h, w) float32 of ``shape``: working pixels from the mask's edge, within ±CONFIDENCE."""
    if mask is None or not mask.any():
        return np.full(shape, -CONFIDENCE, np.float32)
    distance = np.clip(signed_distance(mask), -CONFIDENCE, CONFIDENCE)
    return np.asarray(cv2.resize(distance, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


class GrabCut:
    """Follows objects without a network; a ``vidseg.types.Segmenter``.

    ``width`` is the working width in pixels, ``iterations`` of GrabCut a frame, ``band`` the distance in pixels
    (working size) from the carried mask's edge in which colour may still win over it, ``memory`` in 0..1 how much of
    an object's colours is kept from frame to frame. Raises InputError for values outside their range.
    """

    def __init__(
        self, width: int = 480, iterations: int = 1, band: float = 8.0, memory: float = 0.95, propagate: str = "forward"
    ) -> None:
        if propagate != "forward":
            raise InputError(f"propagate: {propagate}; grabcut goes forward only, the models of SAM 2 to both ends")
        for key, value, low, high in (
            ("width", width, 64, 4096),
            ("iterations", iterations, 1, 20),
            ("band", band, 1, 100),
            ("memory", memory, 0, 1),
        ):
            if not low <= value <= high:
                raise InputError(f"model.{key}={value} must be between {low} and {high}")
        self.device, self.precision = "cpu", "fp32"
        self.provenance: Mapping[str, str] = {}
        self._width, self._iterations, self._band, self._memory = width, iterations, band, memory

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Generator[tuple[Frame, FrameMasks]]:
        """One pair for each frame of ``source.frames``; holds two small ones, PLATE_FRAMES at a click."""
        if not prompts:
            raise InputError("prompt: there is none, so there is nothing to segment")
        ids = tuple(sorted({prompt.object_id for prompt in prompts}))
        objects: dict[int, _Object] = {}
        before: RGB | None = None
        frames = iter(source)
        try:
            for frame in frames:
                rgb = self._small(frame.rgb_hw3)
                if before is not None and objects:
                    flow = Flow(before, rgb)
                    for item in objects.values():
                        self._follow(item, rgb, flow)
                for prompt in prompts:
                    if prompt.frame_index == frame.index:
                        self._prompted(objects, prompt, source, rgb, frame)
                before = rgb
                shape = frame.rgb_hw3.shape[:2]
                logits = [full_size(objects[i].mask if i in objects else None, shape) for i in ids]
                yield frame, FrameMasks(frame.index, ids, np.stack(logits))
        finally:
            frames.close()

    def _small(self, rgb: RGB) -> RGB:
        """The frame at the working size (never enlarged)."""
        height, width = rgb.shape[:2]
        scale = min(self._width / width, 1.0)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _prompted(self, objects: dict[int, _Object], prompt: Prompt, source: Source, rgb: RGB, frame: Frame) -> None:
        """Starts the prompt's object on this frame, or corrects it if only points are given and it is there."""
        height, width = rgb.shape[:2]
        scale = np.array([width / frame.rgb_hw3.shape[1], height / frame.rgb_hw3.shape[0]], np.float32)
        none = np.zeros((0, 2), np.float32)
        points = none if prompt.points_xy is None else (prompt.points_xy * scale).astype(np.float32)
        labels = np.ones(len(points), np.int32) if prompt.labels is None else prompt.labels
        known = objects.get(prompt.object_id)
        if prompt.mask_hw is not None:
            mask = shrunk(prompt.mask_hw, (height, width))
        elif prompt.box_xyxy is not None:
            mask = from_box(rgb, prompt.box_xyxy * np.tile(scale, 2), points, labels)
        elif known is not None and known.mask.any():
            mask = corrected(rgb, known.mask, known.colours, points, labels)
        else:
            mask = standing_out(self._ahead(source, frame), dots((height, width), points, labels))
            if not mask.any():
                mask = from_points(rgb, points, labels, self._later(source, frame))
        if mask.any():
            objects[prompt.object_id] = _Object(mask, Colours(rgb, mask), float(np.count_nonzero(mask)))

    def _ahead(self, source: Source, frame: Frame) -> list[RGB]:
        """The frame and others of the video after it, PLATE_STEP apart, at most PLATE_FRAMES, whatever is extracted.

        Read in order where they are the first ones of the source, since each seek decodes from a key frame on.
        """
        length = PLATE_FRAMES * PLATE_STEP + 1
        found: list[RGB] = []
        with closing(source.__iter__()) as frames, suppress(InputError):  # the video may end early
            if list(source.frames[:length]) == list(range(frame.index, frame.index + length)):
                for other in islice(frames, 0, length, PLATE_STEP):
                    found.append(self._small(other.rgb_hw3))
            else:
                end = frame.index + length if source.info.num_frames is None else source.info.num_frames
                for number in range(frame.index, min(frame.index + length, end), PLATE_STEP):
                    found.append(self._small(source[number].rgb_hw3))
        return found

    def _later(self, source: Source, frame: Frame) -> list[tuple[int, RGB]]:
        """Frames around ``frame`` to see what moves: the following ones, or those before it at the end."""
        for direction in (1, -1):
            found = []
            for distance in AHEAD:
                number = frame.index + direction * distance
                if number < 0 or (source.info.num_frames is not None and number >= source.info.num_frames):
                    break
                try:
                    found.append((distance, self._small(source[number].rgb_hw3)))
                except InputError:  # the video ends here
                    break
            if found:
                return found
        return []

    def _follow(self, item: _Object, rgb: RGB, flow: Flow) -> None:
        """Carries the mask to the next frame and cuts again; updates the colours."""
        carried = shift(item.mask, flow.back)
        if not carried.any():
            item.mask = carried
            return
        distance = signed_distance(carried)
        where = window(carried, int(2 * self._band) + 4)
        core, ring = distance > min(3.0, 0.5 * float(distance.max())), (distance < -4) & (distance > -40)
        moved = [-np.median(flow.back[m], axis=0) if m.any() else np.zeros(2, np.float32) for m in (core, ring)]
        colour = np.clip(cv2.blur(item.colours.odds(rgb, where, moved[0], moved[1]), (3, 3)), -4, 4)
        alike = np.zeros_like(core)
        alike[where] = colour > 0  # perhaps a lost part of the object: no witness of how the background moves
        inside, outside = (np.where(m, flow.trust, 0).astype(np.float32) for m in (core, (distance < -4) & ~alike))
        own = affine(flow.back, inside)
        motion = odds_of_moving(flow.back, spread(flow.back, outside, 12), own, core)
        stiff = signed_distance(shift(item.mask, own))
        evidence = COLOUR * colour + MOTION * motion[where]
        evidence += self._inertia(distance[where], stiff[where], flow.trust[where])
        found = cut(rgb[where], evidence.astype(np.float32), self._iterations)
        near = cv2.dilate(carried[where].astype(np.uint8), np.ones((5, 5))) > 0
        item.mask = np.zeros_like(carried)
        item.mask[where] = tidy(found, near, hole=0.005 * item.area, keep=0.02 * item.area)
        item.area += 0.05 * (np.count_nonzero(item.mask) - item.area)
        inside_now, outside_now = item.mask.copy(), cv2.dilate(item.mask.astype(np.uint8), np.ones((3, 3))) == 0
        inside_now[where] &= evidence > 0
        outside_now[where] &= evidence < -0.5
        item.colours.learn(rgb, inside_now, outside_now, self._memory)

    def _inertia(self, distance: Map, stiff: Map, trust: Map) -> Map:
        """Log-odds that the mask stays where it was carried: ``distance`` is to the edge that flow carried.

        Where flow is not to be trusted something was covered or uncovered: there it is ``stiff``, to the edge carried
        by the object's own affine motion, and gentler. Beyond the band it is all the surer outside.
        """
        steep = np.clip(distance / 1.2, -INERTIA, INERTIA) + 0.15 * np.minimum(distance + self._band, 0)
        flat = np.clip(stiff * (4.0 / self._band), -9, INERTIA)
        return np.asarray(trust * steep + (1 - trust) * flat, np.float32)
