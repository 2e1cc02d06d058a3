"""sam2's modules through torch.compile: one graph of each for any number of clicks, objects and memories.

sam2's rotary encoding (sam2/modeling/position_encoding.py) is a product of complex numbers, for which the compiler
can't generate code. Here it is the same rotation in real numbers.
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
            make_rotation_real(attention, side)
    for name, dynamic in _DYNAMIC.items():
        module = getattr(predictor, name)
        module.forward = torch.compile(module.forward, dynamic=dynamic, fullgraph=True)


def make_rotation_real(attention: Any, side: int) -> None:
    """Makes a ``RoPEAttention`` of sam2 for ``side`` by ``side`` features compute in real numbers, in place."""
    device = attention.q_proj.weight.device
    attention.__class__ = _RealRoPEAttention
    attention.freqs_cis = attention.compute_cis(end_x=side, end_y=side).to(device)


def warm_up(track: Callable[[Source, Sequence[Prompt]], Iterable[object]]) -> None:
    """Compiles every graph that a run may need, by tracking through the built-in clip, and logs how long that took.

    The compiler makes a graph of its own for one object, for one memory and for no object pointer; a second graph
    serves all other numbers. The mask decoder has three: for one click, for several points, and for a mask.
    """
    began = time.perf_counter()
    clip = SampleSource(0, frames=range(4))
    mask_hw = np.zeros((clip.info.height, clip.info.width), bool)
    mask_hw[200:400, 400:800] = True
    for prompts in (
        [_click(0, 1, 1)],
        [_click(0, 1, 2)],
        [Prompt(0, number, mask_hw=mask_hw) for number in (1, 2)],
        [_click(0, 1, 1), _click(2, 2, 2), _click(2, 2, 1)],  # an object that is prompted later, and its correction
    ):
        for _ in track(clip, prompts):
            pass
    logger.info("compiled in %.0f s", time.perf_counter() - began)


def _click(frame_index: int, object_id: int, points: int) -> Prompt:
    return Prompt(frame_index, object_id, points_xy=np.linspace((600, 300), (640, 340), points, dtype=np.float32))


class _RealRoPEAttention(RoPEAttention):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``RoPEAttention`` (sam2/modeling/sam/transformer.py) in real numbers."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0) -> Tensor:
        """q (B, N, C), k and v (B, M, D) to (B, N, C); the last ``num_k_exclude_rope`` keys have no position."""
        q, k, v = (
            self._separate_heads(project(x), self.num_heads)
            for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        cos_sin = torch.view_as_real(self.freqs_cis)
        rotated = k.shape[2] - num_k_exclude_rope
        k = torch.cat([_rotate(k[:, :, :rotated], cos_sin), k[:, :, rotated:]], 2)
        attended = F.scaled_dot_product_attention(_rotate(q, cos_sin), k, v)
        result: Tensor = self.out_proj(self._recombine_heads(attended))
        return result


def _rotate(x: Tensor, cos_sin: Tensor) -> Tensor:
    """Applies the rotary encoding (N, C / 2, 2) to x (B, heads, r N, C)."""
    b, heads, tokens, channels = x.shape
    pairs = x.float().reshape(b, heads, tokens // len(cos_sin), len(cos_sin), channels // 2, 2)
    even, odd, cos, sin = pairs[..., 0], pairs[..., 1], cos_sin[..., 0], cos_sin[..., 1]
    rotated = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return rotated.reshape(x.shape).type_as(x)
