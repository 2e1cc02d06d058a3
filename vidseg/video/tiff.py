"""TIFF files. Knows nothing about frames or masks."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def encode_tiff(pixels: NDArray[Any]) -> bytes:
    """A picture, uint8 or uint16, RGB (h, w, 3) or RGBA (h, w, 4), as the content of a TIFF file, deflated.

    By FFmpeg: Pillow has no RGB of 16 bits, and OpenCV doesn't say that the fourth channel is alpha (ExtraSamples).
    """
    height, width, channels = pixels.shape
    kinds = {(3, 1): "rgb24", (4, 1): "rgba", (3, 2): "rgb48le", (4, 2): "rgba64le"}
    context: Any = av.CodecContext.create("tiff", "w")
    context.width, context.height, context.time_base = width, height, Fraction(1)
    context.pix_fmt = kinds[channels, pixels.dtype.itemsize]
    context.options = {"compression_algo": "deflate"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=context.pix_fmt)
    return b"".join(bytes(packet) for packet in context.encode(frame))
