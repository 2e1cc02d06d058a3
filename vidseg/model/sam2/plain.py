"""How the engine's work is done unless something faster takes it over: one thing after another, as upstream does it.

``vidseg.model.fast`` overrides what it can do sooner. This is the only seam between the two.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidseg.devices import Precision
from vidseg.types import RGB, Frame, FrameMasks, Prompt, Source

if TYPE_CHECKING:
    from vidseg.model.sam2.stages import Stages

T = TypeVar("T")
Track = Callable[[Source, Sequence[Prompt]], Iterable[object]]

_MEAN_C = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in sam2/utils/misc.py
_STD_C = np.array([0.229, 0.224, 0.225], np.float32)
# What becomes of a byte in each channel: sam2's arithmetic (x / 255 in float64, the rest in float32), done once
_NORMALIZED_CV = ((np.arange(256) / 255.0).astype(np.float32) - _MEAN_C[:, None]) / _STD_C[:, None]


class Plain:
    """Upstream's arithmetic in upstream's order: object by object, frame by frame, bit by bit."""

    objects_at_once = 1

    def bind(self, device: torch.device, precision: Precision) -> str:
        """Learns what it will run on; returns the number format's name. Raises InputError if it can't run there."""
        return precision.name

    def prepare(self, predictor: Any) -> None:
        """Changes the modules of a predictor, in place, once its weights are loaded and on their device."""

    def warm_up(self, track: Track) -> None:
        """Does before the first video what would otherwise slow it down."""

    def image(self, rgb_hw3: RGB, side: int) -> Tensor:
        """A frame as the model takes it: float32 (3, ``side``, ``side``), normalised."""
        return model_image(rgb_hw3, side)

    def fill_holes(self, logits_n1hw: Tensor, max_area: int) -> Tensor:
        """Gives holes of up to ``max_area`` pixels a logit above 0."""
        return fill_holes(logits_n1hw, max_area)

    def frame_masks(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits_nhw: Tensor,
        scores_n: Tensor,
        hidden: Sequence[bool],
    ) -> FrameMasks:
        """The masks of a frame on the host; ``hidden`` objects have no score."""
        scores = [None if hide else score for score, hide in zip(scores_n.tolist(), hidden, strict=True)]
        return FrameMasks(frame_index, object_ids, logits_nhw.float().cpu().numpy(), tuple(scores))

    def run(self, frames: Iterable[Frame], stages: "Stages[T]") -> Generator[T]:
        """Takes every frame through all stages before the next one; yields what the last stage makes of it."""
        for frame in frames:
            seen = stages.look(frame)
            image = stages.resize(seen)
            show = stages.step(seen, None if image is None else stages.encode([image])[0])
            yield show()


def model_image(rgb_hw3: RGB, side: int) -> Tensor:
    """A frame as sam2/utils/misc.py makes it: float32 (3, ``side``, ``side``), by PIL's bicubic filter, normalised."""
    resized_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((side, side)))
    image_chw = np.empty((3, side, side), np.float32)
    for channel, table in enumerate(_NORMALIZED_CV):
        np.take(table, resized_hw3[:, :, channel], out=image_chw[channel])
    return torch.from_numpy(image_chw)


def fill_holes(logits_n1hw: Tensor, max_area: int) -> Tensor:
    """Gives small holes in masks a logit of 0.1; the same tensor if there are none.

    A hole is a component (8-connected) of the background, logits <= 0, of at most ``max_area`` pixels: sam2's
    ``fill_holes_in_mask_scores``, whose own search for components needs a compiled extension.
    """
    if max_area == 0:
        return logits_n1hw
    background_n1hw = (logits_n1hw <= 0).to(torch.uint8).cpu().numpy()
    holes_n1hw = np.zeros(background_n1hw.shape, np.bool_)
    for holes_hw, background_hw in zip(holes_n1hw[:, 0], background_n1hw[:, 0], strict=True):
        _, labels_hw, stats, _ = cv2.connectedComponentsWithStats(background_hw, connectivity=8)
        small = stats[:, cv2.CC_STAT_AREA] <= max_area
        small[0] = False  # label 0 is the object itself
        holes_hw[:] = small[labels_hw]
    if not holes_n1hw.any():
        return logits_n1hw
    return torch.where(torch.from_numpy(holes_n1hw).to(logits_n1hw.device), 0.1, logits_n1hw)
