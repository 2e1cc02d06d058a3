"""nano: sam2's own architecture on another trunk, its keys, and what its weights can do."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from parity import (
    CLICK,
    NANO_CONFIG,
    SWITCHED_OFF,
    KeptPlain,
    assemble,
    build,
    check,
    first_frames,
    mask,
    ours,
    upstream,
)
from safetensors.torch import save_file
from sources import HEIGHT, WIDTH, ArraySource, Discs, click, moving_squares
from torch.nn import functional

from vidseg.config.overrides import compose_config
from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.nano.predictor import NanoPredictor
from vidseg.model.nano.trunk import Trunk
from vidseg.model.sam2.checkpoint import load
from vidseg.model.sam2.segmenter import SAM2
from vidseg.model.sam2.upstream import Predictor
from vidseg.model.sam2.upstream import build as build_predictor
from vidseg.sample import SampleSource
from vidseg.types import FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_trunk_has_the_strides_and_channels_that_it_names() -> None:
    trunk = Trunk().eval()
    with torch.inference_mode():
        levels = trunk(torch.zeros(1, 3, 96, 128))
    assert [tuple(level.shape[1:]) for level in levels] == [(16, 24, 32), (32, 12, 16), (128, 6, 8)]
    assert trunk.channel_list == [128, 32, 16]


@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_pad_as_tensorflow_does(kernel: int) -> None:
    """At stride 2: nothing before and one after (kernel 3), one before and two after (kernel 5)."""
    convolutions = [conv for conv in Trunk().modules() if isinstance(conv, torch.nn.Conv2d) and conv.stride == (2, 2)]
    own = [conv for conv in convolutions if conv.kernel_size == (kernel, kernel)]
    assert len(own) == {3: 3, 5: 2}[kernel]  # the stem and four stages
    before = kernel // 2 - 1
    for conv in own:
        x = torch.randn(1, conv.in_channels, 12, 16)
        padded = functional.pad(x, (before, before + 1) * 2)
        expected = functional.conv2d(padded, conv.weight, conv.bias, stride=2, groups=conv.groups)
        torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_weights_fit_the_wheel() -> None:
    weights = build_predictor(Predictor, NANO_CONFIG, None, 0, {}).state_dict()
    assert 2 * sum(weight.numel() for weight in weights.values()) <= 12 * 2**20


def test_a_hash_makes_sure_of_the_weights(tmp_path: Path) -> None:
    path, layer = tmp_path / "weights.safetensors", torch.nn.Linear(2, 3)
    save_file(layer.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(torch.nn.Linear(2, 3), f"{path}@sha256:{digest}") == {"checkpoint": str(path), "sha256": digest}
    with pytest.raises(InputError, match="damaged"):
        load(torch.nn.Linear(2, 3), f"{path}@sha256:{'0' * 64}")
    with pytest.raises(InputError, match="does not exist"):
        load(torch.nn.Linear(2, 3), "pkg://no/such.safetensors")


def test_switched_off_it_is_sam2(jpegs: Path) -> None:
    """Its predictor with every key as in sam2 changes no bit."""
    keys = {key: value for key, value in SWITCHED_OFF.items() if key != "zoom"}
    plain, nano = assemble(image_size=64), assemble(image_size=64, predictor=NanoPredictor, keys=keys)
    prompts = [mask(0, 1), click(0, 2, (35, 30, 1)), click(2, 1, (60, 60, 0))]
    for one, other in zip(ours(plain, jpegs, 4, prompts), ours(nano, jpegs, 4, prompts), strict=True):
        assert np.array_equal(one.logits_nhw, other.logits_nhw)
        assert one.scores == other.scores


def test_one_frame_in_three_is_remembered(jpegs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As upstream whose other frames are taken from it after each step; frame 5 is prompted anew, and stays."""
    prompts = [CLICK, mask(5, 1)]
    folder = first_frames(jpegs, tmp_path, 12)
    reference, theirs = upstream("2.1", image_size=64), {}
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
    speed, remembered = KeptPlain(), []
    keys = {key: value for key, value in SWITCHED_OFF.items() if key != "zoom"} | {"memory_stride": 3}
    model = assemble(speed, image_size=64, predictor=NanoPredictor, keys=keys)
    speed.predictor.memory_encoder.register_forward_pre_hook(lambda *_: remembered.append(1))
    check(ours(model, jpegs, 12, prompts), theirs, prompts)
    assert len(remembered) == 2 + 3  # the prompted ones, and 3, 6 and 9


