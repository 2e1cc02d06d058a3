"""Objects that join while the video is tracked, and objects that end: nobody else's masks change."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import slow_but
from parity import AS_SHIPPED, CLICK, assemble, box, build, first_frames, mask, nano, ours, point, segmenter, upstream
from sources import ArraySource, moving_squares
from stopping import EveryFrame, Rest
from stopping import check_same as check_resumed

from vidseg.errors import ContractError, InputError
from vidseg.model.sam2.one_pass import Pass
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
            assert (score is None) == (expected_score is None)
            assert np.float32(score or 0) == np.float32(
                expected_score or 0
            )  # of the way back they are kept in decimals


MODELS: dict[str, Callable[[], SAM2]] = {
    "plain": lambda: assemble(image_size=64),
    "exact": lambda: build(image_size=64, fill_hole_area=8),
    "nano, with windows": lambda: nano(**AS_SHIPPED, image_size=224, exact=True),
    "as on a GPU": lambda: build(image_size=64, exact=False, asynchronous=True, encoder_batch=2),
    "int8": lambda: build(image_size=64, exact=False, quantize="int8"),
}


@pytest.mark.parametrize("kind", slow_but(["exact", "nano, with windows"], MODELS))
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


def test_an_object_added_while_upstream_tracks_has_the_same_logits(jpegs: Path, tmp_path: Path) -> None:
    reference, folder = upstream("2.1"), first_frames(jpegs, tmp_path, 6)
    state, theirs = reference.init_state(str(folder)), {}

    def tracked(**part: int) -> None:
        for position, ids, logits_n1hw in reference.propagate_in_video(state, **part):
            theirs[position] = {each: logits_n1hw[row, 0].clone() for row, each in enumerate(ids)}

    reference.add_new_points_or_box(state, 0, 1, points=CLICK.points_xy, labels=CLICK.labels)
    tracked(max_frame_num_to_track=2)
    reference.add_new_points_or_box(state, 3, 2, box=SECOND.box_xyxy)
    tracked(start_frame_idx=3)
    for masks in ours(segmenter("exact"), jpegs, 6, [CLICK, *joining(SECOND)]):
        for object_id, logits_hw in theirs[masks.frame_index].items():
            assert np.array_equal(of(masks, object_id)[0], logits_hw.numpy()), (masks.frame_index, object_id)
    assert [sorted(each) for each in theirs.values()] == [[1]] * 3 + [[1, 2]] * 3


def test_an_ended_object_is_empty_and_the_others_are_as_before() -> None:
    model, clip = build(image_size=64, exact=False), moving_squares(8)
    prompts = [CLICK, replace(mask(0, 3), until=4), *joining(SECOND, THIRD)]
    without = track(model, clip, [replace(prompt, until=None) for prompt in prompts])
    ended = track(model, clip, [prompt if n != 2 else replace(prompt, until=5) for n, prompt in enumerate(prompts)])
    check_same(ended, without, 1, 7)
    for object_id, last in ((3, 4), (2, 5)):
        check_same(ended[: last + 1], without[: last + 1], object_id)
        for masks in ended[last + 1 :]:
            assert np.all(of(masks, object_id)[0] == -1024)
            assert of(masks, object_id)[1] is None


def test_nothing_is_computed_for_a_pass_whose_objects_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    original = Pass.step

    def step(self: Pass, position: int, *args: Any) -> Any:
        steps.append(position)
        return original(self, position, *args)

    monkeypatch.setattr(Pass, "step", step)
    model, clip = segmenter("fast", image_size=64), moving_squares(6)
    track(model, clip, [replace(CLICK, until=2), *joining(replace(SECOND, until=4))])
    assert steps == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["exact", "nano, with windows"])
def test_a_resumed_run_has_the_same_objects_and_masks(kind: str, tmp_path: Path) -> None:
    model, clip = MODELS[kind](), moving_squares(9)
    script = (SECOND, THIRD)
    saved = EveryFrame(tmp_path)

    def go_on(source: ArraySource, checkpoints: EveryFrame, *prompts: Prompt) -> dict[int, FrameMasks]:
        return {f.index: m for f, m in model.track(source, prompts, checkpoints, finder=Scripted(*script, every=1))}

    late = joining(box(6, 9, 15, 12, 60, 60))
    whole = go_on(ArraySource(clip), saved, CLICK, *late)
    for after in (4, 5)[kind != "exact" :]:  # the second has joined, the third not yet; and both
        rest = go_on(Rest(clip, after), EveryFrame(tmp_path, saved.after[after]), CLICK, *late)
        check_resumed(rest, whole, after + 1)
    assert whole[8].object_ids == (1, 2, 7, 9)


def test_each_pixel_belongs_to_one_object_of_all_passes() -> None:
    model, clip = assemble(image_size=64, non_overlap_masks=True), moving_squares(6)
    prompts = [mask(0, 5), *joining(replace(mask(2, 3)), mask(3, 4))]
    alone = track(assemble(image_size=64), clip, prompts)
    masks = track(model, clip, prompts)
    assert max(each.masks_nhw.sum(0).max() for each in alone) > 1
    assert max(each.masks_nhw.sum(0).max() for each in masks) == 1
    for each, free in zip(masks, alone, strict=True):
        assert np.array_equal(each.masks_nhw.any(0), free.masks_nhw.any(0))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ahead", [False, True])
def test_a_finder_that_fails_ends_the_run_after_the_frames_before(ahead: bool) -> None:
    class Failing(Scripted):
        def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
            if frame.index == 3:
                raise OSError("the detector failed")
            return ()

    source, seen, threads = ArraySource(moving_squares(8)), [], torch.get_num_threads()
    torch.set_num_threads(1 + ahead)
    model = build(image_size=64, exact=False, encode_ahead=ahead)
    with pytest.raises(OSError, match="the detector failed"):
        for frame, _ in model.track(source, [CLICK], finder=Failing()):
            seen.append(frame.index)
    torch.set_num_threads(threads)
    assert seen == [0, 1, 2]
    assert source.closed
    assert not [each for each in threading.enumerate() if each.name.startswith("vidseg")]


def test_everything_may_join_also_before_the_first_prompt_and_in_both_directions() -> None:
    clip = moving_squares(7)
    model = segmenter("exact", image_size=64)
    nothing = track(model, clip, [], Scripted(SECOND))
    assert [masks.object_ids for masks in nothing] == [()] * 3 + [(2,)] * 4
    check_same(nothing, track(model, clip, joining(SECOND)), 2)
    check_same(track(model, clip, [THIRD]), track(model, clip, [THIRD, *joining(SECOND)]), 7)
    check_same(nothing, track(model, clip, [THIRD, *joining(SECOND)]), 2)
    both = segmenter("exact", image_size=64, propagate="both")
    joined = track(both, clip, [THIRD, *joining(SECOND)])
    check_same(track(both, clip, [THIRD]), joined, 7)
    check_same(nothing, joined, 2)  # forward only


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (
            [*joining(SECOND), point(5, 2, (60, 60, 0))],
            "prompt of object 2: an object that joins takes no prompts on other frames; it has some on 3, 5",
        ),
        ([replace(SECOND, until=4), point(5, 2, (60, 60, 0))], "prompt of object 2: until is 4, before .* frame 5"),
        ([replace(CLICK, until=4), replace(CLICK, until=6)], "prompt of object 1: until is 4 and 6; it ends once"),
        ([CLICK, *joining(box(30, 2, 1, 1, 9, 9))], r"prompt\.frame: 30 is not among the frames"),
    ],
)
def test_prompts_that_contradict_each_other_are_refused(prompts: list[Prompt], message: str) -> None:
    with pytest.raises(InputError, match=message):
        track(segmenter(image_size=64), moving_squares(7), prompts)


def test_a_frame_that_cannot_be_read_and_a_known_id_are_named() -> None:
    class Torn(ArraySource):
        def __iter__(self):
            return (frame for frame in super().__iter__() if frame.index != 3)

    model = segmenter(image_size=64)
    for frames in (4, 6):  # nothing comes after it, or something does
        with pytest.raises(InputError, match=r"prompt\.frame: 3 can't be read .* object 2 can't join there"):
            list(model.track(Torn(moving_squares(frames)), [CLICK, *joining(SECOND)]))
    with pytest.raises(ContractError, match=r"Scripted\.find: it found object 1 on frame 2; .* \(1\)"):
        track(model, moving_squares(4), [CLICK], Scripted(box(2, 1, 15, 10, 60, 60)))
