"""Whether a prompt fits its video: the same checks for prompts from YAML and for those made in Python."""

from collections.abc import Iterable

from vidseg.errors import InputError
from vidseg.record.label_maps import VOID
from vidseg.types import Prompt, Source


def check(source: Source, prompts: Iterable[Prompt]) -> None:
    """Raises InputError for the first prompt that doesn't fit the source; see ``fitted``."""
    for prompt in prompts:
        fitted(source, prompt, f"prompt of object {prompt.object_id}: ")


def fitted(source: Source, prompt: Prompt, where: str, mask: str | None = None) -> Prompt:
    """The prompt itself, if its frame is extracted, its points and its box lie inside, and its mask has the right size.

    Otherwise raises InputError. The message begins with ``where`` and the name of the value, or with ``mask`` if it is
    about the mask.
    """
    if prompt.object_id >= VOID:
        raise InputError(f"{where}object: {prompt.object_id} is not an object id; ids go from 1 to {VOID - 1}")
    _check_frame(source, prompt.frame_index, where)
    _check_points(source, prompt, where)
    _check_mask(source, prompt, mask or f"{where}mask")
    return prompt


def _check_frame(source: Source, frame: int, where: str) -> None:
    if frame in source.frames:
        return
    first, last, total = source.frames[0], source.frames[-1], source.info.num_frames
    if total is not None and frame >= total:
        raise InputError(f"{where}frame: {frame} is beyond the last frame of {source.name}, which is {total - 1}")
    raise InputError(
        f"{where}frame: {frame} is not among the extracted frames "
        f"({first} to {last}, {len(source.frames)} of them; extract.start, extract.stop, extract.step)"
    )


def _check_points(source: Source, prompt: Prompt, where: str) -> None:
    width, height = source.info.width, source.info.height
    for x, y in [] if prompt.points_xy is None else prompt.points_xy.tolist():
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"{where}points: [{x:g}, {y:g}] lies outside the frame of {width}x{height}; "
                f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            )
    if prompt.box_xyxy is not None:
        x0, y0, x1, y1 = prompt.box_xyxy.tolist()
        if min(x0, y0) < 0 or x1 > width or y1 > height:
            raise InputError(f"{where}box: [{x0:g}, {y0:g}, {x1:g}, {y1:g}] lies outside the frame of {width}x{height}")


def _check_mask(source: Source, prompt: Prompt, mask: str) -> None:
    if prompt.mask_hw is None:
        return
    (height, width), info = prompt.mask_hw.shape, source.info
    if (width, height) != (info.width, info.height):
        raise InputError(
            f"{mask} is {width}x{height}, the video is {info.width}x{info.height}; a mask has the video's size"
        )
    if not prompt.mask_hw.any():
        raise InputError(f"{mask} is empty; it marks no pixel of the object")
