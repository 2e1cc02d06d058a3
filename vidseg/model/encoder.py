"""Frames through the image encoder: what a view shows of each, as the model takes it, and what it says of it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from vidseg.model.image import Input, device_image, host_image, upload
from vidseg.model.zoom import View
from vidseg.types import RGB

Features = tuple[Tensor, dict[str, list[Tensor]]]
"""A frame as the model takes it (1, 3, H, W), and what the image encoder says of it, as sam2 keeps them."""


class Encoder:
    """The image encoder of ``predictor``, which runs inside ``computing``. With ``gpu`` frames are resized there."""

    def __init__(self, predictor: Any, computing: Callable[[], AbstractContextManager[object]], gpu: bool) -> None:
        self._predictor, self._computing, self._gpu = predictor, computing, gpu

    def input(self, rgb_hw3: RGB, view: View) -> Input:
        """What ``view`` shows of a frame, as the model takes it."""
        side = self._predictor.image_size
        if not self._gpu:
            return Input(host_image(view.of(rgb_hw3), side))
        uploaded = upload(rgb_hw3, self._predictor.device)
        return Input(device_image(view.of_planes(uploaded.planes_3hw), side), uploaded)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Features]:
        """Each image (3, H, W) of float32 through the image encoder, all as one batch.

        More than one are made up to ``at_once`` first, so that no third size of batch is tuned or compiled for.
        """
        if not images:
            return []
        padding = [images[-1]] * (at_once - len(images) if len(images) > 1 else 0)
        batch_n3hw = torch.stack([*images, *padding]).to(self._predictor.device, non_blocking=True)
        with self._computing():
            encoded = self._predictor.forward_image(batch_n3hw)
        keys = ("backbone_fpn", "vision_pos_enc")
        ones = [slice(number, number + 1) for number in range(len(images))]
        return [(batch_n3hw[one], {key: [level[one] for level in encoded[key]] for key in keys}) for one in ones]

    def features(self, rgb_hw3: RGB, view: View) -> Features:
        """The features of what ``view`` shows of one frame."""
        return self.encode([self.input(rgb_hw3, view).image_chw])[0]
