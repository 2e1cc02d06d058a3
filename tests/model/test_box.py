"""Which of three masks a box gets."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from parity import KeptFast, assemble, box, build, point
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.model.nano.predictor import NanoPredictor
from vidseg.model.nano.window import fitting_mask
from vidseg.model.sam2.segmenter import SAM2
from vidseg.types import Prompt

SIDE = 50
BOX = torch.tensor([[0.2, 0.2], [0.6, 0.8]])  # of a mask of 50 by 50: 10, 10, 30, 40
SHIRT, MAN, ROOM, NOTHING = (12, 16, 28, 26), (10, 10, 30, 39), (0, 0, 50, 50), (0, 0, 0, 0)


def masks(*boxes: tuple[int, int, int, int], side: int = SIDE) -> torch.Tensor:
    """Three masks (3, side, side), of which the first is said to be the best."""
    masks_3hw = torch.zeros(3, side, side, dtype=torch.bool)
    for mask_hw, (left, top, right, below) in zip(masks_3hw, boxes, strict=True):
        mask_hw[top:below, left:right] = True
    return masks_3hw


def chosen(masks_3hw: torch.Tensor, least: float = 0.8) -> int:
    return int(fitting_mask(masks_3hw, torch.tensor([[0.9, 0.6, 0.7]]), BOX, least).argmax())


def test_the_best_mask_stays_if_it_agrees_with_the_box() -> None:
    assert chosen(masks(MAN, (10, 10, 30, 40), SHIRT)) == 0  # 0.97 though the next has 1
    assert chosen(masks(SHIRT, MAN, ROOM), least=0.2) == 0


def test_else_it_is_the_one_that_agrees_most() -> None:
    assert chosen(masks(SHIRT, ROOM, MAN)) == 2
    assert chosen(masks(ROOM, SHIRT, NOTHING)) == 1  # 160 of 600 pixels, and 600 of 2,500
    assert chosen(masks(SHIRT, MAN, MAN)) == 2  # of two alike the one that is said to be better
    assert chosen(masks(NOTHING, NOTHING, NOTHING)) == 0


def test_specks_are_no_arms() -> None:
    few = masks(SHIRT, MAN, ROOM)
    few[0, 10, 10] = few[0, 39, 29] = True  # 2 pixels of 162 reach all sides …
    assert chosen(few) == 0
    shirt, man, room = (tuple(10 * side for side in box) for box in (SHIRT, MAN, ROOM))
    many = masks(shirt, man, room, side=500)
    many[0, 100, 100] = many[0, 399, 299] = True  # … of 16,002 they are specks
    assert chosen(many) == 1


AROUND = box(0, 1, 20, 20, 100, 90)


def predicting(speed: KeptFast, mask_threshold: float = 0.0, box_fit: float | None = 0.8) -> SAM2:
    keys = {"memory_stride": 1, "upsample": "bilinear", "colour_weight": 0.0, "obey_points": False}
    keys |= {"mask_threshold": mask_threshold, "box_fit": box_fit}
    return assemble(speed, image_size=64, predictor=NanoPredictor, keys=keys)


@pytest.mark.parametrize(
    ("prompt", "box_fit", "masks"),
    [
        (AROUND, 0.8, 3),
        (AROUND, None, 1),
        (replace(AROUND, points_xy=np.full((1, 2), 50, np.float32), labels=np.ones(1, np.int32)), 0.8, 1),
        (point(0, 1, (60, 60, 1)), 0.8, 3),
    ],
    ids=["box", "as in sam2", "box and click", "click"],
)
def test_a_box_alone_gets_three_masks_to_choose_from(prompt: Prompt, box_fit: float | None, masks: int) -> None:
    speed, shapes = KeptFast(), []
    model = predicting(speed, box_fit=box_fit)
    speed.predictor.sam_mask_decoder.register_forward_hook(lambda *call: shapes.append(call[2][0].shape[1]))
    list(model.track(ArraySource(moving_squares(1)), [prompt]))
    assert shapes[0] == masks


@pytest.mark.parametrize(("mask_threshold", "logit"), [(0.0, 3.0), (-0.5, -0.25 + 0.5)])
def test_masks_are_compared_where_they_are_cut(mask_threshold: float, logit: float) -> None:
    """The best is a shirt above 0 and a man above -0.5; the next is a man above both."""
    speed = KeptFast()
    model = predicting(speed, mask_threshold)
    decoder = speed.predictor.sam_mask_decoder
    decode = decoder.forward

    def forward(**inputs: Any) -> tuple[torch.Tensor, ...]:
        masks_13hw, _, *others = decode(**inputs)
        masks_13hw = torch.full_like(masks_13hw, -3.0)  # 16 by 16, of which the box has 1.6 to 8 and 2.7 to 12
        masks_13hw[0, 0, 3:12, 2:8], masks_13hw[0, 0, 4:7, 3:6], masks_13hw[0, 1, 3:12, 2:8] = -0.25, 3.0, 3.0
        return masks_13hw, torch.tensor([[0.9, 0.6, 0.7]]), *others

    decoder.forward = forward
    masks = next(model.track(ArraySource(moving_squares(1)), [AROUND]))[1]
    assert masks.logits_nhw[0, 70, 60] == pytest.approx(logit)  # the man's legs


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
