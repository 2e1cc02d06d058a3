"""Holes filled by tensor operations are those that OpenCV finds, pixel by pixel."""

from collections.abc import Iterator

import pytest
import torch

from vidseg.model.fast.gpu import fill_holes_unwaited
from vidseg.model.sam2.plain import fill_holes


def check(logits_n1hw: torch.Tensor, area: int) -> torch.Tensor:
    filled_n1hw = fill_holes_unwaited(logits_n1hw, area)
    assert torch.equal(filled_n1hw, fill_holes(logits_n1hw, area))
    return filled_n1hw


@pytest.mark.parametrize("area", [0, 1, 2, 8, 30])
def test_random_masks(area: int) -> None:
    random = torch.Generator().manual_seed(area)
    filled = 0
    for density in (0.02, 0.15, 0.3, 0.4, 0.6, 1.0):
        logits_n1hw = torch.rand(3, 1, 40, 56, generator=random) - density
        filled += int((check(logits_n1hw, area) != logits_n1hw).sum())
    assert (filled > 0) == (area > 0)


def snakes(length: int) -> Iterator[list[tuple[int, int]]]:
    """Pixels one after the other, touching none but their neighbours: straight, aslant, in bends and as a spiral."""
    yield [(20, 3 + step) for step in range(length)]
    yield [(3 + step, 3 + step) for step in range(length)]
    yield [(20 + abs(step % 4 - 2), 3 + step) for step in range(length)]
    spiral, (row, column), run = [(20, 20)], (20, 20), 2
    for turn in range(length):
        for _ in range(run):
            row, column = row + (0, 1, 0, -1)[turn % 4], column + (1, 0, -1, 0)[turn % 4]
            spiral.append((row, column))
        run += 2 * (turn % 2)
    yield spiral[:length]


@pytest.mark.parametrize("area", [2, 8, 30])
def test_snakes_of_the_area_are_filled_and_longer_ones_are_not(area: int) -> None:
    for length in (area, area + 1):
        masks = []
        for pixels in snakes(length):
            for flip in ((), (0,), (1,), (0, 1)):  # the highest number is at either end
                mask_hw = torch.ones(40, 40)
                mask_hw[tuple(zip(*pixels, strict=True))] = -1
                masks.append(mask_hw.flip(flip))
        filled_n1hw = check(torch.stack(masks)[:, None], area)
        assert bool((filled_n1hw > 0).all()) == (length == area)
        assert int((filled_n1hw <= 0).sum()) == (0 if length == area else 16 * length)
