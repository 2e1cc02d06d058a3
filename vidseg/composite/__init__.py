"""Frames and masks into pictures: cutout, overlay, transparent, and the annotated samples.

Pure functions on one frame: uint8 RGB in, a new uint8 array out, inputs untouched. Options arrive as they stand in YAML
and are checked here. This module knows nothing about files, codecs, videos or trackers.

Colours are drawn at full strength along the contour and mixed into the picture inside it; stars, boxes and labels are
vidseg.composite.marks'.
"""

import colorsys
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.composite import marks
from vidseg.errors import InputError
from vidseg.composite.marks import Colour
from vidseg.types import RGB, Frame, FrameMasks, Prompt

if TYPE_CHECKING:
    from PIL.Image import Image

Window = tuple[slice, slice]

# "green" and "blue" are the studios' chroma-key paints (Pantone 354 C and 2728 C), which spill less into the object's
# edge through 4:2:0 chroma than a pure green; where a keyer wants that one, say background="#00ff00".
BACKGROUNDS: dict[str, Colour] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "green": (0, 177, 64),
    "blue": (0, 71, 187),
}
# Object 1 is the blue of SAM-2's own notebooks; the others follow so that neighbours in number differ in hue.
_FIRST_COLOURS: tuple[Colour, ...] = (
    (30, 144, 255),
    (255, 127, 14),
    (46, 204, 113),
    (233, 30, 140),
    (255, 214, 10),
    (155, 89, 255),
    (0, 210, 211),
    (239, 68, 68),
    (163, 230, 53),
    (200, 125, 70),
)
# Straight alpha: this many pixels of the source stay around an object, under alpha 0. The widest thing that mixes
# neighbours is a scaler's kernel (Lanczos over 4:2:0 chroma at half size reaches 6 to 8 pixels).
EDGE_BAND = 8
POSITIVE: Colour = (0, 190, 70)
NEGATIVE: Colour = (235, 30, 30)


def _voc_palette() -> NDArray[np.uint8]:
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    return palette


# Pascal VOC's colour map (VOCdevkit, VOClabelcolormap.m), which DAVIS took over: (256, 3) uint8, for label PNGs.
PALETTE = _voc_palette()


def colour(object_id: int) -> Colour:
    """The RGB in which an object is drawn: the same for an id in every video, bright, and unlike its neighbours'.

    Ten chosen colours for objects 1 to 10, then hues a golden angle apart. (``PALETTE`` is for label maps on disk: its
    dark reds and greens don't stand out on pictures.)
    """
    if 1 <= object_id <= len(_FIRST_COLOURS):
        return _FIRST_COLOURS[object_id - 1]
    hue = object_id * 0.6180339887 % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.65, 0.95)[object_id % 2], (1.0, 0.8, 0.9)[object_id % 3])
    return round(255 * red), round(255 * green), round(255 * blue)


