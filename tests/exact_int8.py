"""The int8 layer beside exact arithmetic. A program too, since oneDNN reads ONEDNN_MAX_CPU_ISA once in a process."""

import sys
from types import SimpleNamespace

import torch
from torch import nn

from vidseg.model.fast.int8 import quantize
from vidseg.model.fast.operators import int8_limit


def relative_error() -> float:
    """How far a layer of 256 inputs is off; inputs that a byte holds exactly, so that only weights are rounded."""
    limit = int8_limit() or 127
    random = torch.Generator().manual_seed(0)
    layer = nn.Linear(256, 64)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-127, 128, (64, 256), generator=random) / 1024)
        layer.weight[:, 0] = 127 / 1024
    bytes_nc = torch.randint(0, 256, (32, 256), generator=random)
    bytes_nc[0, :2] = torch.tensor([0, 255])
    x_nc = (bytes_nc - 40) / 64
    scale = layer.weight.detach().abs().amax() / limit
    weight = (layer.weight.detach() / scale).round().double() * scale.double()
    exact = x_nc.double() @ weight.T + layer.bias.detach().double()
    quantize(SimpleNamespace(image_encoder=nn.Sequential(layer), memory_attention=nn.Identity()))
    with torch.inference_mode():
        return float((layer(x_nc).double() - exact).abs().max() / exact.abs().max())


if __name__ == "__main__":
    sys.stdout.write(f"{int8_limit()} {relative_error()}")
