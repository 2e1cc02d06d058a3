"""Prompts from YAML: clicks, boxes, mask images, files of several; and the checks that need the video.

Every function here is the `_target_` of one file in conf/prompt and is called with the source as its first argument.
Messages name the key as the user wrote it. Knows nothing about models.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.record.numbered import numbered
from vidseg.record.label_maps import VOID, annotations_of, read_label_map
from vidseg.types import Mask, Prompt, Source


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


def click(source: Source, points: Any, labels: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """Positive and negative points on one object."""
    return (_prompt(source, {"frame": frame, "object": object, "points": points, "labels": labels}, "prompt."),)


def box(source: Source, box: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """A box around one object."""
    if box is None:
        raise InputError("prompt.box: missing; give the corners in pixels, prompt.box=[x0,y0,x1,y1]")
    return (_prompt(source, {"frame": frame, "object": object, "box": box}, "prompt."),)


def mask(source: Source, path: str | None, frame: int, object: int | None) -> tuple[Prompt, ...]:
    """The objects of a label map.

    Two values are one object (number ``object``, else 1: DAVIS-2016 writes 0 and 255); otherwise each value is an
    object, 255 is void, and ``object`` picks one of them.
    """
    if path is None:
        raise InputError("prompt.path: missing; give a mask image, prompt.path=first.png")
    _frame_number(source, frame, "prompt.")
    return _objects(source, Path(path), frame, object, "prompt.path")


def first_mask(source: Source, root: str | None, object: int | None) -> tuple[Prompt, ...]:
    """The objects of the video's first annotation, read as ``mask`` does, so that a sweep over videos needs one key.

    It is that of the first extracted frame that has one in ``root``/<the video's name>: a PNG with the number of the
    frame's own file, of a video file the frame's. The name is that of the folder, or the file's without its suffix.
    """
    if root is None:
        raise InputError("prompt.root: missing; give the folder of the annotations, prompt.root=Annotations/480p")
    folder = annotations_of(source.name, root)
    if not folder.is_dir():
        raise InputError(f"prompt.root: {root} has no folder {folder.name} with the annotations of {source.name}")
    files, number = numbered(folder, {".png"}, "prompt.root"), source.info.file_number
    annotated = next((index for index in source.frames if number(index) in files), None)
    if annotated is None:
        raise InputError(
            f"prompt.root: {folder} has {len(files)} label maps named as the frames, such as 00000.png, and none of "
            "an extracted frame\n(extract.start, extract.stop, extract.step)"
        )
    return _objects(source, files[number(annotated)], annotated, object, "prompt.root")


def _objects(source: Source, path: Path, frame: int, object: int | None, key: str) -> tuple[Prompt, ...]:
    """A mask prompt for each object of a label map."""
    labels = read_label_map(path, key)
    values = [int(v) for v in np.unique(labels) if v]
    if len(values) == 1:
        masks = {1 if object is None else _object_id(object, "prompt."): labels > 0}
    else:
        masks = {v: labels == v for v in values if v != VOID and object in (None, v)}
    if not masks:
        which = "every pixel is zero" if not values else f"object {object} is not among its values {values}"
        raise InputError(f"{key}: the mask {path} is empty: {which}")
    return tuple(
        Prompt(frame, number, mask_hw=_fitting(source, mask_hw, path, key)) for number, mask_hw in masks.items()
    )


def file(source: Source, path: str | None) -> tuple[Prompt, ...]:
    """Several prompts from a YAML file; see the README for its form. Mask paths are relative to the file."""
    if path is None:
        raise InputError("prompt.path: missing; give a prompt file, prompt.path=prompts.yaml")
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"prompt.path: can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = str(error).replace("\n", " ")
        raise InputError(f"prompt.path: {path} is not YAML: {where}") from error
    entries = content.get("prompts") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(
            f"prompt.path: {path} has no prompts; it needs a list: prompts: [{{frame: 0, object: 1, points: [[x, y]]}}]"
        )
    prompts = [_entry(source, entry, Path(path), f"{path}: prompts[{number}].") for number, entry in enumerate(entries)]
    seen: set[tuple[int, int]] = set()
    for number, prompt in enumerate(prompts):
        if (key := (prompt.frame_index, prompt.object_id)) in seen:
            raise InputError(
                f"{path}: prompts[{number}] is the second one for object {key[1]} on frame {key[0]}; "
                "put its points and box into one entry"
            )
        seen.add(key)
    return tuple(prompts)


def check(source: Source, prompts: Sequence[Prompt]) -> None:
    """Raises InputError for a prompt made in Python that does not fit the source."""
    for prompt in prompts:
        where = f"prompt of object {prompt.object_id}: "
        _frame_number(source, prompt.frame_index, where)
        if prompt.points_xy is not None:
            _points(source, prompt.points_xy.tolist(), where)
        if prompt.box_xyxy is not None:
            _box(source, prompt.box_xyxy.tolist(), where)
        if prompt.mask_hw is not None:
            _fitting(source, prompt.mask_hw, "mask_hw", where + "mask")


def _entry(source: Source, entry: Any, path: Path, where: str) -> Prompt:
    """One entry of a prompt file."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{where[:-1]}: {entry!r} is not a mapping with frame, object and points, box or mask")
    allowed = ("frame", "object", "points", "labels", "box", "mask")
    if unknown := [key for key in entry if key not in allowed]:
        raise InputError(f"{where}{unknown[0]}: unknown key; allowed are {', '.join(allowed)}")
    if entry.get("mask") is None:
        return _prompt(source, entry, where)
    if any(entry.get(key) is not None for key in ("points", "labels", "box")):
        raise InputError(f"{where}mask: a mask prompt takes no points, labels or box beside it")
    frame_index = _frame_number(source, entry.get("frame", 0), where)
    image = path.parent / str(entry["mask"])
    mask_hw = read_label_map(image, f"{where}mask") > 0
    return Prompt(
        frame_index,
        _object_id(entry.get("object", 1), where),
        mask_hw=_fitting(source, mask_hw, image, f"{where}mask"),
    )


