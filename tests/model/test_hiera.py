"""Hiera on a CPU: upstream's blocks, on whole windows and on cut ones, a cacheful of rows at a time."""

from typing import Any

import pytest
import torch
from parity import CONFIGS

from vidseg.model.fast import hiera
from vidseg.model.fast.cpu import accelerate_cpu
from vidseg.model.sam2.upstream import MultiScaleBlock, Predictor, build

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "cached_values", [1, 3 << 19]
)  # one row of windows and one token at a time; everything at once
@pytest.mark.parametrize(
    ("height", "width", "window", "pool"),
    [
        (16, 16, 8, None),  # whole windows
        (16, 16, 8, (2, 2)),
        (16, 24, 14, None),  # cut on both sides
        (16, 24, 14, (2, 2)),
        (17, 9, 4, None),  # one row and one column left
        (4, 6, 14, None),  # less than one window
        (4, 6, 14, (2, 2)),
        (12, 10, 0, None),  # no windows
    ],
)
def test_blocks_are_upstreams(
    height: int,
    width: int,
    window: int,
    pool: tuple[int, int] | None,
    cached_values: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hiera, "CACHED_VALUES", cached_values)
    torch.manual_seed(height)
    block = MultiScaleBlock(24, 48 if pool else 24, 2, q_stride=pool, window_size=window)
    torch.nn.init.normal_(block.attn.qkv.bias)  # what stands in the padding
    x_bhwc = torch.randn(2, height, width, 24)
    kept = x_bhwc.clone()
    with torch.inference_mode():
        theirs = block(x_bhwc)
        block.__class__ = hiera.CachedBlock
        assert torch.allclose(block(x_bhwc), theirs, atol=1e-5)
    assert torch.equal(x_bhwc, kept)


def test_tokens_are_in_the_order_of_their_windows() -> None:
    order, groups = hiera.window_order((3, 5), (2, 2))
    assert order.tolist() == [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]
    assert groups == [(2, 2, 2), (1, 2, 1), (2, 1, 2), (1, 1, 1)]
    assert order[hiera.image_order((3, 5), (2, 2))].tolist() == list(range(15))


@pytest.mark.parametrize("top_down", [[2, 3], [1, 2, 3]])
def test_two_convolutions_become_one_where_nothing_else_reads_between(top_down: list[int]) -> None:
    """An FPN that adds level 2 to level 1 has to have level 1 at full width."""
    theirs, ours = predictor(top_down), predictor(top_down)
    accelerate_cpu(ours)
    assert isinstance(ours.sam_mask_decoder.conv_s0, torch.nn.Identity)
    assert isinstance(ours.sam_mask_decoder.conv_s1, torch.nn.Identity) == (top_down == [2, 3])
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for mine, their in zip(*(model.forward_image(image)["backbone_fpn"] for model in (ours, theirs)), strict=True):
            assert torch.allclose(mine, their, atol=1e-4 * float(their.std()))


def predictor(top_down: list[int]) -> Any:
    model = build(Predictor, CONFIGS["2.1"], 64, 2, {})
    model.image_encoder.neck.fpn_top_down_levels = top_down
    return model
