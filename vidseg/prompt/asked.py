"""The keys of prompts from a detector, checked: conf/prompt/base/found.yaml, detect.yaml and text.yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any

from vidseg import coordinates
from vidseg.contract import locate
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.prompt.looking import plain
from vidseg.record.object_ids import VOID
from vidseg.types import Detector

KEY = "prompt.detector"
SEND = ("box", "mask")
EXAMPLE = 'prompt.text="the red bicycle. a dog."'


@dataclass(frozen=True)
class Options:
    """Where to look and how often, and what becomes an object; ``vidseg.prompt.looking.Wanted`` has the latter."""

    frame: int | str  # a number, or seconds as "1.5s"
    every: int | None
    iou: float
    max_objects: int
    send: str
    join_confidence: float


def options_of(
    detector: Mapping[str, Any], frame: Any, every: Any, iou: Any, max_objects: Any, join_confidence: Any, send: Any
) -> Options:
    """The keys, checked."""
    if send not in SEND:
        raise InputError(f"prompt.send: {shown(send)} is not one of {', '.join(SEND)}")
    count = coordinates.integer("prompt.max_objects", max_objects, 1)
    if count >= VOID:
        raise InputError(f"prompt.max_objects: {count}; there are ids for up to {VOID - 1} objects")
    coordinates.moment("prompt.frame", frame)
    return Options(
        frame,
        None if every is None else coordinates.integer("prompt.every", every, 1),
        _share("prompt.iou", iou),
        count,
        send,
        _join_confidence(join_confidence, detector.get("confidence")),
    )


def with_confidence(detector: Any, keys: dict[str, Any]) -> dict[str, Any]:
    """The detector's YAML with ``confidence``, which is taken out of the ``keys``, unless that is None."""
    confidence = keys.pop("confidence", None)
    if not isinstance(detector, Mapping):
        raise InputError(
            f"{KEY}: {shown(detector)} is no detector; a name of conf/detector, such as prompt.detector=yolox_nano"
        )
    return {**detector} if confidence is None else {**detector, "confidence": _share("prompt.confidence", confidence)}


def _join_confidence(value: Any, confidence: Any) -> float:
    """The lowest score with which something joins later; 0 if it isn't given and the detector's own isn't known.

    Each look is another chance for what isn't there, so it needs a better score, as a new track does in ByteTrack
    (Zhang et al., ECCV 2022). On the built-in clip the half of a person that enters has 0.45, all of it 0.9.
    """
    if value is not None:
        return _share("prompt.join_confidence", value)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return 0.0
    return min(confidence * 5 / 3, (1 + confidence) / 2)


def _share(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{key}: {shown(value)} is not a number from 0 to 1")
    return float(value)


def names_of_classes(classes: Any) -> list[str] | None:
    """The names of classes that the user gave: one, several, or None."""
    if classes is None:
        return None
    names = [classes] if isinstance(classes, str) else classes
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name.strip() for name in names):
        raise InputError(f"prompt.classes: {shown(classes)} is not a list of names, such as [person,dog]")
    if not names:
        raise InputError("prompt.classes: the list is empty; null takes everything that the detector knows")
    return [name.strip() for name in names]


def phrases_of(text: Any) -> list[str]:
    """The phrases of a text, which full stops separate, or of a list."""
    parts = text.split(".") if isinstance(text, str) else [] if text is None else text
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"prompt.text: {shown(text)} is no text; say what to look for, {EXAMPLE}")
    phrases = [" ".join(part.replace(".", " ").split()) for part in parts]
    phrases = list(dict.fromkeys(filter(None, phrases)))
    if not phrases:
        raise InputError(f"prompt.text: missing; say what to look for, a full stop after each phrase: {EXAMPLE}")
    return phrases


def check_known(names: Sequence[str], detector: Detector) -> None:
    """Raises InputError for the first name that isn't a class of the detector."""
    known = {plain(name): name for name in detector.classes or ()}
    for name in names:
        if plain(name) not in known:
            near = [known[each] for each in get_close_matches(plain(name), known, 3)]
            some = f"the nearest: {', '.join(near)}" if near else f"it knows {', '.join(list(known.values())[:8])} …"
            raise InputError(f"prompt.classes: {type(detector).__name__} has no class {name!r}; {some}")


def takes_text(detector: Mapping[str, Any]) -> bool:
    """Whether a detector's YAML names a class that looks for any phrase."""
    try:
        return "text" in signature(locate(f"{KEY}._target_", str(detector.get("_target_")))).parameters
    except (TypeError, ValueError):  # of C
        return False
