"""What an object's colours add to its masks, and what is learned of them in the frames' outputs."""

from typing import Any

import numpy as np
import pytest
import torch
from conftest import slow_but
from parity import BF16, build, point
from sources import ArraySource, moving_squares
from torch import Tensor

from vidseg.model.nano.colours import Colours, of_prompted

RED, BLUE, ORANGE = (torch.tensor(colour)[:, None, None] for colour in ([2.0, -1, -1], [-1.0, -1, 2], [1.6, -0.4, -1]))
ALL, LEFT, FAR = (16, 16, 32, 32), (16, 16, 24, 32), (44, 16, 54, 32)  # left, top, right, below
NEXT, BESIDE = (32, 16, 42, 32), (33, 18, 34, 30)


def picture(*parts: tuple[tuple[int, int, int, int], Tensor]) -> Tensor:
    """Blue, but for the parts: (1, 3, 256, 256), whose masks have 64 by 64."""
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


class Memories:
    """A bank's outputs after a prompt on red."""

    def __init__(self) -> None:
        prompted = {"colours": of_prompted(picture((ALL, RED)), logits(ALL))}
        self.outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {0: prompted}, "non_cond_frame_outputs": {}}

    def gains(
        self, image_13hw: Tensor, said_11hw: Tensor, weight: float = 2.0, score: float = 1.0, learn: bool = True
    ) -> Tensor:
        """What is added to the best of three masks (64, 64); learned from as the next frame, if so."""
        ious, scores = torch.tensor([[0.2, 0.9, 0.1]]), torch.tensor([[score]])
        masks_13hw = torch.cat([said_11hw - 1, said_11hw, said_11hw - 2], 1)
        colours = Colours(image_13hw, self.outputs, learn)
        added = (colours.added(masks_13hw, ious, scores, weight) - masks_13hw)[0, 1]
        assert (colours.learned is not None) == learn
        if learn:
            tracked = self.outputs["non_cond_frame_outputs"]
            tracked[len(tracked) + 1] = {"colours": colours.learned}
        return added


def mean(pixels_hw: Tensor, box: tuple[int, int, int, int]) -> float:
    left, top, right, below = box
    return float(pixels_hw[top:below, left:right].mean())


def test_a_part_of_the_object_s_colour_is_found_again() -> None:
    added = Memories().gains(picture((ALL, RED)), logits(LEFT))
    assert mean(added, (25, 18, 26, 30)) > 1.5, "red, and within two cells of the mask"
    assert abs(mean(added, (28, 18, 30, 30))) < 0.01, "farther off, which the next frames reach"
    assert -1 < mean(added, (10, 18, 14, 30)) < -0.5, "blue, and as near: it is against it, but less so"
    assert mean(Memories().gains(picture((ALL, RED)), logits(LEFT), weight=4.0), (25, 18, 26, 30)) > 3


def test_things_of_its_colour_elsewhere_are_left_alone() -> None:
    assert mean(Memories().gains(picture((ALL, RED), (FAR, RED)), logits(ALL)), FAR) <= 0


def test_specks_don_t_grow() -> None:
    specks = logits(ALL)
    specks[..., 20:22, 46:48] = specks[..., 30, 44:54] = 6.0
    assert mean(Memories().gains(picture((ALL, RED), (FAR, RED)), specks), FAR) <= 0


def test_what_is_surely_something_else_is_learned_and_forgotten_with_the_memories() -> None:
    """Somebody in orange comes near, of whom the prompted frame didn't say that she is something else."""
    memories, shown = Memories(), picture((ALL, RED), (NEXT, ORANGE))
    first = mean(memories.gains(shown, logits(ALL)), BESIDE)
    for _ in range(10):
        last = mean(memories.gains(shown, logits(ALL)), BESIDE)
    assert last < 0 < first
    memories.outputs["non_cond_frame_outputs"].clear()
    assert mean(memories.gains(shown, logits(ALL)), BESIDE) == first


def test_an_object_that_is_gone_and_a_frame_that_is_not_remembered_teach_nothing() -> None:
    memories, shown = Memories(), picture((ALL, RED), (NEXT, ORANGE))
    first = mean(memories.gains(shown, logits(ALL), score=-1.0), BESIDE)
    for _ in range(10):
        memories.gains(shown, logits(ALL), score=-1.0)
        memories.gains(shown, logits(ALL), learn=False)
    assert mean(memories.gains(shown, logits(ALL)), BESIDE) == pytest.approx(first)


@pytest.mark.parametrize("options", slow_but([{}], [{}, {"exact": True}, {"propagate": "both"}, {"precision": BF16}]))
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


def test_a_correction_is_learned_as_a_prompt_is() -> None:
    source, first = ArraySource(moving_squares(5)), point(0, 1, (30, 30, 1))
    model = build(image_size=64, colour_weight=3.0)
    plain, corrected = (
        [masks.logits_nhw for _, masks in model.track(source, prompts)]
        for prompts in ([first], [first, point(3, 1, (60, 60, 0))])
    )
    assert np.array_equal(plain[0], corrected[0])
    assert not np.array_equal(plain[4], corrected[4])
