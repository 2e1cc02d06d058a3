"""The frames before the first prompt, tracked towards the start of the video (``propagate=both``) in constant memory.

sam2 propagates forward first and then, with the memories of that pass, in reverse. Its reverse pass reads no further
than a window of frames past the start, so that this is all that has to be tracked forward before it. The masks that it
finds are kept as RLE in a file until the video, played forward, comes to them.
"""

import json
import tempfile
import weakref
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.model.sam2.engine import Features
from vidseg.model.sam2.one_pass import LowRes, Pass
from vidseg.model.sam2.saving import dump
from vidseg.model.sam2.view import View
from vidseg.record.files import JsonLines, read_lines
from vidseg.record.masks import encode
from vidseg.types import RGB, Checkpoints, Frame, FrameMasks, Source

_CERTAIN = 10.0  # the logit of a pixel whose own was not kept; half of it where another object's was higher
FILE = "backwards.jsonl"


class Backwards:
    """The masks from ``start`` (a position in ``source.frames``, of the first prompt) to the beginning: ``track`` first.

    ``end`` is the first position that it has no masks for: ``pass_`` goes on there. ``encode`` makes the features of
    what a view shows of a frame's pixels. ``going_on``: with the masks that a stopped run has left in ``checkpoints``.
    """

    def __init__(
        self, pass_: Pass, source: Source, start: int, encode: Callable[[RGB, View], Features],
        checkpoints: Checkpoints | None = None, going_on: bool = False,
    ) -> None:  # fmt: skip
        self._pass, self._source, self._start, self._encode = pass_, source, start, encode
        self._checkpoints = checkpoints
        self._masks = MaskFile(checkpoints.file(FILE) if checkpoints else None, going_on)
        self.end = min(start + pass_.reach.pointers + 1, len(source.frames))

    def track(self, reached: int | None = None) -> None:
        """Tracks to the beginning, from ``start`` or from the position that a stopped run, now restored, had reached."""
        first = self.end if reached is None else reached
        if first > 0:
            try:
                with (
                    closing(self._source.backwards(first - 1)) as frames,
                    progress(min(first, self._start + 1), "backwards") as bar,
                ):
                    self._track(frames, bar.update)
            except InputError:
                if self._start not in self._masks:
                    raise
                # Played forward the video ends with it too, after all frames before it
        self._pass.turn_back(self.end - 1)

    def take(self, position: int, frame_index: int) -> FrameMasks:
        """The masks of a frame before ``end``; empty before a frame that could not be read."""
        return self._masks.get(position, frame_index) or self._pass.empty(frame_index)

    def _track(self, frames: Iterable[Frame], done: Callable[[], object]) -> None:
        """Takes frames down to 0: forward from ``start`` once they are all read, then in reverse."""
        start = self._start
        waiting: dict[int, Frame] = {}
        for frame in frames:
            position = self._source.frames.index(frame.index)
            if position >= start:
                waiting[position] = frame
            if position > start:
                continue
            if position == start:
                for later in sorted(waiting):
                    self._keep(later, waiting[later], self._step(later, waiting[later].rgb_hw3, reverse=False))
                waiting.clear()
                self._pass.turn(start)
            # Of objects that are prompted later than at the start sam2 gives two answers there; the second counts
            self._keep(position, frame, self._step(position, frame.rgb_hw3, reverse=True))
            if self._checkpoints is not None and self._checkpoints.wanted():
                state = {"pass": self._pass.state(), "start": start, "reached": position}
                self._checkpoints.offer(None, partial(dump, state))
            done()

    def _step(self, position: int, rgb_hw3: RGB, reverse: bool) -> LowRes:
        view = self._pass.views.at(position)
        return self._pass.step(position, self._encode(rgb_hw3, view), view, reverse=reverse, forget=reverse)

    def _keep(self, position: int, frame: Frame, low_res: LowRes) -> None:
        self._masks.put(position, self._pass.show(position, low_res, frame.index))


class MaskFile:
    """Masks by position as RLE, a line of JSON each; in memory 2,500 frames of three ragged masks took 13 MiB.

    Without a ``path`` the file is a temporary one. ``going_on`` keeps the lines that are there.
    """

    def __init__(self, path: Path | None, going_on: bool) -> None:
        if path is None:
            folder = tempfile.TemporaryDirectory()
            weakref.finalize(self, folder.cleanup)
            path = Path(folder.name) / FILE
        self._path = path
        self._offsets: dict[int, int] = {}
        if going_on:
            self._offsets = {line["position"]: offset for offset, line in read_lines(path, "position")}
        self._lines = JsonLines(path, keep=going_on)
        weakref.finalize(self, self._lines.close)

    def __contains__(self, position: int) -> bool:
        return position in self._offsets

    def put(self, position: int, masks: FrameMasks) -> None:
        """Adds masks; those of the same position before are forgotten."""
        on_top_nhw = None
        if len(masks.object_ids) > 1:
            best_hw = masks.logits_nhw.argmax(0) if masks.best_hw is None else masks.best_hw
            on_top_nhw = masks.masks_nhw & (best_hw == np.arange(len(masks.object_ids))[:, None, None])
        self._offsets[position] = self._lines.size
        line = {"position": position, "ids": masks.object_ids, "scores": masks.scores}
        parts = {"masks": masks.masks_nhw, "on_top": on_top_nhw}
        self._lines.write(line | {key: None if part is None else list(map(encode, part)) for key, part in parts.items()})

    def get(self, position: int, frame_index: int) -> FrameMasks | None:
        """The masks at a position: logits of 10 inside, of 5 where another object is on top; None if there are none."""
        if position not in self._offsets:
            return None
        with self._path.open("rb") as file:
            file.seek(self._offsets[position])
            line = json.loads(file.readline())
        inside_nhw = coco.decode(line["masks"]).astype(np.float32).transpose(2, 0, 1)
        if line["on_top"]:
            inside_nhw = (inside_nhw + coco.decode(line["on_top"]).transpose(2, 0, 1)) / 2
        logits_nhw = np.where(inside_nhw > 0, inside_nhw * np.float32(_CERTAIN), np.float32(-_CERTAIN))
        return FrameMasks(frame_index, tuple(line["ids"]), logits_nhw, line["scores"] and tuple(line["scores"]))
