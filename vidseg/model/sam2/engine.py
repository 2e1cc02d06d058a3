"""What every part of the engine works with: the model, its device and number format, and how its work is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from vidseg.errors import InputError
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.precision import Precision
from vidseg.model.sam2.predictor import Predictor


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """What is asked of the masks.

    - ``fill_hole_area``: holes of up to so many pixels are filled, in the mask at a quarter of the model's input size.
    - ``non_overlap_masks``: each pixel belongs to its best object only.
    - ``propagate``: "forward" from the first prompt, or to "both" ends of the video.

    Raises InputError for values that can't be used.
    """

    fill_hole_area: int = 8
    non_overlap_masks: bool = False
    propagate: str = "forward"

    def __post_init__(self) -> None:
        if type(self.fill_hole_area) is not int or self.fill_hole_area < 0:
            raise InputError(f"model.fill_hole_area: {self.fill_hole_area}; 0 (fills none) or more, in pixels")
        if self.propagate not in ("forward", "both"):
            raise InputError(f"propagate: {self.propagate} is not one of forward, both")


@dataclass(frozen=True, slots=True)
class Engine:
    """The model and how it is run. ``speed`` does the work: ``Plain`` as upstream does, ``vidseg.model.fast`` sooner."""

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
