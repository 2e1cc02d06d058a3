"""The classical baseline on drawn motion: every kind of prompt, several objects, late prompts, objects that leave."""

from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sources import HEIGHT, WIDTH, Discs, click

from vidseg.errors import InputError
from vidseg.metric.score import iou
from vidseg.model.grabcut import GrabCut
from vidseg.types import Frame, FrameMasks, Prompt
from vidseg.video.sample import SampleSource


def track(source: Discs, prompts: Sequence[Prompt]) -> list[FrameMasks]:
    masks = []
    for frame, found in GrabCut().track(source, prompts):
        assert frame.index == found.frame_index
        assert found.logits_nhw.dtype == np.float32
        assert found.logits_nhw.shape == (len(found.object_ids), HEIGHT, WIDTH)
        assert found.scores is None
        masks.append(found)
    assert [m.frame_index for m in masks] == list(source.frames)
    return masks


def mean_j(source: Discs, masks: Sequence[FrameMasks], position: int, label: int) -> float:
    return float(np.mean([iou(m.masks_nhw[position], source.truth(m.frame_index) == label) for m in masks]))


ONE = [(70.0, 90.0, 4.0, 0.5)]
PROMPTS = {
    "click": click(0, 1, (72, 92, 1)),
    "clicks": click(0, 1, (72, 92, 1), (60, 80, 1), (150, 90, 0)),
    "box": Prompt(0, 1, box_xyxy=np.array([38, 58, 103, 123], np.float32)),
    "box and points": Prompt(
        0,
        1,
        np.array([[70, 90], [40, 60]], np.float32),
        np.array([1, 0], np.int32),
        np.array([38, 58, 103, 123], np.float32),
    ),
    "mask": Prompt(0, 1, mask_hw=Discs(1, ONE).truth(0) == 1),
}


@pytest.mark.parametrize("kind", PROMPTS)
def test_every_kind_of_prompt_follows_the_object(kind: str) -> None:
    source = Discs(20, ONE)
    masks = track(source, [PROMPTS[kind]])
    assert mean_j(source, masks, 0, 1) > 0.85


def test_objects_are_in_order_and_do_not_mix() -> None:
    source = Discs(16, [(70, 60, 4, 0), (260, 120, -4, 0)])
    masks = track(source, [click(0, 9, (72, 62, 1)), click(0, 4, (258, 118, 1))])
    assert masks[0].object_ids == (4, 9)
    assert mean_j(source, masks, 1, 1) > 0.8
    assert mean_j(source, masks, 0, 2) > 0.8


def test_a_mask_is_empty_before_its_first_prompt() -> None:
    source = Discs(14, [(70, 60, 4, 0), (260, 120, -4, 0)])
    masks = track(source, [click(0, 1, (72, 62, 1)), Prompt(6, 2, mask_hw=source.truth(6) == 2)])
    assert [bool(m.masks_nhw[1].any()) for m in masks] == [False] * 6 + [True] * 8
    assert mean_j(source, masks[6:], 1, 2) > 0.85


def test_a_later_mask_or_box_starts_the_object_again() -> None:
    source = Discs(12, [(70, 60, 4, 0), (260, 120, -4, 0)])
    box = np.array([260 - 24 - 34, 86, 260 - 24 + 34, 154], np.float32)
    masks = track(source, [click(0, 1, (72, 62, 1)), Prompt(6, 1, box_xyxy=box)])
    assert mean_j(source, masks[:6], 0, 1) > 0.8
    assert mean_j(source, masks[6:], 0, 2) > 0.8


def test_later_points_correct_the_mask() -> None:
    """The first mask wrongly covers both discs; a negative point takes one away, and it stays away."""
    source = Discs(12, [(90, 90, 2, 0), (160, 90, 2, 0)])
    both = Prompt(0, 1, mask_hw=source.truth(0) > 0)
    x = 160 + 2 * 5
    masks = track(source, [both, click(5, 1, (x, 90, 0), (100, 90, 1))])
    assert mean_j(source, masks[:5], 0, 1) < 0.6
    assert mean_j(source, masks[5:], 0, 1) > 0.8
    grown = track(source, [Prompt(0, 1, mask_hw=source.truth(0) == 1), click(5, 1, (x, 90, 1))])
    at_five = source.truth(5)
    assert iou(grown[5].masks_nhw[0], at_five > 0) > 0.8


