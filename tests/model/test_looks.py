"""The masks that SAM 2 gives an annotator, frame by frame, are those of a run with the same prompts."""

from contextlib import closing

import numpy as np
import pytest
from conftest import slow_but
from parity import AS_SHIPPED, CLICK, box, mask, nano, point, segmenter
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.segmenter import SAM2
from vidseg.types import FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES = 6
PROMPTS = {
    "a click": (CLICK,),
    "three objects": (CLICK, box(0, 2, 65, 35, 105, 75), mask(0, 3)),
    "one that comes later": (CLICK, box(3, 2, 65, 35, 105, 75)),
    "one that joins": (CLICK, Prompt(3, 2, box_xyxy=np.array([65, 35, 105, 75], np.float32), joins=True)),
    "corrections": (CLICK, box(0, 2, 65, 35, 105, 75), point(3, 1, (90, 60, 0)), point(4, 1, (60, 50, 1))),
}


@pytest.fixture(scope="module", params=["sam2", "nano"])
def model(request: pytest.FixtureRequest) -> SAM2:
    return nano(**AS_SHIPPED) if request.param == "nano" else segmenter("exact", image_size=64)


def source() -> ArraySource:
    return ArraySource(moving_squares(FRAMES))


def same(one: FrameMasks, other: FrameMasks, atol: float) -> bool:
    """Whether the objects of ``one`` have the same logits in ``other``, in which no more are than it knows by then."""
    rows = [other.object_ids.index(object_id) for object_id in one.object_ids]
    return np.allclose(one.logits_nhw, other.logits_nhw[rows], atol=atol)


@pytest.mark.parametrize("told", slow_but(["three objects", "corrections"], PROMPTS))
def test_looks_and_tracks_are_a_run_s(model: SAM2, told: str) -> None:
    prompts = PROMPTS[told]
    run = [masks for _, masks in model.track(source(), prompts)]
    interactive = model.interactive(source())
    # A run corrects on its way objects together that are corrected here alone: sums in another order
    atol = 1e-4 if len(prompts) == 4 else 0
    for index in sorted({prompt.frame_index for prompt in prompts}):
        looked = interactive.look(index, prompts)
        assert looked.object_ids == tuple(sorted({each.object_id for each in prompts if each.frame_index == index}))
        assert same(looked, run[index], atol)
    for first in (0, 4, 2):  # from the start, on from what is kept, and back
        with closing(interactive.track(first, prompts)) as tracked:
            found = [*tracked]
        assert [masks.frame_index for masks in found] == [*range(first, FRAMES)]
        assert all(same(masks, run[masks.frame_index], atol) for masks in found)


def test_what_was_tracked_once_is_not_tracked_again(model: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    step = Pass.step

    def noted(self: Pass, position: int, *arguments: object, **keys: object) -> object:
        made.append(position)
        return step(self, position, *arguments, **keys)  # type: ignore[arg-type]

    monkeypatch.setattr(Pass, "step", noted)
    interactive, told = model.interactive(source()), list[tuple[int, int]]()

    def look(*points: tuple[float, float, int]) -> None:
        interactive.look(4, [CLICK, point(4, 1, *points)], lambda done, total: told.append((done, total)))

    look((90, 60, 0))
    assert [number for number in made if 0 < number < 4] == [1, 2, 3]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    made.clear()
    look((90, 60, 0), (60, 50, 1))
    assert not [number for number in made if 0 < number < 4]
    assert len(told) == 4


def test_features_of_a_frame_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shown = segmenter("exact", image_size=64), list[int]()
    forward = model._engine.predictor.forward_image
    monkeypatch.setattr(model._engine.predictor, "forward_image", lambda batch: shown.append(1) or forward(batch))
    interactive = model.interactive(source())
    first = interactive.look(0, [CLICK])
    second = interactive.look(0, [point(0, 1, (75, 60, 1))])
    assert len(shown) == 1
    assert not np.array_equal(first.logits_nhw, second.logits_nhw)


def test_almost_the_masks_come_first_and_may_do() -> None:
    shown: list[FrameMasks] = []

    def enough(masks: FrameMasks) -> bool:
        shown.append(masks)
        return len(shown) > 1

    interactive = nano(**AS_SHIPPED).interactive(source())
    exact = interactive.look(0, [CLICK], enough=enough)
    assert interactive.look(0, [CLICK], enough=enough) is shown[1]
    agreement = iou(shown[0].masks_nhw[0], exact.masks_nhw[0])
    assert 0.7 < agreement < 1
    segmenter("exact", image_size=64).interactive(source()).look(0, [CLICK], enough=enough)
    assert len(shown) == 2  # Meta's models make the masks at once


def test_a_frame_that_is_not_there_is_told(model: SAM2) -> None:
    with pytest.raises(InputError, match="99 is not among the frames"):
        model.interactive(source()).look(0, [point(99, 1, (75, 60, 1))])
