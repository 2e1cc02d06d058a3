"""The frames before the first prompt, tracked towards the start of the video (``propagate=both``) in constant memory.

sam2 propagates forward first and then, with the memories of that pass, in reverse. Its reverse pass reads no further
than a window of frames past the start, so that this is all that has to be tracked forward before it. The masks that it
finds are kept as RLE in a temporary file until the video, played forward, comes to them.
"""

import os
import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco

from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.model.sam2.engine import Features
from vidseg.model.sam2.one_pass import LowRes, Pass
from vidseg.model.sam2.view import View
from vidseg.types import RGB, Frame, FrameMasks, Source

_CERTAIN = 10.0  # the logit of a pixel whose own was not kept; half of it where another object's was higher


class Backwards:
    """Tracks from ``start`` (a position in ``source.frames``, of the first prompt) to the beginning.

    ``end`` is the first position that it has no masks for: ``pass_`` goes on there. ``encode`` makes the features of
    what a view shows of a frame's pixels.
    """

    def __init__(self, pass_: Pass, source: Source, start: int, encode: Callable[[RGB, View], Features]) -> None:
        self._pass, self._encode = pass_, encode
        self._from_start: dict[int, LowRes] = {}
        self._before_start = _MaskFile()
        self.end = min(start + pass_.reach.pointers + 1, len(source.frames))
        try:
            with closing(source.backwards(self.end - 1)) as frames, progress(start + 1, "backwards") as bar:
                self._track(frames, source.frames, start, bar.update)
        except InputError:
            if start not in self._from_start:
                raise
            # Played forward the video ends with it too, after all frames before it
        pass_.turn_back(self.end - 1)

    def take(self, position: int, frame_index: int) -> FrameMasks:
        """The masks of a frame before ``end``, to be taken once; empty before a frame that could not be read."""
        if position in self._from_start:
            return self._pass.show(position, self._from_start.pop(position), frame_index)
        kept = self._before_start.get(position)
        return self._pass.empty(frame_index) if kept is None else kept.masks(frame_index)

    def _track(self, frames: Iterable[Frame], numbers: Sequence[int], start: int, done: Callable[[], object]) -> None:
        """Takes frames from ``end`` down to 0: forward from ``start`` once they are all read, then in reverse."""
        waiting: dict[int, RGB] = {}
        for frame in frames:
            position = numbers.index(frame.index)
            if position >= start:
                waiting[position] = frame.rgb_hw3
            if position > start:
                continue
            if position == start:
                for later in sorted(waiting):
                    self._from_start[later] = self._step(later, waiting[later], reverse=False)
                waiting.clear()
                self._pass.turn(start)
            low_res = self._step(position, frame.rgb_hw3, reverse=True)
            if position == start:  # of objects that are prompted later sam2 gives two answers; the second counts
                self._from_start[position] = low_res
            else:
                self._before_start.put(position, _Kept.of(self._pass.show(position, low_res, frame.index)))
            done()

    def _step(self, position: int, rgb_hw3: RGB, reverse: bool) -> LowRes:
        view = self._pass.views.at(position)
        return self._pass.step(position, self._encode(rgb_hw3, view), view, reverse=reverse, forget=reverse)


class _MaskFile:
    """Masks by position in a temporary file: in memory 2,500 frames of three ragged masks took 13 MiB."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._offsets: dict[int, int] = {}

    def put(self, position: int, kept: "_Kept") -> None:
        self._offsets[position] = self._file.seek(0, os.SEEK_END)
        pickle.dump(kept, self._file)

    def get(self, position: int) -> "_Kept | None":
        if position not in self._offsets:
            return None
        self._file.seek(self._offsets[position])
        kept: _Kept = pickle.load(self._file)
        return kept


class _Kept(NamedTuple):
    """Masks as RLE, and of several objects the parts where each has the highest logit."""

    object_ids: tuple[int, ...]
    scores: tuple[float | None, ...] | None
    masks_n: list[dict[str, Any]]
    on_top_n: list[dict[str, Any]]

    @classmethod
    def of(cls, masks: FrameMasks) -> "_Kept":
        on_top_n: list[dict[str, Any]] = []
        if len(masks.object_ids) > 1:
            best_hw = masks.logits_nhw.argmax(0) if masks.best_hw is None else masks.best_hw
            on_top_n = _encode(masks.masks_nhw & (best_hw == np.arange(len(masks.object_ids))[:, None, None]))
        return cls(masks.object_ids, masks.scores, _encode(masks.masks_nhw), on_top_n)

    def masks(self, frame_index: int) -> FrameMasks:
        decoded_nhw = coco.decode(self.masks_n).astype(np.float32).transpose(2, 0, 1)
        if self.on_top_n:
            decoded_nhw = (decoded_nhw + coco.decode(self.on_top_n).transpose(2, 0, 1)) / 2
        logits_nhw = np.where(decoded_nhw > 0, decoded_nhw * np.float32(_CERTAIN), np.float32(-_CERTAIN))
        return FrameMasks(frame_index, self.object_ids, logits_nhw, self.scores)


def _encode(masks_nhw: Any) -> list[dict[str, Any]]:
    encoded: list[dict[str, Any]] = coco.encode(np.asfortranarray(masks_nhw.transpose(1, 2, 0), np.uint8))
    return encoded
