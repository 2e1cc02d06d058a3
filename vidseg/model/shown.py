"""Masks that a GPU has, for a consumer on the host: one copy a frame, begun at once and waited for when it is read."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidseg.model.image import Uploaded
from vidseg.model.pictures import Pictures
from vidseg.types import Frame, FrameMasks, Logits

_MOST_IN_A_BYTE = 256


class Transfer:
    """Tensors of bytes, bools or float32, by name, packed and on their way to the host in one copy.

    Making it waits for nothing; reading one as an array waits for all.
    """

    def __init__(self, parts: Mapping[Hashable, Tensor]) -> None:
        self._host_v, self._wait = begin_copy(torch.cat([part.flatten().view(torch.uint8) for part in parts.values()]))
        self._places: dict[Hashable, tuple[slice, Tensor]] = {}
        end = 0
        for name, part in parts.items():
            begin, end = end, end + part.numel() * part.element_size()
            like = torch.empty(part.shape, dtype=part.dtype, device="meta")  # shape and type; the part itself is freed
            self._places[name] = (slice(begin, end), like)

    def __contains__(self, name: Hashable) -> bool:
        return name in self._places

    def __getitem__(self, name: Hashable) -> NDArray[Any]:
        self._wait()
        place, like = self._places[name]
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


class Fetched(FrameMasks):
    """Masks thresholded on the device, and of several objects which is on top: a byte a pixel and plane.

    Logits would be four for every object (29 MB of eight at 720p). Scores and the pictures that were asked for lately
    come along. Logits and the frame stay on the device as long as this lives; logits are copied when somebody asks.
    """

    __slots__ = ("_hidden", "_logits_nhw", "_pictures", "_transfer", "_uploaded")
    _hidden: Sequence[bool]
    _logits_nhw: Tensor
    _pictures: Pictures
    _transfer: Transfer
    _uploaded: Uploaded | None

    def __init__(
        self, frame_index: int, logits_nhw: Tensor, scores_n: Tensor, hidden: Sequence[bool],
        pictures: Pictures, uploaded: Uploaded | None,
    ) -> None:  # fmt: skip
        """``scores_n`` is float32 on the device, of ``hidden`` objects there is none to show.

        ``uploaded`` is the frame that pictures are drawn from, if it is on the device.
        """
        object.__setattr__(self, "object_ids", pictures.object_ids)
        masks_nhw, best_hw = _seen(logits_nhw)
        parts: dict[Hashable, Tensor] = {"scores": scores_n, "masks": masks_nhw}  # scores first: their address is whole
        if best_hw is not None and self._numbered:
            parts["best"] = best_hw.to(torch.uint8)
        if uploaded is not None:
            for request in pictures.wanted():
                parts[request] = pictures.draw(request, uploaded.planes_3hw, masks_nhw, best_hw)
        for name, value in (
            ("frame_index", frame_index),
            ("_hidden", hidden),
            ("_logits_nhw", logits_nhw),
            ("_pictures", pictures),
            ("_transfer", Transfer(parts)),
            ("_uploaded", uploaded),
        ):
            object.__setattr__(self, name, value)

    @property
    def _numbered(self) -> bool:
        return 1 < len(self.object_ids) <= _MOST_IN_A_BYTE

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
        return self._transfer["best"] if self._numbered else None

    @property
    def logits_nhw(self) -> Logits:
        """float32 (objects, h, w), copied when it is asked for."""
        logits: Logits = self._logits_nhw.float().cpu().numpy()
        return logits

    def drawn(self, frame: Frame, picture: str, *options: Any) -> NDArray[np.uint8] | None:
        """The picture as drawn on the device, for the caller to keep; None of another frame than these masks'.

        What is asked for the first time is drawn and copied by itself, and comes with the masks of frames to come.
        """
        if self._uploaded is None or frame.rgb_hw3 is not self._uploaded.rgb_hw3:
            return None
        request = (picture, options)
        self._pictures.ask(request)
        transfer = self._transfer
        if request not in transfer:
            tensor = self._pictures.draw(request, self._uploaded.planes_3hw, *_seen(self._logits_nhw))
            transfer = Transfer({request: tensor})
        return transfer[request].copy()


def _seen(logits_nhw: Tensor) -> tuple[Tensor, Tensor | None]:
    """The masks, and of several objects the row of the highest logit (h, w), the first among equals."""
    return logits_nhw > 0, logits_nhw.argmax(0) if len(logits_nhw) > 1 else None
