"""What the numbers of a picture mean: matrices, primaries and curves by their numbers in ITU-T H.273, and HDR made SDR.

HDR is tone-mapped once, on decoding, to what an SDR screen shows:

1. Light: PQ (SMPTE ST 2084) and HLG with its OOTF for a screen of 1,000 cd/m2, as ITU-R BT.2100 defines them. The white
   of a sheet of paper, 203 cd/m2 by ITU-R BT.2408, is 1.
2. Primaries: to BT.709, those of BT.2020 by the matrix of ITU-R BT.2407. What BT.709 can't show is clipped.
3. Highlights: below ``KNEE`` light stays as it is. Above, the largest of R, G and B rolls off towards 1 along a
   hyperbola (that of FFmpeg's ``tonemap=mobius``, for an infinite peak), and the other two with it, so that hues stay.
   Paper becomes 0.9, which is 243 of 255.
4. Code values: the curve of sRGB (IEC 61966-2-1), which SDR screens and the models' training pictures share.

Knows nothing about files.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.types import RGB16, Colour, Deep, Frame

BT709, BT601 = Colour(1, 1, 1), Colour(6, 6, 6)
SRGB = Colour(1, 1, 13)
PQ, HLG = 16, 18
LINEAR = 8
UNKNOWN = {0, 2, 3}
"""Unspecified, and reserved. As a matrix, 0 is RGB."""
BT2020, BT2020_MATRIX = 9, 9
BT2020_PQ, BT2020_HLG = Colour(BT2020_MATRIX, BT2020, PQ), Colour(BT2020_MATRIX, BT2020, HLG)
LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""By matrix, how much of red and of blue is in luma (H.273, table 4): those that FFmpeg can convert to and from."""

_D65 = (0.3127, 0.3290)
_NTSC = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
CHROMATICITIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    6: _NTSC,
    7: _NTSC,
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
"""By primaries, x and y of red, green, blue and white (H.273, table 2)."""

REFERENCE_WHITE, HLG_WHITE = 203.0, 1000.0  # cd/m2
HLG_PAPER = 0.26496
"""Light of the scene at the code of paper, 75%: (exp((0.75 - c) / a) + b) / 12 (ITU-R BT.2408, table 1)."""
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
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # of HLG (ITU-R BT.2100, table 5)
_M1, _M2 = 2610 / 16384, 2523 / 32  # of PQ (SMPTE ST 2084, 5.2)
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_GAMMAS = {4: 2.2, 5: 2.8}

Array = NDArray[Any]  # of floats


def by_size(width: int, height: int) -> Colour:
    """What players take Y'CbCr without tags for: BT.709 from 720 lines (or 1280 columns) on, below BT.601."""
    return BT709 if height >= 720 or width >= 1280 else BT601


def completed(tags: Colour, others: Colour) -> Colour:
    """``tags``, of which those that say nothing are those of ``others``."""
    return Colour(*(b if a in UNKNOWN else a for a, b in zip(tags, others, strict=True)))


def is_hdr(transfer: int) -> bool:
    """Whether this is the number of PQ or HLG."""
    return transfer in (PQ, HLG)


def linear(code: Array, transfer: int) -> Array:
    """Linear light of codes from 0 to 1, by the number of their curve; 1 is the white of paper.

    It is the light of the scene (the inverse of the curve that a camera applies), of PQ that of the screen.
    """
    if transfer == PQ:
        root = code ** (1 / _M2)
        return np.asarray((np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1) * (10000 / REFERENCE_WHITE))
    if transfer == HLG:
        return np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12) / HLG_PAPER
    if transfer == LINEAR:
        return code
    if transfer == SRGB.transfer:
        return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    if transfer in _GAMMAS:
        return np.asarray(code ** _GAMMAS[transfer])
    return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))  # BT.709, BT.601 and BT.2020


def linear_table(colour: Colour, bits: int) -> NDArray[np.float16]:
    """``linear`` of each code of 8 or 16 bits."""
    return np.asarray(linear(np.arange(2**bits) / (2**bits - 1), colour.transfer), np.float16)


def pq_codes(light_hw3: Array) -> RGB16:
    """The 16-bit picture, in PQ, of linear light in BT.2020 primaries, of which 1 is the white of paper."""
    codes: RGB16 = np.rint(_pq_code(light_hw3 * (REFERENCE_WHITE / 10000)).clip(0, 1) * 65535).astype(np.uint16)
    return codes


def in_primaries(light_hw3: Array, corners: Array | None, primaries: int) -> Array:
    """Linear light in ``primaries``, from those whose x and y are given (red, green, blue and white; None: BT.709's).

    White stays white: where the two whites differ, light is scaled in XYZ.
    """
    given = _matrix_to_xyz(CHROMATICITIES[BT709.primaries] if corners is None else corners)
    wanted = _to_xyz(primaries)
    adapted = np.diag(wanted.sum(axis=1) / given.sum(axis=1)) @ given
    return np.asarray(light_hw3 @ np.linalg.solve(wanted, adapted).T.astype(np.float32))


