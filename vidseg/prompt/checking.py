"""The checks of a prompt that need the video: its frame, its points and its box, the size of its mask."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from vidseg import coordinates
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.prompt.frames import frame_of, shown_at, why_missing
from vidseg.record.object_ids import VOID
from vidseg.types import Prompt, Source

log = logging.getLogger(__name__)


def check(source: Source, prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """The prompts, with boxes clipped that reach beyond the frame by less than a pixel.

    Raises InputError for the first one that doesn't fit the source: in frame, points, box or mask. Warns of one whose
    coordinates are all between 0 and 1.
    """
    fitted = tuple(_fitted(source, prompt, f"prompt of object {prompt.object_id}: ") for prompt in prompts)
    _check_objects(fitted)
    for prompt in fitted:
        if _looks_relative(source, prompt):
            log.warning(
                "prompt of object %d: its coordinates are all between 0 and 1; they are taken as pixels, from 0 to %d "
                "and %d, not as shares of the frame", prompt.object_id, source.info.width - 1, source.info.height - 1,
            )  # fmt: skip
    return fitted


def _check_objects(prompts: Iterable[Prompt]) -> None:
    """Raises InputError for an object of two names or two ends, and for a prompt after its object's end."""
    for key in ("name", "until"):
        known: dict[int, object] = {}
        for prompt in prompts:
            value = getattr(prompt, key)
            if value is not None and known.setdefault(prompt.object_id, value) != value:
                first = known[prompt.object_id]
                raise InputError(f"prompt of object {prompt.object_id}: {key}: {first} and {value}; an object has one")
    for prompt in prompts:  # `known` is of until
        end = known.get(prompt.object_id)
        if isinstance(end, int) and prompt.frame_index > end:
            where = f"prompt of object {prompt.object_id}: frame: {prompt.frame_index}"
            raise InputError(f"{where} is after {end}, until which the object is followed")


def _looks_relative(source: Source, prompt: Prompt) -> bool:
    """Whether points and box seem to be shares of the frame. Corner pixels such as [1, 0] may be meant as they are."""
    given = [array.ravel() for array in (prompt.points_xy, prompt.box_xyxy) if array is not None]
    if not given or max(source.info.width, source.info.height) <= 2:
        return False
    values = np.concatenate(given)
    odd = prompt.box_xyxy is not None or bool((values % 1).any())
    return odd and bool(((values >= 0) & (values <= 1)).all())


def made(source: Source, where: str, frame: Any, object: Any, mask: str = "", **given: Any) -> Prompt:
    """A prompt that fits the source; see ``_fitted``. ``frame`` and ``until`` are numbers or seconds ("1.5s")."""
    frame_index = frame_of(source, f"{where}frame", frame)
    if (until := given.get("until")) is not None:
        given["until"] = shown_at(source, f"{where}until", until, clip=True)
        if given["until"] < frame_index:
            raise InputError(f"{where}until: {shown(until)} is before the object's prompt on frame {frame_index}")
    if not isinstance(given.get("joins", False), bool):
        raise InputError(f"{where}joins: {shown(given['joins'])} is neither true nor false")
    object_id = coordinates.integer(f"{where}object", object, 1)
    return _fitted(source, Prompt(frame_index, object_id, **given), where, mask)


def _fitted(source: Source, prompt: Prompt, where: str, mask: str = "") -> Prompt:
    """The prompt, if its frame is extracted, its points and its box lie inside, and its mask has the right size.

    A box that reaches beyond the frame by less than a pixel, as tools that round make it, is clipped. Otherwise raises
    InputError. The message begins with ``where`` and the name of the value, or with ``mask`` if it is about the mask.
    """
    if prompt.object_id >= VOID:
        raise InputError(f"{where}object: {prompt.object_id} is not an object id; ids go from 1 to {VOID - 1}")
    if prompt.frame_index not in source.frames:
        raise InputError(f"{where}frame: {prompt.frame_index} is {why_missing(source, prompt.frame_index)}")
    width, height = source.info.width, source.info.height
    outside = f"lies outside the frame of {width}x{height}"
    for x, y in [] if prompt.points_xy is None else prompt.points_xy.tolist():
        if not (0 <= x < width and 0 <= y < height):
            ranges = f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            raise InputError(f"{where}points: [{x:g}, {y:g}] {outside}; {ranges}")
    if prompt.box_xyxy is not None:
        x0, y0, x1, y1 = prompt.box_xyxy.tolist()
        inside = np.clip(prompt.box_xyxy, 0, np.array([width, height] * 2, np.float32))
        if np.abs(prompt.box_xyxy - inside).max() >= 1 or not (inside[:2] < inside[2:]).all():
            raise InputError(f"{where}box: [{x0:g}, {y0:g}, {x1:g}, {y1:g}] {outside}")
        prompt = replace(prompt, box_xyxy=inside)
    if prompt.mask_hw is not None:
        mask, shape = mask or f"{where}mask", prompt.mask_hw.shape
        if shape != (height, width):
            sizes = f"{shape[1]}x{shape[0]}, the video is {width}x{height}"
            raise InputError(f"{mask} is {sizes}; a mask has the video's size")
        if not prompt.mask_hw.any():
            raise InputError(f"{mask} is empty; it marks no pixel of the object")
    return prompt
