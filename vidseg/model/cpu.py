"""sam2's modules on a CPU, near the machine's matrix rate. Knows nothing about frames.

Attention to memories: sam2's values are a linear map of the memories, v = W m + b, and unlike the keys they carry no
rotary code. The rows of a softmax add up to one, so that softmax(q k) (W m + b) = W (softmax(q k) m) + b: 64 channels
are added up instead of 256. With seven memories at 1024 pixels this is 300 instead of 480 GFLOP a frame.

Linear layers: oneDNN's product is 1.1 to 1.6 times as fast as MKL's on an AMD EPYC (Zen 4), and applies the GELU of
Hiera's MLPs while a block is in the cache. Hiera's windows: only what is in the picture is projected; at 256 pixels the
windows of 14 hold three times as much.

Sums come in another order than upstream's: logits differ by some 1e-6 of their deviation.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidseg.model.upstream import MLP, MultiScaleBlock, RoPEAttention, do_pool

# Scores held at a time: 16 MiB stay in the cache from product to softmax to product (64 MiB: 1.3 times slower)
_SCORES = 4 << 20
_ROWS = 64  # of queries at least: below, the products get slow


def hasten(predictor: Any) -> None:
    """Makes the modules of a sam2 model work like that, in place: with their weights and names, and as their classes'
    subclasses (sam2 asks for the class)."""
    for layer in predictor.memory_attention.layers:
        cross = layer.cross_attn_image
        if cross.num_heads == 1 and cross.kv_in_dim < cross.internal_dim and cross.rope_k_repeat:
            cross.__class__ = _NarrowAttention
    for module in predictor.image_encoder.modules():
        if type(module) is MultiScaleBlock:
            module.__class__ = _Block
        elif _ONEDNN and type(module) is MLP and module.num_layers == 2 and type(module.act) is nn.GELU:
            module.__class__ = _FusedMLP
    for module in predictor.modules():
        if _ONEDNN and type(module) is nn.Linear:
            module.__class__ = _Linear


class _NarrowAttention(RoPEAttention):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``RoPEAttention`` (sam2/modeling/sam/transformer.py) with one head."""

    freqs_cis: Tensor

    def forward(self, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0) -> Tensor:
        """q (B, N, C), k and v (B, M, D) to (B, N, C); the last ``num_k_exclude_rope`` keys have no place."""
        queries, keys = self.q_proj(q), self.k_proj(k)
        if len(self.freqs_cis) != queries.shape[1]:
            side = int(queries.shape[1] ** 0.5)
            self.freqs_cis = self.compute_cis(end_x=side, end_y=side)
        _turn(queries, self.freqs_cis)
        _turn(keys[:, : keys.shape[1] - num_k_exclude_rope], self.freqs_cis)
        queries *= queries.shape[-1] ** -0.5
        seen = torch.stack([_attend(*each) for each in zip(queries, keys, v, strict=True)])
        result: Tensor = self.out_proj(self.v_proj(seen))
        return result


class _Block(MultiScaleBlock):  # type: ignore[misc]
    """Hiera's ``MultiScaleBlock`` (sam2/modeling/backbones/hieradet.py), whose windows are padded after the projection.

    What stands in the padding is known: upstream projects zeros to the bias, and drops what becomes of them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (B, H, W, C) to (B, H', W', D)."""
        shortcut, x = x, self.norm1(x)
        if self.dim != self.dim_out:
            shortcut = do_pool(self.proj(x), self.pool)
        x = shortcut + self.attn.proj(self._attend(self.attn.qkv(x), shortcut.shape[1:3]))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]

    def _attend(self, qkv: Tensor, out_hw: Sequence[int]) -> Tensor:
        """Projections (B, H, W, 3 D) to what is attended to, (B, ``*out_hw``, D)."""
        b, h, w, _ = qkv.shape
        size = self.window_size or h
        rows, columns = -(-h // size), -(-w // size)
        if (rows * size, columns * size) != (h, w):
            padded = self.attn.qkv.bias.expand(b, rows * size, columns * size, -1).clone()
            padded[:, :h, :w] = qkv
            qkv = padded
        windows = qkv.view(b, rows, size, columns, size, 3, self.attn.num_heads, -1)
        q, k, v = windows.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(
            3, -1, self.attn.num_heads, size * size, windows.shape[-1]
        )
        if self.pool:
            q, size = self.pool(q.transpose(2, 3).flatten(0, 1).unflatten(2, (size, size))), size // self.q_stride[0]
            q = q.flatten(2).unflatten(0, (-1, self.attn.num_heads)).transpose(2, 3)
        seen = F.scaled_dot_product_attention(q, k, v).view(b, rows, columns, self.attn.num_heads, size, size, -1)
        seen = seen.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, rows * size, columns * size, -1)
        return seen[:, : out_hw[0], : out_hw[1]]


class _Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return _product(input, self.weight, self.bias)


class _FusedMLP(MLP):  # type: ignore[misc]
    """sam2's ``MLP`` (sam2/modeling/sam2_utils.py) of two layers with a GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) to (..., D)."""
        first, last = self.layers
        hidden = torch.ops.mkldnn._linear_pointwise(x, first.weight, first.bias, "gelu", [], "none")
        return _product(hidden, last.weight, last.bias)


def _turn(x: Tensor, codes: Tensor) -> None:
    """Rotary codes (N, C / 2), complex, on x (B, r N, C), in place; sam2 makes four copies."""
    places = torch.view_as_complex(x.view(len(x), -1, len(codes), codes.shape[1], 2))
    places *= codes


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ) v for q (N, C), k (M, C), v (M, D), some rows at a time."""
    step = max(_ROWS, _SCORES // len(k) // _ROWS * _ROWS)
    keys, values = _packed(k, step), _packed(v.T.contiguous(), step)
    rows = []
    for part in torch.split(q, step):
        scores = _product(part, keys)
        rows.append(_product(torch.softmax(scores, -1, out=scores), values))
    return torch.cat(rows)


# oneDNN's product x wᵀ: 1.2 times as fast as torch.mm (MKL) on the shapes here, on an AMD EPYC (Zen 4)
_ONEDNN = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _packed(weight: Tensor, rows: int) -> Tensor:
    if not _ONEDNN:
        return weight
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if not _ONEDNN:
        return F.linear(x, weight, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product
