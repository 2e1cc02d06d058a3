"""nano's architecture: sam2's own, on another trunk."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vidseg.errors import InputError
from vidseg.model.checkpoint import load
from vidseg.model.nano import Trunk
from vidseg.model.upstream import build

CONFIG = "model/nano.yaml"


def test_the_trunk_has_the_strides_and_channels_that_it_names() -> None:
    trunk = Trunk().eval()
    with torch.inference_mode():
        taps = trunk(torch.zeros(1, 3, 64, 96))
    assert [tuple(tap.shape[1:]) for tap in taps] == [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]
    assert trunk.channel_list == [320, 112, 40, 24]


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
