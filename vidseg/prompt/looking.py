"""What becomes an object of what a detector sees: the rules, the first look, and the looks while a video runs.

A detection is covered by an object that is there already if the intersection of both over their union (IoU) is large
enough: the IoU of the detection's box with the box around the object's mask, or that of the masks where masks are sent
as prompts. Looking again every n frames with this rule is what muggled_sam does. One rule is added: a detection that
lies inside an object of the same name, and is mostly that object's mask, is a part of it (a head of a person).
"""

import json
import logging
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg import measure
from vidseg.composite import Sighting
from vidseg.contract import check_detections
from vidseg.errors import InputError
from vidseg.record.masks import decode, encode
from vidseg.types import Detector, Frame, FrameMasks, Mask, Prompt

log = logging.getLogger(__name__)

PART = 0.5  # from this share of it in an object's mask a detection of the same name is a part of the object
MOST_LOOKS = 256  # that wait to be drawn; nobody draws them where no samples are written


@dataclass(frozen=True)
class Wanted:
    """Which detections become objects; the keys of conf/prompt/base/found.yaml."""

    classes: frozenset[str] | None  # names as ``plain`` makes them; None: all
    iou: float
    max_objects: int
    send: str
    join_confidence: float  # the lowest score with which something joins later

    def takes(self, name: str) -> bool:
        """Whether a class is among those that the user wants."""
        return self.classes is None or plain(name) in self.classes


@dataclass(frozen=True, eq=False)
class Seen:
    """One detection, its box inside the picture."""

    name: str
    score: float
    box_xyxy: NDArray[np.float32]
    mask_hw: Mask | None

    def __str__(self) -> str:
        return f"{self.name} {self.score:.2f}"

    def prompt(self, frame_index: int, object_id: int, send: str, joins: bool = False) -> Prompt:
        """The prompt that makes it an object."""
        given: dict[str, Any] = {"mask_hw": self.mask_hw} if send == "mask" else {"box_xyxy": self.box_xyxy}
        return Prompt(frame_index, object_id, name=self.name, joins=joins, **given)


def plain(name: str) -> str:
    """A class name without what users and detectors write differently: Dining_Table is dining table."""
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def see(detector: Detector, frame: Frame, send: str) -> list[Seen]:
    """What the detector finds on a frame, the surest first; nothing that is smaller than a pixel.

    Raises InputError if masks are to be sent and the detector makes none, ContractError if it breaks a rule.
    """
    found = check_detections(detector, detector.detect(frame.rgb_hw3), frame)
    masks = found.masks_nhw
    if send == "mask" and masks is None and found.names:
        maker = type(detector).__name__
        raise InputError(f"prompt.send: {maker} makes boxes, not masks; send=box, or another prompt.detector")
    height, width = frame.rgb_hw3.shape[:2]
    boxes = np.clip(found.boxes_xyxy, 0, np.array((width, height, width, height), np.float32))
    seen = [
        Seen(
            found.names[row],
            float(found.scores[row]),
            boxes[row],
            masks[row] if send == "mask" and masks is not None else None,
        )
        for row in np.argsort(-found.scores, kind="stable").tolist()
        if (boxes[row, 2:] - boxes[row, :2]).min() >= 1
    ]
    return [each for each in seen if each.mask_hw is None or each.mask_hw.any()]


class Looks(OrderedDict[int, tuple[Sighting, ...]]):
    """The looks that aren't drawn yet, by number of the frame. Whoever draws one takes it out, in any thread."""

    def add(self, frame: Frame, taken: Mapping[int, Seen], left_out: Sequence[tuple[Seen, str]]) -> None:
        """Adds a look: what became an object, by id, and what didn't, with why."""
        objects = [Sighting(seen.box_xyxy, f"{number} {seen}", number) for number, seen in taken.items()]
        self[frame.index] = (*objects, *(Sighting(seen.box_xyxy, f"{seen} {why}", None) for seen, why in left_out))
        if len(self) > MOST_LOOKS:
            self.popitem(last=False)


