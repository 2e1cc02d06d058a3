"""What happens to every frame between the decoder and the masks, stage by stage.

``Plain.run`` takes a frame through all stages before the next; ``vidseg.model.fast`` runs stages of several frames at
once. docs/engine.md has a picture of both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.view import View
from vidseg.types import Frame, Source

T = TypeVar("T")


class Seen(NamedTuple):
    """A frame, its position in ``source.frames``, and what the model sees of it; None: it doesn't look."""

    frame: Frame
    position: int
    view: View | None


class Stages(ABC, Generic[T]):
    """The stages of a pass over ``source`` in their order: look, resize, encode, step, and what ``step`` returns."""

    def __init__(self, source: Source, engine: Engine) -> None:
        self._source, self._engine = source, engine

    def look(self, frame: Frame) -> Seen:
        """Chooses what the model sees of a frame. In order, maybe before the masks of the frame before are known."""
        position = self._source.frames.index(frame.index)  # damaged frames are left out, and leave a gap
        return Seen(frame, position, self._view(position))

    def resize(self, seen: Seen) -> Tensor | None:
        """That part of the frame as the model takes it, (3, side, side). In any thread."""
        return None if seen.view is None else self._engine.image(seen.frame.rgb_hw3, seen.view)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Features]:
        """The features of several frames. Reads no memory, so in any thread."""
        return self._engine.encode(images, at_once)

    @abstractmethod
    def step(self, seen: Seen, features: Features | None) -> Callable[[], T]:
        """Segments a frame and remembers it. In order.

        Returns the last stage, which scales the masks to the video's size, maybe beside the step of the next frame.
        """

    @abstractmethod
    def _view(self, position: int) -> View | None: ...
