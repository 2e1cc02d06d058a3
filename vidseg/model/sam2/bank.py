"""The memory bank: what SAM 2 remembers of objects, and no more than later frames can attend to.

docs/engine.md says, with sam2's lines, why forgetting the rest changes no bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from vidseg.model.sam2.upstream import FrameOutput, Predictor


class Reach:
    """How many frames back (in reverse: ahead) a frame attends to object pointers, and to masks."""

    def __init__(self, predictor: Predictor) -> None:
        # Frame t attends to the masks of frame t - 1, and of num_maskmem - 2 frames before it, a stride apart …
        self.masks = 1 + (predictor.num_maskmem - 2) * predictor.memory_temporal_stride_for_eval
        # … and to the object pointers of the 15 frames before it. Conditioning frames come on top.
        self.pointers = max(self.masks, predictor.max_obj_ptrs_in_encoder - 1)


@dataclass
class MemoryBank:
    """The memories of objects that were prompted on the same frames: as many of each kind, so they go as one batch.

    - ``conditioning``: the outputs of the prompted frames by position, in the order of their prompts (sums depend on it
      in float). They are never forgotten.
    - ``tracked``: the outputs of the frames tracked last, by position, the newest last.
    """

    object_ids: tuple[int, ...]
    conditioning: dict[int, FrameOutput]
    reach: Reach
    tracked: dict[int, FrameOutput] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, dict[int, FrameOutput]]:
        """As sam2's tracking step takes them."""
        return {"cond_frame_outputs": self.conditioning, "non_cond_frame_outputs": self.tracked}

    def outputs_of(self, row: int) -> dict[str, dict[int, FrameOutput]]:
        """The same of one object alone, that of ``row``."""
        return {kind: {at: _row(output, row) for at, output in kept.items()} for kind, kept in self.outputs.items()}

    def remember(self, position: int, output: FrameOutput) -> None:
        """Keeps the output of a tracked frame as the newest memory."""
        self.tracked[position] = output

    def forget(self, position: int, reverse: bool = False) -> None:
        """Drops what no frame after ``position`` (before it, in ``reverse``) attends to."""
        for past, output in list(self.tracked.items()):
            distance = past - position if reverse else position - past
            if distance >= self.reach.pointers:
                del self.tracked[past]
            elif distance >= self.reach.masks:
                output["maskmem_features"] = output["pred_masks"] = None

    def copy_tracked(self) -> dict[int, FrameOutput]:
        """The tracked memories as they are now; what ``forget`` does to the bank later doesn't touch them."""
        return {position: dict(output) for position, output in self.tracked.items()}

    def state(self) -> dict[str, Any]:
        """The bank as it is now, in plain values and tensors that nothing changes later."""
        return {"object_ids": self.object_ids, "conditioning": dict(self.conditioning), "tracked": self.copy_tracked()}


def fill_banks(conditioning: dict[int, dict[int, FrameOutput]], reach: Reach, most: int) -> list[MemoryBank]:
    """Banks of up to ``most`` objects (id: outputs of its conditioning frames by position), objects in their order."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for object_id, outputs in conditioning.items():
        alike.setdefault(tuple(outputs), []).append(object_id)
    banks = []
    for positions, ids in alike.items():
        for batch in (tuple(ids[first : first + most]) for first in range(0, len(ids), most)):
            stacked = {position: _stack([conditioning[each][position] for each in batch]) for position in positions}
            banks.append(MemoryBank(batch, stacked, reach))
    return banks


def _row(value: Any, row: int) -> Any:
    """One object's row of an output, and of all tensors in it."""
    if isinstance(value, dict):
        return {name: _row(part, row) for name, part in value.items()}
    if isinstance(value, list):
        return [_row(part, row) for part in value]
    return None if value is None else value[row : row + 1]


def _stack(values: Sequence[Any]) -> Any:
    """The outputs of several objects as one, with a row for each of them."""
    first = values[0]
    if len(values) == 1 or first is None:
        return first
    if isinstance(first, dict):
        return {name: _stack([value[name] for value in values]) for name in first}
    return (
        [_stack(parts) for parts in zip(*values, strict=True)] if isinstance(first, list) else torch.cat(list(values))
    )
