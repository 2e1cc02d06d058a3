"""SAM 2 against the package's own predictor, bit by bit, and the memory that it holds."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from parity import (
    BOX_AND_POINTS,
    CLICK,
    CONFIGS,
    box,
    build,
    check,
    first_frames,
    float_memories,
    mask,
    point,
    propagate,
    read,
    segmenter,
    upstream,
)
from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.model.holes import fill_holes
from vidseg.model.precision import Precision
from vidseg.model.sam2 import SAM2
from vidseg.types import Prompt

CONF = Path(__file__).parents[2] / "conf"


pytestmark = pytest.mark.usefixtures("one_thread")

CASES: dict[str, tuple[str, int, list[Prompt]]] = {
    "points, past 16 frames": ("2.1", 17, [point(0, 1, (35, 30, 1), (90, 90, 0))]),
    "SAM 2": ("2", 7, [CLICK]),
    "three objects": ("2.1", 6, [point(0, 9, (35, 30, 1)), box(0, 2, 65, 35, 105, 75), mask(0, 5)]),
    "box and points": ("2.1", 3, [BOX_AND_POINTS]),
    "corrected, later frame first": (
        "2.1",
        7,
        [mask(3, 1), CLICK, point(0, 1, (35, 30, 1), (60, 60, 0)), box(5, 1, 20, 10, 60, 60)],
    ),
    "first prompt mid-clip": ("2.1", 7, [point(3, 1, (35, 30, 1))]),
    "one frame": ("2.1", 1, [box(0, 1, 15, 10, 55, 50)]),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_upstream(case: str, jpegs: Path, tmp_path: Path) -> None:
    version, num_frames, prompts = CASES[case]
    folder = first_frames(jpegs, tmp_path, num_frames)
    theirs = propagate(upstream(version), folder, prompts, range(num_frames))
    source = ArraySource(read(folder))
    ours = [masks for _, masks in segmenter(version).track(source, prompts)]
    check(ours, theirs, prompts)
    assert source.sought == list(dict.fromkeys(prompt.frame_index for prompt in prompts))


def test_object_prompted_later_is_empty_before_and_identical_from_then_on(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, box(3, 2, 65, 35, 115, 85)]
    folder = first_frames(jpegs, tmp_path, 6)
    reference = upstream("2.1")
    with pytest.raises(RuntimeError, match="same dtype"):  # bfloat16 memories without an object pointer beside them
        propagate(reference, folder, prompts, range(6))
    with float_memories(reference):
        theirs = propagate(reference, folder, prompts, range(6))
    ours = [masks for _, masks in segmenter().track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts)


def test_every_second_frame_is_a_clip_of_its_own(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(4, 1)]  # numbers of the source
    frames = range(0, 10, 2)
    theirs = propagate(upstream("2.1"), first_frames(jpegs, tmp_path, 5, step=2), prompts, frames)
    ours = [masks for _, masks in segmenter().track(ArraySource(read(jpegs), frames=frames), prompts)]
    check(ours, theirs, prompts, step=2)


def test_non_overlap_gives_each_pixel_to_one_object(jpegs: Path, tmp_path: Path) -> None:
    prompts = [mask(0, 7), mask(0, 3), point(0, 5, (35, 30, 1))]  # two are the same: the one prompted first keeps it
    folder = first_frames(jpegs, tmp_path, 3)
    theirs = propagate(upstream("2.1", non_overlap_masks=True), folder, prompts, range(3))
    ours = [masks for _, masks in build(non_overlap_masks=True).track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts)
    assert all(masks.masks_nhw.sum(axis=0).max() == 1 for masks in ours)
    assert ours[0].masks_nhw[:, 60, 80].tolist() == [False, False, True]


def components(masks_n1hw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What sam2's extension returns, by flooding: labels of the components, 8-connected, and each pixel's area."""
    labels, areas = torch.zeros(masks_n1hw.shape, dtype=torch.int32), torch.zeros(masks_n1hw.shape, dtype=torch.int32)
    for n, mask_hw in enumerate(masks_n1hw[:, 0].numpy()):
        todo = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask_hw), strict=True)}
        label = 0
        while todo:
            label += 1
            found = [todo.pop()]
            for y, x in found:
                around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & todo
                todo -= around
                found += around
            ys, xs = zip(*found, strict=True)
            labels[n, 0, ys, xs], areas[n, 0, ys, xs] = label, len(found)
    return labels, areas


