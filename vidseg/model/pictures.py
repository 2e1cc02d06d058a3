"""The pictures of vidseg.composite drawn on a GPU, equal to them byte by byte, and which of them to draw ahead."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from vidseg.composite import EDGE_BAND, colour, mix

Request = tuple[str, tuple[Any, ...]]
"""A picture's name and its options, as ``FrameMasks.drawn`` takes them: cutout (RGB), tint (strength), transparent."""


class Pictures:
    """What is drawn of one pass over a video, by demand: a picture comes ahead while every frame is asked for it."""

    def __init__(self, object_ids: Sequence[int]) -> None:
        self.object_ids = tuple(object_ids)
        self._frames = 0
        self._asked: dict[Request, int] = {}

    def ask(self, request: Request) -> None:
        """Remembers that a frame was asked for a picture."""
        self._asked[request] = self._frames

    def wanted(self) -> list[Request]:
        """What to draw ahead of the next frame: what was asked for since the last call, so of the frame before it."""
        self._asked = {request: frames for request, frames in self._asked.items() if frames == self._frames}
        self._frames += 1
        return list(self._asked)

    def draw(self, request: Request, planes_3hw: Tensor, masks_nhw: Tensor, best_hw: Tensor | None) -> Tensor:
        """uint8 (h, w, 3), of "transparent" (h, w, 4), on the device of the frame's planes (3, h, w)."""
        picture, options = request
        inside_hw = masks_nhw.any(0)
        if picture == "transparent":
            return _transparent(planes_3hw, inside_hw)
        rows_hw = inside_hw.int()
        if picture == "tint" and best_hw is not None:
            rows_hw = torch.where(inside_hw, best_hw.int() + 1, 0)
        table_v = _table(picture, options, self.object_ids, planes_3hw.device)
        channels_3 = torch.arange(0, 768, 256, dtype=torch.int32, device=planes_3hw.device)
        places_hw3 = planes_3hw.permute(1, 2, 0) + channels_3 + 768 * rows_hw[..., None]
        return table_v.index_select(0, places_hw3.flatten()).view(places_hw3.shape)


@functools.lru_cache(maxsize=16)
def _table(picture: str, options: tuple[Any, ...], object_ids: tuple[int, ...], device: torch.device) -> Tensor:
    """What becomes of a byte, by row (0 outside), channel and value: uint8 (rows * 3 * 256,).

    OpenCV makes the tints itself, so that they are rounded as on the host.
    """
    same_v3 = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if picture == "cutout":
        rows = [np.tile(np.array(options[0], np.uint8), (256, 1)), same_v3]
    else:
        rows = [same_v3, *(mix(same_v3[None], colour(object_id), options[0])[0] for object_id in object_ids)]
    return torch.from_numpy(np.stack(rows).transpose(0, 2, 1).flatten()).to(device)


def _transparent(planes_3hw: Tensor, inside_hw: Tensor) -> Tensor:
    reach = 2 * EDGE_BAND + 1
    inside_1hw = inside_hw[None].float()  # pooling takes no bytes
    across_1hw = max_pool2d(inside_1hw, (1, reach), stride=1, padding=(0, EDGE_BAND))
    band_1hw = max_pool2d(across_1hw, (reach, 1), stride=1, padding=(EDGE_BAND, 0)) > 0
    alpha_1hw = inside_hw[None].to(torch.uint8) * 255
    return torch.cat([torch.where(band_1hw, planes_3hw, 0), alpha_1hw]).permute(1, 2, 0)
