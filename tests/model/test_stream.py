"""Several frames at once, a step ahead, and masks that stay on the device: what a GPU is given, proven on a CPU."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity import CLICK, box, build, check, first_frames, mask, nano, point, propagate, read, upstream
from renders import RENDERS, masks_of
from sources import ArraySource, Discs, moving_squares

from vidseg.composite import label_map, overlay
from vidseg.errors import InputError
from vidseg.model import shown
from vidseg.model.encoder import Encoder
from vidseg.model.image import upload
from vidseg.model.pictures import Pictures
from vidseg.model.shown import Fetched
from vidseg.model.stream import chunks, one_behind
from vidseg.types import Frame, FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")


def failing(items: list[Any]) -> Any:
    yield from items
    raise OSError("the reader failed")


def test_chunks_hold_everything_in_order_also_before_an_error() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
    parts = chunks(failing([0, 1, 2, 3]), 3)
    assert [next(parts), next(parts)] == [[0, 1, 2], [3]]
    with pytest.raises(OSError, match="the reader failed"):
        next(parts)


def test_the_next_item_is_taken_before_the_former_is_handed_out() -> None:
    told: list[str] = []

    def items() -> Any:
        for number in range(3):
            told.append(f"begin {number}")
            yield number

    for number in one_behind(items()):
        told.append(f"use {number}")
    assert told == ["begin 0", "begin 1", "use 0", "begin 2", "use 1", "use 2"]
    late = one_behind(failing(["masks"]))
    assert next(late) == "masks"
    with pytest.raises(OSError, match="the reader failed"):
        next(late)


def test_several_frames_through_the_encoder_at_once_are_upstreams_logits(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(0, 2), box(0, 3, 20, 10, 60, 60)]
    folder = first_frames(jpegs, tmp_path, 6)
    theirs = propagate(upstream("2.1"), folder, prompts, range(6))
    model = build(exact=False, encoder_batch=4)
    model._gpu = True  # a step ahead of the consumer, too
    sizes: list[int] = []
    original = model._predictor.forward_image
    model._predictor.forward_image = lambda batch: sizes.append(len(batch)) or original(batch)
    ours = [masks for _, masks in model.track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts, tolerance=1e-4)
    assert sizes == [1, 4, 4]  # the prompted frame, four, and the last two filled up


def test_a_failing_reader_loses_no_frame_of_a_chunk() -> None:
    pairs = build(image_size=64, exact=False, encoder_batch=4).track(
        ArraySource(moving_squares(8), fails_at=6), [CLICK]
    )
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, masks in pairs:
            seen.append(masks.frame_index == frame.index)
    assert seen == [True] * 6


def test_encoding_ahead_changes_no_mask_and_gives_the_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)  # the fixture gives back what was there
    frames, seen = moving_squares(6), []
    original = Encoder.encode

    def encode(encoder: Encoder, images: Any, *args: Any) -> Any:
        if images:
            seen.append((threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        return original(encoder, images, *args)

    plain = [masks.logits_nhw for _, masks in build(image_size=64, exact=False).track(ArraySource(frames), [CLICK])]
    monkeypatch.setattr(Encoder, "encode", encode)
    model = build(image_size=64, exact=False, encode_ahead=True)
    ours = [masks.logits_nhw for _, masks in model.track(ArraySource(frames), [CLICK])]
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.std(other))
    assert seen == [(True, 2)] + [(False, 1)] * 6  # the prompted frame comes first
    assert torch.get_num_threads() == 2


@pytest.mark.timeout(60)
def test_encoding_ahead_ends_with_its_reader_and_its_consumer() -> None:
    torch.set_num_threads(2)
    model = build(image_size=64, exact=False, encode_ahead=True)
    pairs = model.track(ArraySource(moving_squares(8), fails_at=6), [CLICK])
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, masks in pairs:
            seen.append(masks.frame_index == frame.index)
    assert seen == [True] * 6
    early = model.track(ArraySource(moving_squares(8)), [CLICK])
    next(early)
    early.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("vidseg")]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("exact", "frames"), [(False, 0), (True, 2), (False, "two")])
def test_an_encoder_batch_that_makes_no_sense_is_refused(exact: bool, frames: Any) -> None:
    with pytest.raises(InputError, match=rf"model\.encoder_batch: {frames}"):
        build(image_size=64, exact=exact, encoder_batch=frames)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to the copies from the device, in order; before it is waited for, one holds something else."""
    told: list[str] = []

    def begin(packed_v: torch.Tensor) -> tuple[torch.Tensor, Callable[[], object]]:
        host_v, number = torch.full_like(packed_v, 0x5A), sum(each.startswith("copy") for each in told)
        told.append(f"copy {number}")

        def wait() -> None:
            told.append(f"wait {number}")
            host_v.copy_(packed_v)

        return host_v, wait

    monkeypatch.setattr(shown, "begin_copy", begin)
    return told


