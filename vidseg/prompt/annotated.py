"""``prompt=annotations``: each object's first mask in a benchmark's annotations of the video."""

import logging
from typing import Any

from vidseg.errors import InputError
from vidseg.record.label_maps import annotations_of
from vidseg.record.object_maps import open_annotations
from vidseg.types import Prompt, Source

log = logging.getLogger(__name__)


def annotations(source: Source, root: str | None, object: Any) -> tuple[Prompt, ...]:
    """A mask prompt for each object, on the first extracted frame on which it is annotated; of all, or of one.

    ``root`` has a folder for every video, as in ``vidseg.prompt.first_mask``. In it are label maps (DAVIS, MOSE,
    YouTube-VOS), whose values are the ids, or a folder of masks for each object (SA-V): see
    ``vidseg.record.object_maps``.

    An object that comes later ``joins``: it is followed from its own first mask on. So does sam2's script
    tools/vos_inference.py with --track_object_appearing_later_in_video, which runs each object by itself from there.
    """
    if root is None:
        raise InputError("prompt.root: missing; give the folder of the annotations, prompt.root=Annotations")
    folder = annotations_of(source.name, str(root))
    if not folder.is_dir():
        raise InputError(f"prompt.root: {root} has no folder {folder.name} with the annotations of {source.name}")
    maps = open_annotations(folder, "prompt.root")
    found: dict[int, Prompt] = {}
    for index in source.frames:
        if maps.has(index, source.info):
            for number, mask_hw in maps.objects(index, source.info).items():
                if number not in found:
                    found[number] = Prompt(index, number, mask_hw=mask_hw)
    if not found:
        raise InputError(
            f"prompt.root: {folder} has annotations, and none with an object on an extracted frame\n"
            "(extract.start, extract.stop, extract.step)"
        )
    if object is not None and object not in found:
        raise InputError(f"prompt.object: {object} isn't in {folder}; the objects there are {sorted(found)}")
    chosen = [prompt for prompt in found.values() if object in (None, prompt.object_id)]
    first = chosen[0].frame_index
    for prompt in chosen:
        log.info("prompt.root: object %d from frame %d on", prompt.object_id, prompt.frame_index)
    return tuple(
        Prompt(each.frame_index, each.object_id, mask_hw=each.mask_hw, joins=each.frame_index > first)
        for each in chosen
    )