def test_a_threshold_moves_the_masks_and_nothing_that_is_remembered() -> None:
    source = ArraySource(moving_squares(3))
    plain, lower = (
        [masks for _, masks in build(image_size=64, mask_threshold=at).track(source, [CLICK])] for at in (0.0, -0.5)
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
        ({"upsample": "nearest"}, "nearest is not one of bilinear, guided"),
        ({"mask_threshold": 11}, r"model\.mask_threshold: 11; a logit from -10 to 10 \(0 in sam2\)"),
        ({"mask_threshold": None}, r"model\.mask_threshold: None; "),
        ({"mask_threshold": [0.5]}, r"model\.mask_threshold: \[0\.5\]; "),
        ({"colour_weight": -1}, r"model\.colour_weight: -1; 0 \(colours don't count, as in sam2\) to 10"),
        ({"colour_weight": True}, r"model\.colour_weight: True; "),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(image_size=64, **changes)


@functools.cache
def nano(image_size: int = 448) -> SAM2:
    """As ``python -m vidseg`` builds it."""
    overrides = ["model=nano", "device=cpu", "precision=fp32", f"model.image_size={image_size}"]
    config, _ = compose_config(overrides)  # beside sam2's own Hydra
    segmenter: SAM2 = instantiate(config.model)
    return segmenter


def track(source: Discs, *prompts: Prompt, image_size: int = 224) -> list[FrameMasks]:
    """At a quarter of the pixels that it learnt with: enough for discs, but to tell one from all that is there."""
    return [masks for _, masks in nano(image_size).track(source, prompts)]


def mean_j(source: Discs, masks: Sequence[FrameMasks], position: int, label: int) -> float:
    return float(np.mean([iou(m.masks_nhw[position], source.truth(m.frame_index) == label) for m in masks]))


ONE = [(70.0, 90.0, 4.0, 0.5)]
TWO = [(70.0, 60.0, 4.0, 0.0), (260.0, 120.0, -4.0, 0.0)]
PROMPTS = {
    "click": click(0, 1, (72, 92, 1)),
    "clicks": click(0, 1, (72, 92, 1), (60, 80, 1), (150, 90, 0)),
    "box": Prompt(0, 1, box_xyxy=np.array([40, 60, 101, 121], np.float32)),
    "mask": Prompt(0, 1, mask_hw=Discs(1, ONE).truth(0) == 1),
}


@pytest.mark.parametrize("kind", PROMPTS)
def test_every_kind_of_prompt_follows_the_object(kind: str) -> None:
    source = Discs(10, ONE)
    assert mean_j(source, track(source, PROMPTS[kind]), 0, 1) > 0.85


@pytest.mark.parametrize("kind", ["click", "box", "mask"])
def test_the_prompt_decides(kind: str) -> None:
    """Either of two objects, and nothing of the other."""
    source = Discs(6, TWO)
    for label, (x, y, _, _) in enumerate(TWO, start=1):
        prompt = {
            "click": click(0, 1, (x, y, 1)),
            "box": Prompt(0, 1, box_xyxy=np.array([x - 30, y - 30, x + 30, y + 30], np.float32)),
            "mask": Prompt(0, 1, mask_hw=source.truth(0) == label),
        }[kind]
        masks = track(source, prompt, image_size=448)
        assert mean_j(source, masks, 0, label) > 0.8
        assert mean_j(source, masks, 0, 3 - label) < 0.05


def test_objects_are_in_order_and_do_not_mix() -> None:
    source = Discs(9, TWO)
    masks = track(source, click(0, 9, (70, 60, 1)), click(4, 4, (244, 120, 1)))
    assert masks[0].object_ids == (4, 9)
    assert not any(m.masks_nhw[0].any() for m in masks[:4])
    assert mean_j(source, masks, 1, 1) > 0.8
    assert mean_j(source, masks[4:], 0, 2) > 0.8


def test_a_later_click_corrects_the_mask() -> None:
    """The first mask wrongly covers both discs; a negative point takes one away, and it stays away."""
    source = Discs(9, TWO)
    both = Prompt(0, 1, mask_hw=source.truth(0) > 0)
    before = track(source, both)
    after = track(source, both, click(5, 1, (240, 120, 0), (90, 60, 1)))
    assert mean_j(source, before[5:], 0, 1) < 0.7
    assert mean_j(source, after[5:], 0, 1) > 0.8


class Returning(Discs):
    """A disc that leaves to the right and comes back the same way."""

    def _inside(self, index: int, k: int) -> tuple[NDArray[np.bool_], int, int]:
        return super()._inside(min(index, 2 * 15 - index), k)


def test_an_object_that_leaves_and_comes_back_is_found_again() -> None:
    source = Returning(30, [(200.0, 90.0, 11.0, 0.0)])
    masks = track(source, click(0, 1, (200, 90, 1)))
    gone = [m for m in masks if not (source.truth(m.frame_index) == 1).any()]
    assert len(gone) >= 3
    assert all(np.count_nonzero(m.masks_nhw[0]) < 0.002 * HEIGHT * WIDTH for m in gone)
    assert mean_j(source, masks[-8:], 0, 1) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_the_skater_is_cut_out_of_the_built_in_clip(seed: int) -> None:
    """From one click, before, while and after the second skater passes in front."""
    source = SampleSource(seed, frames=range(0, 180, 6))
    values = [
        iou(masks.masks_nhw[0], source.truth(frame.index) == 1) for frame, masks in nano().track(source, source.prompts)
    ]
    assert np.mean(values) > 0.5
    assert np.mean(values[-5:]) > 0.6  # the first skater again, not the one who passed
