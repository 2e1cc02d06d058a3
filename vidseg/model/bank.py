"""The memory bank: what SAM 2 remembers of objects, and no more than later frames can attend to.

docs/engine.md says, with sam2's lines, why leaving out the rest changes no bit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

Output = dict[str, Any]
"""What sam2's ``_run_single_frame_inference`` returns of one frame: features (N, C, H, W), pointers (N, C), …"""

_TENSORS = ("maskmem_features", "pred_masks", "obj_ptr", "object_score_logits")  # one row an object


@dataclass
class Group:
    """Objects prompted on the same frames: their memories are alike in number and place, so they go as one batch.

    ``prompted`` holds the outputs of the conditioning frames by position, in the order of their prompts (sums depend on
    it in float), ``recent`` those of the frames tracked last. ``outlined``: masks or boxes say how far the objects go;
    what a click gives is a guess.
    """

    object_ids: tuple[int, ...]
    prompted: dict[int, Output]
    outlined: bool = False
    recent: dict[int, Output] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, dict[int, Output]]:
        """As sam2's tracking step takes them."""
        return {"cond_frame_outputs": self.prompted, "non_cond_frame_outputs": self.recent}

    def outputs_of(self, number: int) -> dict[str, dict[int, Output]]:
        """The same of one object alone."""
        return {
            key: {position: _one(output, number) for position, output in outputs.items()}
            for key, outputs in self.outputs.items()
        }


class Window:
    """How far back (or, in reverse, ahead) a frame attends: to ``pointers`` frames, and to the masks of ``masks``."""

    def __init__(self, predictor: Any) -> None:
        # A frame attends to the masks of the num_maskmem - 2 frames that are a stride apart, and of the one before it …
        self.masks = 1 + (predictor.num_maskmem - 2) * predictor.memory_temporal_stride_for_eval
        # … and to the object pointers of the frames before it: 15 of them, beside those of the conditioning frames.
        self.pointers = max(self.masks, predictor.max_obj_ptrs_in_encoder - 1)

    def forget(self, group: Group, position: int, reverse: bool) -> None:
        """Drops what no frame after ``position`` (before it, in reverse) attends to."""
        for past, output in list(group.recent.items()):
            distance = past - position if reverse else position - past
            if distance >= self.pointers:
                del group.recent[past]
            elif distance >= self.masks:
                output["maskmem_features"] = output["pred_masks"] = None


def group(prompted: dict[int, dict[int, Output]], outlined: Collection[int], most: int) -> list[Group]:
    """Objects (id: conditioning outputs by position) in batches of up to ``most``, in their order; those that are
    ``outlined`` apart from others."""
    alike: dict[tuple[tuple[int, ...], bool], list[int]] = {}
    for object_id, outputs in prompted.items():
        alike.setdefault((tuple(outputs), object_id in outlined), []).append(object_id)
    groups = []
    for (positions, apart), ids in alike.items():
        for first in range(0, len(ids), most):
            batch = tuple(ids[first : first + most])
            groups.append(Group(batch, {p: _stack([prompted[i][p] for i in batch]) for p in positions}, apart))
    return groups


def _one(output: Output, number: int) -> Output:
    one = slice(number, number + 1)
    tensors = {name: None if output[name] is None else output[name][one] for name in _TENSORS}
    return tensors | {"maskmem_pos_enc": [codes[one] for codes in output["maskmem_pos_enc"]]}


def _stack(outputs: Sequence[Output]) -> Output:
    if len(outputs) == 1:
        return outputs[0]
    codes = [torch.cat(codes) for codes in zip(*(o["maskmem_pos_enc"] for o in outputs), strict=True)]
    return {name: torch.cat([o[name] for o in outputs]) for name in _TENSORS} | {"maskmem_pos_enc": codes}
