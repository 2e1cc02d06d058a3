"""The engine as it runs by default (objects in batches, sums reordered), in both directions and compiled."""

import shutil
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity import (
    BF16,
    CLICK,
    CONFIGS,
    LARGE,
    NANO,
    NANO_CONFIG,
    NEAR,
    KeptFast,
    Whole,
    assemble,
    box,
    build,
    cases,
    check_case,
    mask,
    ours,
    point,
    propagate,
    segmenter,
)
from PIL import Image
from sources import ArraySource, moving_squares

from vidseg import devices
from vidseg.errors import InputError
from vidseg.model.fast import cpu, hiera
from vidseg.model.fast.accelerate import Fast
from vidseg.model.fast.compiled import make_rotation_real
from vidseg.model.sam2 import backwards, checkpoint
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.upstream import Predictor, SAM2VideoPredictor
from vidseg.model.sam2.upstream import build as build_predictor
from vidseg.sample import SampleSource
from vidseg.types import Frame

pytestmark = pytest.mark.usefixtures("one_thread")
_generates_code = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
_takes_minutes = pytest.mark.skipif(not LARGE, reason="the code of all graphs takes four minutes: make parity")
_warnings_of_torch = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)


@pytest.mark.parametrize(("case", "engine"), cases("fast"))
def test_logits_are_near_upstreams(case: str, engine: str, jpegs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backwards, "MaskFile", Whole)
    check_case(case, engine, jpegs)


def test_a_correction_on_a_frame_that_cannot_be_read_says_so() -> None:
    class Torn(ArraySource):
        def __iter__(self):
            return (frame for frame in super().__iter__() if frame.index != 4)

    prompts = [CLICK, point(4, 1, (60, 60, 0))]
    with pytest.raises(InputError, match=r"prompt\.frame: 4 can't be read"):
        next(segmenter(image_size=64).track(Torn(moving_squares(8)), prompts))


def test_masks_before_the_prompt_are_kept_as_rle_and_lose_nothing_that_outputs_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts = [box(5, 1, 20, 20, 60, 60), box(5, 2, 40, 20, 90, 70)]
    model = segmenter(image_size=64, propagate="both")
    kept = [masks for _, masks in model.track(ArraySource(moving_squares(8)), prompts)]
    monkeypatch.setattr(backwards, "MaskFile", Whole)
    whole = [masks for _, masks in model.track(ArraySource(moving_squares(8)), prompts)]
    for masks, theirs in zip(kept, whole, strict=True):
        assert np.array_equal(masks.masks_nhw, theirs.masks_nhw)
        assert masks.scores == pytest.approx(theirs.scores, abs=1e-4)  # masks.jsonl's four decimals
        there = theirs.masks_nhw.any(0)  # where objects overlap, the same one is on top
        assert np.array_equal(masks.logits_nhw.argmax(0)[there], theirs.logits_nhw.argmax(0)[there])
    overlap = [masks.masks_nhw.all(0).any() for masks in whole[:5]]
    assert any(overlap)


def test_a_failing_reader_ends_both_directions() -> None:
    source = ArraySource(moving_squares(8), fails_at=2)
    with pytest.raises(OSError, match="the reader failed"):
        list(segmenter(image_size=64, propagate="both").track(source, [box(5, 1, 20, 20, 60, 60)]))
    assert source.closed


class Broken(ArraySource):
    """A folder whose third image can't be read, say."""

    def _frame(self, index: int) -> Frame:
        if index == 2:
            raise InputError("video: 00002.png can't be read")
        return super()._frame(index)


def test_both_keeps_what_comes_before_and_after_a_frame_that_cannot_be_read() -> None:
    pairs = segmenter(image_size=64, propagate="both").track(Broken(moving_squares(8)), [box(5, 1, 20, 20, 60, 60)])
    seen = []
    with pytest.raises(InputError, match=r"00002\.png"):
        for frame, masks in pairs:
            seen.append((frame.index, masks.masks_nhw.any()))
    assert seen == [(0, False), (1, False)]
    late = segmenter(image_size=64, propagate="both").track(Broken(moving_squares(8)), [box(1, 1, 20, 20, 60, 60)])
    with pytest.raises(InputError, match=r"00002\.png"):
        next(late)


def accelerated(speed: Plain, precision: devices.Precision = devices.FP32) -> Any:
    """A predictor as ``speed`` changes it."""
    predictor = build_predictor(Predictor, CONFIGS["2.1"], 256, 2, {})
    speed.bind(torch.device("cpu"), precision)
    speed.prepare(predictor)
    return predictor


