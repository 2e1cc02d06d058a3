"""sam2's modules in float32 on a CPU, near the machine's rate of matrix products. Knows nothing about frames.

Attention to memories: sam2's values are a linear map of the memories, v = W m + b, and unlike the keys they carry no
rotary encoding. The rows of a softmax add up to one, so softmax(q k) (W m + b) = W (softmax(q k) m) + b: 64 channels
are added up instead of 256. With seven memories at 1024 pixels this is 300 instead of 480 GFLOP a frame.

Linear layers are oneDNN's (``vidseg.model.fast.operators``), and Hiera's blocks are ``vidseg.model.fast.hiera``'s.

Sums are added in another order than upstream's: logits differ by some 1e-6 of their deviation.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from vidseg.model.fast import operators
from vidseg.model.fast.hiera import accelerate_hiera, split_for_cache
from vidseg.model.sam2.upstream import MLP, MemoryAttentionLayer, PositionEmbeddingSine, RoPEAttention

logger = logging.getLogger(__name__)

# Attention scores in memory at once: 16 MiB stay in the cache from product to softmax to product (64 MiB: 1.3 times
# slower)
_SCORES = 4 << 20
_QUERIES = 64  # at least: products of fewer rows get slow


def accelerate_cpu(predictor: Any) -> None:
    """Makes the modules of a sam2 predictor faster, in place, once its weights are loaded.

    A module gets a subclass of its class, since sam2 asks for the class. Warns if oneDNN's operators don't work here.
    """
    if not operators.linear_works():
        logger.warning("oneDNN's linear operators are missing or wrong in torch %s; plain ones run", torch.__version__)
    for layer in predictor.memory_attention.layers:
        layer.__class__ = _MemoryLayer
        cross = layer.cross_attn_image
        if cross.num_heads == 1 and cross.kv_in_dim < cross.internal_dim and cross.rope_k_repeat:
            cross.__class__ = _MemoryAttention
    accelerate_hiera(predictor.image_encoder.trunk)
    _merge_convolutions(predictor)
    for module in predictor.modules():
        if type(module) is PositionEmbeddingSine:
            module.__class__ = _CachedPositions
        elif type(module) is MLP and module.num_layers == 2 and type(module.act) is nn.GELU:
            module.__class__ = _FusedMLP
        elif type(module) is nn.Linear:
            module.__class__ = _PackedLinear
        elif type(module) is nn.Conv2d and module.kernel_size == module.stride == (1, 1):
            module.__class__ = _PointwiseConv


def _merge_convolutions(predictor: Any) -> None:
    """Makes one 1x1 convolution (96 to 32 channels) of two (96 to 256 to 32) at each of the two finest levels.

    The first is the neck's, the second the mask decoder's ``conv_s0`` or ``conv_s1``. Levels whose 256 channels are
    also added to another level keep both.
    """
    neck, decoder = predictor.image_encoder.neck, predictor.sam_mask_decoder
    for level, name in enumerate(("conv_s0", "conv_s1") if predictor.use_high_res_features_in_sam else ()):
        first, second = neck.convs[-1 - level].conv, getattr(decoder, name)
        if first.kernel_size == second.kernel_size == (1, 1) and not {level - 1, level} & {*neck.fpn_top_down_levels}:
            merged = nn.Conv2d(first.in_channels, second.out_channels, 1)
            first_dc, second_dc = first.weight.flatten(1).double(), second.weight.flatten(1).double()
            with torch.no_grad():
                merged.weight.copy_((second_dc @ first_dc)[:, :, None, None])
                merged.bias.copy_(second_dc @ first.bias.double() + second.bias)  # type: ignore[union-attr]
            neck.convs[-1 - level].conv = merged
            setattr(decoder, name, nn.Identity())


class _MemoryLayer(MemoryAttentionLayer):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``MemoryAttentionLayer`` (sam2/modeling/memory_attention.py), its MLP a cacheful of tokens at a time."""

    def forward(
        self, tgt: Tensor, memory: Tensor, pos: Tensor, query_pos: Tensor, num_k_exclude_rope: int = 0
    ) -> Tensor:
        """tgt (B, N, C) and memory (B, M, D) to (B, N, C)."""
        tgt = self._forward_sa(tgt, query_pos)
        tgt = self._forward_ca(tgt, memory, query_pos, pos, num_k_exclude_rope).contiguous()
        for tokens in split_for_cache(tgt, self.dim_feedforward):
            tokens += self.linear2(self.activation(self.linear1(self.norm3(tokens))))
        return tgt


