"""Prompts from the configuration, and the checks of every prompt that need the video.

``click``, ``box``, ``mask``, ``first_mask``, ``file``, ``sample`` and ``replayed`` are the ``_target_`` of one file in
conf/prompt/ each. They take the source and the keys of that file and return prompts. Their InputErrors begin with the
key as the user wrote it, such as ``prompt.points``. Knows nothing about models.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vidseg import coordinates
from vidseg.errors import InputError
from vidseg.record.label_maps import VOID, annotations_of, read_label_map
from vidseg.record.map_names import of_frames
from vidseg.record.names import images
from vidseg.types import Prompt, Source

KEYS = ("frame", "object", "points", "labels", "box", "mask")  # of an entry in a prompt file


def click(source: Source, points: Any, labels: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """Points on one object: those with label 1 are on it, those with label 0 are not. Without labels all are on it."""
    return (_points_and_box(source, "prompt.", frame, object, points, labels),)


def box(source: Source, box: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """A box around one object: x0, y0, x1, y1."""
    if box is None:
        raise InputError("prompt.box: missing; give the corners in pixels, prompt.box=[x0,y0,x1,y1]")
    return (_points_and_box(source, "prompt.", frame, object, box=box),)


def mask(source: Source, path: str | None, frame: int, object: int | None) -> tuple[Prompt, ...]:
    """The objects of a label map.

    A map with one value beside 0 is one object, number ``object``, or 1 if that is None (DAVIS-2016 writes 0 and 255).
    Of a map with more, every value is an object, and 255 is void; ``object`` picks one of them.
    """
    if path is None:
        raise InputError("prompt.path: missing; give a mask image, prompt.path=first.png")
    return _objects(source, Path(path), frame, object, "prompt.path")


def first_mask(source: Source, root: str | None, object: int | None) -> tuple[Prompt, ...]:
    """The objects of the first extracted frame with a label map, read as ``mask`` does: one key for a sweep's videos.

    ``root`` has a folder for every video, named as the video's folder, or as its file without the suffix. In it are
    PNGs, named as the images in the video's folder, or by the numbers of the frames of a video file.
    """
    if root is None:
        raise InputError("prompt.root: missing; give the folder of the annotations, prompt.root=Annotations/480p")
    folder = annotations_of(source.name, root)
    if not folder.is_dir():
        raise InputError(f"prompt.root: {root} has no folder {folder.name} with the annotations of {source.name}")
    if not (files := images(folder, {".png"}, "prompt.root")):
        raise InputError(f"prompt.root: {folder} holds no label maps named as the frames, such as 00000.png")
    maps = of_frames(files, source.info, "prompt.root")
    annotated = next((index for index in source.frames if index in maps), None)
    if annotated is None:
        raise InputError(
            f"prompt.root: {folder} has {len(maps)} label maps, and none of an extracted frame\n"
            "(extract.start, extract.stop, extract.step)"
        )
    return _objects(source, maps[annotated], annotated, object, "prompt.root")


def file(source: Source, path: str | None) -> tuple[Prompt, ...]:
    """The prompts of a YAML file (docs/prompts.md shows its form). Paths of masks in it are relative to the file."""
    if path is None:
        raise InputError("prompt.path: missing; give a prompt file, prompt.path=prompts.yaml")
    prompts: dict[tuple[int, int], Prompt] = {}
    for number, entry in enumerate(_entries(path)):
        where = f"{path}: prompts[{number}]"
        prompt = _prompt(source, entry, Path(path), where)
        key = (prompt.frame_index, prompt.object_id)
        if key in prompts:
            second = f"{where} is the second one for object {prompt.object_id} on frame {prompt.frame_index}"
            raise InputError(f"{second}; put its points and box into one entry")
        prompts[key] = prompt
    return tuple(prompts.values())


def sample(source: Source) -> tuple[Prompt, ...]:
    """The source's own prompts. Raises InputError for a video that has none."""
    if not source.prompts:
        raise InputError(
            f"prompt: {source.name} has no prompt of its own; say what to follow, for example\n"
            "prompt=click prompt.points=[[x,y]], prompt=box prompt.box=[x0,y0,x1,y1], prompt=mask prompt.path=first.png"
        )
    return source.prompts


def replayed(source: Source) -> tuple[Prompt, ...]:
    """No prompt: the masks are there already (model=replay)."""
    return ()


def check(source: Source, prompts: Iterable[Prompt]) -> None:
    """Raises InputError for the first prompt that doesn't fit the source: in frame, points, box or mask."""
    for prompt in prompts:
        _fitted(source, prompt, f"prompt of object {prompt.object_id}: ")


def _points_and_box(
    source: Source, where: str, frame: Any, object: Any, points: Any = None, labels: Any = None, box: Any = None
) -> Prompt:
    """A prompt of points, a box, or both. Raises InputError, beginning with ``where`` and the key, for wrong values."""
    if points is None and box is None:
        raise InputError(f"{where}points: missing; give at least one [x, y] in pixels, points=[[x,y]]")
    if points is not None:
        points = coordinates.points(f"{where}points", points)
        labels = coordinates.labels(f"{where}labels", labels, len(points))
    if box is not None:
        box = coordinates.box(f"{where}box", box)
    return _made(source, where, frame, object, points_xy=points, labels=labels, box_xyxy=box)


