"""An NVIDIA GPU gives what the host gives: what docs/engine.md says under "On a GPU", on CUDA itself."""

import gc
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity import (
    AS_SHIPPED,
    BF16,
    CLICK,
    FP32,
    NEAR,
    THREE,
    Expected,
    Whole,
    box,
    build,
    check,
    first_frames,
    float_memories,
    mask,
    nano,
    ours,
    point,
    propagate,
    upstream,
)
from renders import RENDERS, masks_of
from sources import ArraySource, moving_squares

from vidseg import devices
from vidseg.devices import Precision
from vidseg.measure import iou
from vidseg.model.fast.accelerate import Fast
from vidseg.model.fast.gpu import FetchedMasks, fill_holes_unwaited
from vidseg.model.sam2 import backwards
from vidseg.model.sam2.plain import fill_holes, model_image
from vidseg.sample import SampleSource
from vidseg.types import FrameMasks, Prompt

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")

CUDA = torch.device("cuda")
FP16 = {"name": "fp16", "autocast": "float16", "tf32": True}
TF32 = {"name": "tf32", "autocast": None, "tf32": True}
SMALL = 128  # the side of the model's input, where many passes are compared


def test_frames_that_follow_each_other_through_pinned_memory_stay_apart() -> None:
    speed = Fast()
    speed.bind(CUDA, devices.FP32)
    frames = np.random.default_rng(0).integers(0, 256, (40, 360, 640, 3), np.uint8)
    images = [speed.image(frame, 448) for frame in frames]  # no copy is waited for before the next one begins
    for image_3hw, frame in zip(images, frames, strict=True):
        assert image_3hw.is_cuda
        assert torch.equal(image_3hw.cpu(), model_image(frame, 448))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("area", [1, 8, 30])
