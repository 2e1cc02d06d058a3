"""``vidseg.show``: a frame with what is known about it, for a notebook."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidseg import coordinates
from vidseg.api.compose import Prompts, as_prompts
from vidseg.composite import draw_prompts, overlay
from vidseg.errors import InputError
from vidseg.types import RGB, Frame, FrameMasks

if TYPE_CHECKING:
    from PIL.Image import Image


def show(
    frame: Frame | RGB,
    masks: FrameMasks | Mapping[int, NDArray[Any]] | NDArray[Any] | None = None,
    prompts: Prompts = (),
) -> "Image":
    """A frame with masks, their contours and ids, and prompts on it: a PIL image, which a notebook displays.

    - ``frame``: a Frame, or a picture alone, uint8 (height, width, 3) in RGB.
    - ``masks``: a FrameMasks; masks by object id, such as ``run.masks()[0]``; one mask (height, width), or those of
      objects 1 to n (n, height, width), bool or integers; or None.
    - ``prompts``: those of this frame are drawn. All are if neither ``frame`` nor ``masks`` has a frame's number.

    Raises InputError for another dtype or shape, and for masks of another size than the frame.
    """
    index = masks.frame_index if isinstance(masks, FrameMasks) else frame.index if isinstance(frame, Frame) else None
    picture = frame if isinstance(frame, Frame) else Frame(index or 0, 0.0, np.asarray(frame))
    rgb_hw3 = picture.rgb_hw3 if masks is None else overlay(picture, as_masks(picture, masks), ids=True)
    own = [prompt for prompt in as_prompts(prompts) or () if index in (None, prompt.frame_index)]
    from PIL import Image

    return Image.fromarray(draw_prompts(rgb_hw3, own))


def as_masks(frame: Frame, given: FrameMasks | Mapping[int, NDArray[Any]] | NDArray[Any]) -> FrameMasks:
    """Masks in any form that ``show`` takes, as FrameMasks with logits of 1 and -1."""
    if isinstance(given, FrameMasks):
        return given
    if not isinstance(given, Mapping):
        array = np.asarray(given)
        given = dict(enumerate(array if array.ndim > 2 else array[None], start=1))
    height, width = frame.rgb_hw3.shape[:2]
    ids = tuple(sorted(given))
    logits_nhw = np.full((len(ids), height, width), -1, np.float32)
    for row, object_id in enumerate(ids):
        mask_hw = coordinates.mask(f"masks: object {object_id}", given[object_id])
        if mask_hw.shape != (height, width):
            size = f"{mask_hw.shape[1]}x{mask_hw.shape[0]}"
            raise InputError(f"masks: object {object_id} is {size}, the frame is {width}x{height}")
        logits_nhw[row][mask_hw] = 1
    return FrameMasks(frame.index, ids, logits_nhw)
