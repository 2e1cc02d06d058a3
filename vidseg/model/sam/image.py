"""What SAM is told about an object in one picture, and what runs it: an ONNX file or transformers' model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import bounding_box
from vidseg.types import RGB, Logits, Mask, Prompt

# ImageNet's, on 0..255: of SAM's own preprocessing (segment_anything/modeling/sam.py)
MEAN_RGB = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION_RGB = np.array([58.395, 57.12, 57.375], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Clue:
    """Points, a box or both, in pixels of the picture: float32 (n, 2), int32 (n,) and float32 (4,)."""

    points_xy: NDArray[np.float32]
    labels: NDArray[np.int32]
    box_xyxy: NDArray[np.float32] | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether it may mean a thing or a part of it: one point alone. SAM is then asked for several masks."""
        return self.box_xyxy is None and len(self.labels) == 1

    def with_points(self, prompt: Prompt) -> "Clue":
        """The same, and the points of a prompt."""
        if prompt.points_xy is None or prompt.labels is None:
            return self
        points_xy = np.concatenate([self.points_xy, prompt.points_xy])
        return Clue(points_xy, np.concatenate([self.labels, prompt.labels]), self.box_xyxy)


NO_POINTS = np.zeros((0, 2), np.float32), np.zeros(0, np.int32)


def of_prompt(prompt: Prompt) -> Clue:
    """What a prompt says; a mask is told by its box and a point inside, and must not be empty."""
    if prompt.mask_hw is not None:
        return of_mask(prompt.mask_hw) or Clue(*NO_POINTS)
    if prompt.points_xy is None or prompt.labels is None:
        return Clue(*NO_POINTS, prompt.box_xyxy)
    return Clue(prompt.points_xy, prompt.labels, prompt.box_xyxy)


def of_mask(mask_hw: Mask) -> Clue | None:
    """A mask's box, and its pixel that is furthest from the mask's edge and from the picture's; None if it is empty."""
    box = bounding_box(mask_hw)
    if box is None:
        return None
    rows, columns = box
    inside = np.pad(mask_hw[box].astype(np.uint8), 1)
    y, x = np.unravel_index(cv2.distanceTransform(inside, cv2.DIST_L2, 5).argmax(), inside.shape)
    point = np.array([[columns.start + x - 1, rows.start + y - 1]], np.float32)
    corners = np.array([columns.start, rows.start, columns.stop, rows.stop], np.float32)
    return Clue(point, np.ones(1, np.int32), corners)


class ImageModel(Protocol):
    """SAM, as something runs it."""

    device: str
    precision: str
    provenance: Mapping[str, str]

    def encode(self, rgb_hw3: RGB) -> Any:
        """What ``decode`` needs of a picture, uint8 (height, width, 3)."""

    def decode(self, encoded: Any, clue: Clue) -> tuple[Logits, NDArray[np.float32]]:
        """Masks of what the clue means, float32 (k, height, width), above 0 on it, and their predicted IoU (k,).

        One mask, or those for a thing and its parts if the clue is ``ambiguous``.
        """


def fit(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is ``side``, rounded as SAM does (ResizeLongestSide)."""
    scale = side / max(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def square(rgb_hw3: RGB, side: int) -> NDArray[np.float32]:
    """SAM's input, float32 (1, 3, side, side): scaled to fit, normalised, zeros at the right and at the bottom."""
    from PIL import Image

    height, width = fit(rgb_hw3.shape[0], rgb_hw3.shape[1], side)
    small_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((width, height), Image.Resampling.BILINEAR))
    input_3hw = np.zeros((1, 3, side, side), np.float32)
    input_3hw[0, :, :height, :width] = ((small_hw3 - MEAN_RGB) / DEVIATION_RGB).transpose(2, 0, 1)
    return input_3hw
