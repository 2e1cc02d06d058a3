"""The engine as it runs by default (objects in batches, sums reordered) and in both directions, against upstream."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from parity import (
    CLICK,
    NANO,
    SIZE,
    Whole,
    box,
    build,
    check,
    first_frames,
    float_memories,
    mask,
    point,
    propagate,
    read,
    upstream,
)
from PIL import Image
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.model import before, cpu
from vidseg.model.fast.compiled import make_rotation_real
from vidseg.types import Frame, Prompt
from vidseg.sample import SampleSource

FAST = 1e-4  # of the logits' deviation
SMALL = SIZE if SIZE > 256 else 128  # for many passes: a quarter of the time


pytestmark = pytest.mark.usefixtures("one_thread")
_generates_code = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
_takes_minutes = pytest.mark.skipif(SIZE == 256, reason="the code of all graphs takes four minutes: make parity")
_warnings_of_torch = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)

EIGHT = [point(0, n, (25 + 20 * n, 30 + 8 * n, 1)) for n in range(1, 9)]
CASES: dict[str, tuple[str, int, list[Prompt]]] = {
    "one object, 30 frames": ("2.1", 30, [CLICK]),
    "SAM 2": ("2", 9, [CLICK]),
    "three objects, three kinds": ("2.1", 9, [point(0, 9, (35, 30, 1)), box(0, 2, 65, 35, 105, 75), mask(0, 5)]),
    "eight objects": ("2.1", 4, EIGHT),
    "several frames": ("2.1", 8, [mask(3, 1), CLICK, box(5, 1, 20, 10, 60, 60), mask(0, 2)]),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_near_upstreams(case: str, jpegs: Path, tmp_path: Path) -> None:
    version, num_frames, prompts = CASES[case]
    folder = first_frames(jpegs, tmp_path, num_frames)
    theirs = propagate(upstream(version), folder, prompts, range(num_frames))
    ours = [masks for _, masks in build(version, exact=False).track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts, tolerance=FAST)


@pytest.mark.parametrize("exact", [True, False])
def test_input_of_512_pixels(exact: bool, jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(0, 2)]
    folder = first_frames(jpegs, tmp_path, 2)
    theirs = propagate(upstream("2.1", image_size=512), folder, prompts, range(2))
    ours = [masks for _, masks in build(exact=exact, image_size=512).track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts, tolerance=0.0 if exact else FAST)


BOTH = {
    "one object": (20, [point(17, 1, (60, 45, 1))]),
    "window cut by the end": (12, [mask(8, 1), box(8, 2, 65, 35, 105, 75)]),
    "two objects, two frames": (9, [point(3, 1, (35, 30, 1)), mask(6, 2)]),
    "from the first frame": (4, [CLICK]),
}


CORRECTED: dict[str, tuple[bool, bool, int, list[Prompt], list[Prompt]]] = {
    "past the window": (True, False, 19, [CLICK], [point(17, 1, (60, 60, 1), (100, 100, 0))]),
    "one of a batch": (False, False, 6, [mask(0, 3), CLICK, box(0, 2, 65, 35, 105, 75)], [point(3, 2, (90, 60, 0))]),
    "two frames, two objects, both ways": (
        *(True, True, 7),
        [point(1, 1, (35, 30, 1)), mask(2, 2), box(2, 1, 15, 10, 60, 60)],
        [point(5, 2, (60, 60, 1)), point(3, 1, (45, 40, 1), (120, 90, 0)), point(5, 1, (30, 20, 0))],
    ),
}


@pytest.mark.parametrize("case", CORRECTED)
def test_points_on_a_tracked_object_correct_it_as_upstreams_second_round_does(
    case: str, jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "_Kept", Whole)
    exact, both, num_frames, prompts, corrections = CORRECTED[case]
    folder = first_frames(jpegs, tmp_path, num_frames)
    with float_memories(upstream("2.1", image_size=SMALL)) as reference:
        theirs = propagate(reference, folder, prompts, range(num_frames), both, corrections)
    model = build(exact=exact, propagate="both" if both else "forward", image_size=SMALL)
    ours = [masks for _, masks in model.track(ArraySource(read(folder)), [*corrections, *prompts])]
    check(ours, theirs, prompts, tolerance=0.0 if exact else FAST, both=both)


def test_points_beside_a_box_or_a_mask_are_no_correction(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(3, 1), point(3, 1, (60, 60, 0))]
    folder = first_frames(jpegs, tmp_path, 6)
    theirs = propagate(upstream("2.1"), folder, prompts, range(6))
    ours = [masks for _, masks in build().track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts)


def test_a_correction_on_a_frame_that_cannot_be_read_says_so() -> None:
    class Torn(ArraySource):
        def __iter__(self):
            return (frame for frame in super().__iter__() if frame.index != 4)

    prompts = [CLICK, point(4, 1, (60, 60, 0))]
    with pytest.raises(InputError, match=r"prompt\.frame: 4 can't be read"):
        next(build(image_size=64).track(Torn(moving_squares(8)), prompts))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("case", BOTH)
def test_both_is_upstream_forward_then_reverse(
    case: str, exact: bool, jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "_Kept", Whole)
    num_frames, prompts = BOTH[case]
    folder = first_frames(jpegs, tmp_path, num_frames)
    with float_memories(upstream("2.1", image_size=SMALL)) as reference:
        theirs = propagate(reference, folder, prompts, range(num_frames), both=True)
    model = build(exact=exact, propagate="both", image_size=SMALL)
    ours = [masks for _, masks in model.track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts, tolerance=0.0 if exact else FAST, both=True)


def test_masks_before_the_prompt_are_kept_as_rle_and_lose_nothing_that_outputs_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts = [box(5, 1, 20, 20, 60, 60), box(5, 2, 40, 20, 90, 70)]
    model = build(image_size=64, propagate="both")
    kept = [masks for _, masks in model.track(ArraySource(moving_squares(8)), prompts)]
    monkeypatch.setattr(before, "_Kept", Whole)
    whole = [masks for _, masks in model.track(ArraySource(moving_squares(8)), prompts)]
    for ours, theirs in zip(kept, whole, strict=True):
        assert np.array_equal(ours.masks_nhw, theirs.masks_nhw)
        assert ours.scores == theirs.scores
        there = theirs.masks_nhw.any(0)  # where objects overlap, the same one is on top
        assert np.array_equal(ours.logits_nhw.argmax(0)[there], theirs.logits_nhw.argmax(0)[there])
    overlap = [masks.masks_nhw.all(0).any() for masks in whole[:5]]
    assert any(overlap)


def test_a_failing_reader_ends_both_directions() -> None:
    source = ArraySource(moving_squares(8), fails_at=2)
    with pytest.raises(OSError, match="the reader failed"):
        list(build(image_size=64, propagate="both").track(source, [box(5, 1, 20, 20, 60, 60)]))
    assert source.closed


class Broken(ArraySource):
    """A folder whose third image can't be read, say."""

    def _frame(self, index: int) -> Frame:
        if index == 2:
            raise InputError("video: 00002.png can't be read")
        return super()._frame(index)


