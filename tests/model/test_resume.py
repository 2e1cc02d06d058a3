"""A segmenter that goes on from a checkpoint gives the masks that it would have given, bit by bit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import slow_but
from parity import AS_SHIPPED, CLICK, box, mask, nano, point
from sources import ArraySource, moving_squares
from stopping import EveryFrame, Rest, check_same

from vidseg.model.sam2.saving import load
from vidseg.model.sam2.segmenter import SAM2
from vidseg.types import Frame, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")


def tracked(model: SAM2, source: ArraySource, prompts: Sequence[Prompt], checkpoints: EveryFrame) -> dict[int, Any]:
    return {frame.index: masks for frame, masks in model.track(source, prompts, checkpoints)}


OVERLAPPING = (box(0, 2, 15, 10, 90, 70), point(3, 7, (60, 45, 1)), mask(0, 5))
CASES: dict[str, tuple[dict[str, Any], tuple[Prompt, ...]]] = {
    "a click": ({}, (CLICK,)),
    "objects prompted on several frames": ({}, OVERLAPPING),
    "the same one by one": ({"exact": True}, OVERLAPPING),
    "a correction": ({}, (CLICK, box(0, 2, 65, 35, 105, 75), point(12, 1, (60, 60, 0)))),
    "both ways": ({"propagate": "both"}, (point(6, 1, (35, 30, 1)), box(8, 3, 65, 35, 105, 75))),
    "both ways, corrected": ({"propagate": "both"}, (point(4, 1, (35, 30, 1)), point(9, 1, (60, 60, 0)))),
}


@pytest.mark.parametrize("case", slow_but(["objects prompted on several frames", "both ways, corrected"], CASES))
def test_the_masks_after_a_checkpoint_are_those_of_a_run_that_never_stopped(case: str, tmp_path: Path) -> None:
    keys, prompts = CASES[case]
    clip = moving_squares(18)  # two more than are remembered
    model = nano(image_size=128, **keys)
    saved = EveryFrame(tmp_path)
    whole = tracked(model, ArraySource(clip), prompts, saved)
    check_same(tracked(model, Rest(clip, 9), prompts, EveryFrame(tmp_path, saved.after[9])), whole, 10)
    for before in {*saved.before[len(saved.before) // 2 :][:1], *saved.before[-1:]}:  # on the way back, at the start
        check_same(tracked(model, ArraySource(clip), prompts, EveryFrame(tmp_path, before)), whole, 0)


@pytest.mark.parametrize("changes", [{}, {"zoom": None, "propagate": "both"}], ids=["as shipped", "both ways"])
def test_nano_goes_on_in_another_model_with_its_windows_and_colours(changes: dict[str, Any], tmp_path: Path) -> None:
    clip, keys = moving_squares(14), {**AS_SHIPPED, "image_size": 224, **changes}
    prompts = (box(2, 1, 20, 15, 60, 55),)
    saved = EveryFrame(tmp_path)
    whole = tracked(nano(**keys), ArraySource(clip), prompts, saved)
    assert whole[13].masks_nhw.any()
    check_same(tracked(nano(**keys), Rest(clip, 8), prompts, EveryFrame(tmp_path, saved.after[8])), whole, 9)


def test_what_is_saved_does_not_grow_and_holds_no_code(tmp_path: Path) -> None:
    saved = EveryFrame(tmp_path)
    model = nano(image_size=128)
    list(model.track(ArraySource(moving_squares(28)), [CLICK], saved))
    sizes = [len(content) for content in saved.after.values()]
    assert max(sizes[20:]) < 1.05 * min(sizes[20:])
    state = load(saved.after[27], model._engine.device)
    assert {*state} == {"pass", "start", "reached", "chosen", "joined"}


@pytest.mark.slow
def test_the_way_back_is_not_gone_again(tmp_path: Path) -> None:
    """A run that was stopped on the way back, or after it, doesn't read those frames a second time."""

    class Counted(ArraySource):
        read = 0

        def backwards(self, position: int) -> Any:
            for frame in super().backwards(position):
                self.read += 1
                yield frame

    def count(saved: bytes | None) -> int:
        source = Counted(clip)
        tracked(model, source, prompts, EveryFrame(tmp_path, saved))
        return source.read

    clip, prompts = moving_squares(24), [point(15, 1, (35, 30, 1))]
    model = nano(image_size=128, propagate="both")
    saved = EveryFrame(tmp_path)
    tracked(model, ArraySource(clip), prompts, saved)
    assert len(saved.before) == 17  # of 15 to 0 on the way back, and at its end
    assert [count(content) for content in (None, saved.before[10], saved.before[-1])] == [24, 5, 0]
    assert isinstance(next(iter(model.track(ArraySource(clip), prompts)))[0], Frame)
