"""A frame with a ruler and a grid in its own pixels, from which coordinates of points and boxes can be read."""

from collections.abc import Iterable

import cv2

from vidseg.composite import marks
from vidseg.composite.looks import LEFT_OUT, Sighting
from vidseg.composite.marks import WHITE, colour
from vidseg.types import RGB

LINES = 20
"""At most so many grid lines along the longer side: 100 pixels apart at 1280x720, 200 at 3840x2160."""
_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_ruler(rgb_hw3: RGB, sightings: Iterable[Sighting] = ()) -> RGB:
    """A copy of the picture (h, w, 3) with a ruler at its top and left, a grid, and ``sightings``, the first on top.

    It has the picture's size, so that a viewer that tells the cursor's place tells the video's pixel.
    """
    out, shown = rgb_hw3.copy(), list(sightings)
    scale = marks.scale_of(out)
    height, width = out.shape[:2]
    step = grid_step(max(height, width))
    for at in range(step, width, step):
        _draw_line(out, at, scale)
    for at in range(step, height, step):
        _draw_line(out.transpose(1, 0, 2), at, scale)
    for each in reversed(shown):
        marks.draw_box(out, each.box_xyxy, _colour(each))
    top, left = _draw_bands(out, step, scale)
    labels = []
    for each in shown:
        x0, y0, x1, _ = each.box_xyxy.tolist()
        labels.append((each.label, _colour(each), (round((x0 + x1) / 2) - left, round(y0) - top)))
    marks.draw_labels(out[top:, left:], labels)  # so that none hides the ruler
    return out


def grid_step(length: int) -> int:
    """The distance of grid lines in pixels, 1, 2 or 5 times a power of ten."""
    steps = [digit * factor for factor in (1, 10, 100, 1000, 10000) for digit in (1, 2, 5)]
    return next(step for step in steps if step * LINES >= length)


def _colour(sighting: Sighting) -> marks.Colour:
    return LEFT_OUT if sighting.object_id is None else colour(sighting.object_id)


def _draw_line(picture: RGB, at: int, scale: float) -> None:
    """A line down column ``at``, half transparent: light, and dark beside it, to be seen on any picture."""
    thickness = max(1, round(scale))
    first = at - thickness // 2
    light, dark = picture[:, first : first + thickness], picture[:, first + thickness : first + 2 * thickness]
    light[:] = light // 2 + 127
    dark[:] //= 2


def _draw_bands(picture: RGB, step: int, scale: float) -> tuple[int, int]:
    """The ruler, white on darkened bands. Returns the top one's height and the left one's width."""
    height, width = picture.shape[:2]
    size, line, tick = max(0.4, 0.55 * scale), max(1, round(scale)), max(4, round(8 * scale))
    (text_w, text_h), _ = cv2.getTextSize("0" * len(str(height)), _FONT, size, line)
    top, left = text_h + 2 * tick, text_w + 2 * tick
    picture[:top] //= 4
    picture[top:, :left] //= 4
    _draw_ticks(picture, top, left, step, tick, line)
    _draw_ticks(picture.transpose(1, 0, 2), left, top, step, tick, line)
    text_w = cv2.getTextSize("0" * len(str(width)), _FONT, size, line)[0][0]
    every = next(step * n for n in (1, 2, 5, 10, 100) if step * n >= 1.3 * text_w)
    for at in range(0, max(height, width), every):
        text_w = cv2.getTextSize(text := str(at), _FONT, size, line)[0][0]
        if max(left, text_w // 2) <= at < width:
            x = min(at - text_w // 2, width - text_w - 1)
            cv2.putText(picture, text, (x, tick // 2 + text_h), _FONT, size, WHITE, line, cv2.LINE_AA)
        if top + text_h <= at < height:
            corner = left - tick // 2 - tick - text_w, min(at + text_h // 2, height - 2)
            cv2.putText(picture, text, corner, _FONT, size, WHITE, line, cv2.LINE_AA)
    return top, left


def _draw_ticks(picture: RGB, band: int, first: int, step: int, tick: int, line: int) -> None:
    """Ticks at the lower edge of a band of so many pixels at the top, from column ``first`` on; up to ten a step."""
    small = next((step // n for n in (10, 5, 2) if step % n == 0 and step // n >= 3 * line), step)
    for at in range(0, picture.shape[1], small):
        if at >= first:
            start = at - line // 2
            picture[band - (tick if at % step == 0 else tick // 2) : band, start : start + line] = 255