def test_both_keeps_what_comes_before_and_after_a_frame_that_cannot_be_read() -> None:
    pairs = build(image_size=64, propagate="both").track(Broken(moving_squares(8)), [box(5, 1, 20, 20, 60, 60)])
    seen = []
    with pytest.raises(InputError, match=r"00002\.png"):
        for frame, masks in pairs:
            seen.append((frame.index, masks.masks_nhw.any()))
    assert seen == [(0, False), (1, False)]
    late = build(image_size=64, propagate="both").track(Broken(moving_squares(8)), [box(1, 1, 20, 20, 60, 60)])
    with pytest.raises(InputError, match=r"00002\.png"):
        next(late)


def test_attention_without_onednn_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (
        torch.randn(n, c, generator=torch.Generator().manual_seed(n)) for n, c in ((96, 32), (500, 32), (500, 8))
    )
    whole = torch.softmax(q @ k.T, -1) @ v
    monkeypatch.setattr(cpu, "_SCORES", 500 * 64)  # two parts, the second smaller
    assert torch.allclose(cpu._attend(q, k, v), whole, atol=1e-5)
    monkeypatch.setattr(cpu, "_ONEDNN", False)
    assert torch.allclose(cpu._attend(q, k, v), whole, atol=1e-5)


def test_objects_prompted_on_the_same_frames_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [mask(0, 1), mask(0, 2), mask(0, 3), mask(2, 3), mask(0, 4)]
    model, sizes = build(image_size=64, exact=False), []
    original = model._predictor._run_single_frame_inference
    monkeypatch.setattr(
        model._predictor,
        "_run_single_frame_inference",
        lambda **given: sizes.append((given["frame_idx"], given["batch_size"])) or original(**given),
    )
    pairs = model.track(ArraySource(moving_squares(4)), prompts)
    conditioned = len(prompts)
    masks = [masks for _, masks in pairs]
    assert sizes[conditioned:] == [(1, 3), (1, 1), (2, 3), (3, 3), (3, 1)]
    assert masks[0].object_ids == (1, 2, 3, 4)


