"""Hiera, sam2's image encoder, in float32 on a CPU: values stay in the cache between layers; no padding is computed.

Upstream pads an image to whole windows, projects the padding, attends to it, and drops its outputs; at 256 pixels the
windows of 14x14 tokens hold three times as many tokens as the image. But a padded token is zero, and its projection is
the bias: so the n padded tokens of a window are one key here, with log(n) added to its score. Only tokens of the image
are queries.
"""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.sam2.upstream import Hiera, MultiScaleBlock, PatchEmbed, do_pool

# Values between two layers, 6 MiB: the second layer reads them from the cache. At 1024 pixels the first blocks hold
# 100 MB between the layers of an MLP, whose products run at 90 instead of 210 GFLOP/s then.
CACHED_VALUES = 3 << 19

Size = tuple[int, int]  # rows and columns, of tokens
Group = tuple[int, int, int]  # windows of one size: how many, and the rows and columns of them that lie in the image


def accelerate_hiera(trunk: Any) -> None:
    """Makes sam2's ``Hiera`` faster, in place; any other trunk stays as it is."""
    if type(trunk) is not Hiera:
        return
    trunk.__class__, trunk.positions = _Hiera, {}
    trunk.patch_embed.__class__ = _PatchEmbed
    trunk.patch_embed.proj.to(memory_format=torch.channels_last)
    for module in trunk.blocks:
        if type(module) is MultiScaleBlock and module.window_size % (module.q_stride or (1,))[0] == 0:
            module.__class__ = CachedBlock


def split_for_cache(x: Tensor, channels: int) -> tuple[Tensor, ...]:
    """Views (tokens, C) of ``x`` (..., C), as many tokens as the cache holds with ``channels`` values each."""
    return torch.split(x.view(-1, x.shape[-1]), max(1, CACHED_VALUES // channels))


class _Hiera(Hiera):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``Hiera`` (sam2/modeling/backbones/hieradet.py), which interpolates its positional embedding once."""

    positions: dict[tuple[int, ...], Tensor]

    def _get_pos_embed(self, hw: tuple[int, int]) -> Tensor:
        if tuple(hw) not in self.positions:
            self.positions[tuple(hw)] = super()._get_pos_embed(hw).contiguous()
        return self.positions[tuple(hw)]


class _PatchEmbed(PatchEmbed):  # type: ignore[misc]
    """sam2's ``PatchEmbed`` (sam2/modeling/backbones/utils.py) with channels last in memory, as the blocks read them.

    11 instead of 48 ms at 1024 pixels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 3, H, W) to (B, H / 4, W / 4, C)."""
        embedded: Tensor = self.proj(x.contiguous(memory_format=torch.channels_last))
        return embedded.permute(0, 2, 3, 1)


class CachedBlock(MultiScaleBlock):  # type: ignore[misc]
    """Hiera's ``MultiScaleBlock`` (sam2/modeling/backbones/hieradet.py), a cacheful of rows at a time."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, H, W, C) to (B, H', W', D)."""
        b, h, w, _ = x.shape
        window, stride = (self.window_size or h, self.window_size or w), self.q_stride[0] if self.q_stride else 1
        out = x.new_empty(b, h // stride, w // stride, self.dim_out)
        rows = max(1, CACHED_VALUES // (3 * self.dim_out * w * window[0])) * window[0]
        for top in range(0, h, rows):
            band = x[:, top : top + rows]
            normed = self.norm1(band)
            shortcut = band if self.dim == self.dim_out else do_pool(self.proj(normed), self.pool)
            into = out[:, top // stride : (top + rows) // stride]
            torch.add(shortcut, self._attention(normed, window, stride), out=into)
        for tokens in split_for_cache(out, self.mlp.layers[0].out_features):
            tokens += self.mlp(self.norm2(tokens))
        return out

    def _attention(self, x: Tensor, window: Size, stride: int) -> Tensor:
        """x (B, H, W, C) through attention in windows and its projection, to (B, H', W', D)."""
        b, h, w, c = x.shape
        order, groups = window_order((h, w), window)
        windowed = window[0] < h or window[1] < w  # else the order of one window is that of the image
        tokens = x.view(b, h * w, c)
        if windowed:
            tokens = tokens.index_select(1, order)
        parts = torch.split(self.attn.qkv(tokens), [number * rows * columns for number, rows, columns in groups], 1)
        attended = [
            self._attend(part.reshape(-1, rows, columns, 3 * self.dim_out), window, stride).reshape(b, -1, self.dim_out)
            for part, (_, rows, columns) in zip(parts, groups, strict=True)
            if rows >= stride and columns >= stride
        ]
        projected: Tensor = self.attn.proj(torch.cat(attended, 1) if len(attended) > 1 else attended[0])
        pooled = h // stride, w // stride
        if windowed:
            projected = projected.index_select(1, image_order(pooled, (window[0] // stride, window[1] // stride)))
        return projected.view(b, *pooled, self.dim_out)

    def _attend(self, qkv_nhwc: Tensor, window: Size, stride: int) -> Tensor:
        """Attention in each of N windows: its tokens' projections (N, H, W, 3 D) to (N, tokens, heads, D / heads)."""
        n, rows, columns, _ = qkv_nhwc.shape
        heads = self.attn.num_heads
        q, k, v = qkv_nhwc.view(n, rows * columns, 3, heads, -1).permute(2, 0, 3, 1, 4)
        if stride > 1:
            pooled = do_pool(qkv_nhwc[..., : self.dim_out], self.pool)
            q = pooled.reshape(n, -1, heads, self.dim_out // heads).transpose(1, 2)
        mask = None
        if padding := window[0] * window[1] - rows * columns:
            _, bias_k, bias_v = self.attn.qkv.bias.view(3, heads, 1, -1).expand(n, -1, -1, -1, -1).transpose(0, 1)
            k, v = torch.cat([k, bias_k], 2), torch.cat([v, bias_v], 2)
            mask = F.pad(q.new_zeros(q.shape[2], rows * columns), (0, 1), value=math.log(padding))
        return F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2)


@cache
def window_order(image: Size, window: Size) -> tuple[Tensor, list[Group]]:
    """The tokens of an image, numbered row by row, in the order of their windows; and how many windows have which size.

    A window that reaches beyond the image holds only the tokens that lie in it.
    """
    numbers = torch.arange(image[0] * image[1]).view(image)
    parts, groups = [], []
    for across in _whole_and_rest(image[0], window[0]):
        for along in _whole_and_rest(image[1], window[1]):
            inside = numbers[across, along]
            rows, columns = min(window[0], inside.shape[0]), min(window[1], inside.shape[1])
            number = inside.shape[0] // rows, inside.shape[1] // columns
            parts.append(inside.reshape(number[0], rows, number[1], columns).transpose(1, 2).flatten())
            groups.append((number[0] * number[1], rows, columns))
    return torch.cat(parts), groups


@cache
def image_order(image: Size, window: Size) -> Tensor:
    """The position of every token of an image, taken row by row, in ``window_order``."""
    return window_order(image, window)[0].argsort()


def _whole_and_rest(length: int, size: int) -> list[slice]:
    """The part of an axis that whole windows cover, and the part that a cut one covers, where there are any."""
    whole = length // size * size
    return [part for part in (slice(0, whole), slice(whole, length)) if part.start < part.stop]
