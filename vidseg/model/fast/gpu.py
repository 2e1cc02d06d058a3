"""Masks on their way from a GPU, and holes in them filled there, so that the host never waits in a step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool2d

from vidseg.types import FrameMasks, Logits

_MOST_IN_A_BYTE = 256


class FetchedMasks(FrameMasks):
    """Masks thresholded on the device, and of several objects which is on top: a byte a pixel for each of them.

    Their copy to the host begins at once, and is waited for when any of it is read. Logits would be four bytes a pixel
    and object (29 MB of eight objects at 720p): they stay on the device while this lives, and are copied when read.
    """

    __slots__ = ("_arrived", "_hidden", "_host", "_logits_nhw")
    _arrived: Any
    _hidden: Sequence[bool]
    _host: dict[str, Tensor]
    _logits_nhw: Tensor

    def __init__(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits_nhw: Tensor,
        scores_n: Tensor,
        hidden: Sequence[bool],
    ) -> None:
        """``scores_n`` is float32 on the device; ``hidden`` objects have none to show."""
        parts = {"scores": scores_n, "masks": logits_nhw > 0}
        if 1 < len(object_ids) <= _MOST_IN_A_BYTE:
            parts["best"] = logits_nhw.argmax(0).to(torch.uint8)
        host = {name: begin_copy(part) for name, part in parts.items()}
        arrived = None
        if logits_nhw.is_cuda:
            # Whoever waits for this event sleeps, and leaves the core to decoders and encoders
            arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            arrived.record(torch.cuda.current_stream(logits_nhw.device))
        fields = {"frame_index": frame_index, "object_ids": object_ids, "names": None, "_known": {}}
        fields |= {"_hidden": hidden, "_logits_nhw": logits_nhw, "_host": host, "_arrived": arrived}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def scores(self) -> tuple[float | None, ...]:
        """As FrameMasks has them."""
        scores = self._read("scores").tolist()
        return tuple(None if hide else score for score, hide in zip(scores, self._hidden, strict=True))

    @property
    def masks_nhw(self) -> NDArray[np.bool_]:
        """As FrameMasks has them."""
        return self._read("masks")

    @property
    def best_hw(self) -> NDArray[np.uint8] | None:
        """As FrameMasks has it; None of one object, and of more than a byte can number."""
        return self._read("best") if "best" in self._host else None

    @property
    def logits_nhw(self) -> Logits:
        """float32 (objects, h, w), copied when it is asked for."""
        logits: Logits = self._logits_nhw.float().cpu().numpy()
        return logits

    def _read(self, name: str) -> NDArray[Any]:
        if self._arrived is not None:
            self._arrived.synchronize()
        array: NDArray[Any] = self._host[name].numpy()
        return array


def begin_copy(part: Tensor) -> Tensor:
    """A tensor on the host; from CUDA into pinned memory, behind what is queued, and not there yet."""
    if not part.is_cuda:
        return part.cpu()
    return torch.empty(part.shape, dtype=part.dtype, pin_memory=True).copy_(part, non_blocking=True)


def fill_holes_unwaited(logits_n1hw: Tensor, max_area: int) -> Tensor:
    """``fill_holes`` where the tensor is, without the host waiting for any of it; two kernels a pixel of ``max_area``.

    Every pixel of the background takes the highest number of its neighbours', ``max_area`` - 1 times over, which
    reaches all of a component of that many pixels. Of a larger one some group of equal numbers may be as small, but
    touches another number. Numbers are exact in float32 up to 4096 x 4096 pixels.
    """
    if max_area == 0:
        return logits_n1hw
    background_n1hw = logits_n1hw <= 0
    own_hw = torch.arange(logits_n1hw[0].numel(), device=logits_n1hw.device).view(logits_n1hw.shape[-2:])
    numbers_n1hw = torch.where(background_n1hw, own_hw.float(), -1.0)
    for _ in range(max_area - 1):
        numbers_n1hw = torch.where(background_n1hw, _highest_near(numbers_n1hw), -1.0)
    higher_n1hw = _highest_near(numbers_n1hw) > numbers_n1hw
    lower_n1hw = -_highest_near(torch.where(background_n1hw, -numbers_n1hw, -torch.inf)) < numbers_n1hw
    # A pixel that touches another number counts as too many; those of the mask are counted apart, one by one, since
    # thousands of additions to one place would wait for each other
    counted_n1hw = torch.where(higher_n1hw | lower_n1hw, max_area + 1, 1)
    group_nv = torch.where(background_n1hw, numbers_n1hw.long(), own_hw).flatten(1)
    counts_nv = torch.zeros_like(group_nv).scatter_add_(1, group_nv, counted_n1hw.flatten(1))
    small_n1hw = (counts_nv.gather(1, group_nv) <= max_area).view_as(background_n1hw)
    return torch.where(small_n1hw & background_n1hw, 0.1, logits_n1hw)


def _highest_near(values_n1hw: Tensor) -> Tensor:
    return max_pool2d(values_n1hw, 3, stride=1, padding=1)
