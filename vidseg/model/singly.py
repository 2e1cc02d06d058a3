"""The loop of segmenters that see one frame at a time and have no memory of pictures: detectors, and SAM.

What they share is here: when an object begins and ends, objects that join, and the masks of a frame put together.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np

from vidseg.errors import InputError
from vidseg.types import Finder, Frame, FrameMasks, Logits, Prompt, Source

ABSENT = np.float32(-1024)  # the logits of an object that isn't in the picture, as in SAM 2


class Found(NamedTuple):
    """The mask of one object on one frame: float32 (h, w), above 0 on the object; and how sure it is, 0 to 1."""

    logits_hw: Logits
    score: float


class Looker(Protocol):
    """Looks at the frames of one video, in order."""

    def look(self, frame: Frame, given: Sequence[Prompt], live: Collection[int]) -> Mapping[int, Found]:
        """The ``live`` objects that are in the picture, by id; prompts ``given`` on this frame begin or replace some.

        Called once for every frame.
        """

    def join(self, frame: Frame, given: Sequence[Prompt]) -> Mapping[int, Found]:
        """The new objects of prompts that were found on the frame after ``look`` has seen it, by id."""


def track(
    source: Source, prompts: Sequence[Prompt], looker: Looker, finder: Finder | None = None
) -> Generator[tuple[Frame, FrameMasks]]:
    """One pair for every frame, as ``Segmenter.track`` has it; a later prompt of an object replaces the earlier one.

    Raises InputError if there is no prompt, or one on a frame that ``source`` doesn't have, and if the first one of an
    object says only what it isn't.
    """
    if not prompts:
        raise InputError("prompt: there is none, so there is nothing to segment")
    known = list(prompts)
    for prompt in known:
        if prompt.frame_index not in source.frames:
            where = f"prompt of object {prompt.object_id}: frame {prompt.frame_index}"
            raise InputError(f"{where} is not among the extracted frames (extract.start, extract.stop, extract.step)")
    for first in {
        prompt.object_id: prompt for prompt in sorted(known, key=attrgetter("frame_index"), reverse=True)
    }.values():
        if only_points_off(first):
            raise InputError(
                f"prompt of object {first.object_id}: on frame {first.frame_index}, its first, it has only points off "
                "it; add a point on it (label 1) or a box"
            )
    with closing(source.__iter__()) as frames:
        for frame in frames:
            given = [prompt for prompt in known if prompt.frame_index == frame.index]
            found = dict(looker.look(frame, given, _live(known, frame.index)))
            masks = _together(frame, known, found)
            if finder is not None and finder.due(frame.index) and (new := list(finder.find(frame, masks))):
                known += new
                masks = _together(frame, known, found | dict(looker.join(frame, new)))
            yield frame, masks


def _live(prompts: Sequence[Prompt], frame_index: int) -> set[int]:
    """The objects that a frame may hold: prompted by then, and not past the ``until`` of one of their prompts."""
    begun = {prompt.object_id for prompt in prompts if prompt.frame_index <= frame_index}
    return begun - {prompt.object_id for prompt in prompts if prompt.until is not None and prompt.until < frame_index}


def only_points_off(prompt: Prompt) -> bool:
    """Whether a prompt says only what an object isn't: points off it, and no box."""
    return prompt.mask_hw is None and prompt.box_xyxy is None and prompt.labels is not None and not prompt.labels.any()


def _together(frame: Frame, prompts: Sequence[Prompt], found: Mapping[int, Found]) -> FrameMasks:
    ids = sorted({prompt.object_id for prompt in prompts})
    logits_nhw = np.full((len(ids), *frame.rgb_hw3.shape[:2]), ABSENT)
    scores: list[float | None] = [None] * len(ids)
    for row, number in enumerate(ids):
        if number in found:
            logits_nhw[row], scores[row] = found[number]
    return FrameMasks(frame.index, tuple(ids), logits_nhw, tuple(scores))
