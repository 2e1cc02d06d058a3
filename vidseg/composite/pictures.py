"""What outputs show of a frame: cutout, overlay, transparent, the label map, and figures with ids and prompts."""

from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Real
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.composite import marks
from vidseg.composite.deep import colours_of, deep_of, drawn, picture_of, plain, share_of
from vidseg.composite.marks import NEGATIVE, POSITIVE, colour, parse_colour
from vidseg.errors import InputError
from vidseg.measure import Box, Outlines, bounding_box, outlines
from vidseg.types import RGB, Frame, FrameMasks, Prompt

EDGE_BAND = 8
"""Around an object, so many pixels keep the frame's colours under alpha 0. What mixes neighbours most is a scaler's
kernel: Lanczos over 4:2:0 chroma at half size reaches 6 to 8 pixels."""

Present = Sequence[tuple[int, int, Box]]
"""Row in masks_nhw, id, and bounding box of each object whose mask is not empty."""


def label_map(masks: FrameMasks, present: Present | None = None) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The object id of each pixel, (h, w); 0 is background.

    Where masks overlap, the object with the largest logit has the pixel, and the first of equals. The dtype is uint8 if
    all ids fit a DAVIS PNG (1 to 254; 255 is void there), else uint16. ``present`` saves a search for the masks' boxes.
    Raises InputError for an id outside 1..65535.
    """
    for object_id in masks.object_ids:
        if not 1 <= object_id <= 65535:
            raise InputError(f"object: {object_id} can't be a label; ids are 1 to 65535 (1 to 254 in mask PNGs)")
    small = max(masks.object_ids, default=0) < 255
    labels_hw: NDArray[Any] = np.zeros(masks.masks_nhw.shape[1:], np.uint8 if small else np.uint16)
    if masks.best_hw is not None:
        np.copyto(labels_hw, np.array(masks.object_ids, labels_hw.dtype)[masks.best_hw], where=masks.masks_nhw.any(0))
        return labels_hw
    largest_hw = np.zeros(labels_hw.shape, np.float32)  # a mask is logits > 0
    for n, object_id, box in _present(masks) if present is None else present:
        logits_hw = masks.logits_nhw[n][box]
        larger = logits_hw > largest_hw[box]
        labels_hw[box][larger] = object_id
        np.copyto(largest_hw[box], logits_hw, where=larger)
    return labels_hw


def cutout(
    frame: Frame, masks: FrameMasks, *, background: object = "black", despill: object = None, deep: bool = False
) -> NDArray[Any]:
    """All objects on a plain ``background``, (h, w, 3), with the alpha that ``masks`` have.

    ``deep``: of ``frame.deep``, uint16.

    ``background`` is black, white, grey, green or blue (green and blue are chroma-key paints), ``"#rrggbb"`` or
    ``[r, g, b]``. ``despill`` as in ``transparent``. Raises InputError for anything else.
    """
    picture = picture_of(frame, deep)
    out = plain(picture.shape, parse_colour("background", background), frame.deep if deep else None)
    screen = parse_screen(despill)
    _check_sizes(frame, masks)
    inside_hw = masks.inside_hw
    if masks.alpha is None and screen is None:
        cv2.copyTo(picture, inside_hw, out)
    elif box := bounding_box(inside_hw):
        colours = _despilled(colours_of(frame, masks, box, deep), screen)
        if masks.alpha is None:
            cv2.copyTo(colours, inside_hw[box], out[box])
            return out
        share, top = cv2.merge([share_of(inside_hw[box], deep)] * 3), np.iinfo(out.dtype).max
        shown = cv2.multiply(colours, share, None, 1 / top)
        cv2.add(shown, cv2.multiply(out[box], cv2.bitwise_not(share), None, 1 / top), out[box])
    return out


def overlay(
    frame: Frame,
    masks: FrameMasks,
    *,
    opacity: object = 0.5,
    contour: object = 2,
    ids: object = False,
    deep: bool = False,
) -> NDArray[Any]:
    """The frame with each object tinted and outlined in its colour, (h, w, 3); ``deep``: of ``frame.deep``, uint16.

    - ``opacity``: of the tint, 0 to 1. Where masks overlap, a pixel has the colour of its object in ``label_map``.
    - ``contour``: width of the outline in pixels at 1280x720, 0 to 100; 0 for none. Outlines show whole masks.
    - ``ids``: whether to write each object's id above it; "names" writes its name behind it, if it has one.

    Raises InputError for an option out of range.
    """
    strength, width = _number("opacity", opacity, 1), _number("contour", contour, 100)
    if not isinstance(ids, bool) and ids != "names":
        raise InputError(f"ids: {ids!r} is none of true, false, names")
    _check_sizes(frame, masks)
    draw = partial(_mark, masks=masks, strength=strength, width=width, ids=ids)
    return drawn(deep_of(frame), draw) if deep else draw(frame.rgb_hw3)


def _mark(rgb_hw3: RGB, masks: FrameMasks, strength: float, width: float, ids: object) -> RGB:
    """A copy of an 8-bit picture with ``masks`` tinted and outlined."""
    present = _present(masks)
    labels_hw = label_map(masks, present) if len(present) > 1 else None
    out: RGB = rgb_hw3.copy()
    for n, object_id, box in present:
        inside_hw = masks.masks_nhw[n][box] if labels_hw is None else labels_hw[box] == object_id
        tint = plain(out[box].shape, colour(object_id))
        mixed = cv2.addWeighted(out[box], 1 - strength, tint, strength, 0)
        cv2.copyTo(mixed, inside_hw.view(np.uint8), out[box])
    thickness = max(1, round(width * marks.scale_of(out)))
    for n, object_id, _ in present if width else ():
        cv2.drawContours(out, _smooth(masks.outlines[n]), -1, colour(object_id), thickness, cv2.LINE_AA)
    if ids:
        _write_ids(out, masks, present, masks.names if ids == "names" else None)
    return out


def transparent(
    frame: Frame, masks: FrameMasks, *, premultiplied: object = False, despill: object = None, deep: bool = False
) -> NDArray[Any]:
    """The objects with straight (unassociated) alpha, RGBA (h, w, 4): that of ``masks``, else 255 inside any mask.

    ``deep``: of ``frame.deep``, uint16; alpha then goes up to 65535.

    Where alpha isn't 0, and ``EDGE_BAND`` pixels around, the colours are the frame's, or the foreground's of the alpha:
    chroma subsampling and scaling would bleed black into the edge. Beyond they are black, so that the background isn't
    in the file. ``premultiplied`` (associated) ones are times alpha, so that they are black where it is 0.

    ``despill`` is ``"green"`` or ``"blue"``, the screen behind the objects, whose light is taken out of them: that
    colour is at most the mean of the other two (Wright, Digital Compositing for Film and Video). Raises InputError for
    anything else.
    """
    if not isinstance(premultiplied, bool):
        raise InputError(f"premultiplied: {premultiplied!r} is not true or false")
    screen = parse_screen(despill)
    _check_sizes(frame, masks)
    inside_hw = masks.inside_hw
    out = np.zeros((*inside_hw.shape, 4), picture_of(frame, deep).dtype)
    if box := bounding_box(inside_hw, margin=EDGE_BAND):
        # A square kernel is separable: 0.2 ms at 720p; a disc takes 1.4 ms.
        band_hw = cv2.dilate(inside_hw[box], np.ones((2 * EDGE_BAND + 1, 2 * EDGE_BAND + 1), np.uint8))
        alpha_hw = share_of(cv2.multiply(inside_hw[box], 255 if masks.alpha is None else 1), deep)
        colours = _despilled(colours_of(frame, masks, box, deep), screen)
        if premultiplied:
            colours = cv2.multiply(colours, cv2.merge([alpha_hw] * 3), None, 1 / np.iinfo(out.dtype).max)
        rgba = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA)
        cv2.insertChannel(alpha_hw, rgba, 3)
        cv2.copyTo(rgba, band_hw, out[box])
    return out


def annotate(frame: Frame, masks: FrameMasks, prompts: Iterable[Prompt] = ()) -> RGB:
    """The frame with masks, contours, ids, and those of ``prompts`` that are about this frame; (h, w, 3)."""
    own = [prompt for prompt in prompts if prompt.frame_index == masks.frame_index]
    return draw_prompts(overlay(frame, masks, ids="names"), own)


def draw_prompts(rgb_hw3: RGB, prompts: Sequence[Prompt]) -> RGB:
    """A copy of the picture with all ``prompts`` on it, (h, w, 3).

    Positive points are green stars, negative ones red stars (matplotlib's ``*`` with a white edge, as in SAM-2's
    notebooks), boxes rectangles in the object's colour, and masks dashed white contours.
    """
    out = rgb_hw3.copy()
    for prompt in prompts:
        if prompt.mask_hw is not None and (box := bounding_box(prompt.mask_hw)):
            for corners in _smooth(outlines(prompt.mask_hw[box], box)):
                marks.draw_dashes(out, corners[:, 0], marks.WHITE)
        if prompt.box_xyxy is not None:
            marks.draw_box(out, prompt.box_xyxy, colour(prompt.object_id))
    for prompt in prompts:  # points last, so that nothing hides them
        if prompt.points_xy is not None and prompt.labels is not None:
            for point_xy, label in zip(prompt.points_xy, prompt.labels, strict=True):
                marks.draw_star(out, point_xy, POSITIVE if label else NEGATIVE)
    return out


def _smooth(outlines: Outlines) -> list[NDArray[np.int32]]:
    """Contours with their stairs straightened."""
    return [cv2.approxPolyDP(points, 0.8, True) if len(points) > 8 else points for points in outlines.contours]


def _number(key: str, value: object, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= high:
        raise InputError(f"{key}: {value!r} is not a number from 0 to {high}")
    return float(value)


def _check_sizes(frame: Frame, masks: FrameMasks) -> None:
    if masks.masks_nhw.shape[1:] != frame.rgb_hw3.shape[:2]:
        raise ValueError(f"masks of {masks.masks_nhw.shape[1:]} don't fit a frame of {frame.rgb_hw3.shape[:2]}")


def _present(masks: FrameMasks) -> Present:
    return [(n, masks.object_ids[n], box) for n, box in enumerate(masks.boxes) if box]


def parse_screen(despill: object) -> int | None:
    """The channel, 1 or 2, of the screen behind the objects, "green" or "blue"; None if there is none.

    Raises InputError for anything else.
    """
    if despill is None:
        return None
    if despill not in ("green", "blue"):
        raise InputError(f"despill: {despill!r} is not green or blue, the colour of the screen, or null")
    return 1 if despill == "green" else 2


def _despilled(rgb_hw3: NDArray[Any], screen: int | None) -> NDArray[Any]:
    """The picture with the channel ``screen`` at most the mean of the others; without one the picture itself."""
    if screen is None:
        return rgb_hw3
    planes = list(cv2.split(rgb_hw3))
    others = [plane for number, plane in enumerate(planes) if number != screen]
    planes[screen] = cv2.min(planes[screen], cv2.addWeighted(others[0], 0.5, others[1], 0.5, 0))
    return np.asarray(cv2.merge(planes))


def _write_ids(out: RGB, masks: FrameMasks, present: Present, names: Sequence[str | None] | None) -> None:
    """Writes each object's id, and its name if it has one, on top of its largest part."""
    labels = []
    for n, object_id, _ in present:
        corners_xy = max(_smooth(masks.outlines[n]), key=cv2.contourArea)[:, 0]
        top = int(corners_xy[:, 1].min())
        across = corners_xy[corners_xy[:, 1] <= top + 16 * marks.scale_of(out), 0]
        name = None if names is None else names[n]
        text = str(object_id) if name is None else f"{object_id} {name}"
        labels.append((text, colour(object_id), (int(across.min() + across.max()) // 2, top)))
    marks.draw_labels(out, labels)
