"""Prompts from a detector: ``detect`` and ``text`` are the ``_target_`` of a file in conf/prompt/ each.

They look at the video from a frame on until something is found, and make an object of each thing, the surest first.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature
from typing import Any

from vidseg import coordinates
from vidseg.console import progress
from vidseg.contract import build_within, locate
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.prompt.looking import LookingAgain, Looks, Seen, Wanted, plain, position, see, tell
from vidseg.record.object_ids import VOID
from vidseg.types import Detector, Finder, Frame, Prompt, Source

log = logging.getLogger(__name__)

KEY = "prompt.detector"
SEND = ("box", "mask")
EXAMPLE = 'prompt.text="the red bicycle. a dog."'


@dataclass(frozen=True)
class Found:
    """The prompts of the first look; iterable.

    ``finder`` looks again while the video runs, or is None; ``looks`` are those that aren't drawn yet.
    """

    prompts: tuple[Prompt, ...]
    detector: Detector
    finder: Finder | None = None
    looks: Looks = field(default_factory=Looks)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)


def detect(source: Source, classes: Any, detector: Mapping[str, Any], **keys: Any) -> Found:
    """What a detector finds. ``keys`` are those of conf/prompt/base/found.yaml, ``detector`` is its YAML.

    Raises InputError for a key out of range, a class that the detector doesn't know, and if nothing is found.
    """
    names = _names(classes)
    detector = _with_confidence(detector, keys)
    options = _options(detector, **keys)
    if _takes_text(detector):
        if names is None:
            raise InputError(
                "prompt.classes: missing; this detector looks for what it is told, prompt.classes=[person,dog]"
            )
        detector |= {"text": [name.replace("_", " ") for name in names]}
    made: Detector = build_within("detector", KEY, detector)
    wanted = None
    if names is not None and made.classes is not None:
        _check_known(names, made)
        wanted = frozenset(map(plain, names))
    return _found(source, made, wanted, names, "prompt.classes", options)


def text(source: Source, text: Any, detector: Mapping[str, Any] | None = None, **keys: Any) -> Found:
    """What phrases describe: "the red bicycle. a dog." See ``detect``.

    Raises InputError without a phrase, and for a detector that knows a set of classes only.
    """
    phrases = _phrases(text)
    detector = _with_confidence(detector, keys)
    options = _options(detector, **keys)
    if not _takes_text(detector):
        raise InputError(
            "prompt.text: this detector knows its own classes only; prompt=detect prompt.classes=[person] takes some\n"
            "of them, prompt.detector=grounding_dino and owlv2 look for any phrase"
        )
    made: Detector = build_within("detector", KEY, {**detector, "text": phrases})
    return _found(source, made, None, phrases, "prompt.text", options)


def _found(
    source: Source,
    detector: Detector,
    classes: frozenset[str] | None,
    names: Sequence[str] | None,
    key: str,
    options: "_Options",
) -> Found:
    """The prompts of the first look that finds something, and who looks again."""
    wanted = Wanted(classes, options.iou, options.max_objects, options.send, options.join_confidence)
    frame, seen = _first_look(source, detector, wanted, options.frame, names, key)
    taken: dict[int, Seen] = {}
    left_out: list[tuple[Seen, str]] = []
    for each in seen:
        if not wanted.takes(each.name):
            left_out.append((each, "isn't among prompt.classes"))
        elif len(taken) >= wanted.max_objects:
            left_out.append((each, f"is beyond prompt.max_objects={wanted.max_objects}"))
        else:
            taken[len(taken) + 1] = each
    told: set[str] = set()
    tell(frame, taken, left_out, told)
    prompts = tuple(each.prompt(frame.index, number, wanted.send) for number, each in taken.items())
    looks = Looks()
    looks.add(frame, taken, left_out)
    if options.every is None or source.info.still:
        return Found(prompts, detector, None, looks)
    return Found(prompts, detector, LookingAgain(detector, wanted, options.every, source.frames, prompts, looks), looks)


def _first_look(
    source: Source, detector: Detector, wanted: Wanted, start: int, names: Sequence[str] | None, key: str
) -> tuple[Frame, list[Seen]]:
    """The first frame from number ``start`` on with something wanted, and all that is seen there."""
    first = position(source.frames, start)
    if first == len(source.frames):
        raise InputError(f"prompt.frame: {start} is beyond the last extracted frame, {source.frames[-1]}")
    frame = source[source.frames[first]]
    seen = see(detector, frame, wanted.send)
    if any(wanted.takes(each.name) for each in seen):
        return frame, seen
    what = "nothing" if names is None else f"no {' or '.join(names)}"
    if not source.info.still:
        log.info("frame %d: %s; looking on until something is found", frame.index, what)
    others = {each.name for each in seen}
    with closing(iter(source)) as frames, progress(len(source.frames) - first - 1, "looking") as bar:
        for frame in frames:
            if frame.index <= source.frames[first]:
                continue
            seen = see(detector, frame, wanted.send)
            if any(wanted.takes(each.name) for each in seen):
                return frame, seen
            others.update(each.name for each in seen)
            bar.update()
    instead = f"; there are: {', '.join(sorted(others))}" if others else ""
    where = (
        f"in {source.name}"
        if source.info.still
        else f"on the {len(source.frames) - first} frames of {source.name} from {source.frames[first]} on"
    )
    raise InputError(
        f"{key}: {what} {where}{instead}\nA lower prompt.confidence= or a larger prompt.detector= may find more"
    )


@dataclass(frozen=True)
class _Options:
    frame: int
    every: int | None
    iou: float
    max_objects: int
    send: str
    join_confidence: float


def _options(
    detector: Mapping[str, Any], frame: Any, every: Any, iou: Any, max_objects: Any, join_confidence: Any, send: Any
) -> _Options:
    """The keys, checked."""
    if send not in SEND:
        raise InputError(f"prompt.send: {shown(send)} is not one of {', '.join(SEND)}")
    count = coordinates.integer("prompt.max_objects", max_objects, 1)
    if count >= VOID:
        raise InputError(f"prompt.max_objects: {count}; there are ids for up to {VOID - 1} objects")
    return _Options(
        coordinates.integer("prompt.frame", frame, 0),
        None if every is None else coordinates.integer("prompt.every", every, 1),
        _share("prompt.iou", iou),
        count,
        send,
        _join_confidence(join_confidence, detector.get("confidence")),
    )


def _with_confidence(detector: Any, keys: dict[str, Any]) -> dict[str, Any]:
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


def _names(classes: Any) -> list[str] | None:
    """The names of classes that the user gave: one, several, or None."""
    if classes is None:
        return None
    names = [classes] if isinstance(classes, str) else classes
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name.strip() for name in names):
        raise InputError(f"prompt.classes: {shown(classes)} is not a list of names, such as [person,dog]")
    if not names:
        raise InputError("prompt.classes: the list is empty; null takes everything that the detector knows")
    return [name.strip() for name in names]


def _phrases(text: Any) -> list[str]:
    """The phrases of a text, which full stops separate, or of a list."""
    parts = text.split(".") if isinstance(text, str) else [] if text is None else text
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"prompt.text: {shown(text)} is no text; say what to look for, {EXAMPLE}")
    phrases = [" ".join(part.replace(".", " ").split()) for part in parts]
    phrases = list(dict.fromkeys(filter(None, phrases)))
    if not phrases:
        raise InputError(f"prompt.text: missing; say what to look for, a full stop after each phrase: {EXAMPLE}")
    return phrases


def _check_known(names: Sequence[str], detector: Detector) -> None:
    """Raises InputError for the first name that isn't a class of the detector."""
    known = {plain(name): name for name in detector.classes or ()}
    for name in names:
        if plain(name) not in known:
            near = [known[each] for each in get_close_matches(plain(name), known, 3)]
            some = f"the nearest: {', '.join(near)}" if near else f"it knows {', '.join(list(known.values())[:8])} …"
            raise InputError(f"prompt.classes: {type(detector).__name__} has no class {name!r}; {some}")


def _takes_text(detector: Mapping[str, Any]) -> bool:
    """Whether a detector's YAML names a class that looks for any phrase."""
    try:
        return "text" in signature(locate(f"{KEY}._target_", str(detector.get("_target_")))).parameters
    except (TypeError, ValueError):  # of C
        return False
