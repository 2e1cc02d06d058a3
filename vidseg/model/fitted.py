"""Of the masks that the decoder makes of a box, one that reaches its sides (``model.box_fit``).

Users draw boxes around all of an object. A small model's best guess may be the shirt; that no arm comes near the box's
sides says so, and another of its guesses may have them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vidseg.model.zoom import Box, bounds

_STRAY = 0.002  # of a mask's pixels, to each side, that don't count: specks aren't arms
_Decoded = tuple[Tensor, Tensor, Tensor, Tensor]


@contextmanager
def fitted(predictor: Any, box: Box | None, least: float | None, threshold: float) -> Generator[None]:
    """Within, sam2's ``SAM2Base`` answers a prompt with three masks, whose best is taken, as it does with a click.

    The best is the one whose IoU the model says is highest, if the IoU of its bounding box and ``box`` (in shares of
    the picture) is ``least`` or more; else the one with the highest of these. Masks are logits above ``threshold``.
    Without ``box`` or ``least`` all is as in sam2, which answers a box with one mask.
    """
    if box is None or least is None:
        yield
        return
    most = predictor.multimask_max_pt_num
    predictor.multimask_max_pt_num = torch.inf
    handle = predictor.sam_mask_decoder.register_forward_hook(partial(_choose, box, least, threshold))
    try:
        yield
    finally:
        handle.remove()
        predictor.multimask_max_pt_num = most


def _choose(
    box: Box, least: float, threshold: float, _: object, args: tuple[Any, ...], decoded: _Decoded
) -> _Decoded | None:
    """Puts how well each mask fits in place of its IoU; of ``decoded``, masks are (1, 3, h, w) and IoUs (1, 3)."""
    masks_13hw, ious_13, tokens, score = decoded
    h, w = masks_13hw.shape[-2:]
    at = (box[0] * w, box[1] * h, box[2] * w, box[3] * h)
    fits = [fit(mask_hw > threshold, at) for mask_hw in masks_13hw[0]]
    if fits[int(ious_13.argmax())] >= least:
        return None
    return masks_13hw, ious_13.new_tensor([fits]), tokens, score


def fit(mask_hw: Tensor, box: Box) -> float:
    """The IoU of a mask's bounding box, but for specks, and ``box`` in its pixels; 0 of an empty mask."""
    own = bounds(mask_hw, _STRAY)
    if own is None:
        return 0.0
    shared = _area((max(own[0], box[0]), max(own[1], box[1]), min(own[2], box[2]), min(own[3], box[3])))
    return shared / (_area(own) + _area(box) - shared)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
