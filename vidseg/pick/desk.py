"""What the picker has open: a video, a segmenter, and the draft of the prompts. Knows nothing about HTTP."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import DictConfig

from vidseg import coordinates
from vidseg.composite.marks import colour
from vidseg.errors import InputError
from vidseg.job.ruler import packaged_detector
from vidseg.pick import document as documents
from vidseg.pick import runs
from vidseg.pick.draft import Draft
from vidseg.pick.looking import looking
from vidseg.prompt import checking
from vidseg.prompt.looking import see
from vidseg.types import RGB, Detector, FrameMasks, Prompt, Source

Emit = Callable[[Mapping[str, Any]], None]
"""Sends a line of an answer to the page. Raises if nobody listens any more."""

_TRACKED = 20_000  # frames whose masks are kept for the page, of 1 to 10 kB each


@dataclass(frozen=True)
class _Tracked:
    """The masks of a frame, and the document that they are of."""

    of: str
    line: Mapping[str, Any]


class Desk:
    """Answers the page's questions about ``source``; one at a time asks the model.

    ``look`` and ``track`` are for one thread; ``state`` and what edits the draft may be called from any other.
    """

    def __init__(self, config: DictConfig, model: str, source: Source, draft: Draft) -> None:
        self.config, self.model, self.source, self.draft = config, model, source, draft
        self.segmenter, self._looking = looking(config, source)
        self._tracked: OrderedDict[int, _Tracked] = OrderedDict()
        self._detector: Detector | None = None
        self._editing = threading.Lock()

    def about(self) -> dict[str, Any]:
        """The video and the model."""
        info, source = self.source.info, self.source
        video = {"name": source.name, "width": info.width, "height": info.height, "fps": float(info.fps)}
        about = {"video": {**video, "frames": [*source.frames], "first_s": source.time_s(source.frames[0])}}
        return {**about, "model": self.model, "device": self.segmenter.device, "precision": self.segmenter.precision}

    def state(self) -> dict[str, Any]:
        """The document and what can be done with it."""
        with self._editing:
            draft, document = self.draft, self.draft.document
            objects = [
                {**each, "color": "#{:02x}{:02x}{:02x}".format(*colour(each["id"]))} for each in document["objects"]
            ]
            return {
                "document": {**document, "objects": objects},
                "revision": draft.revision,
                "can_undo": draft.can_undo,
                "can_redo": draft.can_redo,
                "tracked": [frame for frame, kept in self._tracked.items() if kept.of == self._content(document)],
            }

    def edit(self, revision: int | None, document: Any) -> None:
        """Makes ``document`` the present one. Raises InputError for one that can't be, StaleError for an old one."""
        checked = documents.check(document, self.source, self.draft.read_mask)
        with self._editing:
            self.draft.edit(revision, checked.document)

    def move(self, revision: int | None, by: int) -> None:
        """Undoes (-1) or redoes (1)."""
        with self._editing:
            self.draft.move(revision, by)

    def prompts(self) -> tuple[Prompt, ...]:
        """Those of the present document."""
        return documents.check(self.draft.document, self.source, self.draft.read_mask).prompts

    def keep_mask(self, width: Any, height: Any, lengths: Any) -> str:
        """Stores a painted mask; returns its name."""
        info = self.source.info
        if (width, height) != (info.width, info.height):
            raise InputError(f"mask: {width} x {height}; the video has {info.width} x {info.height} pixels")
        mask_hw = runs.decode(lengths, info.height, info.width)
        if not mask_hw.any():
            raise InputError("mask: it is empty; paint the object")
        return self.draft.keep_mask(mask_hw)

    def picture(self, frame: Any) -> RGB:
        """The picture of a frame. Raises InputError if there is no such frame, or if it can't be read."""
        return self.source[self._frame(frame)].rgb_hw3

    def look(self, frame: Any, hover: Any, emit: Emit) -> dict[str, Any]:
        """The masks on a frame of the objects that have a prompt there; of a ``hover`` those of its object alone.

        Masks that are almost these are emitted as soon as they are there; for a hover they will do.
        """
        index, prompts = self._frame(frame), self.prompts()
        only: list[int] = [prompt.object_id for prompt in prompts if prompt.frame_index == index]
        if hover is not None:
            prompts, only = self._hovering(index, prompts, hover)
        if not only:
            return {"frame": index, "objects": []}

        def enough(masks: FrameMasks) -> bool:
            if hover is None:
                emit({**runs.line(masks, only), "early": True})
            return hover is not None

        return runs.line(self._looking.look(index, prompts, _progress(emit), enough), only)

    def track(self, frame: Any, count: Any, emit: Emit) -> None:
        """Emits the masks of all objects on ``count`` frames from ``frame`` on; None: to the out mark or the end."""
        first, prompts = self._frame(frame), self.prompts()
        if not prompts:
            raise InputError("there is nothing to track yet: click on an object")
        frames, end = self.source.frames, self.draft.document["out"]
        first = max(first, min(prompt.frame_index for prompt in prompts))
        at, content = frames.index(first), self._content(self.draft.document)
        stop = len(frames) if end is None else frames.index(end) + 1
        stop = stop if count is None else min(stop, at + coordinates.integer("count", count, 1))
        if stop <= at:
            return
        with closing(self._looking.track(first, prompts, _progress(emit))) as tracked:
            for masks in tracked:
                line = runs.line(masks)
                with self._editing:
                    self._tracked[masks.frame_index] = _Tracked(content, line)
                    if len(self._tracked) > _TRACKED:
                        self._tracked.popitem(last=False)
                emit(line)
                if masks.frame_index >= frames[stop - 1]:
                    break

    def taken(self) -> int:
        """How many frames a run takes, between the marks."""
        first, last = self.draft.document["in"], self.draft.document["out"]
        return sum(
            (first is None or number >= first) and (last is None or number <= last) for number in self.source.frames
        )

    def tracked(self, frame: Any) -> dict[str, Any] | None:
        """The masks that a frame was given by ``track``, and whether they are of the present document."""
        with self._editing:
            kept, document = self._tracked.get(self._frame(frame)), self.draft.document
        return None if kept is None else {**kept.line, "current": kept.of == self._content(document)}

    def suggest(self, frame: Any) -> list[dict[str, Any]]:
        """What the detector in the package finds on a frame, the surest first."""
        index = self._frame(frame)
        if self._detector is None:
            self._detector = packaged_detector()
        seen = see(self._detector, self.source[index], "box")
        last = np.array([self.source.info.width - 1, self.source.info.height - 1] * 2)
        boxes = [np.minimum(np.rint(each.box_xyxy), last).astype(int).tolist() for each in seen]
        return [
            {"box": box, "name": each.name, "score": round(each.score, 2)}
            for box, each in zip(boxes, seen, strict=True)
        ]

    def _hovering(self, index: int, prompts: tuple[Prompt, ...], hover: Any) -> tuple[tuple[Prompt, ...], list[int]]:
        """The prompts of the object that the pointer is for, with the point under it."""
        if not isinstance(hover, Mapping):
            raise InputError("hover: an object, a point and its label")
        object_id = coordinates.integer("hover.object", hover.get("object"), 1)
        own = [prompt for prompt in prompts if prompt.object_id == object_id]
        here = next((prompt for prompt in own if prompt.frame_index == index), None)
        others = [prompt for prompt in own if prompt is not here]
        points, labels = [hover.get("point")], [hover.get("label", 1)]
        given: dict[str, Any] = {}
        if here is not None and here.mask_hw is None:
            given["box_xyxy"] = here.box_xyxy
            if here.points_xy is not None and here.labels is not None:
                points, labels = [*here.points_xy.tolist(), *points], [*here.labels.tolist(), *labels]
        given |= {"points_xy": points, "labels": labels}
        here = Prompt(index, object_id, **given)
        return checking.check(self.source, (*others, here)), [object_id]

    def _frame(self, value: Any) -> int:
        index, frames = coordinates.integer("frame", value, 0), self.source.frames
        if index not in frames:
            raise InputError(f"frame: {index} is not among the frames, {frames[0]} to {frames[-1]}")
        return index

    @staticmethod
    def _content(document: documents.Document) -> str:
        """What masks depend on: all but names and marks."""
        ends = {each["id"]: each["until"] for each in document["objects"] if each["until"] is not None}
        return json.dumps([document["prompts"], ends], sort_keys=True)


def _progress(emit: Emit) -> Callable[[int, int], None]:
    return lambda done, total: emit({"progress": {"done": done, "total": total}})
