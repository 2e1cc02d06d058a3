"""int8 on a CPU, an opt-in: weights are rounded once, inputs at every call (dynamic quantisation).

The linear layers of Hiera and of the memory attention are 60% of a frame's time at 256 pixels. Their weights become
int8 with a scale for each output channel, their inputs uint8 with a scale and a zero for each call; sums are int32, all
else stays float32. oneDNN computes the products, as in models that torch's compiler quantises.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from vidseg.errors import InputError
from vidseg.model.fast import operators
from vidseg.model.sam2.upstream import MLP

logger = logging.getLogger(__name__)


def quantize(predictor: Any) -> None:
    """Quantises the linear layers of the image encoder and the memory attention, in place.

    A CPU whose sums of products saturate gets weights of 7 instead of 8 bits, and a warning. Raises InputError where
    oneDNN's operators are missing or wrong.
    """
    limit = operators.int8_limit()
    if limit is None:
        raise InputError("model.quantize: int8 needs a torch with oneDNN that multiplies int8 here; say null")
    if limit < 127:
        logger.warning("model.quantize=int8: this CPU lacks VNNI, weights get 7 bits instead of 8; masks change more")
    for part in (predictor.image_encoder, predictor.memory_attention):
        for module in part.modules():
            if isinstance(module, nn.Linear):
                module.__class__ = _Int8Linear
                _quantize_weight(module, limit)
            elif isinstance(module, MLP) and module.num_layers == 2 and type(module.act) is nn.GELU:
                module.__class__ = _Int8MLP


class _Int8Linear(nn.Linear):
    packed: Tensor
    scales: Tensor

    def forward(self, input: Tensor) -> Tensor:
        return _linear(input, self)


class _Int8MLP(MLP):  # type: ignore[misc]  # sam2 has no types
    """sam2's ``MLP`` (sam2/modeling/sam2_utils.py) of two layers with a GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) to (..., D)."""
        first, last = self.layers
        return _linear(_linear(x, first, "gelu"), last)


def _quantize_weight(layer: Any, limit: int) -> None:
    weight = layer.weight.detach()
    layer.scales = (weight.abs().amax(1) / limit).clamp_min(1e-12)
    layer.packed = operators.int8_pack((weight / layer.scales[:, None]).round().to(torch.int8))


def _linear(x: Tensor, layer: Any, activation: str = "none") -> Tensor:
    low, high = (float(end) for end in torch.aminmax(x))
    scale = max((max(high, 0.0) - min(low, 0.0)) / 255, 1e-12)
    zero = round(-min(low, 0.0) / scale)
    rounded = torch.add(x.new_full((), zero + 0.5), x, alpha=1 / scale).clamp_(0, 255).to(torch.uint8)
    return operators.int8_linear(rounded, scale, zero, layer.packed, layer.scales, layer.bias, activation)
