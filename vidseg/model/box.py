"""Of the masks that the decoder makes of a box, one that reaches its sides (``model.box_fit``).

Users draw boxes around all of an object. A small model's best guess may be the shirt; that no arm comes near the box's
sides says so, and another of its guesses may have them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.options import Options
from vidseg.model.zoom import Box, View, bounds
from vidseg.types import Prompt

_STRAY = 0.002  # of a mask's pixels, to each side, that don't count: specks aren't arms
_Decoded = tuple[Tensor, Tensor, Tensor, Tensor]


@contextmanager
def choosing_by_box(predictor: Any, prompt: Prompt, view: View, options: Options) -> Generator[None]:
    """Within, sam2's ``SAM2Base`` answers a box in ``view`` with three masks, whose best is taken, as it does a click.

    The best is the one whose IoU the model says is highest, if it agrees with the box to ``options.box_fit`` or more;
    else the one that agrees most. On a GPU this waits for the masks. Other prompts, a box with points among them, are
    answered as in sam2, and so is all without ``box_fit``: a box with one mask.
    """
    if options.box_fit is None or prompt.box_xyxy is None or prompt.points_xy is not None:
        yield
        return
    left, top, right, below = (prompt.box_xyxy / np.array(2 * [view.width, view.height])).tolist()
    choose = partial(_choose, (left, top, right, below), options.box_fit, options.mask_threshold)
    most = predictor.multimask_max_pt_num
    predictor.multimask_max_pt_num = torch.inf
    handle = predictor.sam_mask_decoder.register_forward_hook(choose)
    try:
        yield
    finally:
        handle.remove()
        predictor.multimask_max_pt_num = most


def agreement(mask_hw: Tensor, box: Box) -> float:
    """The IoU of a mask's bounding box, but for specks, and ``box`` in its pixels; 0 of an empty mask."""
    own = bounds(mask_hw, _STRAY)
    if own is None:
        return 0.0
    shared = _area((max(own[0], box[0]), max(own[1], box[1]), min(own[2], box[2]), min(own[3], box[3])))
    return shared / (_area(own) + _area(box) - shared)


def _choose(
    box: Box, least: float, threshold: float, _: object, args: tuple[Any, ...], decoded: _Decoded
) -> _Decoded | None:
    """Gives the chosen mask an IoU of 1 and the others 0, if it isn't the one with the highest.

    ``box`` is in shares of the picture; of ``decoded``, masks are (1, 3, h, w) and IoUs (1, 3).
    """
    masks_13hw, ious_13, tokens, score = decoded
    h, w = masks_13hw.shape[-2:]
    at = (box[0] * w, box[1] * h, box[2] * w, box[3] * h)
    ious = ious_13[0].tolist()
    agree = [agreement(mask_hw > threshold, at) for mask_hw in masks_13hw[0]]
    if agree[ious.index(max(ious))] >= least:
        return None
    best = max(range(len(ious)), key=lambda n: (agree[n], ious[n]))
    chosen = F.one_hot(torch.tensor([best]), len(ious))
    return masks_13hw, chosen.to(ious_13), tokens, score


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
