"""Prompts from a detector: ``detect`` and ``text`` are the ``_target_`` of a file in conf/prompt/ each.

They look at the video from a frame on until something is found, and make an object of each thing, the surest first.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from vidseg.console import progress
from vidseg.contract import build_within
from vidseg.errors import InputError
from vidseg.prompt.asked import (
    KEY,
    Options,
    check_known,
    names_of_classes,
    options_of,
    phrases_of,
    takes_text,
    with_confidence,
)
from vidseg.prompt.frames import shown_at
from vidseg.prompt.looking import LookingAgain, Looks, Seen, Wanted, plain, position, see, tell
from vidseg.types import Detector, Finder, Frame, Prompt, Source

log = logging.getLogger(__name__)

_made: ContextVar[dict[str, Detector] | None] = ContextVar("_made", default=None)


@dataclass(frozen=True)
class Found:
    """The prompts of the first look; iterable.

    ``finder`` looks again while the video runs, or is None; ``looks`` are those that aren't drawn yet; ``classes`` are
    the names that objects may have, in the order of ``prompt.classes`` or of the detector.
    """

    prompts: tuple[Prompt, ...]
    detector: Detector
    finder: Finder | None = None
    looks: Looks = field(default_factory=Looks)
    classes: Sequence[str] = ()

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)


def detect(source: Source, classes: Any, detector: Mapping[str, Any], **keys: Any) -> Found:
    """What a detector finds. ``keys`` are those of conf/prompt/base/found.yaml, ``detector`` is its YAML.

    Raises InputError for a key out of range, a class that the detector doesn't know, and if nothing is found.
    """
    names = names_of_classes(classes)
    detector = with_confidence(detector, keys)
    options = options_of(detector, **keys)
    if takes_text(detector):
        if names is None:
            raise InputError(
                "prompt.classes: missing; this detector looks for what it is told, prompt.classes=[person,dog]"
            )
        detector |= {"text": [name.replace("_", " ") for name in names]}
    made = _make(detector)
    wanted, known = None, made.classes
    if names is not None and known is not None:
        check_known(names, made)
        wanted = frozenset(map(plain, names))
        spelled = {plain(name): name for name in known}
        known = tuple(spelled[plain(name)] for name in names)
    found = _found(source, made, wanted, names, "prompt.classes", options)
    return replace(found, classes=detector["text"] if known is None else known)


def text(source: Source, text: Any, detector: Mapping[str, Any] | None = None, **keys: Any) -> Found:
    """What phrases describe: "the red bicycle. a dog." See ``detect``.

    Raises InputError without a phrase, and for a detector that knows a set of classes only.
    """
    phrases = phrases_of(text)
    detector = with_confidence(detector, keys)
    options = options_of(detector, **keys)
    if not takes_text(detector):
        raise InputError(
            "prompt.text: this detector knows its own classes only; prompt=detect prompt.classes=[person] takes some\n"
            "of them, prompt.detector=grounding_dino and owlv2 look for any phrase"
        )
    made = _make({**detector, "text": phrases})
    return replace(_found(source, made, None, phrases, "prompt.text", options), classes=phrases)


@contextmanager
def one_detector() -> Iterator[None]:
    """Within the block all prompts with the same YAML of a detector share one: building it may take seconds."""
    token = _made.set({})
    try:
        yield
    finally:
        _made.reset(token)


def _make(node: Mapping[str, Any]) -> Detector:
    made = _made.get()
    if made is None:
        made = {}
    if (yaml := repr(node)) not in made:
        made[yaml] = build_within("detector", KEY, node)
    return made[yaml]


def _found(
    source: Source,
    detector: Detector,
    classes: frozenset[str] | None,
    names: Sequence[str] | None,
    key: str,
    options: Options,
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
    source: Source, detector: Detector, wanted: Wanted, start: int | str, names: Sequence[str] | None, key: str
) -> tuple[Frame, list[Seen]]:
    """The first frame from ``start`` on (a number, or seconds) with something wanted, and all that is seen there."""
    first = position(source.frames, shown_at(source, "prompt.frame", start))
    if first == len(source.frames):
        raise InputError(f"prompt.frame: {start} is beyond the last extracted frame, {source.frames[-1]}")
    seen: list[Seen] = []
    try:
        frame = source[source.frames[first]]
    except InputError:  # damaged; the frames after it may do
        if first + 1 == len(source.frames):
            raise
    else:
        seen = see(detector, frame, wanted.send)
    if any(wanted.takes(each.name) for each in seen):
        return frame, seen
    what = "nothing" if names is None else f"no {' or '.join(names)}"
    if not source.info.still:
        log.info("frame %d: %s; looking on until something is found", source.frames[first], what)
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
