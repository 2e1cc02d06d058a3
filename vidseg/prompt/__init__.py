"""Prompts from the configuration.

``click``, ``box``, ``mask``, ``first_mask``, ``file``, ``listed``, ``sample`` and ``replayed`` are the ``_target_`` of
one file in conf/prompt/ each. They take the source and the keys of that file and return prompts. Their InputErrors
begin with the key as the user wrote it, such as ``prompt.points``. Knows nothing about models.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg import coordinates
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.paths import exists, meant
from vidseg.prompt.checking import made
from vidseg.prompt.frames import frame_of
from vidseg.prompt.missing import MissingPromptError
from vidseg.prompt_file import KEYS, entries
from vidseg.record.label_maps import LabelMaps, annotations_of
from vidseg.record.mask_images import MaskImages
from vidseg.record.object_ids import VOID
from vidseg.types import Mask, Prompt, Source

log = logging.getLogger(__name__)


def click(source: Source, points: Any, labels: Any, frame: int, object: int, box: Any = None) -> tuple[Prompt, ...]:
    """Points on one object, a box around it, or both. Raises MissingPromptError without any.

    Points with label 1 are on the object, those with label 0 are not; without labels all are on it.
    """
    if points is None and box is None:
        raise MissingPromptError(
            "prompt.points: missing; give pixels on the object, 'prompt.points=[[x,y]]'", source, frame
        )
    return (_points_and_box(source, "prompt.", frame, object, points, labels, box),)


def box(source: Source, box: Any, frame: int, object: int) -> tuple[Prompt, ...]:
    """A box around one object: x0, y0, x1, y1. Raises MissingPromptError without one."""
    if box is None:
        raise MissingPromptError(
            "prompt.box: missing; give corners in pixels, 'prompt.box=[x0,y0,x1,y1]'", source, frame
        )
    return (_points_and_box(source, "prompt.", frame, object, box=box),)


def mask(source: Source, path: str | None, frame: int, object: int | None) -> tuple[Prompt, ...]:
    """The objects of a mask or a label map; ``vidseg.record.mask_images`` says which images it takes for what.

    A map with one value beside 0 is one object, number ``object``, or 1 if that is None (DAVIS-2016 writes 0 and 255).
    Of a map with more, every value is an object, and 255 is void; ``object`` picks one of them.
    """
    if path is None:
        raise InputError("prompt.path: missing; give a mask image, prompt.path=first.png")
    file = meant(str(path))
    return _objects(source, MaskImages("prompt.path").read(file), "prompt.", frame, object, "prompt.path", file)


def first_mask(source: Source, root: str | None, object: int | None) -> tuple[Prompt, ...]:
    """The objects of the first extracted frame with a label map, read as ``mask`` does: one key for a sweep's videos.

    ``root`` has a folder for every video, named as the video's folder, or as its file without the suffix. In it are
    images, named as the images in the video's folder, or by the numbers of the frames of a video file.
    """
    if root is None:
        raise InputError("prompt.root: missing; give the folder of the annotations, prompt.root=Annotations/480p")
    folder = annotations_of(source.name, str(root))
    if not folder.is_dir():
        raise InputError(f"prompt.root: {root} has no folder {folder.name} with the annotations of {source.name}")
    maps = LabelMaps(folder, "prompt.root")
    for index in source.frames:
        if (labels := maps.read_labels(index, source.info)) is not None:
            return _objects(source, labels, "prompt.", index, object, "prompt.root", folder)
    raise InputError(
        f"prompt.root: {folder} has label maps, and none of an extracted frame\n"
        "(extract.start, extract.stop, extract.step)"
    )


class FilePrompts(tuple[Prompt, ...]):
    """The prompts that a file has for one source; ``classes`` are the names in all of the file, in its order."""

    classes: tuple[str, ...] = ()


def file(source: Source, path: str | None) -> FilePrompts:
    """The prompts of a YAML or JSON file (docs/prompts.md shows its form). Paths in it are relative to the file."""
    if path is None:
        raise InputError("prompt.path: missing; give a prompt file, prompt.path=prompts.yaml")
    expanded = meant(str(path))
    return _of_entries(source, entries(expanded), str(path), expanded.parent)


def listed(source: Source, prompts: Any) -> FilePrompts:
    """Prompts that the configuration itself lists, as a prompt file does; its masks' paths are relative to here."""
    if not isinstance(prompts, list) or not prompts:
        raise InputError(
            "prompt.prompts: missing; give a list, 'prompt.prompts=[{frame: 0, object: 1, points: [[x,y]]}]'"
        )
    return _of_entries(source, prompts, "prompt.prompts", Path())


def _of_entries(source: Source, listed: Sequence[Any], path: str, folder: Path) -> FilePrompts:
    """The prompts of entries; those about another photograph are left out. ``folder`` has their masks."""
    prompts: dict[tuple[int, int], Prompt] = {}
    for number, entry in enumerate(listed):
        where = f"{path}: prompts[{number}]"
        if isinstance(entry, Mapping) and entry.get("image") is not None:
            if (frame := _frame_of(source, entry, where)) is None:
                continue
            entry = {**entry, "image": None, "frame": frame}
        for prompt in _prompts(source, entry, folder, where):
            key = (prompt.frame_index, prompt.object_id)
            if key in prompts:
                second = f"{where} is the second one for object {prompt.object_id} on frame {prompt.frame_index}"
                raise InputError(f"{second}; put its points and box into one entry")
            prompts[key] = prompt
    if not prompts:
        raise InputError(f"prompt.path: {path} has no entry for {source.name}; give it one, image: {source.name}")
    found = FilePrompts(prompts.values())
    names = [entry["name"] for entry in listed if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)]
    found.classes = tuple(dict.fromkeys(names))
    return found


