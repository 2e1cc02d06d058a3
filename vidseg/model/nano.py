"""The image trunk of ``model=nano``: EfficientNet-Lite0 without batch norms, under sam2's own neck, memory and heads.

Tan and Le, EfficientNet (2019), in the Lite variant of github.com/tensorflow/tpu (models/official/efficientnet/lite):
ReLU6, no squeeze and excitation. The batch norms of the published weights are folded into the convolutions, which is
exact at inference and saves a pass over every feature map. nano.yaml beside this file builds the whole model around it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of each stage: expansion, kernel, stride, channels, blocks
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM_CHANNELS = 32
_TAPS = (2, 4, 10, 15)  # the last blocks at strides 4, 8, 16 and 32


class Trunk(nn.Module):
    """Features at strides 4, 8, 16 and 32 (24, 40, 176 and 320 channels) of images (N, 3, H, W) in ImageNet's scale.

    H and W are multiples of 32. The result is a list from the finest to the coarsest, as sam2's ``FpnNeck`` takes it.
    Those at stride 16 hold the means of the finer ones too: what ImageNet's 112 keep of colour explains 0.3 of its
    variance (strides 4 and 8: 0.8), and a memory without colour takes one skater for another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channel_list = [320, 176, 40, 24]  # sam2's ImageEncoder compares it with the neck's
        self.stem = _Conv(3, _STEM_CHANNELS, 3, stride=2)
        channels, blocks = _STEM_CHANNELS, []
        for expansion, kernel, stride, out, count in _STAGES:
            for k in range(count):
                blocks.append(_Block(channels, out, expansion, kernel, stride if k == 0 else 1))
                channels = out
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of ``x``."""
        # In this layout the depthwise convolutions are 1.3 (256 pixels) to 2.3 times (320) as fast on a CPU
        x = x.contiguous(memory_format=torch.channels_last)
        x, taps = F.relu6(self.stem(x), inplace=True), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        taps[2] = torch.cat([taps[2], F.avg_pool2d(taps[1], 2), F.avg_pool2d(taps[0], 4)], 1)
        return taps


class _Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding "same", which at stride 2 adds more to the right and below."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, **more: Any) -> None:
        # At stride 2 two more than TensorFlow's: the first row and column are then one too many, and what is left is
        # exact for even sizes. Padding the input to one side would copy it first (a tenth of the trunk's time).
        super().__init__(channels, out, kernel, stride, padding=(kernel - stride) // 2 + 2 * (stride - 1), **more)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y if self.stride == (1, 1) else y[..., 1:, 1:]


class _Block(nn.Module):
    """An inverted bottleneck (Sandler et al., MobileNetV2, 2018)."""

    def __init__(self, channels: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = _Conv(channels, wide, 1) if expansion > 1 else None
        self.depthwise = _Conv(wide, wide, kernel, stride, groups=wide)
        self.project = _Conv(wide, out, 1)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return y.add_(x) if self.residual else y