def _objects(source: Source, path: Path, frame: int, object: int | None, key: str) -> tuple[Prompt, ...]:
    """A mask prompt for every object of a label map."""
    labels = read_label_map(path, key)
    values = [int(value) for value in np.unique(labels) if value]
    if len(values) == 1:
        masks = [(1 if object is None else object, labels > 0)]
    else:
        masks = [(value, labels == value) for value in values if value != VOID and object in (None, value)]
    if not masks:
        which = "every pixel is zero" if not values else f"object {object} is not among its values {values}"
        raise InputError(f"{key}: the mask {path} is empty: {which}")
    return tuple(
        _made(source, "prompt.", frame, number, f"{key}: {path}", mask_hw=mask_hw) for number, mask_hw in masks
    )


def _entries(path: str) -> list[Any]:
    """The list in a prompt file, as it stands there."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"prompt.path: can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = str(error).replace("\n", " ")
        raise InputError(f"prompt.path: {path} is not YAML: {where}") from error
    entries = content.get("prompts") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not entries:
        form = "prompts: [{frame: 0, object: 1, points: [[x, y]]}]"
        raise InputError(f"prompt.path: {path} has no prompts; it needs a list: {form}")
    return entries


def _prompt(source: Source, entry: Any, path: Path, where: str) -> Prompt:
    """One entry of a prompt file."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: {entry!r} is not a mapping with frame, object and points, box or mask")
    if unknown := [key for key in entry if key not in KEYS]:
        raise InputError(f"{where}.{unknown[0]}: unknown key; allowed are {', '.join(KEYS)}")
    given = {"frame": 0, "object": 1, **entry}
    if (mask := given.pop("mask", None)) is None:
        return _points_and_box(source, f"{where}.", **given)
    if any(given.get(key) is not None for key in ("points", "labels", "box")):
        raise InputError(f"{where}.mask: a mask prompt takes no points, labels or box beside it")
    image, key = path.parent / str(mask), f"{where}.mask"
    mask_hw = read_label_map(image, key) > 0
    return _made(source, f"{where}.", given["frame"], given["object"], f"{key}: {image}", mask_hw=mask_hw)


def _made(source: Source, where: str, frame: Any, object: Any, mask: str = "", **given: Any) -> Prompt:
    """A prompt that fits the source; see ``_fitted``."""
    frame_index = coordinates.integer(f"{where}frame", frame, 0)
    object_id = coordinates.integer(f"{where}object", object, 1)
    return _fitted(source, Prompt(frame_index, object_id, **given), where, mask)


def _fitted(source: Source, prompt: Prompt, where: str, mask: str = "") -> Prompt:
    """The prompt itself, if its frame is extracted, its points and its box lie inside, and its mask has the right size.

    Otherwise raises InputError. The message begins with ``where`` and the name of the value, or with ``mask`` if it is
    about the mask.
    """
    if prompt.object_id >= VOID:
        raise InputError(f"{where}object: {prompt.object_id} is not an object id; ids go from 1 to {VOID - 1}")
    if prompt.frame_index not in source.frames:
        raise InputError(f"{where}frame: {prompt.frame_index} is {_why_missing(source, prompt.frame_index)}")
    width, height = source.info.width, source.info.height
    outside = f"lies outside the frame of {width}x{height}"
    for x, y in [] if prompt.points_xy is None else prompt.points_xy.tolist():
        if not (0 <= x < width and 0 <= y < height):
            ranges = f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            raise InputError(f"{where}points: [{x:g}, {y:g}] {outside}; {ranges}")
    if prompt.box_xyxy is not None:
        x0, y0, x1, y1 = prompt.box_xyxy.tolist()
        if min(x0, y0) < 0 or x1 > width or y1 > height:
            raise InputError(f"{where}box: [{x0:g}, {y0:g}, {x1:g}, {y1:g}] {outside}")
    if prompt.mask_hw is not None:
        mask, shape = mask or f"{where}mask", prompt.mask_hw.shape
        if shape != (height, width):
            sizes = f"{shape[1]}x{shape[0]}, the video is {width}x{height}"
            raise InputError(f"{mask} is {sizes}; a mask has the video's size")
        if not prompt.mask_hw.any():
            raise InputError(f"{mask} is empty; it marks no pixel of the object")
    return prompt


def _why_missing(source: Source, frame: int) -> str:
    first, last, total = source.frames[0], source.frames[-1], source.info.num_frames
    if total is not None and frame >= total:
        return f"beyond the last frame of {source.name}, which is {total - 1}"
    which = f"{first} to {last}, {len(source.frames)} of them; extract.start, extract.stop, extract.step"
    return f"not among the extracted frames ({which})"
