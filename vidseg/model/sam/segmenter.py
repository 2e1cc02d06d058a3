"""SAM as a segmenter: every frame is a picture of its own, prompted by what is known of the frame before.

- ``follow=mask``: by the box of the last mask and the point inside that is furthest from its edge.
- ``follow=detector``: by the box of the detection that is associated with the object.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from vidseg.model.detector.follow import Follower, Following
from vidseg.model.sam.image import NO_POINTS, Clue, ImageModel, of_mask, of_prompt
from vidseg.model.singly import Found, only_points_off, track
from vidseg.types import Finder, Frame, FrameMasks, Prompt, Source


class SAM:
    """A segmenter: SAM on single images.

    With ``following``, its detections' boxes prompt all frames but the prompted ones, and an object without a detection
    is absent. Without, the mask of the frame before does, or the one before that if it is empty: SAM never says that
    what it is asked for isn't there.
    """

    joinable = True

    def __init__(self, model: ImageModel, following: Following | None = None) -> None:
        self.device, self.precision = model.device, model.precision
        self.provenance: Mapping[str, str] = model.provenance
        self._model, self._following = model, following
        if following is not None:
            told = {f"detector_{key}": value for key, value in following.detector.provenance.items()}
            self.provenance = {**model.provenance, **told}

    def track(
        self, source: Source, prompts: Sequence[Prompt], finder: Finder | None = None
    ) -> Generator[tuple[Frame, FrameMasks]]:
        """See ``vidseg.model.singly.track``. Points on an object replace what was known of it, points off it add."""
        follower = None if self._following is None else Follower(self._following, float(source.info.fps))
        return track(source, prompts, _Looker(self._model, follower), finder)


class _Looker:
    """SAM's looks at one video."""

    def __init__(self, model: ImageModel, follower: Follower | None) -> None:
        self._model, self._follower = model, follower
        self._clues: dict[int, Clue] = {}  # what the next frame is prompted by

    def look(self, frame: Frame, given: Sequence[Prompt], live: Collection[int]) -> Mapping[int, Found]:
        """The live objects, each by its prompt on this frame or by what is known of it."""
        clues = {number: clue for number, clue in self._clues.items() if number in live}
        if self._follower is not None:
            seen, boxes = self._follower.look(frame, given, live), self._follower.detections.boxes_xyxy
            clues = {number: Clue(*NO_POINTS, boxes[row]) for number, row in seen.items()}
        for prompt in given:
            if not only_points_off(prompt):
                clues[prompt.object_id] = of_prompt(prompt)
            elif prompt.object_id in clues:
                clues[prompt.object_id] = clues[prompt.object_id].with_points(prompt)
        return self._decoded(frame, clues)

    def join(self, frame: Frame, given: Sequence[Prompt]) -> Mapping[int, Found]:
        """The objects of prompts that were found on the frame."""
        if self._follower is not None:
            self._follower.join(frame, given)
        return self._decoded(frame, {prompt.object_id: of_prompt(prompt) for prompt in given})

    def _decoded(self, frame: Frame, clues: Mapping[int, Clue]) -> Mapping[int, Found]:
        found, picture = {}, _Picture(self._model, frame)
        for number, clue in clues.items():
            logits_khw, ious = self._model.decode(picture.encoded, clue)
            best = int(ious.argmax())
            found[number] = Found(logits_khw[best], float(np.clip(ious[best], 0, 1)))
            self._clues[number] = of_mask(logits_khw[best] > 0) or clue
        return found


class _Picture:
    """A frame that is encoded once, and only if an object is looked for on it."""

    def __init__(self, model: ImageModel, frame: Frame) -> None:
        self._model, self._frame = model, frame

    @cached_property
    def encoded(self) -> Any:
        return self._model.encode(self._frame.rgb_hw3)
