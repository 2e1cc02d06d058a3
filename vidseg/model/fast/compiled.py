"""sam2's modules through torch.compile, each one graph for any number of clicks, objects and memories.

Rotary codes are complex in sam2 (sam2/modeling/position_encoding.py), which the compiler can't generate code for; here
they are the same rotation in real numbers.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.sam2.upstream import RoPEAttention
from vidseg.sample import SampleSource
from vidseg.types import Prompt, Source

logger = logging.getLogger(__name__)

_DYNAMIC = {"image_encoder": False, "memory_attention": True, "sam_mask_decoder": True, "memory_encoder": True}


def compile_modules(predictor: Any) -> None:
    """Compiles the image encoder, memory attention, mask decoder and memory encoder, in place, at their first call."""
    side = predictor.sam_image_embedding_size
    for layer in predictor.memory_attention.layers:
        for attention in (layer.self_attn, layer.cross_attn_image):
            in_reals(attention, side)
    for name, dynamic in _DYNAMIC.items():
        module = getattr(predictor, name)
        module.forward = torch.compile(module.forward, dynamic=dynamic, fullgraph=True)


def in_reals(attention: Any, side: int) -> None:
    """Has a ``RoPEAttention`` of sam2 turn features of ``side`` by ``side`` places in real numbers, in place."""
    device = attention.q_proj.weight.device
    attention.__class__ = _RealRoPEAttention
    attention.freqs_cis = attention.compute_cis(end_x=side, end_y=side).to(device)


def warm_up(track: Callable[[Source, Sequence[Prompt]], Iterable[object]]) -> None:
    """Has everything compiled that a run can meet, by tracking through the built-in clip; says how long that took.

    To the compiler one object, one memory and no pointer are special cases, and two of each stand for all others; the
    mask decoder is another one for a single click, for several points, and for a mask.
    """
    began = time.perf_counter()
    clip = SampleSource(0, frames=range(4))
    mask_hw = np.zeros((clip.info.height, clip.info.width), bool)
    mask_hw[200:400, 400:800] = True
    for prompts in (
        [_click(0, 1, 1)],
        [_click(0, 1, 2)],
        [Prompt(0, number, mask_hw=mask_hw) for number in (1, 2)],
        [_click(0, 1, 1), _click(2, 2, 2), _click(2, 2, 1)],  # one that comes later, and one that corrects it
    ):
        for _ in track(clip, prompts):
            pass
    logger.info("compiled in %.0f s", time.perf_counter() - began)


def _click(frame_index: int, object_id: int, points: int) -> Prompt:
    points_xy = np.linspace((600, 300), (640, 340), points, dtype=np.float32)
    return Prompt(frame_index, object_id, points_xy=points_xy, labels=np.ones(points, np.int32))


class _RealRoPEAttention(RoPEAttention):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``RoPEAttention`` in real numbers; its codes are tables of cosines and sines (N, C / 2)."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0) -> Tensor:
        """q (B, N, C), k and v (B, M, D) to (B, N, C); the last ``num_k_exclude_rope`` keys have no place."""
        q, k, v = (
            self._separate_heads(project(x), self.num_heads)
            for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        codes = torch.view_as_real(self.freqs_cis)
        placed = k.shape[2] - num_k_exclude_rope
        k = torch.cat([_turn(k[:, :, :placed], codes), k[:, :, placed:]], 2)
        seen = F.scaled_dot_product_attention(_turn(q, codes), k, v)
        result: Tensor = self.out_proj(self._recombine_heads(seen))
        return result


def _turn(x: Tensor, codes: Tensor) -> Tensor:
    """Rotary codes (N, C / 2, 2) on x (B, heads, r N, C)."""
    b, heads, places, channels = x.shape
    pairs = x.float().reshape(b, heads, places // len(codes), len(codes), channels // 2, 2)
    even, odd, cos, sin = pairs[..., 0], pairs[..., 1], codes[..., 0], codes[..., 1]
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return turned.reshape(x.shape).type_as(x)