@pytest.mark.parametrize("objects", [1, 3, 300])
def test_masks_from_a_device_are_those_of_their_logits(objects: int, copies: list[str]) -> None:
    logits_nhw = torch.randn(objects, 40, 60, generator=torch.Generator().manual_seed(objects)).round(decimals=1)
    logits_nhw[-1, :20] = logits_nhw[0, :20]  # equals: the first is on top
    ids, scores_n = tuple(range(2, 2 + objects)), torch.rand(objects)
    hidden = [number == 1 for number in range(objects)]
    scores = tuple(None if hide else score for score, hide in zip(scores_n.tolist(), hidden, strict=True))
    plain = FrameMasks(4, ids, logits_nhw.numpy(), scores)
    fetched = Fetched(4, logits_nhw, scores_n, hidden, Pictures(ids), None)
    assert (fetched.frame_index, fetched.object_ids) == (4, ids)
    assert copies == ["copy 0"]
    for name in ("scores", "masks_nhw", "best_hw"):  # each waits, whichever is read first
        first = Fetched(4, logits_nhw, scores_n, hidden, Pictures(ids), None)
        assert np.array_equal(getattr(first, name), getattr(fetched, name))
    assert fetched.scores == scores
    assert fetched.masks_nhw.dtype == bool
    assert np.array_equal(fetched.masks_nhw, plain.masks_nhw)
    assert np.array_equal(fetched.logits_nhw, plain.logits_nhw)
    assert np.array_equal(label_map(fetched), label_map(plain))
    picture = Frame(4, 0.0, np.full((40, 60, 3), 99, np.uint8))
    assert fetched.drawn(picture, "transparent") is None  # that frame is not on the device
    assert np.array_equal(overlay(picture, fetched), overlay(picture, plain))


@pytest.mark.parametrize("objects", [1, 3, 300])
@pytest.mark.parametrize("level", [-9.0, -2.0, 0.0, 9.0])  # nothing, little, half, all; of many objects all overlap
def test_pictures_from_a_device_are_the_hosts(objects: int, level: float, copies: list[str]) -> None:
    logits_nhw, frame = masks_of(level, objects)
    uploaded, pictures, hidden = upload(frame.rgb_hw3, torch.device("cpu")), Pictures(range(1, objects + 1)), [False]
    plain = FrameMasks(0, pictures.object_ids, logits_nhw.numpy())
    for when in ("by itself", "ahead"):
        masks = Fetched(0, logits_nhw, torch.ones(objects), hidden * objects, pictures, uploaded)
        copies.clear()
        for name, render in RENDERS.items():
            ours = render(frame, masks)
            assert np.array_equal(ours, render(frame, plain)), name
            ours[:] = 0  # the caller's: nobody else is drawn on it
        assert sum(each.startswith("copy") for each in copies) == (5 if when == "by itself" else 0)
    again = Frame(0, 0.0, frame.rgb_hw3.copy())
    assert masks.drawn(again, "transparent") is None  # equal today; but who knows whose it is


def test_a_picture_is_drawn_ahead_as_long_as_it_is_asked_for() -> None:
    pictures = Pictures((1,))
    assert pictures.wanted() == []
    pictures.ask(("transparent", ()))
    pictures.ask(("tint", (0.5,)))
    assert pictures.wanted() == [("transparent", ()), ("tint", (0.5,))]
    pictures.ask(("tint", (0.5,)))
    assert pictures.wanted() == [("tint", (0.5,))]
    assert pictures.wanted() == []


