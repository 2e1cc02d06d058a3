"""Which of three masks a box gets."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from parity import box, build, point
from sources import ArraySource, moving_squares
from torch import nn

from vidseg.errors import InputError
from vidseg.model.box import choosing_by_box
from vidseg.model.options import Options
from vidseg.model.zoom import View
from vidseg.types import Prompt

SIDE = 50
VIEW, BOX = View(0, 0, 500, 1000), Prompt(0, 1, box_xyxy=np.array([100, 200, 300, 800], np.float32))  # 10, 10, 30, 40
SHIRT, MAN, ROOM, NOTHING = (12, 16, 28, 26), (10, 10, 30, 39), (0, 0, 50, 50), (0, 0, 0, 0)
Decoded = tuple[torch.Tensor, ...]
MODEL = SimpleNamespace(multimask_max_pt_num=1, sam_mask_decoder=nn.Identity())


def options(**changes: Any) -> Options:
    values = {"box_fit": 0.8, "mask_threshold": 0.0, "colour_weight": 0.0, "zoom": None, **changes}
    return Options(True, False, "forward", 0, None, None, 1, 1, "bilinear", **values)


def decoded(*boxes: tuple[int, int, int, int], logit: float = 3.0, side: int = SIDE) -> Decoded:
    """What a mask decoder gives: masks of three boxes, of which the first is said to be the best; and two more."""
    masks_13hw = torch.full((1, 3, side, side), -3.0)
    for mask_hw, (left, top, right, below) in zip(masks_13hw[0], boxes, strict=True):
        mask_hw[top:below, left:right] = logit
    return masks_13hw, torch.tensor([[0.9, 0.6, 0.7]]), torch.zeros(1, 3, 8), torch.ones(1, 1)


def chosen(given: Decoded, prompt: Prompt = BOX, **changes: Any) -> int:
    with choosing_by_box(MODEL, prompt, VIEW, options(**changes)):
        masks, ious, *others = MODEL.sam_mask_decoder(given)
        three = MODEL.multimask_max_pt_num > 1
    assert three == (prompt is BOX and changes.get("box_fit", 0.8) is not None)
    assert masks is given[0]
    assert others == [given[2], given[3]]
    assert MODEL.sam_mask_decoder(given) is given
    assert MODEL.multimask_max_pt_num == 1
    return int(ious.argmax())


def test_the_best_mask_stays_if_it_agrees_with_the_box() -> None:
    assert chosen(decoded(MAN, (10, 10, 30, 40), SHIRT)) == 0  # 0.97 though the next has 1
    assert chosen(decoded(SHIRT, MAN, ROOM), box_fit=0.2) == 0


def test_else_it_is_the_one_that_agrees_most() -> None:
    assert chosen(decoded(SHIRT, ROOM, MAN)) == 2
    assert chosen(decoded(ROOM, SHIRT, NOTHING)) == 1  # 160 of 600 pixels, and 600 of 2,500
    assert chosen(decoded(SHIRT, MAN, MAN)) == 2  # of two alike the one that is said to be better
    assert chosen(decoded(NOTHING, NOTHING, NOTHING)) == 0


def test_masks_are_where_they_are_cut() -> None:
    masks, *others = decoded(SHIRT, MAN, ROOM, logit=-1.0)
    masks[0, 2, 10:40, 10:30] = 1.0
    assert chosen((masks, *others)) == 2
    assert chosen((masks, *others), mask_threshold=-2.0) == 1


def test_specks_are_no_arms() -> None:
    few = decoded(SHIRT, MAN, ROOM)
    few[0][0, 0, 10, 10] = few[0][0, 0, 39, 29] = 3.0  # 2 pixels of 162 reach all sides …
    assert chosen(few) == 0
    shirt, man, room = (tuple(10 * side for side in box) for box in (SHIRT, MAN, ROOM))
    many = decoded(shirt, man, room, side=500)
    many[0][0, 0, 100, 100] = many[0][0, 0, 399, 299] = 3.0  # … of 16,002 they are specks
    assert chosen(many) == 1


@pytest.mark.parametrize(
    "prompt",
    [point(0, 1, (200, 500, 1)), replace(BOX, points_xy=np.zeros((1, 2), np.float32), labels=np.zeros(1, np.int32))],
    ids=["click", "box and click"],
)
def test_other_prompts_get_what_sam2_gives(prompt: Prompt) -> None:
    assert chosen(decoded(SHIRT, MAN, ROOM), prompt) == 0


def test_without_it_a_box_gets_one_mask() -> None:
    assert chosen(decoded(SHIRT, MAN, ROOM), box_fit=None) == 0
    for box_fit, masks in ((None, 1), (0.8, 3)):
        model, shapes = build(image_size=128, box_fit=box_fit), []
        model._predictor.sam_mask_decoder.register_forward_hook(lambda *a, seen=shapes: seen.append(a[2][0].shape[1]))
        list(model.track(ArraySource(moving_squares(1)), [box(0, 1, 20, 20, 100, 90)]))
        assert shapes[0] == masks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"box_fit": 1.5}, r"model\.box_fit: 1\.5; an IoU from 0 to 1, or null \(one mask, as in sam2\)"),
        ({"box_fit": "tight"}, r"model\.box_fit: tight; "),
        ({"box_fit": True}, r"model\.box_fit: True; "),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(image_size=64, **changes)