def test_holes_are_filled_as_upstream_with_its_extension_would(
    jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2.utils.misc.get_connected_components", components)
    pierced = mask(0, 1)
    assert pierced.mask_hw is not None
    pierced.mask_hw[60:64, 80:84] = False  # 4x4 pixels of the video: 5x9 of the model, 1x2 of the low-res mask
    prompts = [pierced, CLICK]
    folder = first_frames(jpegs, tmp_path, 4)
    theirs = propagate(upstream("2.1", fill_hole_area=8), folder, [prompts[0], point(0, 2, (35, 30, 1))], range(4))
    prompts = [prompts[0], point(0, 2, (35, 30, 1))]
    ours = [masks for _, masks in build(fill_hole_area=8).track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts)
    unfilled = next(segmenter().track(ArraySource(read(folder)), prompts))[1]
    assert ours[0].masks_nhw[0, 62, 82]
    assert not unfilled.masks_nhw[0, 62, 82]


def test_fill_holes_fills_up_to_the_area_and_counts_diagonals() -> None:
    logits_n1hw = torch.full((2, 1, 12, 12), 3.0)
    logits_n1hw[0, 0, 2, 2:6] = -1.0  # 4 pixels
    logits_n1hw[0, 0, 7:9, 7:9] = -1.0  # 4 pixels and one that touches diagonally: 5
    logits_n1hw[0, 0, 9, 9] = -1.0
    logits_n1hw[1, 0, 0, 0] = 0.0  # a logit of zero is background, also at the border
    filled_n1hw = fill_holes(logits_n1hw, 4)
    expected_n1hw = logits_n1hw.clone()
    expected_n1hw[0, 0, 2, 2:6] = expected_n1hw[1, 0, 0, 0] = 0.1
    assert torch.equal(filled_n1hw, expected_n1hw)
    assert torch.equal(fill_holes(logits_n1hw, 5) > 0, torch.ones_like(logits_n1hw, dtype=torch.bool))
    assert fill_holes(logits_n1hw, 0) is logits_n1hw


def held_bytes() -> int:
    """The bytes of all tensors that are alive."""
    gc.collect()
    return sum(thing.nbytes for thing in gc.get_objects() if type(thing) is torch.Tensor)


def rss_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def warm_segmenter() -> SAM2:
    """One that has made what it computes once and for all: its positional encodings."""
    list(segmenter(image_size=32).track(ArraySource(moving_squares(3)), [CLICK]))
    return segmenter(image_size=32)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_nothing_grows_with_the_number_of_frames() -> None:
    prompts = [CLICK, box(5, 1, 20, 20, 60, 60)]
    model = warm_segmenter()
    before = held_bytes()
    tensors, rss = {}, {}
    for pair in model.track(ArraySource(moving_squares(162, height=60, width=80)), prompts):
        frame = pair[0]
        if frame.index in (10, 30, 60, 160):
            tensors[frame.index], rss[frame.index] = held_bytes() - before, rss_mib()
    assert tensors[10] < tensors[30]  # the count sees what is held, …
    assert tensors[30] == tensors[60] == tensors[160]  # … which is 15 pointers, 6 memories and the prompted frames
    assert rss[160] - rss[60] < 4
    del pair
    assert held_bytes() == before


def test_closing_early_frees_everything_and_closes_the_source() -> None:
    model = warm_segmenter()
    source = ArraySource(moving_squares(30))
    before = held_bytes()
    pairs = model.track(source, [CLICK])
    next(pairs)
    next(pairs)
    assert held_bytes() > before
    pairs.close()
    assert source.closed
    assert held_bytes() == before


def test_a_failing_reader_is_reported_after_the_frames_before_it() -> None:
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, _ in segmenter(image_size=64).track(ArraySource(moving_squares(5), fails_at=3), [CLICK]):
            seen.append(frame.index)
    assert seen == [0, 1, 2]


def test_the_consumer_runs_outside_inference_mode_and_autocast() -> None:
    model = build(image_size=64, precision={"name": "bf16", "autocast": "bfloat16", "tf32": True})
    assert model.precision == "bf16"
    before = torch.backends.cuda.matmul.allow_tf32
    for _, masks in model.track(ArraySource(moving_squares(3)), [CLICK]):
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert torch.backends.cuda.matmul.allow_tf32 == before
        assert masks.logits_nhw.dtype == np.float32


def test_bf16_is_near_fp32_and_tracks_objects_prompted_later() -> None:
    prompts = [CLICK, box(2, 2, 65, 35, 115, 85)]
    clip = ArraySource(moving_squares(4))
    bf16 = build(image_size=64, precision={"name": "bf16", "autocast": "bfloat16", "tf32": True})
    exact = [masks.logits_nhw for _, masks in segmenter(image_size=64).track(clip, prompts)]
    near = [masks.logits_nhw for _, masks in bf16.track(clip, prompts)]
    assert not np.array_equal(exact, near)
    assert np.abs(np.subtract(exact, near)).max() < 0.1


def test_float16_runs_where_memories_are_joined_with_pointers() -> None:
    prompts = [CLICK, box(2, 2, 65, 35, 115, 85), point(3, 1, (60, 60, 0))]
    clip = ArraySource(moving_squares(6))
    fp16 = build(image_size=64)
    fp16._precision = Precision("fp16", autocast="float16", tf32=True)  # which is for GPUs, but a CPU computes it, too
    exact = [masks.logits_nhw for _, masks in segmenter(image_size=64).track(clip, prompts)]
    near = [masks.logits_nhw for _, masks in fp16.track(clip, prompts)]
    assert not np.array_equal(exact, near)
    assert np.abs(np.subtract(exact, near)).max() < 0.02


def test_seed_draws_the_weights_and_leaves_the_global_generator_alone(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (build(image_size=64, seed=seed)._predictor.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["no_mem_embed"], other["no_mem_embed"])
    assert "random weights: speed and memory are real, the masks are not" in caplog.text


def test_provenance_and_what_was_resolved() -> None:
    model = build(image_size=64, precision={"name": "tf32", "tf32": True})
    assert (model.device, model.precision) == ("cpu", "fp32")
    assert model.provenance == {"checkpoint": "random", "config": CONFIGS["2.1"], "seed": "2"}


@pytest.mark.parametrize("size", [96, 160, 512])
def test_any_multiple_of_32_will_do(size: int) -> None:
    _, masks = next(build(image_size=size).track(ArraySource(moving_squares(1)), [CLICK]))
    assert masks.logits_nhw.shape == (1, 120, 200)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 100}, r"model\.image_size: 100; a positive multiple of 32"),
        ({"image_size": 0}, r"model\.image_size: 0;"),
        ({"image_size": -32}, r"model\.image_size: -32;"),
        ({"fill_hole_area": -1}, r"model\.fill_hole_area: -1; 0 \(fills none\) or more"),
        ({"device": "cuda:31"}, r"device: cuda:31 isn't there; this machine has cpu"),
        ({"device": "gpu"}, r"device: gpu isn't there"),
        ({"config": "configs/sam3.yaml"}, r"model\.config: configs/sam3\.yaml does not exist; .*sam2\.1_hiera_t\.yaml"),
        ({"precision": {"name": "fp8", "autocast": "float8"}}, r"precision\.autocast: float8 is not one of null, "),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        build(**changes)
    assert str(error.value).count("\n") <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: [1, 2", "can't be read"),
        ("sizes: 3", "has no key model with a _target_"),
        ("model:\n  _target_: x\n  image_encoder: {_target_: no.such.module.Encoder}", "can't be built"),
    ],
)
def test_a_config_of_ones_own_is_checked(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"model\.config: .*{message}") as error:
        build(config=str(path))
    assert str(error.value).count("\n") <= 1