def test_an_object_that_leaves_has_an_empty_mask() -> None:
    source = Discs(26, [(240, 90, 6, 0)])
    masks = track(source, [click(0, 1, (240, 90, 1))])
    assert masks[5].masks_nhw[0].any()
    assert not (source.truth(25) == 1).any()
    assert np.count_nonzero(masks[-1].masks_nhw[0]) < 100


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(0, 1, mask_hw=np.pad(np.ones((1, 1), bool), ((90, HEIGHT - 91), (70, WIDTH - 71)))),
        Prompt(0, 1, mask_hw=np.ones((HEIGHT, WIDTH), bool)),
        Prompt(0, 1, box_xyxy=np.array([0, 0, WIDTH, HEIGHT], np.float32)),
        Prompt(0, 1, box_xyxy=np.array([10.2, 10.4, 10.9, 11.1], np.float32)),
        click(0, 1, (0, 0, 1)),
        click(0, 1, (WIDTH - 1, HEIGHT - 1, 1)),
        click(0, 1, (20, 20, 0)),
        click(4, 1, (300, 20, 1)),
    ],
    ids=["tiny mask", "full mask", "full box", "tiny box", "corner", "far corner", "negative only", "last frame"],
)
def test_odd_prompts_do_not_crash(prompt: Prompt) -> None:
    masks = track(Discs(5, ONE), [prompt])
    assert np.isfinite(masks[-1].logits_nhw).all()


class Flat(Discs):
    """Nothing but one colour, in small frames."""

    def __getitem__(self, index: int) -> Frame:
        return Frame(index, index / 25, np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def test_a_click_on_a_flat_picture_does_not_crash() -> None:
    track(Flat(4, ONE), [click(0, 1, (100, 100, 1)), Prompt(1, 2, box_xyxy=np.array([50, 50, 90, 90], np.float32))])


def test_a_single_frame_can_be_clicked() -> None:
    source = Discs(1, ONE)
    (masks,) = track(source, [click(0, 1, (70, 90, 1))])
    assert iou(masks.masks_nhw[0], source.truth(0) == 1) > 0.8


def test_the_same_run_gives_the_same_masks() -> None:
    source = Discs(6, ONE)
    first, second = (track(source, [PROMPTS["click"]]) for _ in range(2))
    assert all(np.array_equal(a.logits_nhw, b.logits_nhw) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("key", "value"), [("width", 8), ("iterations", 0), ("band", 0.0), ("memory", 1.5)])
def test_values_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"model.{key}={value} must be between"):
        GrabCut(**{key: value})  # type: ignore[arg-type]


def test_one_click_follows_the_skater_of_the_built_in_clip() -> None:
    source = SampleSource(0)
    with closing(GrabCut().track(source, source.prompts)) as pairs:
        scores = [iou(found.masks_nhw[0], source.truth(frame.index) == 1) for frame, found in islice(pairs, 40)]
    assert len(scores) == 40
    assert np.mean(scores) > 0.8
    assert min(scores) > 0.7


def test_the_truth_is_never_read() -> None:
    class Blind(SampleSource):
        def truth(self, index: int) -> NDArray[np.uint8]:
            raise AssertionError("the ground truth is not for a segmenter")

    source = Blind(1, frames=range(2))
    assert len(list(GrabCut().track(source, source.prompts))) == 2


def test_the_source_is_closed_when_the_consumer_stops() -> None:
    opened, closed = [], []

    class Watched(Discs):
        def __iter__(self) -> Generator[Frame]:
            opened.append(True)
            try:
                yield from super().__iter__()
            finally:
                closed.append(True)

    pairs = GrabCut().track(Watched(10, ONE), [PROMPTS["mask"], click(0, 2, (200, 20, 1))])
    next(pairs)
    assert len(closed) == len(opened) - 1
    pairs.close()
    assert len(closed) == len(opened)


def test_the_config_names_every_parameter_with_its_default() -> None:
    yaml = pytest.importorskip("yaml")
    conf = yaml.safe_load((Path(__file__).parents[2] / "conf/model/grabcut.yaml").read_text(encoding="utf-8"))
    assert conf.pop("_target_") == "vidseg.model.grabcut.GrabCut"
    assert conf == {"width": 480, "iterations": 1, "band": 8.0, "memory": 0.95, "propagate": "${propagate}"}