def test_modules_of_exact_are_upstreams_own() -> None:
    def kinds(exact: bool) -> set[str]:
        return {type(module).__name__ for module in build(image_size=64, exact=exact)._predictor.modules()}

    faster = {"CachedBlock", "_CachedPositions", "_FusedMLP", "_Hiera", "_MemoryAttention", "_MemoryLayer"}
    assert kinds(exact=False) - kinds(exact=True) == {*faster, "_PackedLinear", "_PatchEmbed", "_PointwiseConv"}


def test_the_cpus_modules_are_used_in_float32_only() -> None:
    bf16 = build(image_size=64, exact=False, precision={"name": "bf16", "autocast": "bfloat16", "tf32": True})
    assert "_FusedMLP" not in {type(module).__name__ for module in bf16._predictor.modules()}


@pytest.mark.timeout(900)
@_warnings_of_torch
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=[_generates_code, _takes_minutes])])
def test_compiled_modules_never_recompile_for_other_prompts_objects_or_memories(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    try:
        model = build(image_size=64, exact=False, compile=True)
        plain = build(image_size=64, exact=False)
        prompts = [
            [point(0, 1, (35, 30, 1), (60, 60, 0), (20, 80, 0))],
            [mask(0, n) for n in (1, 2, 3)],
            [box(0, 1, 20, 20, 60, 60), mask(0, 2), point(3, 1, (35, 30, 0)), box(4, 4, 10, 10, 50, 50)],
        ]
        with torch.compiler.set_stance("fail_on_recompile"):
            ours = [[m.logits_nhw for _, m in model.track(ArraySource(moving_squares(9)), p)] for p in prompts]
        theirs = [[m.logits_nhw for _, m in plain.track(ArraySource(moving_squares(9)), p)] for p in prompts]
        for a, b in zip(ours, theirs, strict=True):
            assert np.abs(np.subtract(a, b)).max() < FAST * np.std(b)
    finally:
        torch.compiler.reset()


@_generates_code
@_warnings_of_torch
def test_attention_in_real_numbers_is_compiled_to_upstreams() -> None:
    attention = build(image_size=64)._predictor.memory_attention.layers[0].cross_attn_image
    queries, keys = torch.randn(2, 16, 256), torch.randn(2, 3 * 16 + 4, 64)
    with torch.inference_mode():
        theirs = attention(queries, keys, keys, num_k_exclude_rope=4)
        make_rotation_real(attention, 4)
        try:
            ours = torch.compile(attention.forward, fullgraph=True)(queries, keys, keys, num_k_exclude_rope=4)
        finally:
            torch.compiler.reset()
    assert (ours - theirs).abs().max() < FAST * theirs.std()


def test_trained_weights_give_the_masks_of_upstreams_predictor(tmp_path: Path) -> None:
    clip = SampleSource(0, frames=range(0, 180, 9))
    for position, frame in enumerate(clip):
        Image.fromarray(frame.rgb_hw3).save(tmp_path / f"{position:05d}.jpg", quality=95)
    x, y = map(float, clip.prompts[0].points_xy[0])
    prompts = [point(0, 1, (x, y, 1)), box(0, 2, 100, 100, 500, 500), box(0, 3, x - 90, y - 120, x + 90, y + 250)]
    nano = {"config": "model/nano.yaml", "checkpoint": NANO, "image_size": None}
    reference = build(**nano)._predictor  # sam2's own class, driven as its notebook does
    theirs = propagate(reference, tmp_path, prompts, range(20))
    ours = [masks for _, masks in build(**nano, exact=False).track(ArraySource(read(tmp_path)), prompts)]
    different = [
        np.mean(masks.masks_nhw[number] != (theirs[position][object_id][0] > 0).numpy())
        for position, masks in enumerate(ours)
        for number, object_id in enumerate(masks.object_ids)
    ]
    assert np.mean(different) <= 1e-4
    assert np.mean([masks.masks_nhw[0].mean() for masks in ours]) > 0.02
