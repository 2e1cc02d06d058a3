"""How a pass over a video is given its prompts: those that say where objects are, and points that correct the tracking.

sam2's second round, with ``add_all_frames_to_correct_as_cond`` (sam2_video_predictor.py, 229 to 262): points on an
object that has an earlier prompt are decoded with the mask and the memories of what was tracked to there. So objects
with such points are tracked to the last of them first; then everything is tracked from the start.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.stages import Seen, Stages
from vidseg.model.sam2.view import NewViews, View
from vidseg.types import Prompt, Source

log = logging.getLogger(__name__)

PositionedPrompt = tuple[int, Prompt]  # the position of the prompt's frame in `source.frames`, and the prompt


def give_prompts(engine: Engine, source: Source, prompts: Sequence[Prompt], new_views: NewViews) -> tuple[Pass, int]:
    """A pass over ``source`` that was given all prompts, and the position of the first.

    Prompted frames are read and encoded here, and again when the video is played. Raises InputError for a prompt on a
    frame that isn't in the source, or on one to correct that can't be read.
    """
    initial, corrections = initial_and_corrections([(position_of(source, prompt), prompt) for prompt in prompts])
    first_prompts = by_position(initial)
    pass_ = Pass(engine, source, new_views(engine, source, first_prompts))
    for position, here in first_prompts.items():
        rgb_hw3 = source[source.frames[position]].rgb_hw3
        view, given = pass_.views.prompted(position, rgb_hw3, here)
        pass_.condition(position, engine.features(rgb_hw3, view), view, given)
    start = min(first_prompts)
    if corrections:
        # sam2 tracks objects one by one, so that those which nothing corrects can wait
        corrected = {prompt.object_id for _, prompt in corrections}
        pass_.begin([each for each in initial if pass_.views.together or each[1].object_id in corrected])
        _correct(engine, source, pass_, start, by_position(corrections))
    pass_.begin([*initial, *corrections])
    return pass_, start


def restored(
    engine: Engine, source: Source, prompts: Sequence[Prompt], new_views: NewViews, state: Mapping[str, Any]
) -> Pass:
    """A pass that was given the same prompts and made steps before: it goes on from its ``state`` then."""
    initial, _ = initial_and_corrections([(position_of(source, prompt), prompt) for prompt in prompts])
    pass_ = Pass(engine, source, new_views(engine, source, by_position(initial)))
    pass_.restore(state)
    return pass_


def _correct(
    engine: Engine, source: Source, pass_: Pass, start: int, corrections: Mapping[int, Sequence[Prompt]]
) -> None:
    """Tracks forward from ``start`` to the last corrected frame, and corrects on the way."""
    stages = _Correcting(source, engine, pass_, start, corrections)
    last, began = max(corrections), time.perf_counter()
    where = f"to the last correction (frame {source.frames[last]})"
    with (
        closing(source.__iter__()) as frames,
        closing(engine.speed.run(frames, stages)) as done,
        progress(last - start + 1, f"tracking {where}") as bar,
    ):
        for position in done:
            if position >= start:
                bar.update()
            if not stages.waiting:
                break
    if stages.waiting:
        number = source.frames[min(stages.waiting)]
        raise InputError(f"prompt.frame: {number} can't be read (a damaged picture), so nothing can be corrected there")
    log.info(
        "tracked %s in %.1f s; now everything is tracked from the start, with the corrected frames in memory",
        where, time.perf_counter() - began,
    )  # fmt: skip


class _Correcting(Stages[int]):
    """The pass to the last corrected frame; gives out positions. ``waiting`` are the corrections still to make."""

    def __init__(
        self, source: Source, engine: Engine, pass_: Pass, start: int, corrections: Mapping[int, Sequence[Prompt]]
    ) -> None:
        super().__init__(source, engine)
        self._pass, self._start = pass_, start
        self._corrections, self.waiting = corrections, dict(corrections)

    def step(self, seen: Seen, features: Features | None) -> Callable[[], int]:
        if features is not None and seen.view is not None and self.waiting:
            if prompts := self.waiting.pop(seen.position, None):
                self._pass.correct(seen.position, features, seen.view, prompts)
            else:
                self._pass.step(seen.position, features, seen.view)
        return partial(int, seen.position)

    def _view(self, position: int) -> View | None:
        if position < self._start:
            return None
        if position in self._corrections:
            return self._pass.views.corrected(position, self._corrections[position])
        return self._pass.views.at(position)


def position_of(source: Source, prompt: Prompt) -> int:
    """The position in ``source.frames`` of a prompt's frame. Raises InputError if it isn't there."""
    if prompt.frame_index in source.frames:
        return source.frames.index(prompt.frame_index)
    there = f"{len(source.frames)}, {source.frames[0]} to {source.frames[-1]}"
    raise InputError(f"prompt.frame: {prompt.frame_index} is not among the frames to segment ({there})")


def initial_and_corrections(
    prompts: Sequence[PositionedPrompt],
) -> tuple[list[PositionedPrompt], list[PositionedPrompt]]:
    """The prompts that say where objects are, and the points that correct where an object was tracked to.

    A box or a mask says where the object is, whatever was tracked to there, and so do points beside it on its frame.
    """
    first: dict[int, int] = {}
    for position, prompt in prompts:
        first[prompt.object_id] = min(position, first.get(prompt.object_id, position))
    anew = {(at, given.object_id) for at, given in prompts if given.box_xyxy is not None or given.mask_hw is not None}
    anew |= {(at, object_id) for object_id, at in first.items()}
    initial = [each for each in prompts if (each[0], each[1].object_id) in anew]
    return initial, [each for each in prompts if (each[0], each[1].object_id) not in anew]


def by_position(prompts: Sequence[PositionedPrompt]) -> dict[int, list[Prompt]]:
    """The prompts by position, in their order."""
    return {at: [prompt for position, prompt in prompts if position == at] for at, _ in prompts}
