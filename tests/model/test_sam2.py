"""SAM 2 against the package's own predictor, bit by bit, and the memory that it holds."""

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import slow_but
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from parity import (
    AS_SHIPPED,
    BF16,
    CLICK,
    CONFIGS,
    ENGINES,
    NEAR,
    SEEDS,
    Whole,
    assemble,
    box,
    build,
    cases,
    check,
    check_case,
    first_frames,
    float_memories,
    mask,
    nano,
    ours,
    point,
    propagate,
    read,
    segmenter,
    upstream,
)
from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES
from sources import ArraySource, moving_squares

from vidseg.devices import Precision
from vidseg.errors import InputError
from vidseg.model.sam2 import backwards
from vidseg.model.sam2.plain import fill_holes
from vidseg.model.sam2.segmenter import SAM2
from vidseg.model.sam2.upstream import Predictor
from vidseg.model.sam2.upstream import build as build_predictor
from vidseg.types import Frame, Prompt

CONF = Path(__file__).parents[2] / "conf"


pytestmark = pytest.mark.usefixtures("one_thread")


SLOWER = [pytest.param(*case, marks=pytest.mark.slow) for case in cases("plain")]


@pytest.mark.parametrize(("case", "engine"), [*cases("exact"), *SLOWER])
def test_logits_are_those_of_upstream(case: str, engine: str, jpegs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backwards, "MaskFile", Whole)
    check_case(case, engine, jpegs)


def test_prompted_frames_are_sought_once() -> None:
    source = ArraySource(moving_squares(6))
    prompts = [mask(3, 1), CLICK, point(0, 1, (35, 30, 1), (60, 60, 0)), box(5, 2, 20, 10, 60, 60)]
    list(segmenter(image_size=64).track(source, prompts))
    assert source.sought == [3, 0, 5]


def test_object_prompted_later_is_empty_before_and_sam2s_from_then_on(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, box(2, 2, 65, 35, 115, 85)]
    reference = upstream("2.1")
    with pytest.raises(RuntimeError, match="same dtype"):  # bfloat16 memories without an object pointer beside them
        propagate(reference, first_frames(jpegs, tmp_path, 4), prompts, range(4))
    with float_memories(reference):
        theirs = propagate(reference, tmp_path, prompts, range(4))
    for engine in ENGINES:
        masks = ours(segmenter(engine), jpegs, 4, prompts)
        check(masks, theirs, prompts, tolerance=NEAR if engine == "fast" else 0.0)


def test_an_input_of_another_size(jpegs: Path, tmp_path: Path) -> None:
    """At 256 pixels the image encoder's windows reach beyond the picture; at 128 none does."""
    prompts = [CLICK, mask(0, 2)]
    folder = first_frames(jpegs, tmp_path, 2)
    theirs = propagate(upstream("2.1", image_size=256), folder, prompts, range(2))
    for engine, tolerance in (("exact", 0.0), ("fast", NEAR)):
        check(ours(segmenter(engine, image_size=256), jpegs, 2, prompts), theirs, prompts, tolerance=tolerance)


def test_every_second_frame_is_a_clip_of_its_own(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(4, 1)]  # numbers of the source
    frames = range(0, 10, 2)
    theirs = propagate(upstream("2.1"), first_frames(jpegs, tmp_path, 5, step=2), prompts, frames)
    masks = [masks for _, masks in segmenter().track(ArraySource(read(jpegs), frames=frames), prompts)]
    check(masks, theirs, prompts, step=2)


def test_non_overlap_gives_each_pixel_to_one_object(jpegs: Path, tmp_path: Path) -> None:
    prompts = [mask(0, 7), mask(0, 3), point(0, 5, (35, 30, 1))]  # two are the same: the one prompted first keeps it
    folder = first_frames(jpegs, tmp_path, 3)
    theirs = propagate(upstream("2.1", non_overlap_masks=True), folder, prompts, range(3))
    masks = ours(assemble(non_overlap_masks=True), jpegs, 3, prompts)
    check(masks, theirs, prompts)
    assert all(each.masks_nhw.sum(axis=0).max() == 1 for each in masks)
    assert masks[0].masks_nhw[:, 60, 80].tolist() == [False, False, True]


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


