"""Pictures of more than 8 bits: what is drawn in colours of an SDR screen comes into ``Frame.deep``'s own."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.colour import in_colour, is_hdr, sdr_of
from vidseg.composite.marks import Colour
from vidseg.measure import Box
from vidseg.types import RGB, RGB16, Deep, Frame, FrameMasks


def deep_of(frame: Frame) -> Deep:
    """The deep picture of a frame. Raises ValueError if it has none."""
    if frame.deep is None:
        raise ValueError(f"frame {frame.index} has 8 bits: no deep picture can be made of it")
    return frame.deep


def picture_of(frame: Frame, deep: bool) -> NDArray[Any]:
    """The frame's picture (h, w, 3), uint8 or, if ``deep``, uint16."""
    return deep_of(frame).rgb_hw3 if deep else frame.rgb_hw3


def colours_of(frame: Frame, masks: FrameMasks, box: Box, deep: bool) -> NDArray[Any]:
    """The colours that the objects have in a ``box``, (h, w, 3)."""
    alpha = masks.alpha
    if alpha is None or alpha.foreground_hw3 is None:
        return picture_of(frame, deep)[box]
    foreground_hw3 = alpha.foreground_hw3[box]
    if not deep:
        return foreground_hw3
    if alpha.deep is None:
        return _recoloured(deep_of(frame), box, frame.rgb_hw3[box], foreground_hw3)
    part_hw3, colour = alpha.deep.rgb_hw3[box], alpha.deep.colour
    return part_hw3 if colour == deep_of(frame).colour else sdr_of(part_hw3, colour, 16)  # of a frame made SDR since


def guide_of(frame: Frame, box: Box) -> RGB:
    """The picture in a ``box`` that tells where edges are, uint8 (h, w, 3): of an HDR frame its own codes, if it has
    them.

    Highlights are rolled off in its SDR. Of light mixed by true alpha, 20 to 1,500 cd/m2, ``matte=edge`` in PQ has a
    third to a half less error by its codes, in HLG up to a half.
    """
    if frame.deep is None or not is_hdr(frame.deep.colour.transfer):
        return frame.rgb_hw3[box]
    return np.asarray(cv2.convertScaleAbs(frame.deep.rgb_hw3[box], alpha=1 / 257), np.uint8)


def share_of(alpha_hw: NDArray[np.uint8], deep: bool) -> NDArray[Any]:
    """Alpha of 8 bits at the depth of the picture."""
    return np.asarray(cv2.multiply(alpha_hw, 257, dtype=cv2.CV_16U)) if deep else alpha_hw


def plain(shape: tuple[int, ...], fill: Colour, deep: Deep | None = None) -> NDArray[Any]:
    """A picture of one colour, (h, w, 3): uint8, or uint16 in the colours of ``deep``.

    OpenCV fills it 50 times faster than ``out[:] = fill``.
    """
    value = fill if deep is None else in_colour(np.array([fill], np.uint8), deep.colour)[0].tolist()
    out: NDArray[Any] = np.empty(shape, np.uint8 if deep is None else np.uint16)
    cv2.rectangle(out, (0, 0), (out.shape[1], out.shape[0]), value, cv2.FILLED)
    return out


def drawn(deep: Deep, draw: Callable[[RGB], RGB]) -> RGB16:
    """A copy of a deep picture with what ``draw`` draws on a picture of 8 bits; pixels without a mark are as they were.

    OpenCV draws smooth edges in 8 bits only. Marks are seen on black and on white: what is the same on both hides the
    picture, what differs by 255 leaves it, and all between is mixed, in code values as 8-bit pictures are.
    """
    shape = deep.rgb_hw3.shape
    black, white = draw(np.zeros(shape, np.uint8)), draw(np.full(shape, 255, np.uint8))
    through_hw3 = cv2.absdiff(white, black)
    reds_hw, greens_hw, _ = cv2.split(through_hw3)
    at = np.flatnonzero(cv2.min(reds_hw, greens_hw) < 255)
    on_black = black.reshape(-1, 3).take(at, axis=0)
    red, green, blue = through_hw3.reshape(-1, 3).take(at, axis=0).astype(np.uint16).T
    kept = ((red + green + blue) * np.float32(1 / 765))[:, None]
    colours = np.rint(on_black / np.maximum(1 - kept, np.float32(1 / 255))).clip(0, 255).astype(np.uint8)
    out = deep.rgb_hw3.copy()
    pixels = out.reshape(-1, 3)
    codes = _each_once(colours, deep).astype(np.float32)
    pixels[at] = np.rint(codes + kept * (pixels.take(at, axis=0) - codes)).astype(np.uint16)
    return out


def _recoloured(deep: Deep, box: Box, before_hw3: RGB, after_hw3: RGB) -> RGB16:
    """The part of a deep picture in ``box``, changed as its picture of 8 bits was, which had the two parts as given.

    What is added to a pixel is the difference of the two colours in those of the deep picture, so that one that wasn't
    changed keeps all its bits.
    """
    out: RGB16 = deep.rgb_hw3[box].copy()
    changed_hw = (before_hw3 != after_hw3).any(axis=2)
    change = _each_once(after_hw3[changed_hw], deep).astype(np.int32) - _each_once(before_hw3[changed_hw], deep)
    out[changed_hw] = (out[changed_hw] + change).clip(0, 65535).astype(np.uint16)
    return out


def _each_once(colours_n3: RGB, deep: Deep) -> RGB16:
    """``in_colour`` for pixels that have few colours."""
    if not is_hdr(deep.colour.transfer):
        return in_colour(colours_n3, deep.colour)
    packed = colours_n3.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, where = np.unique(packed, return_inverse=True)
    few = np.stack([found >> 16, found >> 8 & 255, found & 255], 1).astype(np.uint8)
    codes: RGB16 = in_colour(few, deep.colour)[where]
    return codes