def label_map(masks: FrameMasks) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The object id of every pixel, (h, w); 0 is background. Where masks overlap the larger logit wins, then the first.

    uint8 where every id fits a DAVIS PNG, that is 1 to 254 (255 is void there); uint16 where one doesn't, so that a
    writer sees it by the dtype. Raises InputError for an id outside 1..65535.
    """
    return _label_map(masks, [_window(mask_hw) for mask_hw in masks.masks_nhw])


def cutout(frame: Frame, masks: FrameMasks, *, background: object = "black") -> RGB:
    """All objects on one colour, (h, w, 3).

    ``background`` is a name (black, white, grey, green, blue: the last two are chroma-key paints), ``"#rrggbb"`` or
    ``[r, g, b]``; anything else raises InputError.
    """
    fill = parse_colour("background", background)
    out: RGB = np.empty(frame.rgb_hw3.shape, np.uint8)
    cv2.rectangle(out, (0, 0), (out.shape[1], out.shape[0]), fill, cv2.FILLED)  # 50 times faster than out[:] = fill
    cv2.copyTo(frame.rgb_hw3, _union(frame, masks), out)
    return out


def overlay(frame: Frame, masks: FrameMasks, *, opacity: object = 0.5, contour: object = 2, ids: object = False) -> RGB:
    """The frame with every object tinted and outlined in its colour, (h, w, 3).

    ``opacity`` of the tint is 0 to 1; ``contour`` is the line's width in pixels at 1280x720, 0 for none; ``ids`` writes
    each object's number above it. A pixel in several masks has the tint that ``label_map`` gives it, while each
    contour follows its whole mask. Raises InputError for options out of range.
    """
    strength = _number("opacity", opacity, 0, 1)
    width = _number("contour", contour, 0, 100)
    if not isinstance(ids, bool):
        raise InputError(f"ids: {ids!r} is neither true nor false")
    _check_sizes(frame, masks)
    windows = [_window(mask_hw) for mask_hw in masks.masks_nhw]
    out = _tinted(frame, masks, windows, strength)
    for object_id, mask_hw, window in zip(masks.object_ids, masks.masks_nhw, windows, strict=True):
        if window and width:
            thickness = max(1, round(width * marks.scale_of(out)))
            cv2.drawContours(out, _contours(mask_hw, window), -1, colour(object_id), thickness, cv2.LINE_AA)
    if ids:
        _label_objects(out, masks, windows)
    return out


def transparent(frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
    """The objects with straight (unassociated) alpha, (h, w, 4): 255 inside any mask, 0 outside.

    The colours of the source are kept inside and ``EDGE_BAND`` pixels around, so that chroma subsampling and scaling
    don't bleed black into the edge; beyond is black, so that the background doesn't travel in the file.
    """
    union_hw = _union(frame, masks)
    out = np.zeros((*union_hw.shape, 4), np.uint8)
    if window := _window(union_hw, margin=EDGE_BAND):
        # A square kernel is separable: 0.2 ms at 720p where a disc takes 1.4.
        band_hw = cv2.dilate(union_hw[window], np.ones((2 * EDGE_BAND + 1, 2 * EDGE_BAND + 1), np.uint8))
        rgba = cv2.cvtColor(frame.rgb_hw3[window], cv2.COLOR_RGB2RGBA)
        cv2.insertChannel(cv2.multiply(union_hw[window], 255), rgba, 3)
        cv2.copyTo(rgba, band_hw, out[window])
    return out


def annotate(frame: Frame | RGB, masks: FrameMasks, prompts: Iterable[Prompt] = ()) -> RGB:
    """The frame as a figure, (h, w, 3): masks, contours and ids, and what the user said about this frame.

    Of ``prompts`` those of ``masks.frame_index`` are drawn: positive points as green stars, negative ones as red stars
    (matplotlib's ``*`` with a white edge, as in SAM-2's notebooks), boxes as rectangles in the object's colour, masks
    as dashed white contours. ``frame`` may be a bare uint8 (h, w, 3) array.
    """
    if not isinstance(frame, Frame):
        frame = Frame(masks.frame_index, 0.0, frame)
    said = [prompt for prompt in prompts if prompt.frame_index == masks.frame_index]
    return draw_prompts(overlay(frame, masks, ids=True), said)


def draw_prompts(rgb_hw3: RGB, prompts: Sequence[Prompt]) -> RGB:
    """The picture with every one of ``prompts`` drawn on it, as ``annotate`` describes; (h, w, 3)."""
    out = rgb_hw3.copy()
    for prompt in prompts:
        if prompt.mask_hw is not None and (window := _window(prompt.mask_hw)):
            for points in _contours(prompt.mask_hw, window):
                marks.draw_dashes(out, points[:, 0], marks.WHITE)
        if prompt.box_xyxy is not None:
            marks.draw_box(out, prompt.box_xyxy, colour(prompt.object_id))
    for prompt in prompts:  # points last: nothing hides a click
        if prompt.points_xy is not None and prompt.labels is not None:
            for point_xy, label in zip(prompt.points_xy, prompt.labels, strict=True):
                marks.draw_star(out, point_xy, POSITIVE if label else NEGATIVE)
    return out


def show(frame: Frame | RGB, masks: FrameMasks, prompts: Iterable[Prompt] = ()) -> "Image":
    """What ``annotate`` draws, as a PIL image, which a notebook displays by itself."""
    from PIL import Image

    return Image.fromarray(annotate(frame, masks, prompts))


def mix(picture: RGB, tint: Colour, strength: float) -> RGB:
    """The picture (h, w, 3) under a tint of ``strength`` 0 to 1, rounded as OpenCV does; each byte for itself."""
    plain: RGB = np.empty(picture.shape, np.uint8)
    cv2.rectangle(plain, (0, 0), (plain.shape[1], plain.shape[0]), tint, cv2.FILLED)
    mixed: RGB = cv2.addWeighted(picture, 1 - strength, plain, strength, 0)
    return mixed


def parse_colour(key: str, value: object) -> Colour:
    """RGB from YAML: a name of ``BACKGROUNDS``, ``"#rrggbb"`` or ``[r, g, b]``. Raises InputError naming it ``key``."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text in BACKGROUNDS:
            return BACKGROUNDS[text]
        digits = text.removeprefix("#")
        if len(text) == 7 and len(digits) == 6 and all(digit in "0123456789abcdef" for digit in digits):
            return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    elif isinstance(value, Sequence) and len(value) == 3:
        red, green, blue = value
        if all(type(level) is int and 0 <= level <= 255 for level in (red, green, blue)):
            return red, green, blue
    names = ", ".join(BACKGROUNDS)
    raise InputError(
        f'{key}: {value!r} is not a colour; say one of {names}, "#rrggbb", or [r, g, b] with 0 to 255 each'
    )