def _frame_of(source: Source, entry: Mapping[str, Any], where: str) -> int | None:
    """The number of the frame whose ``image`` an entry names; None if the source is another photograph."""
    image, stems = entry["image"], source.info.file_stems
    if entry.get("frame") is not None:
        raise InputError(f"{where}.image: an entry has the number of a frame or the name of its image, not both")
    if not isinstance(image, str) or Path(image).name != image:
        raise InputError(f"{where}.image: {shown(image)} is not the name of an image, such as photo.jpg")
    if source.info.still:
        return 0 if image == source.name else None
    if stems is None or Path(image).stem not in stems:
        raise InputError(f"{where}.image: {source.name} has no image {image}")
    return stems.index(Path(image).stem)


def sample(source: Source, frame: Any = None) -> tuple[Prompt, ...]:
    """The source's own prompts, or those of one frame. Raises MissingPromptError if there are none."""
    number = None if frame is None else frame_of(source, "prompt.frame", frame)
    own = tuple(prompt for prompt in source.prompts if number in (None, prompt.frame_index))
    if not own:
        where = "" if frame is None else f" on frame {number}"
        raise MissingPromptError(
            f"prompt: {source.name} has no prompt of its own{where}; say what to follow: prompt=detect, or "
            "prompt=click 'prompt.points=[[x,y]]', or prompt=box 'prompt.box=[x0,y0,x1,y1]'",
            source,
            frame,
        )
    return own


def replayed(source: Source) -> tuple[Prompt, ...]:
    """No prompt: the masks are there already (model=replay)."""
    return ()


def _points_and_box(
    source: Source,
    where: str,
    frame: Any,
    object: Any,
    points: Any = None,
    labels: Any = None,
    box: Any = None,
    **more: Any,
) -> Prompt:
    """A prompt of points, a box, or both. Raises InputError, beginning with ``where`` and the key, for wrong values."""
    if points is None and box is None:
        raise InputError(f"{where}points: missing; give at least one [x, y] in pixels, points=[[x,y]]")
    if points is not None:
        points = coordinates.points(f"{where}points", points)
        labels = coordinates.labels(f"{where}labels", labels, len(points))
    elif labels is not None:
        raise InputError(f"{where}labels: {shown(labels)}; there are no points that they could belong to")
    if box is not None:
        box = coordinates.box(f"{where}box", box)
    return made(source, where, frame, object, points_xy=points, labels=labels, box_xyxy=box, **more)


def _objects(
    source: Source,
    labels_hw: NDArray[np.uint8],
    where: str,
    frame: Any,
    object: Any,
    key: str,
    path: Path,
    **more: Any,
) -> tuple[Prompt, ...]:
    """A mask prompt for every object of the label map at ``path``, or for one; errors about it begin with ``key``."""
    values = [int(value) for value in np.unique(labels_hw) if value]
    if len(values) == 1:
        masks = [(1 if object is None else object, labels_hw > 0)]
        if object is None and values[0] not in (1, VOID):
            log.info(
                "%s: %s has one object, which is object 1; object=%d gives it the id of its value", key, path, *values
            )
    else:
        masks = [(value, labels_hw == value) for value in values if value != VOID and object in (None, value)]
    if not masks:
        which = "every pixel is zero" if not values else f"object {shown(object)} is not among its values {values}"
        raise InputError(f"{key}: the mask {path} is empty: {which}")
    for number, mask_hw in masks:
        if _is_all_around(mask_hw):
            share = f"{100 * mask_hw.mean():.0f}% of the frame and all of its border"
            log.warning("%s: %s: object %s has %s: is the mask inverted?", key, path, number, share)
    if "name" in more and len(masks) > 1:
        raise InputError(f"{where}name: {path} has {len(masks)} objects; an entry for each, with its object and name")
    return tuple(
        made(source, where, frame, number, f"{key}: {path}", mask_hw=mask_hw, **more) for number, mask_hw in masks
    )


def _is_all_around(mask_hw: Mask) -> bool:
    border = (mask_hw[0], mask_hw[-1], mask_hw[:, 0], mask_hw[:, -1])
    return all(side.all() for side in border) and not mask_hw.all()


def _prompts(source: Source, entry: Any, folder: Path, where: str) -> tuple[Prompt, ...]:
    """The prompt of an entry in a prompt file, or those of its mask's objects."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: {shown(entry)} is not a mapping with frame, object and points, box or mask")
    if unknown := [key for key in entry if key not in KEYS]:
        raise InputError(f"{where}.{shown(unknown[0])}: unknown key; allowed are {', '.join(KEYS)}")
    given = {"frame": 0} | {key: value for key, value in entry.items() if value is not None}
    if "mask" not in given:
        return (_points_and_box(source, f"{where}.", **{"object": 1} | given),)
    if any(key in given for key in ("points", "labels", "box")):
        raise InputError(f"{where}.mask: a mask prompt takes no points, labels or box beside it")
    key, path = f"{where}.mask", given["mask"]
    if not isinstance(path, str) or not path.strip():
        raise InputError(f"{key}: {shown(path)} is not the path of an image")
    image = folder / path if exists(folder / path) else folder / meant(path)
    labels_hw = MaskImages(key).read(image)
    more = {key: given[key] for key in ("name", "until", "joins") if key in given}
    return _objects(source, labels_hw, f"{where}.", given["frame"], given.get("object"), key, image, **more)
