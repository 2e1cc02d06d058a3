"""Masks as the model's device has them, for a consumer on the host."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vidseg.types import FrameMasks, Logits


def shown(
    frame_index: int, object_ids: Sequence[int], logits_nhw: Tensor, scores: Sequence[float | None]
) -> FrameMasks:
    """``logits_nhw`` (objects, h, w) as FrameMasks: on the CPU themselves, from a GPU what is seen of them."""
    if logits_nhw.device.type == "cpu":
        return FrameMasks(frame_index, tuple(object_ids), logits_nhw.float().numpy(), tuple(scores))
    return Fetched(frame_index, tuple(object_ids), logits_nhw, tuple(scores))


class Fetched(FrameMasks):
    """Masks thresholded on the device, and of several objects which is on top: one copy of a byte a pixel and plane.

    Logits would be four bytes for every object (29 MB of eight at 720p). They stay where they are until somebody asks.
    """

    __slots__ = ("_logits_nhw",)
    _logits_nhw: Tensor

    def __init__(
        self, frame_index: int, object_ids: tuple[int, ...], logits_nhw: Tensor, scores: tuple[float | None, ...]
    ) -> None:
        planes = [logits_nhw > 0]
        if len(object_ids) > 1:
            planes.append(logits_nhw.argmax(0, keepdim=True))
        packed = torch.cat([plane.to(torch.uint8) for plane in planes]).cpu().numpy()
        for name, value in (
            ("frame_index", frame_index),
            ("object_ids", object_ids),
            ("scores", scores),
            ("masks_nhw", packed[: len(object_ids)].view(np.bool_)),
            ("best_hw", packed[-1] if len(object_ids) > 1 else None),
            ("_logits_nhw", logits_nhw),
        ):
            object.__setattr__(self, name, value)

    @property
    def logits_nhw(self) -> Logits:
        """float32 (objects, h, w), copied when it is asked for."""
        logits: Logits = self._logits_nhw.float().cpu().numpy()
        return logits
