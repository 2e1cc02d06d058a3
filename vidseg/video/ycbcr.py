"""R'G'B' as Y'CbCr: matrices, planes, and pictures for an encoder. Knows nothing about files."""

from functools import cache
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vidseg.colour import LUMA
from vidseg.types import Coded

TOP = 65535
"""The highest code of 16 bits."""
STRIP = 128
"""So many rows are converted at once: what lies between is in the processor's cache, and needs no new pages."""


class Untouched(NamedTuple):
    """What pictures with a source's pixels are made of, so that these keep the codes that the source has for them.

    R'G'B' can't hold all codes: above white, below black, and chroma that no colour has at its luma. Chroma of 4:2:0
    has such ones beside every sharp edge.

    - ``coded``: the codes of the source's frame.
    - ``picture``: the frame as R'G'B', of the dtype of the picture that is made of it.
    - ``within_hw``: above 0 where the frame may be seen, uint8 (h, w); None: everywhere. A background may have a colour
      of the frame behind it, too.
    """

    coded: Coded
    picture: NDArray[Any]
    within_hw: NDArray[np.uint8] | None

    def copy(self, strip_hw3: NDArray[Any], top: int, planes: list[NDArray[Any]]) -> bool:
        """Copies codes into ``planes`` from row ``top`` on, if ``strip_hw3`` is the frame's there and as many planes'
        pixels are; says whether it did."""
        fits = all(given.shape == plane.shape for given, plane in zip(self.coded.planes, planes, strict=True))
        box = slice(top, top + len(strip_hw3)), slice(0, strip_hw3.shape[1])
        if self.within_hw is not None or not fits or cv2.norm(strip_hw3, self.picture[box], cv2.NORM_INF):
            return False
        for given, plane in zip(self.coded.planes, planes, strict=True):
            own = _part(plane, self.picture, box)
            plane[own] = given[own]
        return True

    def restore(self, strip_hw3: NDArray[Any], top: int, planes: list[NDArray[Any]]) -> None:
        """Gives pixels of ``strip_hw3`` that are the frame's their codes in ``planes``; chroma where all of its are."""
        height, width = strip_hw3.shape[:2]
        left, right = 0, width
        if self.within_hw is not None:
            left, _, columns, _ = cv2.boundingRect(self.within_hw[top : top + height])
            left, right = left // 2 * 2, min(width, -(-(left + columns) // 2) * 2)
        if right == left:
            return
        box = slice(top, top + height), slice(left, right)
        # Of 255 thrice alone the grey is 255: 0.6 ms at 720p where cv2.inRange of a difference takes 1.3
        equal_hw3 = cv2.compare(strip_hw3[:, box[1]], self.picture[box], cv2.CMP_EQ)
        same_hw = cv2.compare(cv2.cvtColor(equal_hw3, cv2.COLOR_RGB2GRAY), 255, cv2.CMP_EQ)
        if self.within_hw is not None:
            same_hw = cv2.copyTo(same_hw, self.within_hw[box])
        for given, plane in zip(self.coded.planes, planes, strict=True):
            if given.shape == plane.shape:
                own = _part(plane, self.picture, box)
                kept_hw, size = same_hw, plane[own].shape[::-1]
                if size != same_hw.shape[::-1]:
                    kept_hw = cv2.compare(cv2.resize(same_hw, size, interpolation=cv2.INTER_AREA), 255, cv2.CMP_EQ)
                cv2.copyTo(given[own], kept_hw, plane[own])


