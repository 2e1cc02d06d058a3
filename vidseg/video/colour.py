"""Pictures between FFmpeg's pixel formats and R'G'B', in the colours that their tags say. Knows nothing about files."""

from functools import cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vidseg.colour import BT2020, BT2020_MATRIX, LUMA, UNKNOWN, by_size, is_hdr, tone_mapped
from vidseg.types import RGB, Colour, Mastering

TOP = 65535
"""The highest code of 16 bits."""
UNREAD_MATRICES = {8: "YCgCo", 10: "BT.2020 of constant luminance", 14: "ICtCp", 15: "IPT of Dolby Vision, profile 5"}
STRIP = 128
"""So many rows are converted at once: what lies between is in the processor's cache, and needs no new pages."""
USUAL = {1: (1, 1), 4: (4, 4), 5: (5, 6), 6: (6, 6), 7: (7, 7), 9: (9, 14)}
"""By matrix, the primaries and the curve that go with it, for files that only say the matrix, as JPEG does. MP4 and MOV
say all three or nothing."""
PLANAR = {f"yuv{kind}{chroma}p" for kind in ("", "a", "j") for chroma in (420, 422, 444)}
"""8-bit Y'CbCr, a plane each."""
OTHER_YCBCR = {"nv12", "nv16", "nv21", "uyvy422", "yuv410p", "yuv411p", "yuv440p", "yuvj411p", "yuvj440p", "yuyv422"}
"""8-bit Y'CbCr that swscale makes planar without touching its values."""


def colour_tags(coded: Any) -> Colour:
    """The tags of a frame, or of an opened stream's codec, which has those of the container until it has decoded."""
    return Colour(coded.colorspace, coded.color_primaries, coded.color_trc)


def colour_of(image: av.VideoFrame, container: Colour) -> Colour:
    """What a decoded picture is in: by its own tags, else by those of ``container``, else by its size."""
    tags = colour_tags(image)
    matrix, primaries, transfer = (b if a in UNKNOWN else a for a, b in zip(tags, container, strict=True))
    if matrix not in LUMA:
        wide = is_hdr(transfer) or primaries == BT2020
        matrix = BT2020_MATRIX if wide else by_size(image.width, image.height).matrix
    primaries, transfer = (b if a in UNKNOWN else a for a, b in zip((primaries, transfer), USUAL[matrix], strict=True))
    return Colour(matrix, primaries, transfer)


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