@pytest.mark.parametrize("propagate", ["forward", "both"])
def test_a_whole_run_as_on_a_gpu_is_the_hosts(propagate: str, copies: list[str]) -> None:
    """Several objects, one of them later and before another's id; frames before the first prompt; a portrait."""
    clip_nhw3 = moving_squares(9 if propagate == "forward" else 5, 150, 90)
    square_hw = np.zeros((150, 90), np.bool_)
    square_hw[60:110, 30:80] = True
    prompts = [box(2, 7, 15, 10, 60, 55), Prompt(2, 3, mask_hw=square_hw), point(4, 1, (70, 90, 1))]
    settings = {"image_size": 64, "propagate": propagate, "fill_hole_area": 8}
    host, gpu = build(**settings), build(**settings)
    gpu._gpu = True
    step = gpu._predictor._run_single_frame_inference
    gpu._predictor._run_single_frame_inference = lambda **given: copies.append("step") or step(**given)
    pairs = zip(gpu.track(ArraySource(clip_nhw3), prompts), host.track(ArraySource(clip_nhw3), prompts), strict=True)
    kinds = set()
    for (frame, ours), (_, theirs) in pairs:
        kinds.add((type(ours), ours.drawn(frame, "transparent") is not None))
        assert (ours.frame_index, ours.object_ids, ours.scores) == (frame.index, theirs.object_ids, theirs.scores)
        assert np.array_equal(ours.masks_nhw, theirs.masks_nhw)
        assert np.array_equal(ours.logits_nhw, theirs.logits_nhw)
        for name, render in RENDERS.items():
            assert np.array_equal(render(frame, ours), render(frame, theirs)), name
        copies.append("used")
    # Before the first prompt: empty, or kept from the way back; from it on with the frame, or as tracked on that way
    assert kinds == {(FrameMasks, False), (Fetched, propagate == "forward")}
    if propagate == "forward":
        between = " ".join(copies).split(" used ")
        assert "step" in between[5]  # the step of frame 6 is begun before …
        assert between[5].index("step") < between[5].index("wait")  # … frame 5 is waited for
        carried = [part for part in between[6:8] if part.count("copy") == 1]
        assert len(carried) == 2  # one copy a frame, pictures and all