def _prompt(source: Source, entry: Mapping[str, Any], where: str) -> Prompt:
    """A prompt of points and/or a box, checked against the video."""
    frame_index = _frame_number(source, entry.get("frame", 0), where)
    object_id = _object_id(entry.get("object", 1), where)
    points, labels, corners = entry.get("points"), entry.get("labels"), entry.get("box")
    if points is None and corners is None:
        raise InputError(f"{where}points: missing; give at least one [x, y] in pixels, points=[[x,y]]")
    return Prompt(
        frame_index,
        object_id,
        points_xy=None if points is None else _points(source, points, where),
        labels=None if points is None else _labels(labels, len(points), where),
        box_xyxy=None if corners is None else _box(source, corners, where),
    )


def _numbers(value: Any, length: int) -> list[float] | None:
    """A list of ``length`` finite numbers, or None."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return None
    items = list(value)
    if len(items) != length or any(isinstance(x, bool) or not isinstance(x, int | float) for x in items):
        return None
    return [float(x) for x in items] if all(map(math.isfinite, items)) else None


def _points(source: Source, points: Any, where: str) -> NDArray[np.float32]:
    width, height = source.info.width, source.info.height
    if isinstance(points, str | Mapping) or not isinstance(points, Iterable) or not (items := list(points)):
        raise InputError(f"{where}points: {points!r} is not a list of [x, y], for example [[782, 301]]")
    for point in items:
        if (xy := _numbers(point, 2)) is None:
            raise InputError(f"{where}points: {_plain(point)} is not [x, y], two numbers in pixels")
        if not (0 <= xy[0] < width and 0 <= xy[1] < height):
            raise InputError(
                f"{where}points: {_plain(point)} lies outside the frame of {width}x{height}; "
                f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            )
    return np.array(items, np.float32)


def _labels(labels: Any, count: int, where: str) -> NDArray[np.int32]:
    if labels is None:
        return np.ones(count, np.int32)
    items = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else [labels]
    if len(items) != count:
        raise InputError(f"{where}labels: {len(items)} labels for {count} points; each point needs one")
    if any(label not in (0, 1) for label in items):
        raise InputError(f"{where}labels: {_plain(items)}; a label is 1 (on the object) or 0 (not)")
    return np.array(items, np.int32)


def _box(source: Source, corners: Any, where: str) -> NDArray[np.float32]:
    width, height = source.info.width, source.info.height
    if (box := _numbers(corners, 4)) is None:
        raise InputError(f"{where}box: {_plain(corners)} is not [x0, y0, x1, y1], four numbers in pixels")
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        raise InputError(
            f"{where}box: {_plain(corners)} is inside out; x0 < x1 and y0 < y1 are needed "
            "(corners in pixels, not width and height)"
        )
    if min(x0, y0) < 0 or x1 > width or y1 > height:
        raise InputError(f"{where}box: {_plain(corners)} lies outside the frame of {width}x{height}")
    return np.array(box, np.float32)


def _frame_number(source: Source, frame: Any, where: str) -> int:
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 0:
        raise InputError(f"{where}frame: {frame!r} is not a frame number; frames count from 0")
    if frame not in source.frames:
        first, last, total = source.frames[0], source.frames[-1], source.info.num_frames
        if total is not None and frame >= total:
            raise InputError(f"{where}frame: {frame} is beyond the last frame of {source.name}, which is {total - 1}")
        raise InputError(
            f"{where}frame: {frame} is not among the extracted frames "
            f"({first} to {last}, {len(source.frames)} of them; extract.start, extract.stop, extract.step)"
        )
    return frame


def _object_id(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < VOID:
        raise InputError(f"{where}object: {value!r} is not an object id; ids go from 1 to {VOID - 1}")
    return value


def _fitting(source: Source, mask_hw: Mask, path: object, where: str) -> Mask:
    size = (source.info.height, source.info.width)
    if mask_hw.shape != size:
        raise InputError(
            f"{where}: {path} is {mask_hw.shape[1]}x{mask_hw.shape[0]}, the video is {size[1]}x{size[0]}; "
            "a mask has the video's size"
        )
    if not mask_hw.any():
        raise InputError(f"{where}: the mask {path} is empty; it marks no pixel of the object")
    return mask_hw


def _plain(value: Any) -> str:
    """A value as the user wrote it, without OmegaConf's or numpy's wrapping."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return str(value)
    return "[" + ", ".join(_plain(item) for item in value) + "]"
