"""What happens to every frame between the decoder and the masks, stage by stage.

``Plain.run`` takes a frame through all stages before the next one; ``vidseg.model.fast`` has stages of several frames run
at once. docs/engine.md has a picture of both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from torch import Tensor

from vidseg.model.sam2.backwards import Backwards
from vidseg.model.sam2.encoder import Encoder, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.view import View
from vidseg.types import Frame, FrameMasks, Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame, its position in ``source.frames``, and what the model sees of it; None where it isn't to look."""

    frame: Frame
    position: int
    view: View | None


class Stages(ABC, Generic[T]):
    """The stages of one pass over ``source``, in their order: look, resize, encode, step, and what ``step`` returns."""

    def __init__(self, source: Source, encoder: Encoder, pass_: Pass) -> None:
        self._source, self._encoder, self._pass = source, encoder, pass_

    def look(self, frame: Frame) -> Seen:
        """Says what the model sees of a frame. Called in order, maybe before the masks of the frame before are known."""
        position = self._source.frames.index(frame.index)  # damaged frames are left out, and leave a gap
        return Seen(frame, position, self._view(position))

    def resize(self, seen: Seen) -> Tensor | None:
        """That part of the frame as the model takes it (3, side, side). In any thread."""
        return None if seen.view is None else self._encoder.image(seen.frame.rgb_hw3, seen.view)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Features]:
        """The features of several frames. Needs no memory, so in any thread."""
        return self._encoder.encode(images, at_once)

    @abstractmethod
    def step(self, seen: Seen, features: Features | None) -> Callable[[], T]:
        """Segments a frame and remembers it. In the order of the video.

        What it returns is the last stage: it scales the masks to the video's size, maybe while the next frame is
        stepped to.
        """

    @abstractmethod
    def _view(self, position: int) -> View | None: ...


class Tracking(Stages[tuple[Frame, FrameMasks]]):
    """The last pass over the video, whose masks are given out: from position ``first`` on by steps.

    Frames before ``first`` have what was tracked ``backwards``, or no masks.
    """

    def __init__(
        self, source: Source, encoder: Encoder, pass_: Pass, first: int, backwards: Backwards | None = None
    ) -> None:
        super().__init__(source, encoder, pass_)
        self._first, self._backwards = first, backwards

    def step(self, seen: Seen, features: Features | None) -> Callable[[], tuple[Frame, FrameMasks]]:
        """Segments the frame if it is one to segment; then shows its masks."""
        masks: Callable[[], FrameMasks]
        if features is not None and seen.view is not None:
            low_res = self._pass.step(seen.position, features, seen.view)
            masks = partial(self._pass.show, seen.position, low_res, seen.frame.index)
        elif self._backwards is not None:
            masks = partial(self._backwards.take, seen.position, seen.frame.index)
        else:
            masks = partial(self._pass.empty, seen.frame.index)
        return lambda: (seen.frame, masks())

    def _view(self, position: int) -> View | None:
        return None if position < self._first else self._pass.views.at(position)
