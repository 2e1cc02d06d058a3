"""Hiera on a CPU: upstream's blocks, on whole windows and on cut ones, some rows at a time."""

from typing import Any

import pytest
import torch
from parity import build

from vidseg.model import cpu_hiera
from vidseg.model.upstream import MultiScaleBlock

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("in_cache", [1, 3 << 19])  # one row of windows and one place at a time; everything at once
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
    height: int, width: int, window: int, pool: tuple[int, int] | None, in_cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_hiera, "_IN_CACHE", in_cache)
    torch.manual_seed(height)
    block = MultiScaleBlock(24, 48 if pool else 24, 2, q_stride=pool, window_size=window)
    torch.nn.init.normal_(block.attn.qkv.bias)  # what stands in the padding
    x_bhwc = torch.randn(2, height, width, 24)
    kept = x_bhwc.clone()
    with torch.inference_mode():
        theirs = block(x_bhwc)
        block.__class__ = cpu_hiera._Block
        assert torch.allclose(block(x_bhwc), theirs, atol=1e-5)
    assert torch.equal(x_bhwc, kept)


def test_places_are_in_the_order_of_their_windows() -> None:
    order, groups = cpu_hiera._by_window((3, 5), (2, 2))
    assert order.tolist() == [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]
    assert groups == [(2, 2, 2), (1, 2, 1), (2, 1, 2), (1, 1, 1)]
    assert order[cpu_hiera._places((3, 5), (2, 2))].tolist() == list(range(15))


@pytest.mark.parametrize("top_down", [[2, 3], [1, 2, 3]])
def test_two_convolutions_become_one_where_nothing_else_reads_between(top_down: list[int]) -> None:
    """An FPN that adds level 2 to level 1 has to have level 1 at full width."""
    theirs, ours = (model(top_down, exact) for exact in (True, False))
    assert isinstance(ours.sam_mask_decoder.conv_s0, torch.nn.Identity)
    assert isinstance(ours.sam_mask_decoder.conv_s1, torch.nn.Identity) == (top_down == [2, 3])
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for mine, their in zip(*(each.forward_image(image)["backbone_fpn"] for each in (ours, theirs)), strict=True):
            assert torch.allclose(mine, their, atol=1e-4 * float(their.std()))


def model(top_down: list[int], exact: bool) -> Any:
    from vidseg.model.cpu import hasten

    predictor = build(image_size=64, exact=True)._predictor
    predictor.image_encoder.neck.fpn_top_down_levels = top_down
    if not exact:
        hasten(predictor)
    return predictor
