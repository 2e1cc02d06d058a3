"""What happens to every frame between the decoder and the masks, stage by stage.

``Plain.run`` takes a frame through all stages before the next; ``vidseg.model.fast`` runs stages of several frames at
once. docs/engine.md has a picture of both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from vidseg.model.sam2.backwards import Backwards
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.view import View
from vidseg.types import Frame, FrameMasks, Source

T = TypeVar("T")


class Seen(NamedTuple):
    """A frame, its position in ``source.frames``, and what the model sees of it; None: it doesn't look."""

    frame: Frame
    position: int
    view: View | None


class Stages(ABC, Generic[T]):
    """The stages of one pass over ``source`` in their order: look, resize, encode, step, and what ``step`` returns."""

    def __init__(self, source: Source, engine: Engine, pass_: Pass) -> None:
        self._source, self._engine, self._pass = source, engine, pass_

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


class Tracking(Stages[tuple[Frame, FrameMasks]]):
    """The last pass over the video, whose masks are given out: from position ``first`` on by steps.

    Frames before ``first`` have the masks that were tracked ``backwards``, or none.
    """

    def __init__(
        self, source: Source, engine: Engine, pass_: Pass, first: int, backwards: Backwards | None = None
    ) -> None:
        super().__init__(source, engine, pass_)
        self._first, self._backwards = first, backwards

    def step(self, seen: Seen, features: Features | None) -> Callable[[], tuple[Frame, FrameMasks]]:
        """Segments the frame, if it is to be; the last stage gives out its masks."""
        frame, position, view = seen
        if features is not None and view is not None:
            masks = partial(self._pass.show, position, self._pass.step(position, features, view), frame.index)
        elif self._backwards is not None:
            masks = partial(self._backwards.take, position, frame.index)
        else:
            masks = partial(self._pass.empty, frame.index)
        return lambda: (frame, masks())

    def _view(self, position: int) -> View | None:
        return None if position < self._first else self._pass.views.at(position)
