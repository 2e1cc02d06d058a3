"""TIFF files. Knows nothing about frames or masks."""

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

EXTRA_SAMPLES, ASSOCIATED = 338, 1  # the tag that says what a fourth channel is; colours are times it


def encode_tiff(pixels: NDArray[Any], premultiplied: bool = False) -> bytes:
    """A picture, uint8 or uint16, RGB (h, w, 3) or RGBA (h, w, 4), as the content of a TIFF file, deflated.

    Its alpha is marked as unassociated, or as associated if colours are ``premultiplied``.
    By FFmpeg: Pillow has no RGB of 16 bits, and OpenCV doesn't say that the fourth channel is alpha (ExtraSamples).
    """
    height, width, channels = pixels.shape
    kinds = {(3, 1): "rgb24", (4, 1): "rgba", (3, 2): "rgb48le", (4, 2): "rgba64le"}
    context: Any = av.CodecContext.create("tiff", "w")
    context.width, context.height, context.time_base = width, height, Fraction(1)
    context.pix_fmt = kinds[channels, pixels.dtype.itemsize]
    context.options = {"compression_algo": "deflate"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=context.pix_fmt)
    content = bytearray(b"".join(bytes(packet) for packet in context.encode(frame)))
    if premultiplied:  # FFmpeg says "unassociated" of every alpha
        _set(content, EXTRA_SAMPLES, ASSOCIATED)
    return bytes(content)


def _set(content: bytearray, tag: int, value: int) -> None:
    """Changes a tag's one SHORT in a little-endian TIFF of one picture (TIFF 6.0, section 2)."""
    (first,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, first)
    for entry in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, entry) == (tag,):
            struct.pack_into("<H", content, entry + 8, value)
