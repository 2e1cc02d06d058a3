"""sam2's modules on a CPU, near the machine's matrix rate. Knows nothing about frames.

Attention to memories: sam2's values are a linear map of the memories, v = W m + b, and unlike the keys they carry no
rotary code. The rows of a softmax add up to one, so that softmax(q k) (W m + b) = W (softmax(q k) m) + b: 64 channels
are added up instead of 256. With seven memories at 1024 pixels this is 300 instead of 480 GFLOP a frame.

Linear layers: oneDNN's product is 1.1 to 1.6 times as fast as MKL's on an AMD EPYC (Zen 4), and applies the GELU of
Hiera's MLPs while a block is in the cache. Hiera's blocks have a module of their own.

Sums come in another order than upstream's: logits differ by some 1e-6 of their deviation.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidseg.model.fast.hiera import hasten_hiera, some_at_a_time
from vidseg.model.sam2.upstream import MLP, MemoryAttentionLayer, PositionEmbeddingSine, RoPEAttention

# Scores held at a time: 16 MiB stay in the cache from product to softmax to product (64 MiB: 1.3 times slower)
_SCORES = 4 << 20
_ROWS = 64  # of queries at least: below, the products get slow


def accelerate_cpu(predictor: Any) -> None:
    """Makes the modules of a sam2 model work like that, in place, once its weights are loaded: as their classes'
    subclasses (sam2 asks for the class)."""
    for layer in predictor.memory_attention.layers:
        layer.__class__ = _Layer
        cross = layer.cross_attn_image
        if cross.num_heads == 1 and cross.kv_in_dim < cross.internal_dim and cross.rope_k_repeat:
            cross.__class__ = _NarrowAttention
    hasten_hiera(predictor.image_encoder.trunk)
    _compose(predictor)
    for module in predictor.modules():
        if type(module) is PositionEmbeddingSine:
            module.__class__ = _Places
        elif _ONEDNN and type(module) is MLP and module.num_layers == 2 and type(module.act) is nn.GELU:
            module.__class__ = _FusedMLP
        elif _ONEDNN and type(module) is nn.Linear:
            module.__class__ = _Linear
        elif _ONEDNN and type(module) is nn.Conv2d and module.kernel_size == module.stride == (1, 1):
            module.__class__ = _PointwiseConv


def _compose(predictor: Any) -> None:
    """The finest features go through two convolutions of 1 by 1, the neck's and the mask decoder's ``conv_s0`` or
    ``conv_s1``, and nothing else reads what is between: one does, of 96 by 32 instead of 96 by 256 by 32."""
    neck, decoder = predictor.image_encoder.neck, predictor.sam_mask_decoder
    for level, name in enumerate(("conv_s0", "conv_s1") if predictor.use_high_res_features_in_sam else ()):
        lateral, after = neck.convs[-1 - level].conv, getattr(decoder, name)
        if lateral.kernel_size == after.kernel_size == (1, 1) and not {level - 1, level} & {*neck.fpn_top_down_levels}:
            both = nn.Conv2d(lateral.in_channels, after.out_channels, 1)
            first, second = lateral.weight.flatten(1).double(), after.weight.flatten(1).double()
            with torch.no_grad():
                both.weight.copy_((second @ first)[:, :, None, None])
                both.bias.copy_(second @ lateral.bias.double() + after.bias)  # type: ignore[union-attr]
            neck.convs[-1 - level].conv = both
            setattr(decoder, name, nn.Identity())


class _Layer(MemoryAttentionLayer):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``MemoryAttentionLayer`` (sam2/modeling/memory_attention.py), its MLP on some places at a time."""

    def forward(
        self, tgt: Tensor, memory: Tensor, pos: Tensor, query_pos: Tensor, num_k_exclude_rope: int = 0
    ) -> Tensor:
        """tgt (B, N, C) and memory (B, M, D) to (B, N, C)."""
        tgt = self._forward_sa(tgt, query_pos)
        tgt = self._forward_ca(tgt, memory, query_pos, pos, num_k_exclude_rope).contiguous()
        for places in some_at_a_time(tgt, self.dim_feedforward):
            places += self.linear2(self.activation(self.linear1(self.norm3(places))))
        return tgt


class _NarrowAttention(RoPEAttention):  # type: ignore[misc]
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


class _Linear(nn.Linear):
    """Its weights are brought into oneDNN's blocks at the first call, for as many rows as come then."""

    def forward(self, input: Tensor) -> Tensor:
        return _product(input, self.packed(input), self.bias)

    def packed(self, input: Tensor) -> Tensor:
        """Instead of the plain weights, which nobody reads any more."""
        if "weight" in self._parameters:
            plain = self.weight.detach()
            del self.weight
            self.weight = _packed(plain, input.numel() // self.in_features)
        return self.weight


class _PointwiseConv(nn.Conv2d):
    """1 by 1: a linear layer where the channels of a place lie together, as they come from Hiera."""

    def forward(self, input: Tensor) -> Tensor:
        places = input.permute(0, 2, 3, 1)
        if not places.is_contiguous():
            return super().forward(input)
        return _product(places, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class _Places(PositionEmbeddingSine):  # type: ignore[misc]
    """sam2's ``PositionEmbeddingSine`` (sam2/modeling/position_encoding.py), which copies its codes for each frame."""

    def _pe(self, B: int, device: Any, *cache_key: int) -> Tensor:  # noqa: N803
        if cache_key not in self.cache:
            super()._pe(1, device, *cache_key)
        codes: Tensor = self.cache[cache_key].to(device)
        return codes.expand(B, -1, -1, -1)


class _FusedMLP(MLP):  # type: ignore[misc]
    """sam2's ``MLP`` (sam2/modeling/sam2_utils.py) of two layers with a GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) to (..., D)."""
        first, last = self.layers
        hidden = torch.ops.mkldnn._linear_pointwise(x, first.packed(x), first.bias, "gelu", [], "none")
        return last(hidden)  # type: ignore[no-any-return]


def _turn(x: Tensor, codes: Tensor) -> None:
    """Rotary codes (N, C / 2), complex, on x (B, r N, C), in place; sam2 makes four copies."""
    places = torch.view_as_complex(x.view(len(x), -1, len(codes), codes.shape[1], 2))
    places *= codes


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ) v for q (N, C), k (M, C), v (M, D), some rows at a time."""
    step = max(_ROWS, _SCORES // len(k) // _ROWS * _ROWS)
    keys, values = k, v.T.contiguous()
    if step < len(q):
        keys, values = _packed(keys, step), _packed(values, step)
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
