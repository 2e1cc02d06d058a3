"""How the engine's work is done unless something faster takes it over: one thing after another, as upstream does it.

``vidseg.model.fast`` overrides what it can do sooner. This is the only seam between the two.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from vidseg.devices import Precision
from vidseg.model.sam2.pixels import fill_holes, model_image
from vidseg.types import RGB, Frame, FrameMasks, Prompt, Source

if TYPE_CHECKING:
    from vidseg.model.sam2.stages import Stages

T = TypeVar("T")
Track = Callable[[Source, Sequence[Prompt]], Iterable[object]]


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
