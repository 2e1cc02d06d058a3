"""Objects that join while the video is tracked: told at the start (``Prompt.joins``), or found on the way by a Finder.

sam2 lets objects be added while it tracks (``_obj_id_to_idx``, sam2_video_predictor.py, 117 to 145): such an object is
tracked from its prompt on, without a look at any other. So the objects that join on one frame get a pass of their own,
which begins there and goes on beside the others. It is the pass of a run that was told those objects alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

from vidseg.errors import ContractError, InputError
from vidseg.model.sam2.corrections import position_of
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.shown import Shown
from vidseg.model.sam2.view import NewViews, View
from vidseg.types import RGB, Finder, Frame, FrameMasks, Prompt, Source


class Encoded(dict[View, Features]):
    """The features of one frame by what is seen of it, each made when it is first asked for."""

    def __init__(self, engine: Engine, rgb_hw3: RGB, view: View | None, features: Features | None) -> None:
        super().__init__({} if view is None or features is None else {view: features})
        self._engine, self._rgb_hw3 = engine, rgb_hw3

    def __missing__(self, view: View) -> Features:
        self[view] = self._engine.features(self._rgb_hw3, view)
        return self[view]


class Course:
    """A pass on its way through the video, from position ``first`` until all of its objects have ended."""

    def __init__(self, pass_: Pass, first: int) -> None:
        self.pass_, self.first = pass_, first
        # How frames that are still to be stepped to are seen: chosen frames ahead, with what was known then
        self._chosen: dict[int, View] = {}

    def look(self, position: int) -> View | None:
        """How a frame is seen, with what is known when this is first asked; None before ``first``."""
        if position < self.first:
            return None
        if position not in self._chosen:
            self._chosen[position] = self.pass_.views.at(position)
        return self._chosen[position]

    def step(self, position: int, frame_index: int, encoded: Encoded) -> Callable[[], Shown] | None:
        """Steps to a frame; returns what makes its masks, maybe in another thread. None before ``first``."""
        if (view := self.look(position)) is None:
            return None
        low_res = self.pass_.step(position, encoded[view], view)
        del self._chosen[position]
        return partial(self.pass_.shown, position, low_res, frame_index)

    def ended(self, frame_index: int) -> bool:
        """Whether none of its objects is on the frame any more, nor on a later one."""
        return self.pass_.until is not None and frame_index > self.pass_.until

    def chosen(self) -> dict[int, tuple[Any, ...]]:
        """What ``choose`` needs: the views by position, as plain values."""
        return {position: astuple(view) for position, view in self._chosen.items()}

    def choose(self, chosen: Mapping[int, Sequence[Any]]) -> None:
        """Sees frames as the run that was stopped had ``chosen`` to."""
        self._chosen = {position: self.pass_.views.of(view) for position, view in chosen.items()}


class Joining:
    """Begins the courses of the objects that join; ``told`` are the prompts of those that are known, by position.

    ``object_ids`` are those told and those found so far.
    """

    def __init__(
        self, engine: Engine, source: Source, new_views: NewViews, told: Mapping[int, Sequence[Prompt]],
        finder: Finder | None,
    ) -> None:  # fmt: skip
        self._engine, self._source, self._new_views, self._finder = engine, source, new_views, finder
        self._told, self._waiting = told, dict(told)
        self.object_ids = {prompt.object_id for here in told.values() for prompt in here}

    def told(self, position: int) -> Sequence[Prompt]:
        """The prompts on the frame at ``position`` that were told at the start, once."""
        self.check_missed(position)
        return self._waiting.pop(position, ())

    def check_missed(self, position: int) -> None:
        """Raises InputError if an object should have joined on a frame before ``position``, which wasn't read."""
        for at in self._waiting:
            if at < position:
                raise InputError(
                    f"prompt.frame: {self._source.frames[at]} can't be read (a damaged picture), so object "
                    f"{self._waiting[at][0].object_id} can't join there"
                )

    def due(self, frame: Frame) -> bool:
        """Whether to look for new objects on the frame."""
        return self._finder is not None and self._finder.due(frame.index)

    def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
        """The prompts of new objects on the frame. Raises ContractError for what isn't one."""
        assert self._finder is not None
        found = tuple(self._finder.find(frame, masks))
        for prompt in found:
            if prompt.frame_index != frame.index or prompt.object_id in masks.object_ids:
                known = ", ".join(map(str, masks.object_ids)) or "none"
                raise ContractError(
                    f"{type(self._finder).__qualname__}.find: it found object {prompt.object_id} on frame "
                    f"{prompt.frame_index}; it must be on frame {frame.index}, with an id that no other has ({known})"
                )
        self.object_ids |= {prompt.object_id for prompt in found}
        return found

    def begin(self, position: int, frame: Frame, prompts: Sequence[Prompt], encoded: Encoded) -> Course:
        """A course of the objects that are prompted on the frame, which is its first."""
        course = self._course(position, prompts)
        view, given = course.pass_.views.prompted(position, frame.rgb_hw3, prompts)
        course.pass_.condition(position, encoded[view], view, given)
        course.pass_.begin([(position, prompt) for prompt in prompts])
        return course

    def state(self, courses: Sequence[Course]) -> dict[str, Any]:
        """What ``restore`` needs, with the ``courses`` that haven't ended: plain values and tensors."""
        under_way = [(course.first, course.pass_.state(), course.chosen()) for course in courses]
        finder = None if self._finder is None else self._finder.state()
        return {"courses": under_way, "known": sorted(self.object_ids), "waiting": [*self._waiting], "finder": finder}

    def restore(self, state: Mapping[str, Any]) -> list[Course]:
        """Goes on from a ``state``; returns its courses."""
        if self._finder is not None and state["finder"] is not None:
            self._finder.restore(state["finder"])
        self._waiting = {position: self._told[position] for position in state["waiting"]}
        self.object_ids = {*state["known"]}
        return [self._restored(*saved) for saved in state["courses"]]

    def _restored(self, position: int, state: Mapping[str, Any], chosen: Mapping[int, Sequence[Any]]) -> Course:
        course = self._course(position, ())
        course.pass_.restore(state)
        course.choose(chosen)
        return course

    def _course(self, position: int, prompts: Sequence[Prompt]) -> Course:
        return Course(
            Pass(self._engine, self._source, self._new_views(self._engine, self._source, {position: prompts})), position
        )