class _MemoryAttention(RoPEAttention):  # type: ignore[misc]
    """sam2's ``RoPEAttention`` (sam2/modeling/sam/transformer.py) with one head, its values mapped after the sum."""

    freqs_cis: Tensor

    def forward(self, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0) -> Tensor:
        """q (B, N, C), k and v (B, M, D) to (B, N, C); the last ``num_k_exclude_rope`` keys have no position."""
        queries, keys = self.q_proj(q), self.k_proj(k)
        if len(self.freqs_cis) != queries.shape[1]:
            side = int(queries.shape[1] ** 0.5)
            self.freqs_cis = self.compute_cis(end_x=side, end_y=side)
        _rotate(queries, self.freqs_cis)
        _rotate(keys[:, : keys.shape[1] - num_k_exclude_rope], self.freqs_cis)
        queries *= queries.shape[-1] ** -0.5
        attended = torch.stack([_attention(*qkv) for qkv in zip(queries, keys, v, strict=True)])
        result: Tensor = self.out_proj(self.v_proj(attended))
        return result


class _PackedLinear(nn.Linear):
    """A linear layer whose weights are packed at the first call, for as many rows as that has."""

    def forward(self, input: Tensor) -> Tensor:
        return operators.linear(input, self.packed(input), self.bias)

    def packed(self, input: Tensor) -> Tensor:
        """The packed weights; the plain ones are freed."""
        if "weight" in self._parameters:
            plain = self.weight.detach()
            del self.weight
            self.weight = operators.pack(plain, input.numel() // self.in_features)
        return self.weight


class _PointwiseConv(nn.Conv2d):
    """A 1x1 convolution: a linear layer where channels are last in memory, as Hiera's are."""

    def forward(self, input: Tensor) -> Tensor:
        x_nhwc = input.permute(0, 2, 3, 1)
        if not x_nhwc.is_contiguous():
            return super().forward(input)
        return operators.linear(x_nhwc, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class _CachedPositions(PositionEmbeddingSine):  # type: ignore[misc]
    """sam2's ``PositionEmbeddingSine`` (sam2/modeling/position_encoding.py), which copies its result for each frame."""

    def _pe(self, B: int, device: Any, *cache_key: int) -> Tensor:  # noqa: N803
        if cache_key not in self.cache:
            super()._pe(1, device, *cache_key)
        positions: Tensor = self.cache[cache_key].to(device)
        return positions.expand(B, -1, -1, -1)


class _FusedMLP(MLP):  # type: ignore[misc]
    """sam2's ``MLP`` (sam2/modeling/sam2_utils.py) of two layers, the GELU between them applied in the first."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) to (..., D)."""
        first, last = self.layers
        return last(operators.linear(x, first.packed(x), first.bias, "gelu"))  # type: ignore[no-any-return]


def _rotate(x: Tensor, freqs_cis: Tensor) -> None:
    """Applies the rotary encoding (N, C / 2), complex, to x (B, r N, C) in place; sam2 makes four copies."""
    tokens = torch.view_as_complex(x.view(len(x), -1, len(freqs_cis), freqs_cis.shape[1], 2))
    tokens *= freqs_cis


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ) v (N, D) for q (N, C), k (M, C) and v (M, D), a cacheful of scores at a time."""
    step = max(_QUERIES, _SCORES // len(k) // _QUERIES * _QUERIES)
    keys, values = k, v.T.contiguous()
    if step < len(q):
        keys, values = operators.pack(keys, step), operators.pack(values, step)
    rows = []
    for part in torch.split(q, step):
        scores = operators.linear(part, keys)
        rows.append(operators.linear(torch.softmax(scores, -1, out=scores), values))
    return torch.cat(rows)
