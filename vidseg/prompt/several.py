"""Prompt files: several prompts in one YAML file. docs/prompts.md shows the form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vidseg import coordinates
from vidseg.errors import InputError
from vidseg.prompt.fit import fitted
from vidseg.prompt.geometry import points_and_box
from vidseg.record.label_maps import read_label_map
from vidseg.types import Prompt, Source

KEYS = ("frame", "object", "points", "labels", "box", "mask")


def file(source: Source, path: str | None) -> tuple[Prompt, ...]:
    """The prompts of a YAML file, in its order. Paths of masks in it are relative to the file."""
    if path is None:
        raise InputError("prompt.path: missing; give a prompt file, prompt.path=prompts.yaml")
    prompts: dict[tuple[int, int], Prompt] = {}
    for number, entry in enumerate(_entries(path)):
        prompt = _prompt(source, entry, Path(path), f"{path}: prompts[{number}].")
        key = (prompt.frame_index, prompt.object_id)
        if key in prompts:
            raise InputError(
                f"{path}: prompts[{number}] is the second one for object {prompt.object_id} on frame "
                f"{prompt.frame_index}; put its points and box into one entry"
            )
        prompts[key] = prompt
    return tuple(prompts.values())


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
        raise InputError(
            f"prompt.path: {path} has no prompts; it needs a list: prompts: [{{frame: 0, object: 1, points: [[x, y]]}}]"
        )
    return entries


def _prompt(source: Source, entry: Any, path: Path, where: str) -> Prompt:
    """One entry of a prompt file."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{where[:-1]}: {entry!r} is not a mapping with frame, object and points, box or mask")
    if unknown := [key for key in entry if key not in KEYS]:
        raise InputError(f"{where}{unknown[0]}: unknown key; allowed are {', '.join(KEYS)}")
    given = {"frame": 0, "object": 1, **entry}
    if (mask := given.pop("mask", None)) is None:
        return points_and_box(source, where, **given)
    if any(given.get(key) is not None for key in ("points", "labels", "box")):
        raise InputError(f"{where}mask: a mask prompt takes no points, labels or box beside it")
    image = path.parent / str(mask)
    prompt = Prompt(
        coordinates.integer(f"{where}frame", given["frame"], 0),
        coordinates.integer(f"{where}object", given["object"], 1),
        mask_hw=read_label_map(image, f"{where}mask") > 0,
    )
    return fitted(source, prompt, where, f"{where}mask: {image}")
