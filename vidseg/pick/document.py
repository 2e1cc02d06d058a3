"""What the page edits: prompts, objects, and in and out marks, as JSON; checked, and made into prompts.

    {"prompts": [{"frame": 0, "object": 1, "points": [[782, 301]], "labels": [1]},
                 {"frame": 0, "object": 2, "box": [165, 125, 460, 475]}, {"frame": 40, "object": 2, "mask": "3f0c…"}],
     "objects": [{"id": 1, "name": "skater", "until": 120}], "in": null, "out": null}

Coordinates are pixels of the video, ``in`` and ``out`` the first and the last frame to take. A mask is the name of an
image in the draft's folder. An object has at most one prompt on a frame.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidseg import coordinates
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.prompt import checking
from vidseg.types import Mask, Prompt, Source

Document = dict[str, Any]
ReadMask = Callable[[str], Mask]
_KEYS = ("prompts", "objects", "in", "out")
_OF_PROMPT = ("frame", "object", "points", "labels", "box", "mask", "joins")
_OF_OBJECT = ("id", "name", "until", "color")


@dataclass(frozen=True)
class Checked:
    """A document without what is unknown or empty, and its prompts."""

    document: Document
    prompts: tuple[Prompt, ...]


def empty() -> Document:
    """A document without prompts."""
    return {"prompts": [], "objects": [], "in": None, "out": None}


def check(document: Any, source: Source, read_mask: ReadMask) -> Checked:
    """Raises InputError, naming the entry and its key, for what a run with this document wouldn't take."""
    _check_keys("document", document, _KEYS)
    objects = [_object(f"objects[{n}]", each) for n, each in enumerate(_listed(document, "objects"))]
    known = {each["id"]: each for each in objects}
    if len(known) < len(objects):
        raise InputError("objects: an id is there twice")
    entries = [_entry(f"prompts[{n}]", each) for n, each in enumerate(_listed(document, "prompts"))]
    pairs = [(entry["frame"], entry["object"]) for entry in entries]
    if twice := next((pair for pair in pairs if pairs.count(pair) > 1), None):
        raise InputError(f"prompts: object {twice[1]} has two entries on frame {twice[0]}; put them into one")
    first, last = _mark(document, "in", source), _mark(document, "out", source)
    if first is not None and last is not None and first > last:
        raise InputError(f"in: {first} is after the out mark, {last}")
    prompts = checking.check(source, [_prompt(entry, known, read_mask) for entry in entries])
    for object_id in dict.fromkeys(object_id for _, object_id in pairs):
        known.setdefault(object_id, {"id": object_id, "name": None, "until": None})
    ordered = [known[object_id] for object_id in sorted(known)]
    return Checked({"prompts": entries, "objects": ordered, "in": first, "out": last}, prompts)


def of_prompts(prompts: Sequence[Prompt], keep_mask: Callable[[Mask], str]) -> Document:
    """The document of prompts; ``keep_mask`` stores a mask and returns its name."""
    objects: dict[int, dict[str, Any]] = {}
    for prompt in prompts:
        about = objects.setdefault(prompt.object_id, {"id": prompt.object_id, "name": None, "until": None})
        about |= {key: value for key in ("name", "until") if (value := getattr(prompt, key)) is not None}
    entries = []
    for prompt in prompts:
        entry: dict[str, Any] = {"frame": prompt.frame_index, "object": prompt.object_id}
        if prompt.points_xy is not None and prompt.labels is not None:
            entry |= {"points": prompt.points_xy.tolist(), "labels": prompt.labels.tolist()}
        if prompt.box_xyxy is not None:
            entry["box"] = prompt.box_xyxy.tolist()
        if prompt.mask_hw is not None:
            entry["mask"] = keep_mask(prompt.mask_hw)
        entries.append(entry | ({"joins": True} if prompt.joins else {}))
    return {**empty(), "prompts": entries, "objects": [objects[number] for number in sorted(objects)]}


def _prompt(entry: Mapping[str, Any], objects: Mapping[int, Mapping[str, Any]], read_mask: ReadMask) -> Prompt:
    about = objects.get(entry["object"], {})
    return Prompt(
        entry["frame"],
        entry["object"],
        entry.get("points"),
        entry.get("labels"),
        entry.get("box"),
        read_mask(entry["mask"]) if "mask" in entry else None,
        name=about.get("name"),
        until=about.get("until"),
        joins=entry.get("joins", False),
    )


def _entry(where: str, given: Any) -> dict[str, Any]:
    """A prompt's entry with plain numbers, whole where they are, and without what is empty."""
    _check_keys(where, given, _OF_PROMPT)
    entry: dict[str, Any] = {
        "frame": coordinates.integer(f"{where}.frame", given.get("frame"), 0),
        "object": coordinates.integer(f"{where}.object", given.get("object"), 1),
    }
    if given.get("points"):
        points = coordinates.points(f"{where}.points", given["points"])
        labels = coordinates.labels(f"{where}.labels", given.get("labels"), len(points))
        entry |= {"points": [_plain(point) for point in points.tolist()], "labels": labels.tolist()}
    if given.get("box"):
        entry["box"] = _plain(coordinates.box(f"{where}.box", given["box"]).tolist())
    if given.get("mask"):
        entry["mask"] = str(given["mask"])
    if len(entry) == 2:
        raise InputError(f"{where}: it is empty; give points, a box or a mask")
    if given.get("joins") is True:
        entry["joins"] = True
    return entry


def _plain(values: Sequence[float]) -> list[int | float]:
    return [int(value) if float(value).is_integer() else value for value in values]


def _object(where: str, given: Any) -> dict[str, Any]:
    _check_keys(where, given, _OF_OBJECT)
    name, until = given.get("name"), given.get("until")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{where}.name: {shown(name)} is no name")
    return {
        "id": coordinates.integer(f"{where}.id", given.get("id"), 1),
        "name": (name or "").strip() or None,
        "until": None if until is None else coordinates.integer(f"{where}.until", until, 0),
    }


def _mark(document: Mapping[str, Any], key: str, source: Source) -> int | None:
    if (value := document.get(key)) is None:
        return None
    if (number := coordinates.integer(key, value, 0)) not in source.frames:
        raise InputError(f"{key}: {number} is not among the frames, {source.frames[0]} to {source.frames[-1]}")
    return number


def _listed(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"{key}: {shown(found)} is not a list")
    return found


def _check_keys(where: str, given: Any, allowed: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: {shown(given)} is not a mapping")
    if unknown := [key for key in given if key not in allowed]:
        raise InputError(f"{where}.{shown(unknown[0])}: unknown key; allowed are {', '.join(allowed)}")
