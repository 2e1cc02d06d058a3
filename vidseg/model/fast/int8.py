"""int8 on a CPU: weights rounded once, inputs as they come (dynamic quantisation), an opt-in.

The linear layers of Hiera and of the memory attention are 60% of a frame's time at 256 pixels. Their weights become
int8 with a scale for each output channel, their inputs uint8 with a scale and a zero for each call, sums are int32; the
rest stays float32. oneDNN does the products (the operators that torch's compiler uses for quantised models). Masks
change a little: how much is measured, not promised.
"""

from typing import Any

import torch
from torch import Tensor, nn

from vidseg.errors import InputError
from vidseg.model.sam2.upstream import MLP

_AVAILABLE = hasattr(torch.ops.onednn, "qlinear_prepack") and torch._C._has_mkldnn


def quantize(predictor: Any) -> None:
    """Makes the linear layers of the image encoder and the memory attention work like that, in place.

    Raises InputError where torch comes without oneDNN.
    """
    if not _AVAILABLE:
        raise InputError("model.quantize: int8 needs a torch with oneDNN, which this one is not; say null")
    for part in (predictor.image_encoder, predictor.memory_attention):
        for module in part.modules():
            if isinstance(module, nn.Linear):
                module.__class__ = _Int8Linear
                _pack(module)
            elif isinstance(module, MLP) and module.num_layers == 2 and type(module.act) is nn.GELU:
                module.__class__ = _Int8MLP


class _Int8Linear(nn.Linear):
    packed: Tensor
    scales: Tensor
    zeros: Tensor

    def forward(self, input: Tensor) -> Tensor:
        return _product(input, self, "none")


class _Int8MLP(MLP):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``MLP`` (sam2/modeling/sam2_utils.py) of two layers with a GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) to (..., D)."""
        first, last = self.layers
        return _product(_product(x, first, "gelu"), last, "none")


def _pack(linear: Any) -> None:
    weight = linear.weight.detach()
    linear.scales = (weight.abs().amax(1) / 127).clamp_min(1e-12)
    linear.zeros = torch.zeros(len(weight), dtype=torch.long)
    linear.packed = torch.ops.onednn.qlinear_prepack((weight / linear.scales[:, None]).round().to(torch.int8), None)


def _product(x: Tensor, linear: Any, then: str) -> Tensor:
    low, high = (float(end) for end in torch.aminmax(x))
    scale = max((max(high, 0.0) - min(low, 0.0)) / 255, 1e-12)
    zero = round(-min(low, 0.0) / scale)
    rounded = torch.add(x.new_full((), zero + 0.5), x, alpha=1 / scale).clamp_(0, 255).to(torch.uint8)
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        rounded, scale, zero, linear.packed, linear.scales, linear.zeros, linear.bias, 1.0, 0, x.dtype, then, [], "none"
    )
    return product
