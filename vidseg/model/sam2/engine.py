"""What every part of the engine works with: the model, its device and number format, and how its work is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vidseg.devices import Precision
from vidseg.errors import InputError
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.upstream import Predictor
from vidseg.model.sam2.view import View
from vidseg.types import RGB


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """What is asked of the masks. Raises InputError for values that can't be used.

    - ``fill_hole_area``: fill holes of up to so many pixels, in the mask at a quarter of the model's input size.
    - ``non_overlap_masks``: every pixel belongs to its best object only.
    - ``propagate``: "forward" from the first prompt, or to "both" ends of the video.
    """

    fill_hole_area: int = 8
    non_overlap_masks: bool = False
    propagate: str = "forward"

    def __post_init__(self) -> None:
        if type(self.fill_hole_area) is not int or self.fill_hole_area < 0:
            raise InputError(f"model.fill_hole_area: {self.fill_hole_area}; 0 (fills none) or more, in pixels")
        if self.propagate not in ("forward", "both"):
            raise InputError(f"propagate: {self.propagate} is not one of forward, both")


class Features(NamedTuple):
    """A frame as the model takes it (1, 3, H, W), and the image encoder's output, as sam2 keeps the two together."""

    image_13hw: Tensor
    encoded: dict[str, list[Tensor]]


@dataclass(frozen=True, slots=True)
class Engine:
    """The model and how it is run: ``speed`` is ``Plain``, as upstream does it, or something faster."""

    predictor: Predictor
    device: torch.device
    precision: Precision
    speed: Plain
    options: MaskOptions

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Runs the model in its precision, and records nothing for gradients, until the block ends."""
        with torch.inference_mode(), self.precision.applied(self.device):
            yield

    def image(self, rgb_hw3: RGB, view: View) -> Tensor:
        """What ``view`` shows of a frame, as the model takes it: float32 (3, side, side), normalised."""
        return self.speed.image(view.look(rgb_hw3), self.predictor.image_size)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Features]:
        """The features of images (3, side, side), which go through the image encoder as one batch.

        A batch of two or more is filled up to ``at_once``, so that no third size of batch is tuned or compiled for.
        """
        if not images:
            return []
        padding = [images[-1]] * (at_once - len(images) if len(images) > 1 else 0)
        batch_n3hw = torch.stack([*images, *padding]).to(self.device, non_blocking=True)
        with self.computing():
            encoded = self.predictor.forward_image(batch_n3hw)
        levels, rows = ("backbone_fpn", "vision_pos_enc"), [slice(row, row + 1) for row in range(len(images))]
        return [Features(batch_n3hw[row], {key: [x[row] for x in encoded[key]] for key in levels}) for row in rows]

    def features(self, rgb_hw3: RGB, view: View) -> Features:
        """The features of what ``view`` shows of one frame."""
        return self.encode([self.image(rgb_hw3, view)])[0]