class LookingAgain:
    """Finds new objects every ``every``-th of the ``frames`` after the first look; see vidseg.types.Finder.

    ``known`` are the prompts of the first look, on one frame. Looks go into ``looks``.
    """

    def __init__(
        self,
        detector: Detector,
        wanted: Wanted,
        every: int,
        frames: Sequence[int],
        known: Sequence[Prompt],
        looks: Looks,
    ) -> None:
        self._prompts: list[Prompt] = []
        self._detector, self._wanted, self._every, self._frames = detector, wanted, every, frames
        self._known, self._looks = tuple(known), looks
        self._first = position(frames, known[0].frame_index)
        self._looked = 0  # how many frames after the first look the last one was
        self._told: set[str] = set()  # what the log says once only

    @property
    def prompts(self) -> Sequence[Prompt]:
        """What was found so far, without the first look."""
        return tuple(self._prompts)

    def due(self, frame_index: int) -> bool:
        """Whether to look on this frame: there is room for another object, and it is an n-th one.

        Where the n-th is damaged, and left out, it is the next.
        """
        passed = position(self._frames, frame_index) - self._first
        return passed // self._every > self._looked // self._every and self._room > 0

    @property
    def _room(self) -> int:
        return self._wanted.max_objects - len({prompt.object_id for prompt in (*self._known, *self.prompts)})

    def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
        """A prompt for each thing on the frame that none of ``masks`` covers, the surest first."""
        wanted, send = self._wanted, self._wanted.send
        taken: dict[int, Seen] = {}
        left_out: list[tuple[Seen, str]] = []
        number = max([*masks.object_ids, *(prompt.object_id for prompt in (*self._known, *self.prompts))])
        live = list(self._live(masks))
        for seen in see(self._detector, frame, send):
            if not wanted.takes(seen.name):
                left_out.append((seen, "isn't among prompt.classes"))
            elif (cover := _cover(seen, live, wanted.iou)) is not None:
                left_out.append((seen, cover))
            elif seen.score < wanted.join_confidence:
                left_out.append((seen, f"is under prompt.join_confidence ({wanted.join_confidence:.2f})"))
            elif len(taken) >= self._room:
                left_out.append((seen, f"is beyond prompt.max_objects={wanted.max_objects}"))
            else:
                number += 1
                taken[number] = seen
        self._looked = position(self._frames, frame.index) - self._first
        found = [seen.prompt(frame.index, object_id, send, joins=True) for object_id, seen in taken.items()]
        self._prompts.extend(found)
        if tell(frame, taken, left_out, self._told):
            self._looks.add(frame, taken, left_out)
        if found and not self._room:
            log.info("prompt.max_objects=%d are there: no more looks", wanted.max_objects)
        return found

    def _live(self, masks: FrameMasks) -> Iterator["_Live"]:
        names = {prompt.object_id: prompt.name for prompt in (*self._known, *self.prompts)}
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            if (box := measure.bounding_box(mask_hw)) is not None:
                corners = (box[1].start, box[0].start, box[1].stop, box[0].stop)
                yield _Live(object_id, names.get(object_id), np.array(corners, np.float32), mask_hw)

    def state(self) -> str:
        """What was found so far, as JSON; masks as run-length code."""
        prompts = [_entry(prompt) for prompt in self.prompts]
        return json.dumps({"looked": self._looked, "told": sorted(self._told), "prompts": prompts})

    def restore(self, state: str) -> None:
        """Goes on from a ``state``."""
        known = json.loads(state)
        self._looked, self._told = known["looked"], set(known["told"])
        self._prompts[:] = [
            Prompt(
                entry["frame"], entry["object"], box_xyxy=entry["box"], name=entry["name"], joins=True,
                mask_hw=None if entry["mask"] is None else decode(entry["mask"]),
            )
            for entry in known["prompts"]
        ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Live:
    """An object that is on the frame, with the box around its mask."""

    object_id: int
    name: str | None
    box_xyxy: NDArray[np.float32]
    mask_hw: Mask


def _cover(seen: Seen, live: Sequence[_Live], least_iou: float) -> str | None:
    """Which object covers a detection, as the end of a sentence; None if none does."""

    def iou(other: _Live) -> float:
        if seen.mask_hw is None:
            return measure.box_iou(seen.box_xyxy, other.box_xyxy)
        return measure.iou(seen.mask_hw, other.mask_hw)

    ious = [iou(other) for other in live]
    if ious and (best := int(np.argmax(ious)), ious[best])[1] >= least_iou:
        return f"is object {live[best].object_id} (IoU {ious[best]:.2f})"
    for other in live:
        if other.name == seen.name and (share := _share(seen, other)) >= PART:
            return f"is a part of object {other.object_id} ({share:.0%} of it)"
    return None


def _share(seen: Seen, other: _Live) -> float:
    """The share of a detection (its mask, or all of its box) that is the object's mask."""
    if seen.mask_hw is not None:
        return float(other.mask_hw[seen.mask_hw].mean())
    x0, y0, x1, y1 = (round(edge) for edge in seen.box_xyxy.tolist())
    inside_hw = other.mask_hw[y0:y1, x0:x1]
    return float(inside_hw.mean()) if inside_hw.size else 0.0


def tell(frame: Frame, taken: Mapping[int, Seen], left_out: Sequence[tuple[Seen, str]], told: set[str]) -> bool:
    """Logs a look that found an object, or that left out what wasn't left out for the same reason before.

    Returns whether it was one.
    """
    news = {f"{seen.name} {why.partition('(')[0]}" for seen, why in left_out} - told
    told |= news
    if taken or news:
        parts = [f"{seen} becomes object {number}" for number, seen in taken.items()]
        parts += [f"{seen} {why}" for seen, why in left_out]
        log.info("frame %d: %s", frame.index, "; ".join(parts))
    return bool(taken or news)


def position(frames: Sequence[int], frame_index: int) -> int:
    """The position of the first of the ascending ``frames`` with this number or a later one."""
    return bisect_left(frames, frame_index)


def _entry(prompt: Prompt) -> dict[str, Any]:
    return {
        "frame": prompt.frame_index,
        "object": prompt.object_id,
        "name": prompt.name,
        "box": None if prompt.box_xyxy is None else prompt.box_xyxy.tolist(),
        "mask": None if prompt.mask_hw is None else encode(prompt.mask_hw),
    }
