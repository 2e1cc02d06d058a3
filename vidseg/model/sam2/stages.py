"""What happens to every frame between the decoder and the masks, stage by stage.

``Plain.run`` takes a frame through all stages before the next; ``vidseg.model.fast`` runs stages of several frames at
once. docs/engine.md has a picture of both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from vidseg.model.sam2.backwards import Backwards
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.saving import dump
from vidseg.model.sam2.view import View
from vidseg.types import Checkpoints, Frame, FrameMasks, Source

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
    """The last pass over the video, whose masks are given out: by steps from ``start`` on, the first prompt's position.

    Frames before ``start``, and some after it, have the masks that were tracked ``backwards``; else they have none.
    """

    def __init__(
        self, source: Source, engine: Engine, pass_: Pass, start: int, backwards: Backwards | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:  # fmt: skip
        super().__init__(source, engine, pass_)
        self._start, self._first = start, start if backwards is None else backwards.end
        self._backwards, self._checkpoints = backwards, checkpoints
        # How frames that are still to be stepped to are seen: chosen frames ahead, with what was known then
        self._chosen: dict[int, View | None] = {}

    def restore(self, chosen: Mapping[int, Sequence[Any]]) -> None:
        """Sees frames as the run that was stopped had chosen to."""
        self._chosen = {position: self._pass.views.of(view) for position, view in chosen.items()}

    def step(self, seen: Seen, features: Features | None) -> Callable[[], tuple[Frame, FrameMasks]]:
        """Segments the frame, if it is to be; the last stage gives out its masks."""
        masks = self._masks(seen, features)
        self._chosen.pop(seen.position, None)
        if self._checkpoints is not None and self._checkpoints.wanted():
            self._checkpoints.offer(seen.frame.index, self.saved())
        return lambda: (seen.frame, masks())

    def saved(self) -> Callable[[], bytes]:
        """Makes what a stopped run needs to go on after the last step."""
        chosen = {position: astuple(view) for position, view in self._chosen.items() if view is not None}
        return partial(dump, {"pass": self._pass.state(), "start": self._start, "reached": None, "chosen": chosen})

    def _masks(self, seen: Seen, features: Features | None) -> Callable[[], FrameMasks]:
        frame, position, view = seen
        if features is not None and view is not None:
            return partial(self._pass.show, position, self._pass.step(position, features, view), frame.index)
        if self._backwards is not None:
            return partial(self._backwards.take, position, frame.index)
        return partial(self._pass.empty, frame.index)

    def _view(self, position: int) -> View | None:
        if position not in self._chosen:
            self._chosen[position] = None if position < self._first else self._pass.views.at(position)
        return self._chosen[position]
