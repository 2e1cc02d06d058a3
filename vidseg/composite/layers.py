"""The alpha of single objects, where all of them together have one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.types import FrameMasks


def object_alphas(masks: FrameMasks) -> dict[int, NDArray[np.uint8]]:
    """Alpha of each object by its id, uint8 (h, w); together they are that of all.

    Each pixel is the object's that has the highest logit there, the first among equals, as in ``label_map``; so are
    those of a soft edge outside all masks.
    """
    if masks.alpha is None:
        alpha_hw: NDArray[Any] = masks.union_hw * np.uint8(255)
    else:
        alpha_hw = masks.alpha.alpha_hw
    if len(masks.object_ids) == 1:
        return {masks.object_ids[0]: alpha_hw}
    owner_hw = masks.logits_nhw.argmax(axis=0) if masks.best_hw is None else masks.best_hw
    return {number: np.where(owner_hw == row, alpha_hw, 0) for row, number in enumerate(masks.object_ids)}
