"""What an object's colours add to its masks."""

from typing import Any

import pytest
import torch
from parity import build, point
from sources import ArraySource, moving_squares
from torch import Tensor, nn

from vidseg.model.colours import Colours

RED, BLUE, ORANGE = (torch.tensor(colour)[:, None, None] for colour in ([2.0, -1, -1], [-1.0, -1, 2], [1.6, -0.4, -1]))
ALL, LEFT, FAR = (16, 16, 32, 32), (16, 16, 24, 32), (44, 16, 54, 32)  # left, top, right, below
NEXT, BESIDE = (32, 16, 42, 32), (33, 18, 34, 30)
BF16 = {"name": "bf16", "autocast": "bfloat16", "tf32": True}


def picture(*parts: tuple[tuple[int, int, int, int], Tensor]) -> Tensor:
    """Blue, but for the parts: (1, 3, 256, 256), which are places of 4 pixels."""
    image_3hw = BLUE.repeat(1, 256, 256)
    for box, colour in parts:
        left, top, right, below = (4 * edge for edge in box)
        image_3hw[:, top:below, left:right] = colour
    return image_3hw[None]


def logits(box: tuple[int, int, int, int]) -> Tensor:
    """Surely in the box and nowhere else: (1, 1, 64, 64)."""
    left, top, right, below = box
    logits_11hw = torch.full((1, 1, 64, 64), -6.0)
    logits_11hw[..., top:below, left:right] = 6.0
    return logits_11hw


def gains(colours: Colours, image_13hw: Tensor, said_11hw: Tensor, there: float = 1.0, learn: bool = True) -> Tensor:
    """What is added to the best of three masks (64, 64)."""
    decoder = nn.Identity()
    ious, tokens, score = torch.tensor([[0.2, 0.9, 0.1]]), torch.zeros(1, 3, 8), torch.tensor([[there]])
    given = (torch.cat([said_11hw - 1, said_11hw, said_11hw - 2], 1), ious, tokens, score)
    with colours.added(decoder, [1], image_13hw, learn):
        masks, *others = decoder(given)
    assert all(a is b for a, b in zip(others, given[1:], strict=True))
    assert decoder(given) is given
    added: Tensor = (masks - given[0])[0, 1]
    return added


def given(weight: float = 2.0) -> Colours:
    colours = Colours(weight)
    colours.give(1, picture((ALL, RED)), logits(ALL))
    return colours


def mean(pixels_hw: Tensor, box: tuple[int, int, int, int]) -> float:
    left, top, right, below = box
    return float(pixels_hw[top:below, left:right].mean())


def test_a_part_of_the_object_s_colour_is_found_again() -> None:
    added = gains(given(), picture((ALL, RED)), logits(LEFT))
    assert mean(added, (25, 18, 26, 30)) > 1.5, "red, and within two places of the mask"
    assert abs(mean(added, (28, 18, 30, 30))) < 0.01, "farther off, which the next frames reach"
    assert -1 < mean(added, (10, 18, 14, 30)) < -0.5, "blue, and as near: it is against it, but less so"
    assert mean(gains(given(4.0), picture((ALL, RED)), logits(LEFT)), (25, 18, 26, 30)) > 3


def test_things_of_its_colour_elsewhere_are_left_alone() -> None:
    assert mean(gains(given(), picture((ALL, RED), (FAR, RED)), logits(ALL)), FAR) <= 0


def test_specks_don_t_grow() -> None:
    specks = logits(ALL)
    specks[..., 20:22, 46:48] = specks[..., 30, 44:54] = 6.0
    assert mean(gains(given(), picture((ALL, RED), (FAR, RED)), specks), FAR) <= 0


def test_what_is_surely_something_else_is_learned() -> None:
    """Somebody in orange comes near, of whom the prompted frame didn't say that she is something else."""
    colours, shown = given(), picture((ALL, RED), (NEXT, ORANGE))
    kept, first = colours.copy(), mean(gains(colours, shown, logits(ALL)), BESIDE)
    for _ in range(10):
        last = mean(gains(colours, shown, logits(ALL)), BESIDE)
    assert last < 0 < first
    assert mean(gains(kept, shown, logits(ALL)), BESIDE) == first, "a copy doesn't learn with it"
    colours.start()
    assert mean(gains(colours, shown, logits(ALL)), BESIDE) == first


def test_an_object_that_is_gone_and_a_frame_that_is_not_remembered_teach_nothing() -> None:
    colours, shown = given(), picture((ALL, RED), (NEXT, ORANGE))
    first = mean(gains(colours, shown, logits(ALL), there=-1.0), BESIDE)
    for _ in range(10):
        gains(colours, shown, logits(ALL), there=-1.0)
        gains(colours, shown, logits(ALL), learn=False)
    assert mean(gains(colours, shown, logits(ALL)), BESIDE) == first


def test_no_weight_changes_nothing() -> None:
    colours = Colours(0)
    colours.give(1, picture((ALL, RED)), logits(ALL))
    assert gains(colours, picture((ALL, RED)), logits(LEFT)).abs().max() == 0


@pytest.mark.parametrize("options", [{}, {"exact": True}, {"propagate": "both"}, {"precision": BF16}])
def test_in_a_pass_of_several_objects(options: dict[str, Any]) -> None:
    """The prompted frame stays as it is; on the others pixels are gained, and the run is the same again."""
    source = ArraySource(moving_squares(6))
    prompts = [point(1, 1, (30, 30, 1)), point(1, 2, (60, 60, 1))]

    def masks(weight: float) -> list[Any]:
        built = build(**{"exact": False, **options}, image_size=128, colour_weight=weight)
        return [each.logits_nhw for _, each in built.track(source, prompts)]

    without, first, second = masks(0), masks(3), masks(3)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (without[1] == first[1]).all()
    changed = [bool((a != b).any()) for a, b in zip(without, first, strict=True)]
    assert changed[2:] == [True] * 4
    assert changed[0] == ("propagate" in options)