def test_attention_is_the_same_however_few_queries_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 256 queries in four parts, whose keys are packed; and all of them at once."""
    theirs = build_predictor(Predictor, CONFIGS["2.1"], 256, 2, {})
    mine = deepcopy(theirs)
    cpu.accelerate_cpu(mine)
    torch.manual_seed(0)
    current, memory = torch.randn(2, 256, 2, 256), torch.randn(2, 3 * 256 + 4, 2, 64)

    def attended(model: Any) -> torch.Tensor:
        keys = {"memory": memory[0], "memory_pos": memory[1], "num_obj_ptr_tokens": 4}
        with torch.inference_mode():
            found: torch.Tensor = model.memory_attention(curr=[current[0]], curr_pos=[current[1]], **keys)
        return found

    expected = attended(theirs)
    for most_scores in (cpu._SCORES, 64 * memory.shape[1]):
        monkeypatch.setattr(cpu, "_SCORES", most_scores)
        assert torch.allclose(attended(mine), expected, atol=NEAR * float(expected.std()))


def test_objects_prompted_on_the_same_frames_go_together() -> None:
    prompts = [mask(0, 1), mask(0, 2), mask(0, 3), mask(2, 3), mask(0, 4)]
    speed, sizes = KeptFast(), []
    model = assemble(speed, image_size=64)
    speed.predictor.memory_attention.register_forward_hook(lambda module, args, out: sizes.append(out.shape[1]))
    masks = [masks for _, masks in model.track(ArraySource(moving_squares(4)), prompts)]
    assert sizes == [3, 1, 3, 3, 1]  # on frame 2 object 3 is prompted anew
    assert masks[0].object_ids == (1, 2, 3, 4)


def test_modules_of_exact_are_upstreams_own_and_all_faster_ones_are_used() -> None:
    def kinds(predictor: Any) -> set[type]:
        return {type(module) for module in predictor.modules()}

    faster = {
        kind
        for module in (cpu, hiera)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module) and kind.__module__ == module.__name__
    }
    assert len(faster) > 5
    assert kinds(accelerated(Fast(exact=True))) == kinds(accelerated(Plain()))
    assert kinds(accelerated(Plain())).isdisjoint(faster)
    assert kinds(accelerated(Fast())) >= faster


def test_the_cpus_modules_are_used_in_float32_only() -> None:
    bf16 = accelerated(Fast(), devices.Precision(**BF16))
    assert {type(module).__module__ for module in bf16.modules()}.isdisjoint({cpu.__name__, hiera.__name__})


@pytest.mark.timeout(900)
@_warnings_of_torch
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=[_generates_code, _takes_minutes])])
def test_compiled_modules_never_recompile_for_other_prompts_objects_or_memories(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eager backend traces the modules and generates no code, in a minute and a half."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    prompts = [
        [point(0, 1, (35, 30, 1), (60, 60, 0), (20, 80, 0))],
        [mask(0, n) for n in (1, 2, 3)],
        [box(0, 1, 20, 20, 60, 60), mask(0, 2), point(3, 1, (35, 30, 0)), box(4, 4, 10, 10, 50, 50)],
    ]
    lengths = (4, 3, 9)  # the last one has more memories than the frames that were compiled for
    clips = [ArraySource(moving_squares(length)) for length in lengths]
    try:
        model = build(image_size=64, exact=False, compile=True)
        with torch.compiler.set_stance("fail_on_recompile"):
            compiled = [[m.logits_nhw for _, m in model.track(*each)] for each in zip(clips, prompts, strict=True)]
    finally:
        torch.compiler.reset()
    plain = segmenter("fast", image_size=64)
    for masks, *each in zip(compiled, clips, prompts, strict=True):
        expected = [m.logits_nhw for _, m in plain.track(*each)]
        assert np.abs(np.subtract(masks, expected)).max() < NEAR * np.std(expected)


@pytest.mark.slow
@_generates_code
@_warnings_of_torch
def test_attention_in_real_numbers_is_compiled_to_upstreams() -> None:
    predictor: Any = build_predictor(Predictor, CONFIGS["2.1"], 64, 2, {})
    attention = predictor.memory_attention.layers[0].cross_attn_image
    queries, keys = torch.randn(2, 16, 256), torch.randn(2, 3 * 16 + 4, 64)
    with torch.inference_mode():
        theirs = attention(queries, keys, keys, num_k_exclude_rope=4)
        make_rotation_real(attention, 4)
        try:
            compiled = torch.compile(attention.forward, fullgraph=True)(queries, keys, keys, num_k_exclude_rope=4)
        finally:
            torch.compiler.reset()
    assert (compiled - theirs).abs().max() < NEAR * theirs.std()


def test_trained_weights_give_the_masks_of_upstreams_predictor(tmp_path: Path) -> None:
    clip = SampleSource(0, frames=range(0, 108, 18))
    for position, frame in enumerate(clip):
        Image.fromarray(frame.rgb_hw3).save(tmp_path / f"{position:05d}.jpg", quality=95)
    x, y = map(float, clip.prompts[0].points_xy[0])
    prompts = [point(0, 1, (x, y, 1)), box(0, 2, 100, 100, 500, 500), box(0, 3, x - 90, y - 120, x + 90, y + 250)]
    reference: Any = build_predictor(SAM2VideoPredictor, NANO_CONFIG, None, 0, {})  # driven as sam2's notebook does
    checkpoint.load(reference, NANO)
    theirs = propagate(reference, tmp_path, prompts, range(6))
    model = build(config=NANO_CONFIG, checkpoint=NANO, image_size=None, exact=False)
    masks_of_frames = ours(model, tmp_path, 6, prompts)
    different = [
        np.mean(masks.masks_nhw[number] != (theirs[position][object_id][0] > 0).numpy())
        for position, masks in enumerate(masks_of_frames)
        for number, object_id in enumerate(masks.object_ids)
    ]
    assert np.mean(different) <= 1e-4
    assert np.mean([masks.masks_nhw[0].mean() for masks in masks_of_frames]) > 0.02