def test_holes_are_filled_as_sam2_with_its_extension_would(
    jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2.utils.misc.get_connected_components", components)
    pierced = mask(0, 1)
    assert pierced.mask_hw is not None
    pierced.mask_hw[58:66, 80:90] = False  # 8 by 10 pixels of the video: about 2 by 2 of the mask at 128 / 4
    prompts = [pierced, point(0, 2, (35, 30, 1))]
    folder = first_frames(jpegs, tmp_path, 3)
    theirs = propagate(upstream("2.1", fill_hole_area=8), folder, prompts, range(3))
    masks = ours(build(fill_hole_area=8), jpegs, 3, prompts)
    check(masks, theirs, prompts)
    [unfilled] = ours(segmenter(), jpegs, 1, prompts)
    assert masks[0].masks_nhw[0, 62, 85]
    assert not unfilled.masks_nhw[0, 62, 85]


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


@contextmanager
def only_new_objects() -> Iterator[None]:
    """What is alive by now isn't counted, and looking for garbage takes no time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def held_bytes() -> int:
    """The bytes of all tensors that were made since and are alive."""
    gc.collect()
    return sum(thing.nbytes for thing in gc.get_objects() if type(thing) is torch.Tensor)


def rss_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


class Drawn(ArraySource):
    """A video of 640 by 480 whose frames are arrays of their own, of 0.9 MB."""

    def __init__(self, num_frames: int) -> None:
        super().__init__(moving_squares(num_frames, height=60, width=80))
        self.info = replace(self.info, width=640, height=480)

    def _frame(self, index: int) -> Frame:
        frame = super()._frame(index)
        return Frame(index, frame.time_s, frame.rgb_hw3.repeat(8, 0).repeat(8, 1))


TWO_FRAMES = [point(0, 1, (150, 120, 1)), box(5, 1, 60, 60, 200, 200)]
FLAT: dict[str, tuple[Callable[[], SAM2], list[Prompt]]] = {
    "plain": (lambda: assemble(image_size=32), TWO_FRAMES),
    "fast": (lambda: build(image_size=32, exact=False, encoder_batch=2, asynchronous=True), TWO_FRAMES),
    "nano": (lambda: nano(image_size=96, **AS_SHIPPED), TWO_FRAMES[:1]),
    "joined": (lambda: assemble(image_size=32), [TWO_FRAMES[0], replace(box(4, 2, 60, 60, 200, 200), joins=True)]),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("kind", slow_but(["fast", "joined"], FLAT))
def test_nothing_grows_with_the_number_of_frames(kind: str) -> None:
    """The most tensors that three frames in a row hold: threads have more or less ready just then, and nano remembers
    every third frame."""
    new, prompts = FLAT[kind]
    model = new()
    list(model.track(Drawn(7), prompts))  # makes what is computed once and for all: its positional encodings
    held: dict[int, int] = {}
    rss: dict[int, float] = {}
    with only_new_objects():
        for pair in model.track(Drawn(44), prompts):
            if (index := pair[0].index) in (7, 8, 9, 20, 21, 22, 38, 39, 40):
                held[index], rss[index] = held_bytes(), rss_mib()
        early, half, late = (max(held[index] for index in range(first, first + 3)) for first in (7, 20, 38))
        assert early < half  # the count sees what is held, …
        assert half == late  # … which is 15 pointers, 6 memories and the prompted frames
        assert rss[40] - rss[22] < 8  # 18 frames have 16 MB, their logits 22
        del pair
        assert held_bytes() == 0


def test_closing_early_frees_everything_and_closes_the_source() -> None:
    model = segmenter(image_size=32)
    list(model.track(ArraySource(moving_squares(3)), [CLICK]))
    source = ArraySource(moving_squares(8))
    with only_new_objects():
        pairs = model.track(source, [CLICK])
        next(pairs)
        next(pairs)
        assert held_bytes() > 0
        pairs.close()
        assert source.closed
        assert held_bytes() == 0


def test_a_failing_reader_is_reported_after_the_frames_before_it() -> None:
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, _ in segmenter(image_size=64).track(ArraySource(moving_squares(5), fails_at=3), [CLICK]):
            seen.append(frame.index)
    assert seen == [0, 1, 2]


def test_the_consumer_runs_outside_inference_mode_and_autocast() -> None:
    model = build(image_size=64, precision=BF16)
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
    bf16 = build(image_size=64, precision=BF16)
    exact = [masks.logits_nhw for _, masks in segmenter(image_size=64).track(clip, prompts)]
    near = [masks.logits_nhw for _, masks in bf16.track(clip, prompts)]
    assert not np.array_equal(exact, near)
    assert np.abs(np.subtract(exact, near)).max() < 0.1


class Anywhere(Precision):
    """Also where a user gets another: float16 is for GPUs, but a CPU computes it, too."""

    def resolve(self, device: torch.device) -> Precision:
        return self


@pytest.mark.slow
def test_float16_runs_where_memories_are_joined_with_pointers() -> None:
    prompts = [CLICK, box(1, 2, 65, 35, 115, 85), point(2, 1, (60, 60, 0))]
    clip = ArraySource(moving_squares(4))
    fp16 = assemble(image_size=64, precision=Anywhere("fp16", autocast="float16", tf32=True))
    exact = [masks.logits_nhw for _, masks in segmenter(image_size=64).track(clip, prompts)]
    near = [masks.logits_nhw for _, masks in fp16.track(clip, prompts)]
    assert not np.array_equal(exact, near)
    assert np.abs(np.subtract(exact, near)).max() < 0.02


def test_seed_draws_the_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (build_predictor(Predictor, CONFIGS["2.1"], 64, seed, {}).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["no_mem_embed"], other["no_mem_embed"])


def test_random_weights_are_said_and_the_seed_is_used(caplog: pytest.LogCaptureFixture) -> None:
    one, same, other = (
        next(build(image_size=64, seed=seed).track(ArraySource(moving_squares(1)), [CLICK]))[1] for seed in (1, 1, 2)
    )
    assert np.array_equal(one.logits_nhw, same.logits_nhw)
    assert not np.array_equal(one.logits_nhw, other.logits_nhw)
    assert "random weights: speed and memory are real, the masks are not" in caplog.text


def test_provenance_and_what_was_resolved() -> None:
    model = build(image_size=64, precision={"name": "tf32", "tf32": True})
    assert (model.device, model.precision) == ("cpu", "fp32")
    assert model.provenance == {"checkpoint": "random", "config": CONFIGS["2.1"], "seed": str(SEEDS["2.1"])}


@pytest.mark.parametrize("size", [96, 160])
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
    print("built", model.provenance["config"], model.precision, model.device)

main()
"""

NOTEBOOK = """
import sys, hydra
from hydra.core.global_hydra import GlobalHydra
from vidseg.model.build import sam2
assert not GlobalHydra.instance().is_initialized()
assert "torchvision" not in sys.modules
for size in (64, 96):
    with hydra.initialize(config_path=None, version_base="1.3"):
        hydra.compose(overrides=["+x=1"])
        sam2("configs/sam2/sam2_hiera_t.yaml", "random", "cpu", {"name": "auto"}, 0, image_size=size)
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


@pytest.mark.slow
def test_builds_inside_hydra_jobs_of_a_sweep(tmp_path: Path) -> None:
    text = "defaults: [{model: tiny}, {precision: auto}, _self_]\ndevice: cpu\nseed: 0\npropagate: forward\n"
    (tmp_path / "job.yaml").write_text(text + f"hydra: {{searchpath: ['file://{CONF}']}}\n")
    options = ["model.checkpoint=random", "model.image_size=64", "precision=bf16"]
    printed = run(JOB, tmp_path, "-m", "model=tiny,sam2_small", *options)
    built = [f"built configs/{name}.yaml bf16 cpu" for name in ("sam2.1/sam2.1_hiera_t", "sam2/sam2_hiera_s")]
    assert re.findall("built .*", printed) == built


@pytest.mark.slow
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
