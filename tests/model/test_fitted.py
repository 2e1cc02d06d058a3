"""Which of three masks a box gets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from parity import build
from sources import ArraySource, moving_squares
from torch import nn

from vidseg.errors import InputError
from vidseg.model.fitted import fitted
from vidseg.types import Prompt

SIDE, BOX = 50, (0.2, 0.2, 0.6, 0.8)  # in shares of the picture: 10, 10, 30, 40
SHIRT, MAN, ROOM, NOTHING = (12, 16, 28, 26), (10, 10, 30, 39), (0, 0, 50, 50), (0, 0, 0, 0)
Decoded = tuple[torch.Tensor, ...]


def decoded(*boxes: tuple[int, int, int, int]) -> Decoded:
    """What a mask decoder gives: masks of three boxes, of which the first is said to be the best; and two more."""
    masks_13hw = torch.full((1, 3, SIDE, SIDE), -3.0)
    for mask_hw, (left, top, right, below) in zip(masks_13hw[0], boxes, strict=True):
        mask_hw[top:below, left:right] = 3.0
    return masks_13hw, torch.tensor([[0.9, 0.6, 0.3]]), torch.zeros(1, 3, 8), torch.ones(1, 1)


def chosen(*boxes: tuple[int, int, int, int], least: float | None = 0.8, threshold: float = 0.0) -> int:
    predictor = SimpleNamespace(multimask_max_pt_num=1, sam_mask_decoder=nn.Identity())
    given = decoded(*boxes)
    with fitted(predictor, BOX, least, threshold):
        masks, ious, *others = predictor.sam_mask_decoder(given)
        assert predictor.multimask_max_pt_num >= (2 if least is not None else 1)
    assert masks is given[0]
    assert others == [given[2], given[3]]
    assert predictor.sam_mask_decoder(given) is given
    assert predictor.multimask_max_pt_num == 1
    return int(ious.argmax())


def test_the_best_mask_stays_if_it_fits_the_box() -> None:
    assert chosen(MAN, (10, 10, 30, 40), SHIRT) == 0  # 0.97 though the next has 1
    assert chosen(SHIRT, MAN, ROOM, least=0.2) == 0


def test_else_it_is_the_one_that_fits_best() -> None:
    assert chosen(SHIRT, ROOM, MAN) == 2
    assert chosen(ROOM, SHIRT, NOTHING) == 1  # 160 of 600 pixels, and 600 of 2,500
    assert chosen(NOTHING, NOTHING, NOTHING) == 0
    assert chosen(MAN, (10, 10, 30, 40), SHIRT, threshold=4.0) == 0  # nothing is above it


def test_specks_are_no_arms() -> None:
    masks, *others = decoded(SHIRT, MAN, ROOM)
    masks[0, 0, 10, 10] = masks[0, 0, 39, 29] = 3.0  # 2 pixels of 162 would reach all sides …
    masks[0, 0, 16:26, 12:28] = 3.0
    predictor = SimpleNamespace(multimask_max_pt_num=1, sam_mask_decoder=nn.Identity())
    with fitted(predictor, BOX, 0.8, 0.0):
        assert predictor.sam_mask_decoder((masks, *others))[1].argmax() == 0
    large = torch.full((1, 3, 500, 500), -3.0)
    large[0, 0, 160:260, 120:280] = large[0, 1, 100:390, 100:300] = 3.0
    large[0, 0, 100, 100] = large[0, 0, 399, 299] = 3.0  # … of 16,002 they don't
    with fitted(predictor, BOX, 0.8, 0.0):
        assert predictor.sam_mask_decoder((large, *others))[1].argmax() == 1


def test_without_it_a_box_has_one_mask_as_in_sam2() -> None:
    assert chosen(SHIRT, MAN, ROOM, least=None) == 0
    box = Prompt(0, 1, box_xyxy=np.array([20, 20, 100, 90], np.float32))
    for box_fit, masks in ((None, 1), (0.8, 3)):
        model, shapes = build(image_size=128, box_fit=box_fit), []
        model._predictor.sam_mask_decoder.register_forward_hook(lambda *a, seen=shapes: seen.append(a[2][0].shape[1]))
        list(model.track(ArraySource(moving_squares(1)), [box]))
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