def _number(key: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise InputError(f"{key}: {value!r} is not a number from {low} to {high}")
    return float(value)


def _check_sizes(frame: Frame, masks: FrameMasks) -> None:
    if masks.masks_nhw.shape[1:] != frame.rgb_hw3.shape[:2]:
        raise ValueError(f"masks of {masks.masks_nhw.shape[1:]} don't fit a frame of {frame.rgb_hw3.shape[:2]}")


def _label_map(masks: FrameMasks, windows: Sequence[Window | None]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    for object_id in masks.object_ids:
        if not 1 <= object_id <= 65535:
            raise InputError(f"object: {object_id} can't be a label; ids are 1 to 65535 (1 to 254 in mask PNGs)")
    small = max(masks.object_ids, default=0) < 255
    labels_hw: NDArray[Any] = np.zeros(masks.masks_nhw.shape[1:], np.uint8 if small else np.uint16)
    if masks.best_hw is not None:
        np.copyto(labels_hw, np.array(masks.object_ids, labels_hw.dtype)[masks.best_hw], where=masks.masks_nhw.any(0))
        return labels_hw
    best_hw = np.zeros(labels_hw.shape, np.float32)  # a mask is logits > 0
    for object_id, window, logits_hw in zip(masks.object_ids, windows, masks.logits_nhw, strict=True):
        if window:
            wins = logits_hw[window] > best_hw[window]
            labels_hw[window][wins] = object_id
            np.copyto(best_hw[window], logits_hw[window], where=wins)
    return labels_hw


def _union(frame: Frame, masks: FrameMasks) -> NDArray[np.uint8]:
    """1 inside any mask, (h, w) uint8. Not to be written to: with one object it is the mask itself."""
    _check_sizes(frame, masks)
    parts_nhw: NDArray[np.uint8] = masks.masks_nhw.view(np.uint8)
    if len(parts_nhw) == 1:
        only_hw: NDArray[np.uint8] = parts_nhw[0]
        return only_hw
    union_hw = np.zeros(parts_nhw.shape[1:], np.uint8)
    for part_hw in parts_nhw:
        cv2.bitwise_or(union_hw, part_hw, union_hw)
    return union_hw


def _window(mask_hw: NDArray[Any], margin: int = 0) -> Window | None:
    """The rows and columns that hold all of a mask, ``margin`` wider where the picture allows; None of an empty one."""
    x, y, width, height = cv2.boundingRect(mask_hw.view(np.uint8))
    if not width:
        return None
    return slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)


def _tinted(frame: Frame, masks: FrameMasks, windows: Sequence[Window | None], strength: float) -> RGB:
    out: RGB = frame.rgb_hw3.copy()
    labels_hw = _label_map(masks, windows) if sum(window is not None for window in windows) > 1 else None
    for object_id, mask_hw, window in zip(masks.object_ids, masks.masks_nhw, windows, strict=True):
        if window:
            inside_hw = mask_hw[window] if labels_hw is None else labels_hw[window] == object_id
            cv2.copyTo(mix(out[window], colour(object_id), strength), inside_hw.view(np.uint8), out[window])
    return out


def _contours(mask_hw: NDArray[np.bool_], window: Window) -> list[NDArray[np.int32]]:
    """Outer and inner contours of a mask in the picture's pixels, the stairs of slanted edges straightened."""
    offset = (window[1].start, window[0].start)
    found, _ = cv2.findContours(mask_hw[window].view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    return [cv2.approxPolyDP(points, 0.8, True) if len(points) > 8 else points for points in found]


def _label_objects(out: RGB, masks: FrameMasks, windows: Sequence[Window | None]) -> None:
    """Each object's number on top of its largest part."""
    labels = []
    for object_id, mask_hw, window in zip(masks.object_ids, masks.masks_nhw, windows, strict=True):
        if window:
            corners_xy = max(_contours(mask_hw, window), key=cv2.contourArea)[:, 0]
            top = int(corners_xy[:, 1].min())
            across = corners_xy[corners_xy[:, 1] <= top + 16 * marks.scale_of(out), 0]
            labels.append((str(object_id), colour(object_id), (int(across.min() + across.max()) // 2, top)))
    marks.draw_labels(out, labels)