def separate(source: Source, prompts: Sequence[Prompt]) -> tuple[list[Prompt], dict[int, list[Prompt]]]:
    """The prompts of objects that are tracked from the first of them on, and by position those of objects that join.

    Raises InputError for a prompt on a frame that isn't in the source, one of an object that joins on another frame,
    one after the object's end, and two ends of one object.
    """
    by_object: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        by_object.setdefault(prompt.object_id, []).append(prompt)
    for object_id, own in by_object.items():
        frames = sorted({prompt.frame_index for prompt in own})
        ends = sorted({prompt.until for prompt in own if prompt.until is not None})
        where = f"prompt of object {object_id}: "
        if len(frames) > 1 and any(prompt.joins for prompt in own):
            numbers = ", ".join(map(str, frames))
            raise InputError(f"{where}an object that joins takes no prompts on other frames; it has some on {numbers}")
        if len(ends) > 1:
            raise InputError(f"{where}until is {ends[0]} and {ends[1]}; it ends once")
        if ends and frames[-1] > ends[0]:
            raise InputError(f"{where}until is {ends[0]}, before its prompt on frame {frames[-1]}")
    joining = {object_id for object_id, own in by_object.items() if any(prompt.joins for prompt in own)}
    told: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        if prompt.object_id in joining:
            told.setdefault(position_of(source, prompt), []).append(prompt)
    return [prompt for prompt in prompts if prompt.object_id not in joining], told