@pytest.mark.parametrize(
    ("prompts", "message"), [([], "prompt: there is none"), ([CLICK, mask(9, 1)], r"prompt\.frame: 9 .* \(3, 0 to 2\)")]
)
def test_prompts_must_be_on_frames_of_the_clip(prompts: list[Prompt], message: str) -> None:
    with pytest.raises(InputError, match=message):
        next(segmenter(image_size=64).track(ArraySource(moving_squares(3)), prompts))


JOB = """
import hydra
from hydra.core.global_hydra import GlobalHydra

@hydra.main(config_path=".", config_name="job", version_base="1.3")
def main(config):
    assert GlobalHydra.instance().is_initialized()
    model = hydra.utils.instantiate(config.model)
    assert GlobalHydra.instance().is_initialized()
    blocks = len(model._predictor.image_encoder.trunk.blocks)
    print("built", blocks, model._predictor.image_size, model.precision, model.device)

main()
"""

NOTEBOOK = """
import sys, hydra
from hydra.core.global_hydra import GlobalHydra
from vidseg.model.sam2 import SAM2
assert not GlobalHydra.instance().is_initialized()
assert "torchvision" not in sys.modules
for size in (64, 96):
    with hydra.initialize(config_path=None, version_base="1.3"):
        hydra.compose(overrides=["+x=1"])
        SAM2("configs/sam2/sam2_hiera_t.yaml", "random", "cpu", {"name": "auto"}, 0, image_size=size)
        hydra.compose(overrides=["+x=1"])
    assert not GlobalHydra.instance().is_initialized()
print("composed")
"""


