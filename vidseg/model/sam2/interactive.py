"""SAM 2 in an annotator's hands: the masks of one frame at every click, and of the next ones when asked.

sam2's own way is ``add_new_points_or_box``, then ``propagate_in_video``, again and again on one state
(sam2_video_predictor.py). Here each answer is that of a run with the same prompts. What it needs again is kept: the
features of frames, the memory of the prompted ones, and the memory before frames that were tracked to.
"""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import ExitStack, closing
from heapq import merge
from itertools import groupby
from typing import Any, NamedTuple

from vidseg.errors import InputError
from vidseg.model.sam2.corrections import PositionedPrompt, by_position, initial_and_corrections, position_of
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.joining import Course, Encoded, separate
from vidseg.model.sam2.keeping import Keeping, Kept
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.shown import Shown, gather
from vidseg.model.sam2.stages import Seen, Stages
from vidseg.model.sam2.view import NewViews, View, Views
from vidseg.types import RGB, Enough, Frame, FrameMasks, Prompt, Source, Stepped

Positioned = Sequence[PositionedPrompt]
Group = tuple[Positioned, Positioned]
"""The first prompts of objects that are tracked together, and the points that correct what was tracked."""


def _silent(done: int, total: int) -> None:
    """A ``Stepped`` that tells nobody."""


def _never(masks: FrameMasks) -> bool:
    """An ``Enough`` that waits for the exact masks."""
    return False


_PASSES = 4  # that were given their prompts
_STATES = 256  # memories before a frame: they share tensors, so each costs about one frame's


class _Before(NamedTuple):
    """What a pass is before a frame, and the views that were chosen for it and those after it."""

    pass_: dict[str, Any]
    chosen: dict[int, tuple[Any, ...]]


class _Following(Stages[tuple[int, Callable[[], Shown]]]):
    """Steps along one ``course``, and keeps in ``states`` what it was before each frame."""

    def __init__(self, source: Source, engine: Engine, course: Course, key: Hashable, states: Kept[_Before]) -> None:
        super().__init__(source, engine)
        self._course, self._key, self._states = course, key, states

    def step(self, seen: Seen, features: Features | None) -> Callable[[], tuple[int, Callable[[], Shown]]]:
        """Segments the frame; what is shown is made only where it is asked for."""
        frame, position, view = seen
        course = self._course
        self._states.get_or((self._key, position), lambda: _Before(course.pass_.state(), course.chosen()))
        show = course.step(position, frame.index, Encoded(self._engine, frame.rgb_hw3, view, features))
        assert show is not None
        return lambda: (position, show)

    def _view(self, position: int) -> View | None:
        return self._course.look(position)