def in_colour(rgb_n3: NDArray[np.uint8], colour: Colour) -> NDArray[np.uint16]:
    """Colours of an SDR picture, uint8 (n, 3), as 16-bit codes of a picture in ``colour``, (n, 3).

    In SDR they have the same codes. In HDR white is that of paper, and PQ and HLG show the colour of the SDR screen.
    """
    if not is_hdr(colour.transfer):
        return rgb_n3.astype(np.uint16) * np.uint16(257)
    light = linear(rgb_n3 / 255, SRGB.transfer) @ _between(BT709.primaries, colour.primaries).T * REFERENCE_WHITE
    code = _hlg_code(light / HLG_WHITE) if colour.transfer == HLG else _pq_code(light / 10000)
    codes: NDArray[np.uint16] = np.rint(code.clip(0, 1) * 65535).astype(np.uint16)
    return codes


def _pq_code(light: Array) -> Array:
    """SMPTE ST 2084, 5.3: of light from 0 to 1, which is 10,000 cd/m2."""
    power = light.clip(0) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _hlg_code(light_n3: Array) -> Array:
    """ITU-R BT.2100, table 5: of the screen's light (n, 3) from 0 to 1; the inverse OOTF, and then the OETF."""
    luminance = np.maximum(light_n3 @ BT2020_LUMINANCE, 1e-6)[:, None]
    scene = light_n3.clip(0) * luminance ** (1 / 1.2 - 1)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), _A * np.log(np.maximum(12 * scene - _B, 1e-6)) + _C)


def _between(primaries: int, others: int) -> Array:
    """(3, 3): what linear R, G and B in ``primaries`` are multiplied by to be in ``others``."""
    return np.linalg.solve(_to_xyz(others), _to_xyz(primaries))


@cache
def _to_xyz(primaries: int) -> Array:
    """(3, 3): from linear R, G and B to CIE XYZ (SMPTE RP 177); of unknown primaries those of BT.709."""
    return _matrix_to_xyz(CHROMATICITIES.get(primaries, CHROMATICITIES[BT709.primaries]))


def _matrix_to_xyz(chromaticities: Any) -> Array:
    *corners, white = chromaticities
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in corners]).T
    x, y = white
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))


def tone_mapped(codes_3hw: NDArray[np.uint16], colour: Colour, bits: int = 8) -> NDArray[Any]:
    """SDR of 8 or 16 ``bits``, uint8 or uint16 (h, w, 3), of R'G'B' in HDR, from 0 to ``WHITE_CODE``."""
    height, width = codes_3hw.shape[1:]
    transfer, primaries = colour.transfer, _to_bt709(colour.primaries)
    sdr_hw3 = np.empty((height, width, 3), _srgb(bits).dtype)
    rows = max(1, BLOCK // (3 * width))
    for top in range(0, height, rows):
        block = codes_3hw[:, top : top + rows]
        scene = _light(transfer).take(block.reshape(3, -1), mode="clip")  # which is faster, and all are in the table
        light = primaries @ scene
        if transfer == HLG:
            light *= HLG_WHITE / REFERENCE_WHITE * (BT2020_LUMINANCE @ scene) ** np.float32(0.2)
        largest = np.maximum(light.max(axis=0), KNEE)
        light *= (1 - (1 - KNEE) ** 2 / (largest + 1 - 2 * KNEE)) / largest
        codes = _srgb(bits).take((light * SRGB_STEPS + 0.5).astype(np.intp), mode="clip")  # below 0 is not in BT.709
        sdr_hw3[top : top + rows] = cv2.merge([*codes.reshape(block.shape)])
    return sdr_hw3


def _to_bt709(primaries: int) -> NDArray[np.float32]:
    if primaries not in CHROMATICITIES or primaries == BT2020:  # HDR without primaries is in BT.2020
        return BT2020_TO_BT709
    return _between(primaries, BT709.primaries).astype(np.float32)


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """The light of each 12-bit code: of the screen for PQ, 1 is paper; of the scene for HLG, 1 is the most."""
    light = linear(np.minimum(np.arange(4096) / WHITE_CODE, 1), transfer)
    return (light * (HLG_PAPER if transfer == HLG else 1)).astype(np.float32)


@cache
def _srgb(bits: int) -> NDArray[Any]:
    """The code of 8 or 16 bits of light, which is 0 to ``SRGB_STEPS``."""
    light = np.arange(SRGB_STEPS + 1) / SRGB_STEPS
    curve: NDArray[np.float64] = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray((curve * (2**bits - 1)).round(), np.uint8 if bits == 8 else np.uint16)


def in_sdr(frame: Frame) -> Frame:
    """The frame, whose deep picture, if it is HDR, is tone-mapped to SDR of 16 bits."""
    if frame.deep is None or not is_hdr(frame.deep.colour.transfer):
        return frame
    return replace(frame, deep=Deep(sdr_of(frame.deep.rgb_hw3, frame.deep.colour, 16), SRGB))


def sdr_of(rgb_hw3: RGB16, colour: Colour, bits: int) -> NDArray[Any]:
    """``tone_mapped`` of a picture of 16 bits."""
    codes_3hw = np.moveaxis(rgb_hw3, -1, 0) * np.float32(WHITE_CODE / 65535)
    return tone_mapped(np.rint(codes_3hw).astype(np.uint16), colour, bits)
