"""Masks at the video's size, on their way out of one pass or of several."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vidseg.model.sam2.engine import Engine
from vidseg.model.sam2.upstream import NO_OBJ_SCORE
from vidseg.types import FrameMasks


class Shown(NamedTuple):
    """The masks of one pass on one frame: logits (n, height, width) of objects in the order of their prompts.

    ``hidden`` ones are empty, and have no score.
    """

    object_ids: tuple[int, ...]
    logits_nhw: Tensor
    scores_n: Tensor
    hidden: Sequence[bool]


def gather(
    engine: Engine, frame_index: int, object_ids: Iterable[int], size: tuple[int, int],
    passes: Sequence[Shown | FrameMasks],
) -> FrameMasks:  # fmt: skip
    """The masks of ``passes`` as one, by ascending id; those of ``object_ids`` that no pass has are empty.

    With ``non_overlap_masks`` each pixel goes to the best object of all; among its own a pass has seen to that. Nothing
    waits for a GPU.
    """
    ids = tuple(sorted(object_ids))
    if not passes:
        return FrameMasks(frame_index, ids, np.full((len(ids), *size), NO_OBJ_SCORE, np.float32), (None,) * len(ids))
    if len(passes) == 1 and isinstance(passes[0], FrameMasks) and passes[0].object_ids == ids:
        return passes[0]
    shown = [_from_host(each, engine.device) if isinstance(each, FrameMasks) else each for each in passes]
    order = [object_id for each in shown for object_id in each.object_ids]
    hidden = [hide for each in shown for hide in each.hidden]
    logits_nhw, scores_n = _joined([each.logits_nhw for each in shown]), _joined([each.scores_n for each in shown])
    if len(shown) > 1 and engine.options.non_overlap_masks:
        with torch.inference_mode():
            logits_nhw = engine.predictor.without_overlap(logits_nhw[:, None])[:, 0]
    if absent := [object_id for object_id in ids if object_id not in order]:
        order, hidden = order + absent, hidden + [True] * len(absent)
        logits_nhw = _joined([logits_nhw, logits_nhw.new_full((len(absent), *size), NO_OBJ_SCORE)])
        scores_n = _joined([scores_n, scores_n.new_zeros(len(absent))])
    if [*ids] != order:  # row by row: a list of indices would have to be uploaded, and waited for
        rows = [order.index(object_id) for object_id in ids]
        logits_nhw, scores_n = (torch.stack([values[row] for row in rows]) for values in (logits_nhw, scores_n))
        hidden = [hidden[row] for row in rows]
    return engine.speed.frame_masks(frame_index, ids, logits_nhw, scores_n, hidden)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat([*parts])


def _from_host(masks: FrameMasks, device: torch.device) -> Shown:
    """Masks that are on the host already; an object without a score is hidden."""
    scores = masks.scores or (None,) * len(masks.object_ids)
    logits_nhw, scores_n = torch.from_numpy(masks.logits_nhw), torch.tensor([score or 0.0 for score in scores])
    return Shown(masks.object_ids, logits_nhw.to(device), scores_n.to(device), [score is None for score in scores])