def _part(plane: NDArray[Any], picture: NDArray[Any], box: tuple[slice, slice]) -> tuple[slice, slice]:
    """What of a plane belongs to a box of the picture with even sides."""
    tall, wide = len(picture) // len(plane), picture.shape[1] // plane.shape[1]
    rows, columns = box
    return slice(rows.start // tall, rows.stop // tall), slice(columns.start // wide, columns.stop // wide)


def to_ycbcr(rgb_hwc: NDArray[Any], matrix: int, pix_fmt: str, untouched: Untouched | None = None) -> av.VideoFrame:
    """R'G'B' or R'G'B'A, uint8 or uint16 (h, w, 3 or 4), as planar Y'CbCr in limited range by ``matrix``.

    ``matrix`` is one of ``LUMA``, ``pix_fmt`` is 4:2:0 or 4:4:4, with sides that it can halve. Chroma is the mean of
    2x2 pixels, alpha is of full range. Pixels that are those of an ``untouched`` frame, of the same matrix, have its
    codes. 8-bit 4:2:0 takes 2 ms at 720p where swscale takes 9; luma is 0.257 levels off on average, and there 0.251.
    """
    height, width, _ = rgb_hwc.shape
    image = av.VideoFrame(width, height, pix_fmt)
    bits = image.format.components[0].bits
    planes = [rows_of(plane, bits) for plane in image.planes[:3]]
    if untouched is not None and (untouched.coded.bits != bits or untouched.picture.shape != rgb_hwc.shape):
        untouched = None
    for top in range(0, height, STRIP):
        strip = rgb_hwc[top : top + STRIP]
        if untouched is not None and untouched.copy(strip, top, planes):
            continue
        _convert(_colours(strip, bits), matrix, bits, top, planes)
        if untouched is not None:
            untouched.restore(strip, top, planes)
    if len(image.planes) == 4:
        _set_alpha(image, rgb_hwc, bits)
    image.color_range = ColorRange.MPEG
    return image


def _convert(rgb_hw3: NDArray[Any], matrix: int, bits: int, top: int, planes: list[NDArray[Any]]) -> None:
    """Puts rows of a picture into ``planes`` from row ``top`` on."""
    matrix_34 = _to_ycbcr(matrix, bits, TOP if rgb_hw3.dtype == np.uint16 else 255)
    codes = chroma = cv2.transform(rgb_hw3, matrix_34)
    if (fold := rgb_hw3.shape[1] // planes[1].shape[1]) > 1:
        size = rgb_hw3.shape[1] // fold, len(rgb_hw3) // fold
        chroma = cv2.transform(cv2.resize(rgb_hw3, size, interpolation=cv2.INTER_AREA), matrix_34)
    cv2.extractChannel(codes, 0, planes[0][top : top + len(codes)])
    for number in (1, 2):
        cv2.extractChannel(chroma, number, planes[number][top // fold : top // fold + len(chroma)])


def _colours(rgb_hwc: NDArray[Any], bits: int) -> NDArray[Any]:
    """Without alpha, (h, w, 3), and of 16 bits where the codes have more than 8."""
    rgb_hw3 = rgb_hwc if rgb_hwc.shape[2] == 3 else cv2.cvtColor(rgb_hwc, cv2.COLOR_RGBA2RGB)
    return rgb_hw3.astype(np.uint16) * np.uint16(257) if bits > 8 and rgb_hw3.dtype == np.uint8 else rgb_hw3


def _set_alpha(image: av.VideoFrame, rgb_hwc: NDArray[Any], bits: int) -> None:
    """The last plane: the fourth channel, or opaque without one."""
    rows, top = rows_of(image.planes[3], bits), 2**bits - 1
    if rgb_hwc.shape[2] == 3:
        rows[:] = top
        return
    alpha_hw = cv2.extractChannel(rgb_hwc, 3)
    if alpha_hw.dtype == np.uint8:
        steps = np.rint(np.arange(256) * (top / 255)).astype(rows.dtype)
        rows[:] = alpha_hw if bits == 8 else cv2.LUT(alpha_hw, steps)
    else:
        rows[:] = alpha_hw if bits == 16 else cv2.multiply(alpha_hw, top / TOP, dtype=cv2.CV_16U)


def rows_of(plane: Any, bits: int) -> NDArray[Any]:
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
def from_ycbcr(matrix: int, bits: int, full: bool, top: int) -> NDArray[np.float64]:
    """(3, 4): what Y'CbCr of ``bits`` and 1 are multiplied by to be R'G'B' with white at ``top``."""
    forward = _to_ycbcr(matrix, bits, top)
    if full:
        ratio = (2**bits - 1) / 2 ** (bits - 8)
        forward = forward * np.array([ratio / 219, ratio / 224, ratio / 224])[:, None]
        forward[:, 3] = 0, 2 ** (bits - 1), 2 ** (bits - 1)
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]])
