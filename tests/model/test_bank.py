"""The memory bank by itself: what it keeps, for how long, and for whom."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from vidseg.model.sam2.bank import MemoryBank, Reach, fill_banks


def reach(masks: int = 7, stride: int = 1, pointers: int = 16) -> Reach:
    """Of a predictor with sam2's keys."""
    keys = {"num_maskmem": masks, "memory_temporal_stride_for_eval": stride, "max_obj_ptrs_in_encoder": pointers}
    return Reach(SimpleNamespace(**keys))


def output(value: float, objects: int = 1) -> dict[str, Any]:
    """As sam2's step returns it, of some objects: the first has ``value``, the next one more, and so on."""
    rows_n1 = value + torch.arange(float(objects))[:, None]
    return {
        "maskmem_features": rows_n1[:, :, None, None].bfloat16(),
        "maskmem_pos_enc": [rows_n1, rows_n1 + 0.5],
        "pred_masks": rows_n1[:, :, None, None],
        "pred_masks_high_res": None,
        "obj_ptr": rows_n1,
    }


def remembering(positions: range, reach: Reach, reverse: bool = False) -> MemoryBank:
    """A bank that was tracked through ``positions``."""
    bank = MemoryBank((1,), {positions[0]: output(0)}, reach)
    for position in positions[1:]:
        bank.remember(position, output(position))
        bank.forget(position, reverse)
    return bank


def whole(bank: MemoryBank) -> list[int]:
    return [position for position, kept in bank.tracked.items() if kept["maskmem_features"] is not None]


def test_the_reach_is_sam2s() -> None:
    """7 memories: the prompted frame and 6 before. 3 frames apart: the frame before, and 5 times 3 before it."""
    assert (reach().masks, reach().pointers) == (6, 15)
    assert (reach(stride=3).masks, reach(stride=3).pointers) == (16, 16)
    assert (reach(masks=4, stride=3).masks, reach(masks=4, stride=3).pointers) == (7, 15)


@pytest.mark.parametrize(("positions", "reverse"), [(range(41), False), (range(40, -1, -1), True)])
def test_masks_of_6_frames_and_pointers_of_15_are_kept(positions: range, reverse: bool) -> None:
    bank = remembering(positions, reach(), reverse)
    assert [*bank.tracked] == [*positions[-15:]]  # the next frame attends to as many
    assert whole(bank) == [*positions[-6:]]
    for kept in bank.tracked.values():
        assert kept["obj_ptr"] is not None
        assert (kept["pred_masks"] is None) == (kept["maskmem_features"] is None)


def test_the_prompted_frames_stay() -> None:
    bank = remembering(range(41), reach())
    assert [*bank.conditioning] == [0]
    assert bank.conditioning[0]["maskmem_features"] is not None
    assert bank.outputs == {"cond_frame_outputs": bank.conditioning, "non_cond_frame_outputs": bank.tracked}


def test_a_copy_is_as_it_was() -> None:
    bank = remembering(range(11), reach())
    kept, masks = bank.copy_tracked(), whole(bank)
    for position in range(11, 40):
        bank.remember(position, output(position))
        bank.forget(position)
    assert not {*kept} & {*bank.tracked}
    bank.tracked = kept
    assert [*bank.tracked] == [*range(1, 11)]
    assert whole(bank) == masks == [*range(5, 11)]


def test_objects_prompted_on_the_same_frames_share_a_bank() -> None:
    """In the order of the objects; the frames' order counts, since sums depend on it."""
    on = {4: (0,), 1: (0, 5), 7: (0,), 2: (5, 0), 3: (0,), 9: (0, 5)}
    conditioning = {id_: {at: output(10 * id_ + at) for at in positions} for id_, positions in on.items()}
    banks = fill_banks(conditioning, reach(), most=16)
    assert [bank.object_ids for bank in banks] == [(4, 7, 3), (1, 9), (2,)]
    assert [[*bank.conditioning] for bank in banks] == [[0], [0, 5], [5, 0]]
    assert banks[1].conditioning[5]["obj_ptr"].tolist() == [[15], [95]]
    assert banks[2].conditioning[5] is conditioning[2][5]  # of one object alone nothing is copied
    two = fill_banks(conditioning, reach(), most=2)
    assert [bank.object_ids for bank in two] == [(4, 7), (3,), (1, 9), (2,)]
    assert [bank.object_ids for bank in fill_banks(conditioning, reach(), most=1)] == [(n,) for n in (4, 7, 3, 1, 9, 2)]
    assert not any(bank.tracked for bank in banks)


def test_rows_are_what_was_stacked() -> None:
    """Of every tensor, also in lists; what is None stays None."""
    conditioning = {n: {0: output(n)} for n in (1, 2, 3)}
    [bank] = fill_banks(conditioning, reach(), most=16)
    bank.remember(1, output(10, objects=3))
    for row, object_id in enumerate(bank.object_ids):
        own = bank.outputs_of(row)
        assert same(own["cond_frame_outputs"], conditioning[object_id])
        assert same(own["non_cond_frame_outputs"], {1: output(10 + row)})
    assert bank.conditioning[0]["maskmem_pos_enc"][1].tolist() == [[1.5], [2.5], [3.5]]


def same(one: Any, other: Any) -> bool:
    """Whether two outputs are alike, dicts, lists and all."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other