def test_holes_are_those_that_opencv_finds(area: int, dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(area)
    filled = 0
    for density in (0.02, 0.15, 0.3, 0.4, 0.6, 1.0):
        logits_n1hw = (torch.rand(3, 1, 256, 256, generator=random) - density).to(dtype)
        expected_n1hw = fill_holes(logits_n1hw, area)
        for fill in (fill_holes, fill_holes_unwaited):
            assert torch.equal(fill(logits_n1hw.to(CUDA), area).cpu(), expected_n1hw)
        filled += int((expected_n1hw != logits_n1hw).sum())
    assert filled


@pytest.mark.parametrize("objects", [1, 3, 300])
@pytest.mark.parametrize("level", [-9.0, -2.0, 0.0, 9.0])
def test_masks_are_those_of_their_logits(objects: int, level: float) -> None:
    logits_nhw, frame = masks_of(level, objects)
    logits_nhw[-1, :20] = logits_nhw[0, :20]  # equals: the first is on top
    ids = tuple(range(1, objects + 1))
    plain = FrameMasks(0, ids, logits_nhw.numpy(), (1.0,) * objects)
    masks = FetchedMasks(0, ids, logits_nhw.to(CUDA), torch.ones(objects, device=CUDA), [False] * objects)
    for name, render in RENDERS.items():
        assert np.array_equal(render(frame, masks), render(frame, plain)), name
    assert np.array_equal(masks.masks_nhw, plain.masks_nhw)
    assert np.array_equal(masks.logits_nhw, plain.logits_nhw)
    assert masks.scores == plain.scores


on_gpu = partial(build, device="cuda")


def theirs_on_gpu(
    folder: Path, prompts: Sequence[Prompt], num_frames: int, size: int = SMALL, precision: Any = FP32, **how: Any
) -> Expected:
    """Upstream's masks, in a precision, with the cast without which it fails on objects that are prompted later."""
    reference = upstream("2.1", image_size=size, device="cuda")
    with Precision(**precision).applied(CUDA), float_memories(reference):
        return propagate(reference, folder, prompts, range(num_frames), **how)


CASES: dict[str, tuple[int, list[Prompt], dict[str, Any]]] = {
    "past 16 frames": (18, [point(0, 1, (35, 30, 1), (90, 90, 0))], FP32),
    "input of 512 pixels": (4, [CLICK], FP32),
    "three objects": (6, [*THREE], FP32),
    "three objects, bf16": (6, [*THREE], BF16),
    "three objects, tf32": (6, [*THREE], TF32),
    "several frames": (8, [mask(3, 1), CLICK, box(5, 1, 20, 10, 60, 60), mask(2, 2)], FP32),
}


@pytest.mark.parametrize("case", CASES)
def test_exact_is_upstream_bit_by_bit(case: str, jpegs: Path, tmp_path: Path) -> None:
    num_frames, prompts, precision = CASES[case]
    size = 512 if "512" in case else SMALL
    folder = first_frames(jpegs, tmp_path, num_frames)
    theirs = theirs_on_gpu(folder, prompts, num_frames, size, precision)
    model = on_gpu(image_size=size, precision=precision)
    check(ours(model, jpegs, num_frames, prompts), theirs, prompts)


@pytest.mark.parametrize("encoder_batch", [1, 4])
def test_batches_are_near_upstream(encoder_batch: int, jpegs: Path, tmp_path: Path) -> None:
    prompts = [*THREE, mask(3, 1)]
    folder = first_frames(jpegs, tmp_path, 10)
    theirs = theirs_on_gpu(folder, prompts, 10)
    model = on_gpu(image_size=SMALL, exact=False, encoder_batch=encoder_batch)
    check(ours(model, jpegs, 10, prompts), theirs, prompts, tolerance=NEAR)


@pytest.mark.parametrize("corrected", [False, True])
def test_both_directions_and_corrections_are_upstreams(
    corrected: bool, jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backwards, "MaskFile", Whole)
    prompts = [point(2, 1, (35, 30, 1)), mask(3, 2)]
    corrections = [point(6, 2, (60, 60, 1)), point(4, 1, (45, 40, 1), (120, 90, 0))] if corrected else []
    folder = first_frames(jpegs, tmp_path, 9)
    theirs = theirs_on_gpu(folder, prompts, 9, both=True, corrections=corrections)
    model = on_gpu(image_size=SMALL, propagate="both")
    check(ours(model, jpegs, 9, [*corrections, *prompts]), theirs, prompts, both=True)


def clip_and_prompts() -> tuple[SampleSource, list[Prompt]]:
    """A second and a half of the built-in clip: its skater by one click, and a part of the picture by a box."""
    clip = SampleSource(0, frames=range(0, 48, 3))
    return clip, [*clip.prompts, box(0, 2, 100, 100, 500, 500)]


def mean_iou(some: Sequence[FrameMasks], others: Sequence[FrameMasks]) -> float:
    """Over frames and objects; of two empty masks it is 1."""
    pairs = [pair for a, b in zip(some, others, strict=True) for pair in zip(a.masks_nhw, b.masks_nhw, strict=True)]
    return float(np.mean([iou(*pair) for pair in pairs]))


@pytest.mark.parametrize("options", [{}, AS_SHIPPED], ids=["the whole picture", "as shipped"])
def test_trained_weights_give_the_hosts_masks(options: dict[str, Any]) -> None:
    clip, prompts = clip_and_prompts()
    host = [masks for _, masks in nano("cpu", **options).track(clip, prompts)]
    gpu: list[FrameMasks] = []
    for frame, masks in nano("cuda", **options).track(clip, prompts):
        plain = FrameMasks(masks.frame_index, masks.object_ids, masks.logits_nhw, masks.scores)
        for name, render in RENDERS.items():
            assert np.array_equal(render(frame, masks), render(frame, plain)), name
        gpu.append(plain)
    assert np.mean([masks.masks_nhw[0].mean() for masks in host]) > 0.02
    assert mean_iou(gpu, host) > 0.99
    for a, b in zip(gpu, host, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=0.01)


@pytest.mark.parametrize("options", [{}, AS_SHIPPED], ids=["the whole picture", "as shipped"])
@pytest.mark.parametrize("precision", [TF32, BF16, FP16], ids=lambda precision: str(precision["name"]))
def test_fewer_bits_give_nearly_the_same_masks(precision: dict[str, Any], options: dict[str, Any]) -> None:
    clip, prompts = clip_and_prompts()
    fp32 = [masks for _, masks in nano("cuda", **options).track(clip, prompts)]
    model = nano("cuda", precision=precision, **options)
    near = [masks for _, masks in model.track(clip, prompts)]
    assert mean_iou(near, fp32) > (0.85 if options else 0.98)  # rounding moves the window, and that what is seen
    if torch.cuda.get_device_capability() >= (8, 0):
        assert model.precision == precision["name"]
        assert any(not np.array_equal(a.logits_nhw, b.logits_nhw) for a, b in zip(near, fp32, strict=True))


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    model = on_gpu(image_size=SMALL, exact=False, encoder_batch=1)  # more frames ahead vary more with the threads
    prompts = [CLICK, box(5, 1, 20, 20, 60, 60)]

    def peak(num_frames: int) -> int:
        torch.cuda.reset_peak_memory_stats()
        for _ in model.track(ArraySource(moving_squares(num_frames, 60, 80)), prompts):
            pass
        gc.collect()
        return torch.cuda.max_memory_allocated()

    peak(16)  # tables and positional codes are made once and for all
    held = torch.cuda.memory_allocated()
    short, long = peak(40), peak(160)
    assert long <= short + 2**20  # 8 KiB a frame, a third of its pixels and logits
    assert torch.cuda.memory_allocated() <= held


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
@pytest.mark.parametrize("options", [{}, {"upsample": "guided", "colour_weight": 1.5}], ids=["sam2's", "nano's"])
def test_no_step_waits_for_the_gpu(options: dict[str, Any]) -> None:
    model = on_gpu(image_size=SMALL, exact=False, fill_hole_area=8, precision=BF16, **options)
    source = ArraySource(moving_squares(24))

    def used() -> Any:
        for frame, masks in model.track(source, [*THREE, mask(3, 1)]):
            for render in RENDERS.values():
                render(frame, masks)
            yield masks

    list(used())  # what is made once and for all is waited for
    pairs = used()
    for _ in range(10):
        next(pairs)
    torch.cuda.set_sync_debug_mode("error")
    try:
        rest = list(pairs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(rest) == 14
