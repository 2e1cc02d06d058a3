"""How a pass over a video is given its prompts, before it goes from frame to frame."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np

from vidseg.errors import InputError
from vidseg.model.encoder import Encoder
from vidseg.model.engine import Pass
from vidseg.model.image import Input
from vidseg.model.looks import Looks
from vidseg.model.zoom import View, Zoom
from vidseg.prefetch import ahead
from vidseg.console.progress import progress
from vidseg.types import RGB, Frame, Mask, Prompt, Source

Placed = tuple[int, Prompt]
"""A prompt and its position in ``source.frames``."""
Seen = tuple[Frame, View]
"""A frame and what the model is to see of it."""


class Prompting:
    """Gives prompts to passes over ``source``, which ``new_pass`` begins, each with a zoom (SAM2's) or None.

    With ``exclusive`` no two objects have a pixel in common.
    """

    def __init__(
        self, source: Source, encoder: Encoder, new_pass: Callable[[float | None], Pass], exclusive: bool
    ) -> None:
        self._source, self._encoder, self._new_pass, self._exclusive = source, encoder, new_pass, exclusive

    def given(self, prompts: Sequence[Prompt], zoom: float | None) -> tuple[Pass, int]:
        """A pass that was given all prompts, and the position of the first. SAM2.track says what they do."""
        initial, corrections = _rounds([(self._position(prompt), prompt) for prompt in prompts])
        places = _by_position(initial)
        # What was seen close on one conditioning frame isn't known again on another that shows it far, or not at all
        pass_ = self._new_pass(zoom if len(places) == 1 else None)
        for position, here in places.items():  # each prompted frame is read and encoded once
            rgb_hw3, view = self._source[self._source.frames[position]].rgb_hw3, pass_.zoom.whole
            if pass_.zoom.moves:
                view, here = self._closer(position, rgb_hw3, pass_.zoom, here)
            pass_.condition(position, self._encoder.features(rgb_hw3, view), view, here)
        pass_.begin(initial)
        start = min(places)
        if corrections:
            self._correct(pass_, start, _by_position(corrections))
            pass_.begin([*initial, *corrections])
        return pass_, start

    def _closer(self, position: int, rgb_hw3: RGB, zoom: Zoom, prompts: list[Prompt]) -> tuple[View, list[Prompt]]:
        """What is to be seen of the prompted frame to have its objects close, and masks that prompt them there.

        Clicks and boxes are for Looks. An object that none of these found keeps its prompts, for the whole picture.
        """
        by_object: dict[int, list[Prompt]] = {}
        for prompt in prompts:
            by_object.setdefault(prompt.object_id, []).append(prompt)
        masks = {object_id: each[-1].mask_hw for object_id, each in by_object.items() if each[-1].mask_hw is not None}
        masks |= self._found(position, rgb_hw3, {key: each for key, each in by_object.items() if key not in masks})
        given = []
        for object_id, each in by_object.items():
            mask = Prompt(each[-1].frame_index, object_id, mask_hw=masks[object_id])
            given += [mask] if masks[object_id].any() else each
        found = all(mask_hw.any() for mask_hw in masks.values())
        return zoom.fitting([*masks.values()]) if found else zoom.whole, given

    def _found(self, position: int, rgb_hw3: RGB, prompts: Mapping[int, Sequence[Prompt]]) -> dict[int, Mask]:
        """The masks of objects on a prompted frame."""
        looks, logits = Looks(position, rgb_hw3, self._encoder, self._new_pass), {}
        with progress(len(prompts), "first looks", "object") as bar:
            for object_id, each in prompts.items():
                logits[object_id] = looks.logits(each)
                bar.update()
        if not self._exclusive or not logits:
            return {object_id: logits_hw > 0 for object_id, logits_hw in logits.items()}
        best_hw = np.argmax([*logits.values()], 0)
        return {object_id: (logits_hw > 0) & (best_hw == n) for n, (object_id, logits_hw) in enumerate(logits.items())}

    def _correct(self, pass_: Pass, start: int, corrections: dict[int, list[Prompt]]) -> None:
        """Tracks forward from ``start`` to the last corrected frame, and corrects on the way."""
        waiting = dict(corrections)
        steps = max(waiting) - start + 1

        def input_of(what: Seen) -> Input:
            return self._encoder.input(what[0].rgb_hw3, what[1])

        with (
            closing(self._source.__iter__()) as frames,
            closing(ahead(seen(pass_, self._source, frames, corrections), input_of)) as inputs,
            progress(steps, "to the corrections") as bar,
        ):
            for (frame, view), each in inputs:
                position = self._source.frames.index(frame.index)
                if position < start:
                    continue
                features = self._encoder.encode([each.image_chw])[0]
                if position in waiting:
                    pass_.correct(position, features, view, waiting.pop(position))
                else:
                    pass_.step(position, features, view)
                bar.update()
                if not waiting:
                    return
        number = self._source.frames[min(waiting)]
        raise InputError(f"prompt.frame: {number} can't be read (a damaged picture), so nothing can be corrected there")

    def _position(self, prompt: Prompt) -> int:
        numbers = self._source.frames
        try:
            return numbers.index(prompt.frame_index)
        except ValueError:
            raise InputError(
                f"prompt.frame: {prompt.frame_index} is not among the frames to segment ({len(numbers)}, "
                f"{numbers[0]} to {numbers[-1]})"
            ) from None


def seen(
    pass_: Pass, source: Source, frames: Iterable[Frame], corrections: Mapping[int, Sequence[Prompt]] | None = None
) -> Iterator[Seen]:
    """Each frame and what is to be seen of it, as the masks have it that are known when the frame is taken.

    A corrected frame shows where its prompts are, too.
    """
    for frame in frames:
        position = source.frames.index(frame.index)
        if corrections is not None and position in corrections:
            yield frame, pass_.zoom.including(corrections[position])
        else:
            yield frame, pass_.zoom.at(position)


def _rounds(prompts: list[Placed]) -> tuple[list[Placed], list[Placed]]:
    """The prompts that say where objects are, and the points that correct where one has been tracked to."""
    first: dict[int, int] = {}
    anew = set()  # places where a box or a mask says where the object is, whatever was tracked
    for position, prompt in prompts:
        first[prompt.object_id] = min(position, first.get(prompt.object_id, position))
        if prompt.box_xyxy is not None or prompt.mask_hw is not None:
            anew.add((position, prompt.object_id))
    corrects = [
        position > first[each.object_id] and (position, each.object_id) not in anew for position, each in prompts
    ]
    initial = [each for each, does in zip(prompts, corrects, strict=True) if not does]
    return initial, [each for each, does in zip(prompts, corrects, strict=True) if does]


def _by_position(prompts: list[Placed]) -> dict[int, list[Prompt]]:
    places: dict[int, list[Prompt]] = {}
    for position, prompt in prompts:
        places.setdefault(position, []).append(prompt)
    return places