class Interactive:
    """The masks of single frames of ``source``, forward from the first prompt, as a run with the same prompts has them.

    ``look`` and ``track`` raise InputError for prompts that can't be, and for frames that can't be read.
    """

    def __init__(self, engine: Engine, source: Source, new_views: NewViews) -> None:
        self._engine = Keeping.of(engine)
        self._source, self._new_views = source, new_views
        self._pictures: Kept[RGB] = Kept(2)
        self._passes: Kept[Pass] = Kept(_PASSES)
        self._states: Kept[_Before] = Kept(_STATES)

    def look(
        self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped = _silent, enough: Enough = _never
    ) -> FrameMasks:
        """The masks on a frame of the objects that ``prompts`` has there, by ascending id.

        Points that correct an object are decoded with its memory: the frames before are tracked first, once. ``enough``
        is shown masks that are almost these where they are there sooner, and says whether they will do.
        """
        position, groups = self._source.frames.index(frame_index), self._groups(prompts)
        parts: list[Shown | FrameMasks] = [
            self._look(position, initial, corrections, stepped, enough if len(groups) == 1 else _never)
            for initial, corrections in groups
            if any(at == position for at, _ in (*initial, *corrections))
        ]
        return self._gathered(frame_index, parts)

    def track(self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped = _silent) -> Generator[FrameMasks]:
        """The masks of all objects that have a prompt by then, frame by frame from ``frame_index`` on."""
        position = self._source.frames.index(frame_index)
        tracks = [self._track(position, *group, stepped) for group in self._groups(prompts)]
        with ExitStack() as stack:
            for track in tracks:
                stack.enter_context(closing(track))
            for index, parts in groupby(merge(*tracks, key=_number), key=_number):
                yield self._gathered(index, [*parts])

    def _groups(self, prompts: Sequence[Prompt]) -> list[Group]:
        """The prompts of objects that are tracked together, and of those that join on one frame each."""
        told, joining = separate(self._source, prompts)
        groups = ([(position_of(self._source, each), each) for each in own] for own in (told, *joining.values()) if own)
        return [initial_and_corrections(group) for group in groups]

    def _look(
        self, position: int, initial: Positioned, corrections: Positioned, stepped: Stepped, enough: Enough
    ) -> FrameMasks:
        here = [each for each in corrections if each[0] == position]
        if not here:
            return self._decoded(position, by_position(initial), enough)
        pass_ = self._pass(initial)
        self._correct(pass_, initial, position, [prompt for _, prompt in here], stepped)
        ids = {prompt.object_id for at, prompt in (*initial, *here) if at == position}
        pass_.begin([each for each in (*initial, *here) if each[1].object_id in ids])
        view = pass_.views.at(position)
        low_res = pass_.step(position, self._engine.features(self._picture(position), view), view)
        return pass_.show(position, low_res, frame_index=self._source.frames[position])

    def _decoded(self, position: int, prompts: Mapping[int, Sequence[Prompt]], enough: Enough) -> FrameMasks:
        """The masks on a frame without corrections: nothing needs to be remembered for them."""
        views = self._new_views(self._engine, self._source, prompts)
        rgb_hw3, given = self._picture(position), prompts[position]
        if views.looks_first and enough is not _never:
            early = self._decode(position, rgb_hw3, views.view, given)
            if enough(early):
                return early
        return self._decode(position, rgb_hw3, *views.prompted(position, rgb_hw3, given))

    def _decode(self, position: int, rgb_hw3: RGB, view: View, prompts: Sequence[Prompt]) -> FrameMasks:
        pass_ = Pass(self._engine, self._source, Views(self._engine, self._source, {}))
        low_res = pass_.decode(position, self._engine.features(rgb_hw3, view), view, prompts)
        return pass_.show(position, low_res, self._source.frames[position])

    def _track(
        self, first: int, initial: Positioned, corrections: Positioned, stepped: Stepped
    ) -> Generator[FrameMasks]:
        pass_ = self._pass(initial)
        for position, here in by_position(corrections).items():
            self._correct(pass_, initial, position, here, stepped)
        yield from self._steps(pass_, [*initial, *corrections], first, stepped)

    def _pass(self, initial: Positioned) -> Pass:
        """A pass that was given the first prompts of objects."""

        def given() -> Pass:
            prompts = by_position(initial)
            pass_ = Pass(self._engine, self._source, self._new_views(self._engine, self._source, prompts))
            for position, here in prompts.items():
                rgb_hw3 = self._picture(position)
                view, adapted = pass_.views.prompted(position, rgb_hw3, here)
                pass_.condition(position, self._engine.features(rgb_hw3, view), view, adapted)
            return pass_

        return self._passes.get_or(tuple(initial), given)

    def _correct(
        self, pass_: Pass, initial: Positioned, position: int, prompts: Sequence[Prompt], stepped: Stepped
    ) -> None:
        """Has a pass take the corrections of one frame, with the memory that a run's first round has before it."""
        with closing(self._steps(pass_, initial, position, stepped)) as steps:
            if next(steps, None) is None:
                raise InputError(f"prompt.frame: {self._source.frames[position]} can't be read (a damaged picture)")
        before, views = self._states[tuple(initial), position], pass_.views
        pass_.restore(before.pass_)
        views.resume(views.of(before.chosen[position]))  # a run chooses the view when it looks at the frame, ahead
        rgb_hw3, view = self._picture(position), views.corrected(position, prompts)
        pass_.correct(position, self._engine.features(rgb_hw3, view), view, prompts)

    def _steps(self, pass_: Pass, prompts: Positioned, first: int, stepped: Stepped) -> Generator[FrameMasks]:
        """The masks from the frame at position ``first`` on; those before are tracked as far as they weren't yet."""
        key, start = tuple(prompts), min(at for at, _ in prompts)
        began = next((at for at in range(first, start, -1) if (key, at) in self._states), start)
        course = Course(pass_, start)
        pass_.begin(prompts)
        if began > start:
            before = self._states[key, began]
            pass_.restore(before.pass_)
            course.choose(before.chosen)
        stages = _Following(self._source, self._engine, course, key, self._states)
        with (
            closing(_onward(self._source, began)) as frames,
            closing(self._engine.speed.run(frames, stages)) as followed,
        ):
            for position, show in followed:
                if position >= first:
                    yield self._gathered(self._source.frames[position], [show()])
                else:
                    stepped(position + 1 - began, first - began)

    def _picture(self, position: int) -> RGB:
        return self._pictures.get_or(position, lambda: self._source[self._source.frames[position]].rgb_hw3)

    def _gathered(self, frame_index: int, parts: Sequence[Shown | FrameMasks]) -> FrameMasks:
        ids = {object_id for part in parts for object_id in part.object_ids}
        size = self._source.info.height, self._source.info.width
        return gather(self._engine, frame_index, ids, size, parts)


def _number(masks: FrameMasks) -> int:
    return masks.frame_index


def _onward(source: Source, position: int) -> Generator[Frame]:
    """The frames of a source from the one at ``position`` on."""
    onward: Callable[[int], Generator[Frame]] | None = getattr(source, "onward", None)
    return (source[number] for number in source.frames[position:]) if onward is None else onward(position)