def run(script: str, folder: Path, *arguments: str) -> str:
    (folder / "job.py").write_text(script)
    command = [sys.executable, "-W", "error::UserWarning", "job.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_builds_inside_hydra_jobs_of_a_sweep(tmp_path: Path) -> None:
    text = "defaults: [{model: tiny}, {precision: auto}, _self_]\ndevice: cpu\nseed: 0\npropagate: forward\n"
    (tmp_path / "job.yaml").write_text(text + f"hydra: {{searchpath: ['file://{CONF}']}}\n")
    options = ["model.checkpoint=random", "model.image_size=64", "precision=bf16"]
    printed = run(JOB, tmp_path, "-m", "model=tiny,sam2_small", *options)
    assert re.findall("built .*", printed) == ["built 12 64 bf16 cpu", "built 16 64 bf16 cpu"]


def test_a_notebook_can_still_use_hydra(tmp_path: Path) -> None:
    assert "composed" in run(NOTEBOOK, tmp_path)


def test_every_size_has_its_config_and_checkpoint() -> None:
    GlobalHydra.instance().clear()  # importing sam2.build_sam, as tests do, initialises it
    sizes = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
    for size, letter in sizes.items():
        for prefix, version in (("", "2.1"), ("sam2_", "2")):
            with initialize_config_dir(str(CONF), version_base="1.3"):
                overrides = [f"+model={prefix}{size}", "+precision=auto", "+device=cpu", "+seed=0"]
                model = compose(overrides=overrides).model
            repository = f"facebook/sam{version}-hiera-{size.replace('_', '-')}"
            name = f"sam{version}_hiera_{size}.pt"
            assert HF_MODEL_ID_TO_FILENAMES[repository] == (model.config, name)
            assert model.config == f"configs/sam{version}/sam{version}_hiera_{letter}.yaml"
            assert model.checkpoint == f"hf://{repository}/{name}"
            assert model.precision.name == "auto"
