"""nano: sam2's own architecture on another trunk, and what its weights can do on drawn motion and the built-in clip."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from safetensors.torch import save_file
from sources import HEIGHT, WIDTH, Discs, click
from torch.nn import functional
from vidseg.model.checkpoint import load
from vidseg.model.upstream import build

from vidseg.config.overrides import compose_config
from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.nano import Trunk, _Conv
from vidseg.model.sam2 import SAM2
from vidseg.sample import SampleSource
from vidseg.types import FrameMasks, Prompt

CONFIG = "model/nano.yaml"


def test_the_trunk_has_the_strides_and_channels_that_it_names() -> None:
    trunk = Trunk().eval()
    with torch.inference_mode():
        levels = trunk(torch.zeros(1, 3, 96, 128))
    assert [tuple(level.shape[1:]) for level in levels] == [(16, 24, 32), (32, 12, 16), (128, 6, 8)]
    assert trunk.channel_list == [128, 32, 16]


@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_pad_as_tensorflow_does(kernel: int) -> None:
    """At stride 2: nothing before and one after (kernel 3), one before and two after (kernel 5)."""
    conv, x = _Conv(2, 3, kernel, stride=2), torch.randn(1, 2, 12, 16)
    before = kernel // 2 - 1
    padded = functional.pad(x, (before, before + 1) * 2)
    expected = functional.conv2d(padded, conv.weight, conv.bias, stride=2)
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_weights_fit_the_wheel() -> None:
    weights = build(CONFIG, None, False, 0).state_dict()
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


@functools.cache
def nano() -> SAM2:
    """As ``python -m vidseg`` builds it."""
    config, _ = compose_config(["model=nano", "device=cpu", "precision=fp32"])  # beside sam2's own Hydra
    segmenter: SAM2 = instantiate(config.model)
    return segmenter


def track(source: Discs, *prompts: Prompt) -> list[FrameMasks]:
    return [masks for _, masks in nano().track(source, prompts)]


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
    source = Discs(16, ONE)
    assert mean_j(source, track(source, PROMPTS[kind]), 0, 1) > 0.85


@pytest.mark.parametrize("kind", ["click", "box", "mask"])
def test_the_prompt_decides(kind: str) -> None:
    """Either of two objects, and nothing of the other."""
    source = Discs(14, TWO)
    for label, (x, y, _, _) in enumerate(TWO, start=1):
        prompt = {
            "click": click(0, 1, (x, y, 1)),
            "box": Prompt(0, 1, box_xyxy=np.array([x - 30, y - 30, x + 30, y + 30], np.float32)),
            "mask": Prompt(0, 1, mask_hw=source.truth(0) == label),
        }[kind]
        masks = track(source, prompt)
        assert mean_j(source, masks, 0, label) > 0.8
        assert mean_j(source, masks, 0, 3 - label) < 0.05


def test_objects_are_in_order_and_do_not_mix() -> None:
    source = Discs(14, TWO)
    masks = track(source, click(0, 9, (70, 60, 1)), click(4, 4, (244, 120, 1)))
    assert masks[0].object_ids == (4, 9)
    assert not any(m.masks_nhw[0].any() for m in masks[:4])
    assert mean_j(source, masks, 1, 1) > 0.8
    assert mean_j(source, masks[4:], 0, 2) > 0.8


def test_a_later_click_corrects_the_mask() -> None:
    """The first mask wrongly covers both discs; a negative point takes one away, and it stays away."""
    source = Discs(14, TWO)
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


@pytest.mark.parametrize("seed", [0, 3])
def test_the_skater_is_cut_out_of_the_built_in_clip(seed: int) -> None:
    """From one click, before, while and after the second skater passes in front."""
    source = SampleSource(seed, frames=range(0, 180, 3))
    values = [
        iou(masks.masks_nhw[0], source.truth(frame.index) == 1) for frame, masks in nano().track(source, source.prompts)
    ]
    assert np.mean(values) > 0.5
    assert np.mean(values[-10:]) > 0.6  # the first skater again, not the one who passed
