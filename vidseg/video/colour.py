"""Decoded pictures as R'G'B', in the colours that their tags say. Knows nothing about files."""

import re
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vidseg.colour import BT2020, BT2020_MATRIX, LUMA, UNKNOWN, by_size, completed, is_hdr, tone_mapped
from vidseg.types import RGB, Coded, Colour, Mastering
from vidseg.video.ycbcr import STRIP, TOP, from_ycbcr, rows_of

UNREAD_MATRICES = {8: "YCgCo", 10: "BT.2020 of constant luminance", 14: "ICtCp", 15: "IPT of Dolby Vision, profile 5"}
USUAL = {1: (1, 1), 4: (4, 4), 5: (5, 6), 6: (6, 6), 7: (7, 7), 9: (9, 14)}
"""By matrix, the primaries and the curve that go with it, for files that only say the matrix, as JPEG does. MP4 and MOV
say all three or nothing."""
PLANAR = {f"yuv{kind}{chroma}p" for kind in ("", "a", "j") for chroma in (420, 422, 444)}
"""8-bit Y'CbCr, a plane each."""
_KEPT = re.compile(r"yuva?4(20|22|44)p(10le|12le)?")
OTHER_YCBCR = {"nv12", "nv16", "nv21", "uyvy422", "yuv410p", "yuv411p", "yuv440p", "yuvj411p", "yuvj440p", "yuyv422"}
"""8-bit Y'CbCr that swscale makes planar without touching its values."""


def colour_tags(coded: Any) -> Colour:
    """The tags of a frame, or of an opened stream's codec, which has those of the container until it has decoded."""
    return Colour(coded.colorspace, coded.color_primaries, coded.color_trc)


def colour_of(image: av.VideoFrame, container: Colour) -> Colour:
    """What a decoded picture is in: by its own tags, else by those of ``container``, else by its size."""
    tags = completed(colour_tags(image), container)
    matrix = tags.matrix
    if matrix not in LUMA:
        wide = is_hdr(tags.transfer) or tags.primaries == BT2020
        matrix = BT2020_MATRIX if wide else by_size(image.width, image.height).matrix
    return completed(tags._replace(matrix=matrix), Colour(matrix, *USUAL[matrix]))


def unread_matrix(image: av.VideoFrame, container: Colour) -> str | None:
    """The matrix of a picture that is taken for another one, because FFmpeg's swscale doesn't know it; else None."""
    numbers = (colour_tags(image).matrix, container.matrix)
    matrix = next((number for number in numbers if number not in UNKNOWN), None)
    if matrix is None or matrix in LUMA or image.format.is_rgb:
        return None
    return UNREAD_MATRICES.get(matrix, f"number {matrix} of H.273")


def mastering_of(image: av.VideoFrame) -> Mastering | None:
    """HDR10's static metadata of a decoded picture (FFmpeg's libavutil/mastering_display_metadata.h)."""
    display, content = None, None
    if "MASTERING_DISPLAY_METADATA" in image.side_data:
        numbers = np.frombuffer(image.side_data["MASTERING_DISPLAY_METADATA"], np.int32)[:22]
        ratios = [int(top) / int(bottom or 1) for top, bottom in numbers[:20].reshape(10, 2)]
        red, green, blue, white = (ratios[at : at + 2] for at in (0, 2, 4, 6))
        if numbers[20:].all():  # both the primaries and the luminance are there
            corners = [round(value * 50000) for each in (green, blue, red, white) for value in each]
            display = (*corners, round(ratios[9] * 10000), round(ratios[8] * 10000))
    if "CONTENT_LIGHT_LEVEL" in image.side_data:
        most, mean = np.frombuffer(image.side_data["CONTENT_LIGHT_LEVEL"], np.uint32)[:2].tolist()
        content = (most, mean)
    return Mastering(display, content) if display or content else None


def bits_of(image: av.VideoFrame) -> int:
    """How many bits a picture's values have; 8 where more of them aren't kept, as of floats."""
    bits = max(component.bits for component in image.format.components)
    return bits if 8 < bits <= 16 else 8