def test_one_frame_in_three_is_remembered(jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As upstream whose other frames are taken from it after each step; frame 5 is prompted anew, and stays."""
    prompts = [CLICK, mask(5, 1)]
    folder = first_frames(jpegs, tmp_path, 12)
    reference, theirs = upstream("2.1", image_size=128), {}
    monkeypatch.setattr(reference, "memory_temporal_stride_for_eval", 3)
    state = reference.init_state(str(folder))
    reference.add_new_points_or_box(state, 0, 1, points=CLICK.points_xy, labels=CLICK.labels)
    reference.add_new_mask(state, 5, 1, mask=prompts[1].mask_hw)
    for position, _, logits_n1hw in reference.propagate_in_video(state):
        outputs = state["output_dict_per_obj"][0]
        output = {**outputs["non_cond_frame_outputs"], **outputs["cond_frame_outputs"]}[position]
        theirs[position] = {1: (logits_n1hw[0, 0], torch.sigmoid(output["object_score_logits"]).item())}
        if position % 3:
            outputs["non_cond_frame_outputs"].pop(position, None)
    model, remembered = build(image_size=128, memory_stride=3), []
    model._predictor.memory_encoder.register_forward_pre_hook(lambda *_: remembered.append(1))
    check([masks for _, masks in model.track(ArraySource(read(folder)), prompts)], theirs, prompts)
    assert len(remembered) == 2 + 3  # the prompted ones, and 3, 6 and 9


def test_what_was_given_as_a_mask_counts_as_often_as_it_is_told_to(jpegs: Path, tmp_path: Path) -> None:
    folder, prompts = first_frames(jpegs, tmp_path, 8), [CLICK, mask(2, 1)]
    reference, theirs = upstream("2.1", image_size=128), {}
    state = reference.init_state(str(folder))
    reference.add_new_points_or_box(state, 0, 1, points=CLICK.points_xy, labels=CLICK.labels)
    reference.add_new_mask(state, 2, 1, mask=prompts[1].mask_hw)
    for position, _, logits_n1hw in reference.propagate_in_video(state):
        outputs = state["output_dict_per_obj"][0]
        prompted = outputs["cond_frame_outputs"]
        output = {**outputs["non_cond_frame_outputs"], **prompted}[position]
        theirs[position] = {1: (logits_n1hw[0, 0], torch.sigmoid(output["object_score_logits"]).item())}
        for again in (1000, 2000) if position == 0 else ():  # frames to come: sam2 takes no pointers from them
            prompted.update({again + frame: prompted[frame] for frame in (0, 2)})
    model = build(image_size=128, prompted_weight=3)
    check([masks for _, masks in model.track(ArraySource(read(folder)), prompts)], theirs, prompts)
    plain = [masks for _, masks in build(image_size=128).track(ArraySource(read(folder)), prompts)]
    assert any(not np.allclose(one.logits_nhw, theirs[n][1][0], atol=1e-3) for n, one in enumerate(plain))
    clicked, boxed = (
        [
            [masks.logits_nhw for _, masks in build(image_size=128, prompted_weight=weight).track(source, [prompt])]
            for weight, source in ((weight, ArraySource(read(folder))) for weight in (1, 3))
        ]
        for prompt in (CLICK, box(0, 1, 40, 20, 120, 100))
    )
    np.testing.assert_array_equal(*clicked)
    assert not np.allclose(*boxed, atol=1e-3)


def test_counting_more_often_takes_no_more_keys() -> None:
    """nano's attention has a bias instead; its sums come in another order."""
    attended, logits = [], []
    source = Discs(6, [(90.0, 60.0, 4.0, 0.0)])
    for exact, weight in ((False, 1), (False, 4), (True, 4)):
        model = nano(exact=exact, prompted_weight=weight)
        model._predictor.memory_attention.register_forward_hook(
            lambda module, args, kwargs, output: attended.append(len(kwargs["memory"])), with_kwargs=True
        )
        pairs = list(model.track(source, [Prompt(0, 1, mask_hw=source.truth(0) == 1)]))
        logits.append(pairs[-1][1].logits_nhw)
    steps = len(attended) // 3
    assert attended[:steps] == attended[steps : 2 * steps]
    assert attended[-1] > attended[steps - 1]
    np.testing.assert_allclose(logits[1], logits[2], atol=1e-3)
    assert not np.allclose(logits[0], logits[1], atol=1e-2)


def test_prompted_frames_that_are_not_attended_to_do_not_count() -> None:
    """sam2's ``max_cond_frames_in_attn``: the nearest so many."""
    attended = []
    for weight in (1, 3):
        model = build(image_size=128, prompted_weight=weight)
        model._predictor.max_cond_frames_in_attn = 2
        model._predictor.memory_attention.register_forward_hook(
            lambda module, args, kwargs, output: attended.append(len(kwargs["memory"])), with_kwargs=True
        )
        prompts = [mask(0, 1), mask(1, 1), mask(2, 1)]
        list(model.track(ArraySource(moving_squares(4)), prompts))
    assert attended[1] - attended[0] == 2 * 2 * (128 // 16) ** 2


def test_a_threshold_moves_the_masks_and_nothing_that_is_remembered() -> None:
    source = ArraySource(moving_squares(4))
    plain, lower = (
        [masks for _, masks in build(image_size=128, mask_threshold=at).track(source, [CLICK])] for at in (0.0, -0.5)
    )
    for one, other in zip(plain, lower, strict=True):
        np.testing.assert_allclose(other.logits_nhw, one.logits_nhw + 0.5, atol=1e-5)
        np.testing.assert_array_equal(other.masks_nhw, other.logits_nhw > 0)
        assert other.masks_nhw.sum() > one.masks_nhw.sum()
        assert other.scores == one.scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_stride": 0}, r"model\.memory_stride: 0; 1 \(every"),
        ({"prompted_weight": 0}, r"model\.prompted_weight: 0; 1 \(as in sam2\) to 16"),
        ({"prompted_weight": 1.5}, r"model\.prompted_weight: 1\.5; "),
        ({"upsample": "nearest"}, "nearest is not one of bilinear, guided"),
        ({"mask_threshold": 11}, r"model\.mask_threshold: 11; a logit from -10 to 10 \(0 in sam2\)"),
        ({"mask_threshold": None}, r"model\.mask_threshold: None; "),
        ({"mask_threshold": [0.5]}, r"model\.mask_threshold: \[0\.5\]; "),
        ({"colour_weight": -1}, r"model\.colour_weight: -1; 0 \(colours say nothing, as in sam2\) to 10"),
        ({"colour_weight": True}, r"model\.colour_weight: True; "),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(image_size=64, **changes)
