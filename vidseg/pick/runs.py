"""Masks as the page has them: the lengths of runs, row by row from the top left, of background and mask in turn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.types import FrameMasks, Mask

Runs = list[int]


def encode(mask_hw: Mask) -> Runs:
    """The runs of a mask; the first is background, and 0 if there is none."""
    flat = mask_hw.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff(ends, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def decode(runs: Any, height: int, width: int) -> Mask:
    """The mask (height, width) of runs. Raises InputError if they don't fill it."""
    whole = isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs)
    if not whole or sum(runs) != height * width:
        raise InputError(f"runs: {shown(runs)}; lengths that sum up to {width} x {height}, the size of the video")
    lengths: NDArray[np.int64] = np.array(runs, np.int64)
    return np.repeat(np.arange(len(runs)) % 2 == 1, lengths).reshape(height, width)


def line(masks: FrameMasks, only: Sequence[int] | None = None) -> dict[str, Any]:
    """The masks of a frame, or those of the objects ``only``, as a line of an answer."""
    scores = masks.scores or (None,) * len(masks.object_ids)
    objects = [
        {"id": object_id, "runs": encode(mask_hw), "score": None if score is None else round(score, 4)}
        for object_id, mask_hw, score in zip(masks.object_ids, masks.masks_nhw, scores, strict=True)
        if only is None or object_id in only
    ]
    return {"frame": masks.frame_index, "objects": objects}
