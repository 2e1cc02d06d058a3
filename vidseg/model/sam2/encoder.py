"""Frames through the image encoder: what a view shows of a frame, as the model takes it, and its features."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vidseg.model.sam2.engine import Engine
from vidseg.model.sam2.view import View
from vidseg.types import RGB


class Features(NamedTuple):
    """A frame as the model takes it (1, 3, H, W), and the image encoder's output, as sam2 keeps the two together."""

    image_13hw: Tensor
    encoded: dict[str, list[Tensor]]


class Encoder:
    """The image encoder of an engine's model."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def image(self, rgb_hw3: RGB, view: View) -> Tensor:
        """What ``view`` shows of a frame, as the model takes it: float32 (3, side, side), normalised."""
        return self._engine.speed.image(view.look(rgb_hw3), self._engine.predictor.image_size)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Features]:
        """The features of images (3, side, side), which go through the image encoder as one batch.

        A batch of two or more is filled up to ``at_once``, so that no third size of batch is tuned or compiled for.
        """
        if not images:
            return []
        padding = [images[-1]] * (at_once - len(images) if len(images) > 1 else 0)
        batch_n3hw = torch.stack([*images, *padding]).to(self._engine.device, non_blocking=True)
        with self._engine.computing():
            encoded = self._engine.predictor.forward_image(batch_n3hw)
        keys = ("backbone_fpn", "vision_pos_enc")
        rows = [slice(number, number + 1) for number in range(len(images))]
        return [
            Features(batch_n3hw[row], {key: [level[row] for level in encoded[key]] for key in keys}) for row in rows
        ]

    def features(self, rgb_hw3: RGB, view: View) -> Features:
        """The features of what ``view`` shows of one frame."""
        return self.encode([self.image(rgb_hw3, view)])[0]
