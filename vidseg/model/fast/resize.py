"""PIL's bicubic filter as tensor operations: what ``Image.resize`` does to bytes, bit by bit, where the tensor is.

The arithmetic is that of Pillow's src/libImaging/Resample.c: taps in float64, normalised, then rounded to 22 bits; a
horizontal and a vertical pass in integers, each rounded and clipped to a byte (so that their order matters).
"""

import functools
import math

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from torch import Tensor

_BITS = 22  # PRECISION_BITS: 32, less 8 of a byte and 2 for what the negative taps overshoot, so that sums fit int32
_SUPPORT = 2.0  # pixels that the filter reaches to either side, at its own scale
# Pillow's pull request 9549: heights that shrink by more than twice as many pixels as widths (portrait) go first
_TALL_FIRST = int(PIL.__version__.partition(".")[0]) >= 13


def resize(bytes_chw: Tensor, height: int, width: int) -> Tensor:
    """uint8 (c, h, w) to uint8 (c, ``height``, ``width``), equal to PIL's ``resize((width, height))``.

    Some 30 kernels at 1280x720 to 1024x1024 (7 taps across, 5 down), one small picture in memory at a time.
    """
    lost_h, lost_w = bytes_chw.shape[1] - height, bytes_chw.shape[2] - width
    if _TALL_FIRST and lost_h > max(0, 2 * lost_w):
        return _resample(_resample(bytes_chw, 1, height), 2, width)
    return _resample(_resample(bytes_chw, 2, width), 1, height)


def _resample(bytes_chw: Tensor, axis: int, size: int) -> Tensor:
    if bytes_chw.shape[axis] == size:  # PIL leaves this pass out, too
        return bytes_chw
    sources_kn, weights_kn = _taps(bytes_chw.shape[axis], size, bytes_chw.device)
    shape = [*bytes_chw.shape]
    shape[axis] = size
    sum_chw = torch.full(shape, 1 << (_BITS - 1), dtype=torch.int32, device=bytes_chw.device)
    for sources_n, weights_n in zip(sources_kn, weights_kn, strict=True):
        weights = weights_n[:, None] if axis == 1 else weights_n
        sum_chw += bytes_chw.index_select(axis, sources_n) * weights
    return (sum_chw >> _BITS).clamp_(0, 255).to(torch.uint8)


@functools.lru_cache(maxsize=8)  # two for a video; some 60 kB each
def _taps(before: int, after: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which pixels of ``before`` make each of ``after``, and their weights: int32 (taps, after) both.

    ``precompute_coeffs`` and ``normalize_coeffs_8bpc`` of Resample.c. Taps beyond the edge have a weight of 0.
    """
    scale = before / after
    stretch = max(scale, 1.0)  # downscaling widens the filter, so that every pixel counts
    support = _SUPPORT * stretch
    centres_n = (np.arange(after) + 0.5) * scale
    first_n = np.maximum((centres_n - support + 0.5).astype(np.int64), 0)
    end_n = np.minimum((centres_n + support + 0.5).astype(np.int64), before)
    sources_kn = first_n + np.arange(math.ceil(support) * 2 + 1)[:, None]
    weights_kn = np.where(sources_kn < end_n, _bicubic((sources_kn - centres_n + 0.5) * (1.0 / stretch)), 0.0)
    weights_kn /= np.cumsum(weights_kn, axis=0)[-1]  # added up one by one, as a loop does
    rounded_kn = np.trunc(weights_kn * (1 << _BITS) + np.copysign(0.5, weights_kn)).astype(np.int32)
    sources_kn = np.minimum(sources_kn, before - 1).astype(np.int32)
    return torch.from_numpy(sources_kn).to(device), torch.from_numpy(rounded_kn).to(device)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' filter with a = -0.5, in the order of Resample.c's ``bicubic_filter``."""
    x = np.abs(x)
    near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
