"""Frames on their way to a GPU and masks on their way back, so that neither side waits for the other."""

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidseg.model.fast.resize import resize
from vidseg.model.sam2.image import NORMALIZED_CV
from vidseg.types import RGB, FrameMasks, Logits

_MOST_IN_A_BYTE = 256


def device_image(rgb_hw3: RGB, side: int, device: torch.device) -> Tensor:
    """``vidseg.model.sam2.image.host_image``, bit by bit, resized and normalised on ``device``.

    The bytes go up from pinned memory, in the thread's stream, without a wait. torch gives that memory to nobody else
    before the copy is done, though nothing here holds it any longer.
    """
    staged_hw3 = torch.empty(rgb_hw3.shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    staged_hw3.numpy()[:] = rgb_hw3
    planes_3hw = staged_hw3.to(device, non_blocking=True).permute(2, 0, 1).contiguous()
    normalized_v, offsets_c11 = _normalized(device)
    indices_chw = resize(planes_3hw, side, side) + offsets_c11
    return normalized_v.index_select(0, indices_chw.flatten()).view(indices_chw.shape)


@functools.lru_cache(maxsize=2)
def _normalized(device: torch.device) -> tuple[Tensor, Tensor]:
    """The three channels' tables end to end, float32 (768,), and where each begins, int32 (3, 1, 1)."""
    offsets_c11 = torch.arange(0, 768, 256, dtype=torch.int32)[:, None, None]
    return torch.from_numpy(NORMALIZED_CV.flatten()).to(device), offsets_c11.to(device)


class Transfer:
    """Tensors of bytes, bools or float32, by name, packed and on their way to the host in one copy.

    Making it waits for nothing; reading one as an array waits for all.
    """

    def __init__(self, parts: Mapping[Hashable, Tensor]) -> None:
        self._host_v, self._wait = begin_copy(torch.cat([part.flatten().view(torch.uint8) for part in parts.values()]))
        self._layout: dict[Hashable, tuple[slice, Tensor]] = {}
        end = 0
        for name, part in parts.items():
            begin, end = end, end + part.numel() * part.element_size()
            like = torch.empty(part.shape, dtype=part.dtype, device="meta")  # shape and type; the part itself is freed
            self._layout[name] = (slice(begin, end), like)

    def __getitem__(self, name: Hashable) -> NDArray[Any]:
        self._wait()
        place, like = self._layout[name]
        array: NDArray[Any] = self._host_v[place].view(like.dtype).view(like.shape).numpy()
        return array


def begin_copy(packed_v: Tensor) -> tuple[Tensor, Callable[[], object]]:
    """Bytes on the host, and what waits until they are there; from CUDA into pinned memory behind what is queued."""
    if not packed_v.is_cuda:
        return packed_v.cpu(), lambda: None
    host_v = torch.empty(packed_v.shape, dtype=torch.uint8, pin_memory=True)
    host_v.copy_(packed_v, non_blocking=True)
    arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # whoever waits sleeps, and leaves the core to decoders and encoders
    arrived.record(torch.cuda.current_stream(packed_v.device))
    return host_v, arrived.synchronize


class FetchedMasks(FrameMasks):
    """Masks thresholded on the device, and of several objects which is on top: a byte a pixel for each of them.

    Logits would be four bytes a pixel and object (29 MB of eight objects at 720p); they stay on the device as long as
    this lives, and are copied when somebody asks.
    """

    __slots__ = ("_hidden", "_logits_nhw", "_transfer")
    _hidden: Sequence[bool]
    _logits_nhw: Tensor
    _transfer: Transfer

    def __init__(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits_nhw: Tensor,
        scores_n: Tensor,
        hidden: Sequence[bool],
    ) -> None:
        """``scores_n`` is float32 on the device; ``hidden`` objects have none to show."""
        parts: dict[Hashable, Tensor] = {"scores": scores_n, "masks": logits_nhw > 0}  # floats first: they are aligned
        if 1 < len(object_ids) <= _MOST_IN_A_BYTE:
            parts["best"] = logits_nhw.argmax(0).to(torch.uint8)
        for name, value in (
            ("frame_index", frame_index),
            ("object_ids", object_ids),
            ("_hidden", hidden),
            ("_logits_nhw", logits_nhw),
            ("_transfer", Transfer(parts)),
        ):
            object.__setattr__(self, name, value)

    @property
    def scores(self) -> tuple[float | None, ...]:
        """As FrameMasks has them."""
        values = self._transfer["scores"].tolist()
        return tuple(None if hide else value for value, hide in zip(values, self._hidden, strict=True))

    @property
    def masks_nhw(self) -> NDArray[np.bool_]:
        """As FrameMasks has them."""
        return self._transfer["masks"]

    @property
    def best_hw(self) -> NDArray[np.uint8] | None:
        """As FrameMasks has it; None of one object, and of more than a byte can number."""
        return self._transfer["best"] if 1 < len(self.object_ids) <= _MOST_IN_A_BYTE else None

    @property
    def logits_nhw(self) -> Logits:
        """float32 (objects, h, w), copied when it is asked for."""
        logits: Logits = self._logits_nhw.float().cpu().numpy()
        return logits
