"""The last pass over the video, whose masks are given out: all courses side by side, each frame's masks as one."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from vidseg.model.sam2.backwards import Backwards
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.joining import Course, Encoded, Joining
from vidseg.model.sam2.saving import dump
from vidseg.model.sam2.shown import Shown, gather
from vidseg.model.sam2.stages import Seen, Stages
from vidseg.model.sam2.view import View
from vidseg.types import Checkpoints, Frame, FrameMasks, Prompt, Source

Parts = list[Shown | FrameMasks]


class Tracking(Stages[tuple[Frame, FrameMasks]]):
    """Steps along ``main``, whose objects are ``object_ids``, and along the courses of the objects that join.

    ``start`` is the position of main's first prompt. Frames before it, and some after it, have the masks that were
    tracked ``backwards``; else they have none. ``main`` is None if all objects join.
    """

    def __init__(
        self, source: Source, engine: Engine, main: Course | None, object_ids: Iterable[int], start: int,
        joining: Joining, backwards: Backwards | None = None, checkpoints: Checkpoints | None = None,
    ) -> None:  # fmt: skip
        super().__init__(source, engine)
        self._main, self._object_ids, self._start = main, {*object_ids}, start
        self._joining, self._backwards, self._checkpoints = joining, backwards, checkpoints
        self._courses = [] if main is None else [main]  # that haven't ended
        self._ahead: deque[int] = deque()  # positions of frames that were looked at, and are still to be stepped to

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on as the run that was stopped: it had begun courses, and chosen how to see frames ahead."""
        if self._main is not None:
            self._main.choose(state["chosen"])
        if state["joined"] is not None:
            self._courses += self._joining.restore(state["joined"])

    def step(self, seen: Seen, features: Features | None) -> Callable[[], tuple[Frame, FrameMasks]]:
        """Segments the frame, if it is to be; the last stage gives out its masks."""
        masks = self._masks(seen, features)
        if self._checkpoints is not None and self._checkpoints.wanted():
            self._checkpoints.offer(seen.frame.index, self.saved())
        return lambda: (seen.frame, masks())

    def saved(self) -> Callable[[], bytes]:
        """Makes what a stopped run needs to go on after the last step."""
        main = self._main
        state = {} if main is None else {"pass": main.pass_.state(), "chosen": main.chosen()}
        joined = self._joining.state([course for course in self._courses if course is not main])
        return partial(dump, {**state, "start": self._start, "reached": None, "joined": joined})

    def check_end(self) -> None:
        """Raises InputError if the video ended before an object could join."""
        self._joining.check_missed(len(self._source.frames))

    def _masks(self, seen: Seen, features: Features | None) -> Callable[[], FrameMasks]:
        """Steps all courses, begins new ones, and returns what makes the masks."""
        frame, position, view = seen
        self._ahead.popleft()
        encoded = Encoded(self._engine, frame.rgb_hw3, view, features)
        self._courses = [course for course in self._courses if not course.ended(frame.index)]
        steps = [course.step(position, frame.index, encoded) for course in self._courses]
        parts: list[Callable[[], Shown | FrameMasks | None]] = [step for step in steps if step is not None]
        if self._backwards is not None and position < self._backwards.end:
            parts.insert(0, partial(self._backwards.take, position))
        if told := self._joining.told(position):
            parts.append(self._join(seen, told, encoded))
        known = frozenset(self._joining.object_ids)  # by now, which may be before the masks are made
        if not self._joining.due(frame):
            return lambda: self._gathered(frame.index, known, _made(parts))
        made = _made(parts)
        masks = self._gathered(frame.index, known, made)
        if found := self._joining.find(frame, masks):
            made += _made([self._join(seen, found, encoded)])
            masks = self._gathered(frame.index, self._joining.object_ids, made)
        return lambda: masks

    def _join(self, seen: Seen, prompts: Sequence[Prompt], encoded: Encoded) -> Callable[[], Shown | None]:
        """Begins a course on the frame, and steps to it."""
        course = self._joining.begin(seen.position, seen.frame, prompts, encoded)
        self._courses.append(course)
        for position in (seen.position, *self._ahead):  # as a run that was told these objects alone would have looked
            course.look(position)
        step = course.step(seen.position, seen.frame.index, encoded)
        assert step is not None
        return step

    def _gathered(self, frame_index: int, joining: Set[int], parts: Parts) -> FrameMasks:
        size = self._source.info.height, self._source.info.width
        return gather(self._engine, frame_index, self._object_ids | joining, size, parts)

    def _view(self, position: int) -> View | None:
        """What the first course sees is encoded ahead; what others see otherwise, once they step."""
        self._ahead.append(position)
        views = [course.look(position) for course in self._courses]
        return next((view for view in views if view is not None), None)


def _made(parts: Iterable[Callable[[], Shown | FrameMasks | None]]) -> Parts:
    return [made for part in parts if (made := part()) is not None]
