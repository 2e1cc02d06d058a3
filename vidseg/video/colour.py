"""What the numbers of a picture mean: which Y'CbCr it is in, and HDR made SDR. Knows nothing about files.

HDR is tone-mapped once, on decoding, to what an SDR screen shows:

1. Light: PQ (SMPTE ST 2084) and HLG with its OOTF for a screen of 1,000 cd/m2, as ITU-R BT.2100 defines them. The white
   of a sheet of paper, 203 cd/m2 by ITU-R BT.2408, is 1.
2. Primaries: BT.2020 to BT.709 by the matrix of ITU-R BT.2407. What BT.709 can't show is clipped.
3. Highlights: below ``KNEE`` light stays as it is. Above, the largest of R, G and B rolls off towards 1 along a
   hyperbola (that of FFmpeg's ``tonemap=mobius``, for an infinite peak), and the other two with it, so that hues stay.
   Paper becomes 0.9, which is 243 of 255.
4. Code values: the curve of sRGB (IEC 61966-2-1), which SDR screens and the models' training pictures share.
"""

from functools import cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vidseg.types import RGB, Colour

BT709, BT601 = Colour(1, 1, 1), Colour(6, 6, 6)
PQ, HLG = 16, 18
UNKNOWN = {0, 2, 3}
"""Unspecified, and reserved. As a matrix, 0 is RGB."""
BT2020_MATRIX = 9
LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""By matrix, how much of red and of blue is in luma (H.273, table 4): those that FFmpeg can convert to and from."""

REFERENCE_WHITE, HLG_WHITE = 203.0, 1000.0  # cd/m2
KNEE = 0.8
BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
WHITE_CODE = 255 * 16
"""FFmpeg widens 8 bits to 12 by zeros. (Full range of 10 bits comes to 4092: 2 levels of the result more.)"""
SRGB_STEPS = 2**14
BLOCK = 2**16
"""So many values are tone-mapped at once: they stay in the processor's cache."""


def by_size(width: int, height: int) -> Colour:
    """What players take Y'CbCr without tags for: BT.709 from 720 lines (or 1280 columns) on, below BT.601."""
    return BT709 if height >= 720 or width >= 1280 else BT601


def colour_tags(coded: Any) -> Colour:
    """The tags of a frame, or of an opened stream's codec, which has those of the container until it has decoded."""
    return Colour(coded.colorspace, coded.color_primaries, coded.color_trc)


def colour_of(image: av.VideoFrame, container: Colour) -> Colour:
    """What a decoded picture is in: by its own tags, else by those of ``container``, else by its size."""
    tags = colour_tags(image)
    matrix, primaries, transfer = (b if a in UNKNOWN else a for a, b in zip(tags, container, strict=True))
    if matrix not in LUMA:
        matrix = BT2020_MATRIX if is_hdr(transfer) else by_size(image.width, image.height).matrix
    if matrix in (BT601.matrix, BT709.matrix):  # H.273 has the same number for the three
        primaries, transfer = (matrix if tag in UNKNOWN else tag for tag in (primaries, transfer))
    return Colour(matrix, primaries, transfer)


def is_hdr(transfer: int) -> bool:
    """Whether this is the number of PQ or HLG."""
    return transfer in (PQ, HLG)


def to_rgb(image: av.VideoFrame, width: int, height: int, colour: Colour) -> RGB:
    """A picture of ``colour`` at the given size as R'G'B', uint8 (height, width, 3); HDR as SDR in BT.709."""
    if image.colorspace in UNKNOWN and not image.format.is_rgb:
        image.colorspace = colour.matrix
    if is_hdr(colour.transfer):
        planar = image.reformat(format="gbrp12le", width=width, height=height)
        codes = (np.frombuffer(p, "<u2").reshape(height, -1)[:, :width] for p in planar.planes)
        return tone_mapped(np.stack([*codes])[[2, 0, 1]], colour.transfer)
    rgb_hw3: RGB = image.to_ndarray(format="rgb24", width=width, height=height)
    return rgb_hw3


def to_yuv420p(rgb_hw3: RGB, matrix: int) -> av.VideoFrame:
    """A picture with even sides as 8-bit Y'CbCr in limited range by ``matrix``, one of ``LUMA``; chroma is the mean of
    2x2 pixels. 4 ms at 720p where swscale takes 9; luma is 0.257 levels off on average, and there 0.251.
    """
    height, width, _ = rgb_hw3.shape
    half_hw3 = cv2.resize(rgb_hw3, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    luma_hw3, chroma_hw3 = (cv2.transform(each, _to_ycbcr(matrix)) for each in (rgb_hw3, half_hw3))
    image = av.VideoFrame(width, height, "yuv420p")
    for number, (plane, codes_hw3) in enumerate(zip(image.planes, (luma_hw3, chroma_hw3, chroma_hw3), strict=True)):
        rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        cv2.extractChannel(codes_hw3, number, rows[:, : plane.width])
    image.color_range = ColorRange.MPEG
    return image


@cache
def _to_ycbcr(matrix: int) -> NDArray[np.float64]:
    """(3, 4): what a picture's R'G'B' and 1 are multiplied by."""
    red, blue = LUMA[matrix]
    y = np.array([red, 1 - red - blue, blue])
    cb, cr = (np.array([0, 0, 1]) - y) / (2 - 2 * blue), (np.array([1, 0, 0]) - y) / (2 - 2 * red)
    return np.column_stack([np.stack([219 * y, 224 * cb, 224 * cr]) / 255, (16, 128, 128)])


def tone_mapped(codes_3hw: NDArray[np.uint16], transfer: int) -> RGB:
    """SDR, uint8 (h, w, 3), of R'G'B' in BT.2020 primaries and the curve ``transfer``, from 0 to ``WHITE_CODE``."""
    height, width = codes_3hw.shape[1:]
    sdr_hw3 = np.empty((height, width, 3), np.uint8)
    rows = max(1, BLOCK // (3 * width))
    for top in range(0, height, rows):
        block = codes_3hw[:, top : top + rows]
        scene = _light(transfer).take(block.reshape(3, -1), mode="clip")  # which is faster, and all are in the table
        light = BT2020_TO_BT709 @ scene
        if transfer == HLG:
            light *= HLG_WHITE / REFERENCE_WHITE * (BT2020_LUMINANCE @ scene) ** np.float32(0.2)
        largest = np.maximum(light.max(axis=0), KNEE)
        light *= (1 - (1 - KNEE) ** 2 / (largest + 1 - 2 * KNEE)) / largest
        codes = _srgb().take((light * SRGB_STEPS + 0.5).astype(np.intp), mode="clip")  # below 0 is not in BT.709
        sdr_hw3[top : top + rows] = cv2.merge([*codes.reshape(block.shape)])
    return sdr_hw3


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """The light of each 12-bit code: of the screen for PQ, 1 is paper; of the scene for HLG, 1 is the most."""
    code = np.minimum(np.arange(4096) / WHITE_CODE, 1)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = code ** (1 / m2)
    light: NDArray[np.float64] = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (light * 10000 / REFERENCE_WHITE).astype(np.float32)


@cache
def _srgb() -> NDArray[np.uint8]:
    """The 8-bit code of light, which is 0 to ``SRGB_STEPS``."""
    light = np.arange(SRGB_STEPS + 1) / SRGB_STEPS
    curve: NDArray[np.float64] = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (curve * 255).round().astype(np.uint8)
