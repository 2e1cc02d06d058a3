"""The image trunk of ``model=nano``: EfficientNet-Lite0 without batch norms, under sam2's own neck, memory and heads.

Tan and Le, EfficientNet (2019), in the Lite variant of github.com/tensorflow/tpu (models/official/efficientnet/lite):
ReLU6, no squeeze and excitation. The batch norms of the published weights are folded into the convolutions, which is
exact at inference and saves a pass over every feature map. nano.yaml beside this file builds the whole model around it.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of each stage: expansion, kernel, stride, channels, blocks
_STAGES = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)
_STEM_CHANNELS = 32
_TAPS = (0, 2, 4, 10, 15)  # the last blocks at strides 2, 4, 8, 16 and 32 of what they see, which is half as fine


class Trunk(nn.Module):
    """Features at strides 4, 8 and 16 (16, 32 and 128 channels) of images (N, 3, H, W) in ImageNet's scale.

    H and W are multiples of 64. The result is a list from the finest to the coarsest, as sam2's ``FpnNeck`` takes it.
    EfficientNet runs on the picture at half its size; its features are merged with finer ones on the way back up, and
    the finest also see the picture in full. So memories have 28 by 28 cells for the time of an input of 224 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channel_list = [128, 32, 16]  # sam2's ImageEncoder compares it with the neck's
        self.stem = _Conv(3, _STEM_CHANNELS, 3, stride=2)
        channels, blocks = _STEM_CHANNELS, []
        for expansion, kernel, stride, out, count in _STAGES:
            for k in range(count):
                blocks.append(_Block(channels, out, expansion, kernel, stride if k == 0 else 1))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.edges = nn.Conv2d(3, 16, 4, stride=4)
        self.up32 = _Merge(112, 320, 128)
        self.up16 = _Merge(40 + 24, 128, 128, hidden=64, mixes=2)
        self.up8 = _Merge(24, 128, 32, hidden=32, mixes=1)
        self.up4 = _Merge(16 + 16, 32, 16, hidden=16, mixes=1)
        self.norm = nn.LayerNorm(128)  # without it the features grew forty times as large in training

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of ``x``."""
        # In this layout the depthwise convolutions are 1.3 (256 pixels) to 2.3 times (320) as fast on a CPU
        x = x.contiguous(memory_format=torch.channels_last)
        edges, taps = F.relu6(self.edges(x), inplace=True), []
        x = F.relu6(self.stem(F.avg_pool2d(x, 2)), inplace=True)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        # Channels 40 + 24 explain 0.8 of the variance of colour (red or blue against green), ImageNet's 112 deep ones
        # 0.3; and a memory without colour takes one skater for another
        colourful = torch.cat([taps[2], F.avg_pool2d(taps[1], 2)], 1)
        coarse = self.up16(colourful, self.up32(taps[3], taps[4]))
        middle = self.up8(taps[1], coarse)
        normed = self.norm(coarse.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return [self.up4(torch.cat([taps[0], edges], 1), middle), middle, normed]


class _Merge(nn.Module):
    """Adds features of twice the stride to finer ones; then ``mixes`` bottlenecks of 3 by 3."""

    def __init__(self, own: int, above: int, out: int, hidden: int = 0, mixes: int = 0) -> None:
        super().__init__()
        self.own = nn.Conv2d(own, out, 1)
        self.above = nn.Conv2d(above, out, 1, bias=False)
        self.mixes = nn.ModuleList(_Mix(out, hidden) for _ in range(mixes))

    def forward(self, x: Tensor, above: Tensor) -> Tensor:
        """x (N, own, H, W) and above (N, above, H / 2, W / 2) to (N, out, H, W)."""
        y: Tensor = self.own(x) + F.interpolate(self.above(above), size=x.shape[-2:], mode="bilinear")
        for mix in self.mixes:
            y = y + mix(y)
        return y


class _Mix(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.look = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.widen = nn.Conv2d(hidden, channels, 1)

    def forward(self, y: Tensor) -> Tensor:
        y = F.relu6(self.look(F.relu6(self.reduce(y), inplace=True)), inplace=True)
        return self.widen(y)  # type: ignore[no-any-return]


class Details:
    """The activation of sam2's mask decoder, which makes two, one after either upscaling: GELU, and two convolutions.

    In sam2 the decoder's pixels at strides 8 and 4 don't see their neighbours; its encoder is large enough to have put
    what they need into the features.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        self._channels = iter(list(channels))

    def __call__(self) -> nn.Module:
        """The next of the two."""
        return _Detail(next(self._channels))


class _Detail(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(x)
        result: Tensor = (x + self.second(F.relu(self.first(x), inplace=True))).contiguous()
        return result


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