def to_rgb(image: av.VideoFrame, width: int, height: int, colour: Colour) -> RGB:
    """A picture of ``colour`` at the given size as R'G'B', uint8 (height, width, 3); HDR as SDR in BT.709.

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
        return np.asarray(cv2.convertScaleAbs(to_deep_rgb(image, width, height, colour), alpha=255 / TOP))
    full = name.startswith("yuvj") or image.color_range == ColorRange.JPEG
    if name in OTHER_YCBCR or (name in PLANAR and (image.width, image.height) != (width, height)):
        image = image.reformat(format="yuvj444p" if full else "yuv444p", width=width, height=height)
    elif name not in PLANAR:  # RGB, palettes and grey
        rgb_hw3: RGB = image.to_ndarray(format="rgb24", width=width, height=height)
        return rgb_hw3
    return _planar_to_rgb(image, 8, _from_ycbcr(colour.matrix, 8, full, 255))


def _planar_to_rgb(image: av.VideoFrame, bits: int, matrix_34: NDArray[np.float64]) -> NDArray[Any]:
    """Planar Y'CbCr times ``matrix_34``, uint8 or uint16, in strips: what lies between stays in the cache.

    Nor does it need new pages: at 720p and 8 bits it takes 1.2 ms, the whole picture at once with ``cv2.resize`` 6.
    """
    luma_hw, *chroma = (_rows(plane, bits) for plane in image.planes[:3])
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
        green_blue_red = [_rows(plane, bits) for plane in planar.planes]
        matrix_33 = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]) * (TOP / (2**bits - 1))
        return np.asarray(cv2.transform(cv2.merge(green_blue_red), matrix_33))
    shared = image.format.chroma_width(2), image.format.chroma_height(2)
    same = (image.width, image.height) == (width, height)
    kind = {(1, 1): "yuv420p", (1, 2): "yuv422p"}.get(shared, "yuv444p") if same else "yuv444p"
    # Several threads of swscale (FFmpeg 8) write 16 wrong values where their parts meet, unless 32 divides the width
    planar = image.reformat(format=f"{kind}{bits}le", width=width, height=height, threads=1)
    full = image.color_range == ColorRange.JPEG
    return _planar_to_rgb(planar, bits, _from_ycbcr(colour.matrix, bits, full, TOP))


def _tag(image: av.VideoFrame, colour: Colour) -> None:
    """Has swscale know the matrix of a picture without one, or with one that it refuses (IPT)."""
    if image.colorspace not in LUMA and not image.format.is_rgb:
        image.colorspace = colour.matrix


def to_ycbcr(rgb_hwc: NDArray[Any], matrix: int, pix_fmt: str) -> av.VideoFrame:
    """R'G'B' or R'G'B'A, uint8 or uint16 (h, w, 3 or 4), as planar Y'CbCr in limited range by ``matrix``.

    ``matrix`` is one of ``LUMA``, ``pix_fmt`` is 4:2:0 or 4:4:4, with sides that it can halve. Chroma is the mean of
    2x2 pixels, alpha is of full range. 8-bit 4:2:0 takes 4 ms at 720p where swscale takes 9; luma is 0.257 levels off
    on average, and there 0.251.
    """
    height, width, _ = rgb_hwc.shape
    image = av.VideoFrame(width, height, pix_fmt)
    bits = image.format.components[0].bits
    planes = [_rows(plane, bits) for plane in image.planes]
    fold = width // planes[1].shape[1]
    for top in range(0, height, STRIP):
        rgb_hw3 = _colours(rgb_hwc[top : top + STRIP], bits)
        matrix_34 = _to_ycbcr(matrix, bits, TOP if rgb_hw3.dtype == np.uint16 else 255)
        codes = chroma = cv2.transform(rgb_hw3, matrix_34)
        if fold > 1:
            size = width // fold, len(rgb_hw3) // fold
            chroma = cv2.transform(cv2.resize(rgb_hw3, size, interpolation=cv2.INTER_AREA), matrix_34)
        cv2.extractChannel(codes, 0, planes[0][top : top + STRIP])
        for number in (1, 2):
            cv2.extractChannel(chroma, number, planes[number][top // fold : (top + STRIP) // fold])
    if len(image.planes) == 4:
        _set_alpha(image, rgb_hwc, bits)
    image.color_range = ColorRange.MPEG
    return image


def _colours(rgb_hwc: NDArray[Any], bits: int) -> NDArray[Any]:
    """Without alpha, (h, w, 3), and of 16 bits where the codes have more than 8."""
    rgb_hw3 = rgb_hwc if rgb_hwc.shape[2] == 3 else cv2.cvtColor(rgb_hwc, cv2.COLOR_RGBA2RGB)
    return rgb_hw3.astype(np.uint16) * np.uint16(257) if bits > 8 and rgb_hw3.dtype == np.uint8 else rgb_hw3


def _set_alpha(image: av.VideoFrame, rgb_hwc: NDArray[Any], bits: int) -> None:
    """The last plane: the fourth channel, or opaque without one."""
    rows, top = _rows(image.planes[3], bits), 2**bits - 1
    if rgb_hwc.shape[2] == 3:
        rows[:] = top
        return
    alpha_hw = cv2.extractChannel(rgb_hwc, 3)
    if alpha_hw.dtype == np.uint8:
        steps = np.rint(np.arange(256) * (top / 255)).astype(rows.dtype)
        rows[:] = alpha_hw if bits == 8 else cv2.LUT(alpha_hw, steps)
    else:
        rows[:] = alpha_hw if bits == 16 else cv2.multiply(alpha_hw, top / TOP, dtype=cv2.CV_16U)


def _rows(plane: Any, bits: int) -> NDArray[Any]:
    """The pixels of a plane, to be written to."""
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    rows: NDArray[Any] = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
    return rows[:, : plane.width]


@cache
def _to_ycbcr(matrix: int, bits: int, top: int) -> NDArray[np.float64]:
    """(3, 4): what a picture's R'G'B', whose white is ``top``, and 1 are multiplied by."""
    red, blue = LUMA[matrix]
    y = np.array([red, 1 - red - blue, blue])
    cb, cr = (np.array([0, 0, 1]) - y) / (2 - 2 * blue), (np.array([1, 0, 0]) - y) / (2 - 2 * red)
    levels = 2 ** (bits - 8)
    rows = np.stack([219 * y, 224 * cb, 224 * cr]) / top
    matrix_34: NDArray[np.float64] = levels * np.column_stack([rows, (16, 128, 128)])
    return matrix_34


@cache
def _from_ycbcr(matrix: int, bits: int, full: bool, top: int) -> NDArray[np.float64]:
    """(3, 4): what Y'CbCr of ``bits`` and 1 are multiplied by to be R'G'B' with white at ``top``."""
    forward = _to_ycbcr(matrix, bits, top)
    if full:
        ratio = (2**bits - 1) / 2 ** (bits - 8)
        forward = forward * np.array([ratio / 219, ratio / 224, ratio / 224])[:, None]
        forward[:, 3] = 0, 2 ** (bits - 1), 2 ** (bits - 1)
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]])