def to_rgb(
    image: av.VideoFrame, width: int, height: int, colour: Colour, deep_hw3: NDArray[np.uint16] | None = None
) -> RGB:
    """A picture of ``colour`` at the given size as R'G'B', uint8 (height, width, 3); HDR as SDR in BT.709.

    ``deep_hw3`` is what ``to_deep_rgb`` made of it, if that is there already.

    swscale's 8-bit R'G'B' is 1.1 to 2.1 levels too dark. Here it is the formula's, rounded. All pixels of a value of
    chroma have that value, so that what is untouched has it again in an output.
    """
    _tag(image, colour)
    if is_hdr(colour.transfer):
        planar = image.reformat(format="gbrp12le", width=width, height=height)
        codes = (np.frombuffer(p, "<u2").reshape(height, -1)[:, :width] for p in planar.planes)
        return tone_mapped(np.stack([*codes])[[2, 0, 1]], colour)
    name = image.format.name
    if bits_of(image) > 8:
        deep_hw3 = to_deep_rgb(image, width, height, colour) if deep_hw3 is None else deep_hw3
        return np.asarray(cv2.convertScaleAbs(deep_hw3, alpha=255 / TOP))
    full = name.startswith("yuvj") or image.color_range == ColorRange.JPEG
    if name in OTHER_YCBCR or (name in PLANAR and (image.width, image.height) != (width, height)):
        image = image.reformat(format="yuvj444p" if full else "yuv444p", width=width, height=height)
    elif name not in PLANAR:  # RGB, palettes and grey
        rgb_hw3: RGB = image.to_ndarray(format="rgb24", width=width, height=height)
        return rgb_hw3
    return _planar_to_rgb(image, 8, from_ycbcr(colour.matrix, 8, full, 255))


def _planar_to_rgb(image: av.VideoFrame, bits: int, matrix_34: NDArray[np.float64]) -> NDArray[Any]:
    """Planar Y'CbCr times ``matrix_34``, uint8 or uint16, in strips: what lies between stays in the cache.

    Nor does it need new pages: at 720p and 8 bits it takes 1.2 ms, the whole picture at once with ``cv2.resize`` 6.
    """
    luma_hw, *chroma = (rows_of(plane, bits) for plane in image.planes[:3])
    height, width = luma_hw.shape
    fold = -(-height // len(chroma[0]))  # rows of pixels to a row of chroma
    rgb_hw3 = np.empty((height, width, 3), luma_hw.dtype)
    for top in range(0, height, STRIP):
        halves = (each[top // fold : (top + STRIP) // fold] for each in chroma)
        wide = [_twice(half_hw)[:, :width] if half_hw.shape[1] < width else half_hw for half_hw in halves]
        for row in range(top, min(top + fold, height)):
            rows = slice(row, top + STRIP, fold)
            codes_hw3 = cv2.merge([luma_hw[rows], *(each[: len(luma_hw[rows])] for each in wide)])
            cv2.transform(codes_hw3, matrix_34, rgb_hw3[rows])
    return rgb_hw3


def _twice(plane_hw: NDArray[Any]) -> NDArray[Any]:
    """Every pixel beside itself, (height, 2 width)."""
    return np.asarray(cv2.merge([plane_hw, plane_hw])).reshape(len(plane_hw), -1)


def to_deep_rgb(image: av.VideoFrame, width: int, height: int, colour: Colour) -> NDArray[np.uint16]:
    """A picture of more than 8 bits at the given size as R'G'B' of 16 bits, (height, width, 3), still in ``colour``.

    swscale only widens values: its 16-bit R'G'B' has white at 65283, which would be 3 levels of 10 bits. As of 8 bits,
    all pixels of a value of chroma have that value.
    """
    _tag(image, colour)
    bits = bits_of(image)
    bits = bits if bits in (10, 12, 14, 16) else 16
    if image.format.is_rgb:
        planar = image.reformat(format=f"gbrp{bits}le", width=width, height=height)
        green_blue_red = [rows_of(plane, bits) for plane in planar.planes]
        matrix_33 = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]) * (TOP / (2**bits - 1))
        return np.asarray(cv2.transform(cv2.merge(green_blue_red), matrix_33))
    shared = image.format.chroma_width(2), image.format.chroma_height(2)
    same = (image.width, image.height) == (width, height)
    kind = {(1, 1): "yuv420p", (1, 2): "yuv422p"}.get(shared, "yuv444p") if same else "yuv444p"
    # Several threads of swscale (FFmpeg 8) write 16 wrong values where their parts meet, unless 32 divides the width
    planar = image.reformat(format=f"{kind}{bits}le", width=width, height=height, threads=1)
    full = image.color_range == ColorRange.JPEG
    return _planar_to_rgb(planar, bits, from_ycbcr(colour.matrix, bits, full, TOP))


def _tag(image: av.VideoFrame, colour: Colour) -> None:
    """Has swscale know the matrix of a picture without one, or with one that it refuses (IPT)."""
    if image.colorspace not in LUMA and not image.format.is_rgb:
        image.colorspace = colour.matrix


def coded_of(image: av.VideoFrame, width: int, height: int, colour: Colour) -> Coded | None:
    """The codes of a picture of ``colour`` at the given size; None of RGB, full range, odd sides and other sizes."""
    sides = (image.width, image.height) == (width, height) and width % 2 == height % 2 == 0
    if not sides or image.color_range == ColorRange.JPEG or not _KEPT.fullmatch(image.format.name):
        return None
    bits = bits_of(image)
    luma, blue, red = (rows_of(plane, bits) for plane in image.planes[:3])
    return Coded((luma, blue, red), bits, colour)
