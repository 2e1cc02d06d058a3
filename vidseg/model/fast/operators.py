"""Linear layers on a CPU by oneDNN's operators, which are private in torch: used only where they exist and are right.

oneDNN's product x wᵀ is 1.1 to 1.6 times as fast as MKL's on an AMD EPYC (Zen 4), and applies a GELU while a block of
the product is in the cache. Each operator is first compared with exact sums, once in a process.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_ONEDNN, _ONEDNN_INT8 = torch.ops.mkldnn, torch.ops.onednn


@cache
def linear_works(onednn: Any = _ONEDNN) -> bool:
    """Whether the float32 operators in ``onednn`` exist, run on this CPU and are right."""
    random = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=random) for shape in ((2, 3, 64), (48, 64), (48,)))
    product = F.linear(x.double(), weight.double())
    try:
        packed = onednn._reorder_linear_weight(weight, 6)
        plain = onednn._linear_pointwise(x, packed, None, "none", [], "none")
        fused = onednn._linear_pointwise(x, weight, bias, "gelu", [], "none")
    except Exception:  # AttributeError if torch lacks one, RuntimeError if it can't run here
        return False
    pairs = ((plain, product), (fused, F.gelu(product + bias)))
    return all(torch.allclose(ours.double(), exact, rtol=0, atol=1e-4) for ours, exact in pairs)


def pack(weight: Tensor, rows: int) -> Tensor:
    """Brings a weight (D, C) into the order in which ``linear`` reads it fastest, for inputs of ``rows`` rows."""
    packed: Tensor = _ONEDNN._reorder_linear_weight(weight, rows) if linear_works() else weight
    return packed


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = "none") -> Tensor:
    """x (..., C) and a weight (D, C), packed or not, to (..., D); ``activation`` is "none" or "gelu"."""
    if linear_works():
        fused: Tensor = _ONEDNN._linear_pointwise(x, weight, bias, activation, [], "none")
        return fused
    product = F.linear(x, weight, bias)
    return F.gelu(product) if activation == "gelu" else product


@cache
def int8_limit(onednn: Any = _ONEDNN_INT8) -> int | None:
    """The largest weight that ``int8_linear`` multiplies exactly on this CPU: 127, 63, or None if it never does.

    Without VNNI, x86 adds pairs of products in 16 bits, which saturate: 255 * 127 * 2 > 32767 > 255 * 63 * 2.
    """
    x = torch.full((32, 256), 255, dtype=torch.uint8)
    signs = torch.ones(64, 256)
    signs[1::2] = -1
    for limit in (127, 63):
        weight = (limit * signs).to(torch.int8)
        exact = 0.5 * F.linear(x.double() - 2, weight.double())
        try:
            ours = int8_linear(x, 0.5, 2, int8_pack(weight, onednn), torch.ones(64), None, "none", onednn)
        except Exception:  # as above
            return None
        if torch.allclose(ours.double(), exact, rtol=1e-6, atol=0):
            return limit
    return None


def int8_pack(weight: Tensor, onednn: Any = _ONEDNN_INT8) -> Tensor:
    """Brings an int8 weight (D, C) into the order in which ``int8_linear`` reads it."""
    packed: Tensor = onednn.qlinear_prepack(weight, None)
    return packed


def int8_linear(
    x: Tensor, scale: float, zero: int, packed: Tensor, scales: Tensor, bias: Tensor | None, activation: str,
    onednn: Any = _ONEDNN_INT8,
) -> Tensor:  # fmt: skip
    """scale (x - zero), uint8 (..., C), times a packed int8 weight with ``scales`` (D,), to float32 (..., D)."""
    zeros = torch.zeros(len(scales), dtype=torch.long)
    product: Tensor = onednn.qlinear_pointwise(
        x, scale, zero, packed, scales, zeros, bias, 1.0, 0, torch.float32, activation, [], "none"
    )
    return product
