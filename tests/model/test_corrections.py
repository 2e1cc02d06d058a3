"""What a corrected run tracks before its first frame, and what it says of it; test_sam2 compares its masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from parity import AS_SHIPPED, CLICK, box, build, mask, nano, point, segmenter
from sources import ArraySource, moving_squares

from vidseg.console import progress
from vidseg.model.sam2 import corrections
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.segmenter import SAM2
from vidseg.types import FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

THREE = (CLICK, box(0, 2, 65, 35, 105, 75), mask(0, 3))
FRAMES = 6


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[int, ...]]]:
    """The position and the objects of every step, in order."""
    made: list[tuple[int, tuple[int, ...]]] = []
    step = Pass.step

    def noted(self: Pass, position: int, *arguments: Any, **keys: Any) -> Any:
        made.append((position, tuple(self._first)))
        return step(self, position, *arguments, **keys)

    monkeypatch.setattr(Pass, "step", noted)
    return made


def track(model: SAM2, *prompts: Prompt) -> Sequence[FrameMasks]:
    return [masks for _, masks in model.track(ArraySource(moving_squares(FRAMES)), prompts)]


def test_a_correction_changes_masks_before_it_and_none_of_another_object() -> None:
    without, corrected = (
        track(segmenter(image_size=64), *THREE, *more) for more in ((), (point(3, 2, (90, 60, 0), (130, 20, 1)),))
    )
    for row in (0, 2):
        for one, other in zip(without, corrected, strict=True):
            assert np.array_equal(one.logits_nhw[row], other.logits_nhw[row])
    same = [
        np.array_equal(one.logits_nhw[1], other.logits_nhw[1]) for one, other in zip(without, corrected, strict=True)
    ]
    assert same == [True] + [False] * (FRAMES - 1)  # frame 0 has the prompt


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_only_what_is_corrected_is_tracked_twice_and_only_to_the_last_correction(
    engine: str, steps: list[tuple[int, tuple[int, ...]]]
) -> None:
    track(segmenter(engine, image_size=64), *THREE, point(3, 2, (90, 60, 0)), point(2, 2, (80, 50, 1)))
    assert steps == [*((n, (2,)) for n in range(4)), *((n, (1, 2, 3)) for n in range(FRAMES))]


def test_objects_that_a_window_follows_are_tracked_together(steps: list[tuple[int, tuple[int, ...]]]) -> None:
    shipped = nano(image_size=96, **AS_SHIPPED)
    track(shipped, THREE[1], THREE[2], point(3, 2, (90, 60, 0)))
    together = [objects for _, objects in steps[-4 - FRAMES :]]  # first looks come before
    assert together == [(2, 3)] * (4 + FRAMES)
    steps.clear()
    later = mask(1, 3)  # prompted on two frames they are seen in the whole picture
    track(shipped, THREE[1], later, point(3, 2, (90, 60, 0)))
    assert steps == [*((n, (2,)) for n in range(4)), *((n, (2, 3)) for n in range(FRAMES))]


def test_the_bar_and_the_log_say_what_is_done_and_what_comes_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bars: list[tuple[Any, ...]] = []
    monkeypatch.setattr(corrections, "progress", lambda *given: (bars.append(given), progress(*given))[1])
    source = ArraySource(moving_squares(14), frames=range(0, 14, 2))  # numbers are the source's
    pairs = build(image_size=64).track(source, [point(2, 1, (35, 30, 1)), point(8, 1, (60, 60, 0))])
    with caplog.at_level("INFO"):
        next(pairs)
    assert bars == [(4, "tracking to the last correction (frame 8)")]
    (said,) = (message for message in caplog.messages if "correction" in message)
    assert said.startswith("tracked to the last correction (frame 8) in ")
    assert said.endswith(" s; now everything is tracked from the start, with the corrected frames in memory")
