"""Masks from image files."""

from pathlib import Path

import numpy as np

from vidseg import coordinates
from vidseg.errors import InputError
from vidseg.prompt.fit import fitted
from vidseg.record.files import numbered
from vidseg.record.label_maps import VOID, annotations_of, read_label_map
from vidseg.types import Prompt, Source


def mask(source: Source, path: str | None, frame: int, object: int | None) -> tuple[Prompt, ...]:
    """The objects of a label map.

    A map with one value beside 0 is one object, number ``object``, or 1 if that is None (DAVIS-2016 writes 0 and 255).
    Of a map with more, every value is an object, and 255 is void; ``object`` picks one of them.
    """
    if path is None:
        raise InputError("prompt.path: missing; give a mask image, prompt.path=first.png")
    return _objects(source, Path(path), frame, object, "prompt.path")


def first_mask(source: Source, root: str | None, object: int | None) -> tuple[Prompt, ...]:
    """The objects of the video's first label map, read as ``mask`` reads it: one key for all videos of a sweep.

    ``root`` has a folder for every video, named as the video's folder, or as its file without the suffix. The label
    maps in it are PNGs, named with the number of the frame's image in a folder of images, or of the frame in a video
    file. The map of the first extracted frame that has one is taken.
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
    """A mask prompt for every object of a label map."""
    frame_index = coordinates.integer("prompt.frame", frame, 0)
    labels = read_label_map(path, key)
    values = [int(value) for value in np.unique(labels) if value]
    if len(values) == 1:
        masks = {1 if object is None else coordinates.integer("prompt.object", object, 1): labels > 0}
    else:
        masks = {value: labels == value for value in values if value != VOID and object in (None, value)}
    if not masks:
        which = "every pixel is zero" if not values else f"object {object} is not among its values {values}"
        raise InputError(f"{key}: the mask {path} is empty: {which}")
    return tuple(
        fitted(source, Prompt(frame_index, number, mask_hw=mask_hw), "prompt.", f"{key}: {path}")
        for number, mask_hw in masks.items()
    )
