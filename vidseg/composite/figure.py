"""A frame as a figure, with masks, ids and prompts on it: for samples, trackers and notebooks."""

from collections.abc import Iterable, Sequence

from vidseg.composite import marks
from vidseg.composite.colours import NEGATIVE, POSITIVE, colour
from vidseg.composite.pictures import contours, overlay
from vidseg.measure import bounding_box
from vidseg.types import RGB, Frame, FrameMasks, Prompt


def annotate(frame: Frame, masks: FrameMasks, prompts: Iterable[Prompt] = ()) -> RGB:
    """The frame with masks, contours, ids, and those of ``prompts`` that are about this frame; (h, w, 3)."""
    own = [prompt for prompt in prompts if prompt.frame_index == masks.frame_index]
    return draw_prompts(overlay(frame, masks, ids=True), own)


def draw_prompts(rgb_hw3: RGB, prompts: Sequence[Prompt]) -> RGB:
    """A copy of the picture with all ``prompts`` on it, (h, w, 3).

    Positive points are green stars, negative ones red stars (matplotlib's ``*`` with a white edge, as in SAM-2's
    notebooks), boxes rectangles in the object's colour, and masks dashed white contours.
    """
    out = rgb_hw3.copy()
    for prompt in prompts:
        if prompt.mask_hw is not None and (box := bounding_box(prompt.mask_hw)):
            for corners in contours(prompt.mask_hw, box):
                marks.draw_dashes(out, corners[:, 0], marks.WHITE)
        if prompt.box_xyxy is not None:
            marks.draw_box(out, prompt.box_xyxy, colour(prompt.object_id))
    for prompt in prompts:  # points last, so that nothing hides them
        if prompt.points_xy is not None and prompt.labels is not None:
            for point_xy, label in zip(prompt.points_xy, prompt.labels, strict=True):
                marks.draw_star(out, point_xy, POSITIVE if label else NEGATIVE)
    return out
