"""Objects that join while the video is tracked, and objects that end: nobody else's masks change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from parity import (
    AS_SHIPPED,
    CLICK,
    assemble,
    box,
    build,
    nano,
    point,
)
from sources import ArraySource, moving_squares

from vidseg.model.sam2.segmenter import SAM2
from vidseg.types import Frame, FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

SECOND = box(3, 2, 65, 35, 110, 78)
THIRD = point(5, 7, (140, 85, 1))


class Scripted:
    """Finds what it is told to; remembers which objects it was shown."""

    def __init__(self, *script: Prompt, every: int = 1) -> None:
        self.script, self.every = script, every
        self.prompts: list[Prompt] = []
        self.shown: dict[int, tuple[int, ...]] = {}

    def due(self, frame_index: int) -> bool:
        return frame_index % self.every == 0

    def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
        assert masks.frame_index == frame.index
        self.shown[frame.index] = masks.object_ids
        found = [prompt for prompt in self.script if prompt.frame_index == frame.index]
        self.prompts += found
        return found

    def state(self) -> str:
        return ",".join(str(prompt.object_id) for prompt in self.prompts)

    def restore(self, state: str) -> None:
        self.prompts = [prompt for prompt in self.script if str(prompt.object_id) in state.split(",")]


def joining(*prompts: Prompt) -> list[Prompt]:
    return [replace(prompt, joins=True) for prompt in prompts]


def track(model: SAM2, clip: Any, prompts: Sequence[Prompt], finder: Any = None) -> list[FrameMasks]:
    return [masks for _, masks in model.track(ArraySource(clip), prompts, finder=finder)]


def of(masks: FrameMasks, object_id: int) -> tuple[Any, Any]:
    """One object's logits and score."""
    row = masks.object_ids.index(object_id)
    assert masks.scores is not None
    return masks.logits_nhw[row], masks.scores[row]


def check_same(one: Sequence[FrameMasks], other: Sequence[FrameMasks], *object_ids: int) -> None:
    """Bit by bit; objects that one of them doesn't know yet are empty in the other."""
    for masks, theirs in zip(one, other, strict=True):
        for object_id in object_ids:
            (logits, score), (expected, expected_score) = (
                of(each, object_id) if object_id in each.object_ids else (np.float32(-1024), None)
                for each in (masks, theirs)
            )
            assert np.all(logits == expected), (masks.frame_index, object_id)
            assert score == expected_score


MODELS: dict[str, Callable[[], SAM2]] = {
    "plain": lambda: assemble(image_size=64),
    "exact": lambda: build(image_size=64, fill_hole_area=8),
    "nano, with windows": lambda: nano(**AS_SHIPPED, image_size=224, exact=True),
    "as on a GPU": lambda: build(image_size=64, exact=False, asynchronous=True, encoder_batch=2),
    "int8": lambda: build(image_size=64, exact=False, quantize="int8"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_found_in_the_middle_is_told_at_the_start_and_changes_no_other_object(kind: str) -> None:
    """Found, told, told alone, and the first object alone: the same, bit by bit."""
    model, clip = MODELS[kind](), moving_squares(9)
    script = [SECOND, THIRD] if "nano" in kind else [SECOND, box(3, 4, 15, 12, 58, 52), THIRD]
    ids = [prompt.object_id for prompt in script]
    finder = Scripted(*script)
    found = track(model, clip, [CLICK], finder)
    told = track(model, clip, [CLICK, *joining(*script)])
    assert [masks.object_ids for masks in found] == [
        tuple(sorted([1, *(p.object_id for p in script if p.frame_index <= n)])) for n in range(9)
    ]
    assert finder.shown[3] == (1,)  # before what is found there
    assert {masks.object_ids for masks in told} == {tuple(sorted([1, *ids]))}
    check_same(found, told, 1, *ids)
    check_same(track(model, clip, [CLICK]), told, 1)
    assert all(of(masks, 7)[0].std() > 0 for masks in told[5:])
    if kind != "as on a GPU":  # there frames are encoded in other batches
        check_same(track(model, clip, [THIRD]), told, 7)
