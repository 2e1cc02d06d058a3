"""oneDNN's private operators: used where they are right; where they are missing or wrong, plain torch is."""

import logging
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from parity import CONFIGS, NEAR
from torch import Tensor

from vidseg.model.fast import operators
from vidseg.model.fast.cpu import accelerate_cpu
from vidseg.model.sam2.upstream import Predictor, build

pytestmark = pytest.mark.usefixtures("one_thread")


def float_operators(error: float) -> Any:
    def linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str, *rest: object) -> Tensor:
        product = F.linear(x, weight, bias) + error
        return F.gelu(product) if activation == "gelu" else product

    return SimpleNamespace(_reorder_linear_weight=lambda weight, rows: weight, _linear_pointwise=linear)


def int8_operators(error: float, most: float) -> Any:
    """Sums of pairs of products stop at ``most``, as vpmaddubsw's do at 32767."""

    def linear(x: Tensor, scale: float, zero: int, weight: Tensor, scales: Tensor, *rest: object) -> Tensor:
        products = x.double()[:, None] * weight.double()
        sums = products.unflatten(-1, (-1, 2)).sum(-1).clamp(-most, most).sum(-1) - zero * weight.double().sum(-1)
        return (scale * sums * scales + error).float()

    return SimpleNamespace(qlinear_prepack=lambda weight, shape: weight, qlinear_pointwise=linear)


@pytest.mark.parametrize(
    ("onednn", "works"), [(float_operators(0), True), (float_operators(1e-3), False), (SimpleNamespace(), False)]
)
def test_float_operators_are_compared_with_exact_sums(onednn: Any, works: bool) -> None:
    assert operators.linear_works.__wrapped__(onednn) is works


@pytest.mark.parametrize(
    ("onednn", "limit"),
    [
        (int8_operators(0, 2**31), 127),
        (int8_operators(0, 32767), 63),
        (int8_operators(500, 32767), None),
        (SimpleNamespace(), None),
    ],
)
def test_the_largest_weight_is_one_whose_products_do_not_saturate(onednn: Any, limit: int | None) -> None:
    assert operators.int8_limit.__wrapped__(onednn) == limit


@pytest.mark.parametrize("works", [True, False])
def test_faster_modules_are_upstreams(
    works: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if works and not operators.linear_works():
        pytest.skip("this torch lacks oneDNN's operators")
    monkeypatch.setattr(operators, "linear_works", lambda: works)
    theirs = build(Predictor, CONFIGS["2.1"], 64, 2, {})
    ours = deepcopy(theirs)
    with caplog.at_level(logging.WARNING, "vidseg"):
        accelerate_cpu(ours)
    assert len(caplog.messages) == (0 if works else 1)
    torch.manual_seed(0)
    image, current, memory = torch.randn(1, 3, 64, 64), torch.randn(2, 16, 2, 256), torch.randn(2, 52, 2, 64)
    with torch.inference_mode():
        for _ in range(2):  # weights are packed at the first call
            found, expected = (outputs(model, image, current, memory) for model in (ours, theirs))
            for mine, their in zip(found, expected, strict=True):
                assert torch.allclose(mine, their, atol=NEAR * float(their.std()))


def outputs(model: Any, image: Tensor, current: Tensor, memory: Tensor) -> list[Tensor]:
    """What the image encoder and the memory attention make of features, memories and the positions of both."""
    keys = {"memory": memory[0], "memory_pos": memory[1], "num_obj_ptr_tokens": 4}
    attended = model.memory_attention(curr=[current[0]], curr_pos=[current[1]], **keys)
    return [*model.forward_image(image)["backbone_fpn"], attended]
