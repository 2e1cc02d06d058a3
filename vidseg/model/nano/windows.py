"""Windows that follow objects (``model.zoom``): of nano's 28 by 28 cells a far object has few unless seen closer."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidseg.errors import InputError
from vidseg.model.nano.first_looks import FirstLooks
from vidseg.model.nano.window import Box, Window, bounding_box
from vidseg.model.sam2.engine import Engine
from vidseg.model.sam2.view import View, Views
from vidseg.types import RGB, Prompt, Source

_SHRINKS = 0.05  # of the way to a smaller window, at each frame; a larger one is taken at once
_WIDENS = 1.1  # times as large at each frame without a mask, until it is the whole picture
_STRAY = 0.01  # of a mask's pixels, to each side, that the window doesn't grow for: else it follows specks
_EDGE, _BEYOND = 0.01, 0.12  # of the window: a mask as near to its edge is taken to go on beyond it, by so much
_MARGIN = 0.1  # of the window, beyond a point that it didn't show


class Windows(Views):
    """The window of every frame of one pass, from the masks before it: their longer side fills ``share`` of it.

    With first prompts on several frames all frames are seen as a whole: what was seen close on one conditioning frame
    isn't known again on another that shows it far, or not at all.
    """

    def __init__(self, share: float, engine: Engine, source: Source, prompts: Mapping[int, Sequence[Prompt]]) -> None:
        self._engine, self._source, self._share = engine, source, share
        self.together = self.looks_first = len(prompts) == 1
        self._whole = Window.whole(source.info.width, source.info.height)
        self._held: dict[int, View] = {}  # by position, how prompted frames are looked at: they are remembered so
        self._size = 1.0  # of the window, in the picture's
        self.view: Window = self._whole

    def prompted(self, position: int, rgb_hw3: RGB, prompts: Sequence[Prompt]) -> tuple[View, Sequence[Prompt]]:
        """A window around the objects, and masks as prompts: those given, else what first looks make of other prompts.

        An object that no look found keeps its prompts, and the whole picture is looked at.
        """
        view: View = self._whole
        if self.together:
            by_object: dict[int, list[Prompt]] = {}
            for prompt in prompts:
                by_object.setdefault(prompt.object_id, []).append(prompt)
            masks = {key: own[-1].mask_hw for key, own in by_object.items() if own[-1].mask_hw is not None}
            looks = FirstLooks(self._engine, self._source, position, rgb_hw3)
            masks |= looks.masks({key: own for key, own in by_object.items() if key not in masks})
            prompts = [
                prompt
                for key, own in by_object.items()
                for prompt in ([Prompt(own[-1].frame_index, key, mask_hw=masks[key])] if masks[key].any() else own)
            ]
            box = bounding_box(torch.from_numpy(np.logical_or.reduce([*masks.values()])))
            if box is not None and all(mask_hw.any() for mask_hw in masks.values()):
                view = self._whole.around(box, self._share)
        self._held[position] = view
        return view, prompts

    def corrected(self, position: int, prompts: Sequence[Prompt]) -> View:
        """The window, larger where it wouldn't show the points."""
        window = self.view
        points_xy = np.concatenate([prompt.points_xy for prompt in prompts if prompt.points_xy is not None])
        start, end = np.array(window.box[:2]), np.array(window.box[2:])
        if (points_xy < start).any() or (points_xy >= end).any():
            margin = _MARGIN * (end - start)
            start, end = np.minimum(start, points_xy.min(0) - margin), np.maximum(end, points_xy.max(0) + margin)
            box = (*start.tolist(), *end.tolist())
            window = window.of_size(min(1.0, window.longer_side(box)), box)
        self._held[position] = window
        return window

    def at(self, position: int) -> View:
        """As held, else as the masks that are known by now have it."""
        return self._held.get(position, self.view)

    def start(self, position: int) -> None:
        """Goes on from the prompted frame at ``position``."""
        self.resume(self._held[position])

    def resume(self, view: View) -> None:
        """Goes on from ``view``."""
        assert isinstance(view, Window)
        self.view, self._size = view, view.width / view.across

    def follow(self, view: View, logits_n1hw: Tensor) -> None:
        """Moves the window to the masks of all objects of one frame. On a GPU this waits for them."""
        if not self.together:
            return
        assert isinstance(view, Window)
        box = bounding_box((logits_n1hw > 0).any(0)[0], _STRAY)
        if box is None:
            self._size = min(1.0, _WIDENS * self._size)
            self.view = self._whole.of_size(self._size, self.view.box)
            return
        h, w = logits_n1hw.shape[-2:]
        x, y = view.width / w, view.height / h
        left, top, right, below = box
        box = (view.left + left * x, view.top + top * y, view.left + right * x, view.top + below * y)
        box = _continued(box, view)
        fitting = view.size_for(box, self._share)
        self._size = max(fitting, self._size + _SHRINKS * (fitting - self._size))
        self.view = view.of_size(self._size, box)

    def state(self) -> dict[str, Any]:
        """With the windows that are held, and the size that changes slowly."""
        held = {position: astuple(view) for position, view in self._held.items()}
        return {**super().state(), "held": held, "size": self._size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a ``state``."""
        super().restore(state)
        self._held = {position: self.of(values) for position, values in state["held"].items()}
        self._size = state["size"]


def check_zoom(zoom: object, encoder_batch: int | None) -> None:
    """Raises InputError for a ``model.zoom`` that can't be, or not with that ``model.encoder_batch``."""
    if not isinstance(zoom, int | float) or isinstance(zoom, bool) or not 0 < zoom <= 1:
        raise InputError(f"model.zoom: {zoom}; the objects' share of the window, above 0 and up to 1, or null")
    if encoder_batch not in (None, 1):
        raise InputError(
            f"model.encoder_batch: {encoder_batch}; 1 or null with model.zoom, where masks say what to encode"
        )


def _continued(box: Box, window: Window) -> Box:
    """``box``, further where it reaches an edge of the window it was seen in: an object that comes nearer, or moves
    faster than the window follows, is cut off there."""
    left, top, right, below = (
        edge + sign * _BEYOND * side if abs(edge - end) < _EDGE * side else edge
        for edge, end, side, sign in zip(
            box, window.box, 2 * (window.width, window.height), (-1, -1, 1, 1), strict=True
        )
    )
    return max(0, left), max(0, top), min(window.across, right), min(window.down, below)
