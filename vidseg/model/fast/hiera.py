"""Hiera, sam2's image encoder, on a CPU: what a step works on stays in the cache, and padding isn't computed.

Windows: upstream pads a picture to whole windows, projects and attends to the padding, and drops what becomes of it; at
256 pixels the windows of 14 hold three times as much as the picture. But a projected zero is the bias: all padding of a
window is one key, as often as there are such places, and so log(places) on its score. Queries are the picture's alone.
"""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.model.sam2.upstream import Hiera, MultiScaleBlock, PatchEmbed, do_pool

# Of values between two layers: what is written is read again from the cache. At 1024 pixels the first blocks hold
# 100 MB between the layers of an MLP, whose products run at 90 instead of 210 GFLOP/s then.
_IN_CACHE = 3 << 19

Size = tuple[int, int]
"""Rows and columns."""
Group = tuple[int, int, int]
"""Windows of one size: how many, and their rows and columns that are in the picture."""


def hasten_hiera(trunk: Any) -> None:
    """Makes sam2's ``Hiera`` work like that, in place; any other trunk stays as it is."""
    if type(trunk) is not Hiera:
        return
    trunk.__class__, trunk.places = _Hiera, {}
    trunk.patch_embed.__class__ = _PatchEmbed
    trunk.patch_embed.proj.to(memory_format=torch.channels_last)
    for module in trunk.blocks:
        if type(module) is MultiScaleBlock and module.window_size % (module.q_stride or (1,))[0] == 0:
            module.__class__ = _Block


def some_at_a_time(x: Tensor, channels: int) -> tuple[Tensor, ...]:
    """Views (places, C) of ``x`` (..., C); ``channels`` values for each place of one stay in the cache."""
    return torch.split(x.view(-1, x.shape[-1]), max(1, _IN_CACHE // channels))


class _Hiera(Hiera):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``Hiera`` (sam2/modeling/backbones/hieradet.py), which makes the codes of places once."""

    places: dict[tuple[int, ...], Tensor]

    def _get_pos_embed(self, hw: tuple[int, int]) -> Tensor:
        if tuple(hw) not in self.places:
            self.places[tuple(hw)] = super()._get_pos_embed(hw).contiguous()
        return self.places[tuple(hw)]


class _PatchEmbed(PatchEmbed):  # type: ignore[misc]
    """sam2's ``PatchEmbed`` (sam2/modeling/backbones/utils.py), whose channels lie together as the blocks read them.

    11 instead of 48 ms at 1024 pixels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 3, H, W) to (B, H / 4, W / 4, C)."""
        embedded: Tensor = self.proj(x.contiguous(memory_format=torch.channels_last))
        return embedded.permute(0, 2, 3, 1)


class _Block(MultiScaleBlock):  # type: ignore[misc]
    """Hiera's ``MultiScaleBlock`` (sam2/modeling/backbones/hieradet.py), some rows of windows at a time."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, H, W, C) to (B, H', W', D)."""
        b, h, w, _ = x.shape
        window, stride = (self.window_size or h, self.window_size or w), self.q_stride[0] if self.q_stride else 1
        out = x.new_empty(b, h // stride, w // stride, self.dim_out)
        rows = max(1, _IN_CACHE // (3 * self.dim_out * w * window[0])) * window[0]
        for top in range(0, h, rows):
            band = x[:, top : top + rows]
            normed = self.norm1(band)
            shortcut = band if self.dim == self.dim_out else do_pool(self.proj(normed), self.pool)
            into = out[:, top // stride : (top + rows) // stride]
            torch.add(shortcut, self._attend(normed, window, stride), out=into)
        for places in some_at_a_time(out, self.mlp.layers[0].out_features):
            places += self.mlp(self.norm2(places))
        return out

    def _attend(self, x: Tensor, window: Size, stride: int) -> Tensor:
        """x (B, H, W, C) to what its windows attend to, projected, (B, H', W', D)."""
        b, h, w, c = x.shape
        order, groups = _by_window((h, w), window)
        several = window[0] < h or window[1] < w  # else a single window's order is the picture's
        places = x.view(b, h * w, c)
        if several:
            places = places.index_select(1, order)
        parts = torch.split(self.attn.qkv(places), [number * rows * columns for number, rows, columns in groups], 1)
        seen = [
            self._seen(part.reshape(-1, rows, columns, 3 * self.dim_out), window, stride).reshape(b, -1, self.dim_out)
            for part, (_, rows, columns) in zip(parts, groups, strict=True)
            if rows >= stride and columns >= stride
        ]
        projected: Tensor = self.attn.proj(torch.cat(seen, 1) if len(seen) > 1 else seen[0])
        pooled = h // stride, w // stride
        if several:
            projected = projected.index_select(1, _places(pooled, (window[0] // stride, window[1] // stride)))
        return projected.view(b, *pooled, self.dim_out)

    def _seen(self, qkv_nhwc: Tensor, window: Size, stride: int) -> Tensor:
        """What each of some windows attends to, (N, places, D), of the projections (N, H, W, 3 D) of its places."""
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
def _by_window(picture: Size, window: Size) -> tuple[Tensor, list[Group]]:
    """The places of a picture, numbered row by row, window for window, and how many windows there are of which size.

    Windows that reach beyond the picture hold what is in it.
    """
    places = torch.arange(picture[0] * picture[1]).view(picture)
    parts, groups = [], []
    for across in _whole_and_rest(picture[0], window[0]):
        for along in _whole_and_rest(picture[1], window[1]):
            inside = places[across, along]
            rows, columns = min(window[0], inside.shape[0]), min(window[1], inside.shape[1])
            number = inside.shape[0] // rows, inside.shape[1] // columns
            parts.append(inside.reshape(number[0], rows, number[1], columns).transpose(1, 2).flatten())
            groups.append((number[0] * number[1], rows, columns))
    return torch.cat(parts), groups


@cache
def _places(picture: Size, window: Size) -> Tensor:
    """Where each place of a picture stands in ``_by_window``'s order."""
    return _by_window(picture, window)[0].argsort()


def _whole_and_rest(length: int, size: int) -> list[slice]:
    whole = length // size * size
    return [each for each in (slice(0, whole), slice(whole, length)) if each.start < each.stop]
