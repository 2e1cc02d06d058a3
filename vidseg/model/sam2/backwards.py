"""The frames before the first prompt, tracked towards the start of the video (``propagate=both``) in constant memory.

sam2 propagates forward first and then, with the memories of that pass, in reverse. Its reverse pass reads no further
than a window of frames past the start, so that this is all that has to be tracked forward before it. The masks that it
finds are kept as RLE in a file until the video, played forward, comes to them.
"""

import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.model.sam2.engine import Features
from vidseg.model.sam2.one_pass import LowRes, Pass
from vidseg.model.sam2.saving import dump
from vidseg.model.sam2.view import View
from vidseg.record.files import JsonLines, read_lines
from vidseg.record.masks import mask_line, read_masks
from vidseg.types import RGB, Checkpoints, Frame, FrameMasks, Source

FILE = "backwards.jsonl"


class Backwards:
    """The masks from ``start`` (the first prompt's position in ``source.frames``) to the beginning; ``track`` first.

    ``end`` is the first position that it has no masks for: ``pass_`` goes on there. ``encode`` makes the features of
    what a view shows of a frame's pixels. ``going_on``: with the masks that a stopped run has left in ``checkpoints``.
    """

    def __init__(
        self, pass_: Pass, source: Source, start: int, encode: Callable[[RGB, View], Features],
        checkpoints: Checkpoints | None = None, going_on: bool = False,
    ) -> None:  # fmt: skip
        self._pass, self._source, self._start, self._encode = pass_, source, start, encode
        self._checkpoints = checkpoints
        self._masks = MaskFile(checkpoints.file(FILE) if checkpoints else None, going_on, source.frames)
        self.end = min(start + pass_.reach.pointers + 1, len(source.frames))

    def track(self, reached: int | None = None) -> None:
        """Tracks to the beginning, from ``start`` or from what a stopped run, which was restored, had ``reached``."""
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

    def take(self, position: int) -> FrameMasks | None:
        """The masks of a frame before ``end``; None before a frame that could not be read."""
        return self._masks.get(position)

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
                state = {"pass": self._pass.state(), "start": start, "reached": position, "chosen": {}, "joined": None}
                self._checkpoints.offer(None, partial(dump, state))
            done()

    def _step(self, position: int, rgb_hw3: RGB, reverse: bool) -> LowRes:
        view = self._pass.views.at(position)
        return self._pass.step(position, self._encode(rgb_hw3, view), view, reverse=reverse, forget=reverse)

    def _keep(self, position: int, frame: Frame, low_res: LowRes) -> None:
        self._masks.put(position, frame, self._pass.show(position, low_res, frame.index))


class MaskFile:
    """Masks of frames by position, as ``vidseg.record.masks`` writes them; 2,500 frames in memory took 13 MiB.

    Without a ``path`` the file is a temporary one. ``going_on`` keeps the lines that are there, by frame number.
    """

    def __init__(self, path: Path | None, going_on: bool, numbers: Sequence[int]) -> None:
        if path is None:
            folder = tempfile.TemporaryDirectory()
            weakref.finalize(self, folder.cleanup)
            path = Path(folder.name) / FILE
        self._path = path
        self._offsets: dict[int, int] = {}
        if going_on:
            self._offsets = {numbers.index(line["frame"]): at for at, line in read_lines(path, "frame", "objects")}
        self._lines = JsonLines(path, keep=None if going_on else 0)
        weakref.finalize(self, self._lines.close)

    def __contains__(self, position: int) -> bool:
        return position in self._offsets

    def put(self, position: int, frame: Frame, masks: FrameMasks) -> None:
        """Adds masks; those of the same position before are forgotten."""
        self._offsets[position] = self._lines.size
        self._lines.write(mask_line(frame, masks))

    def get(self, position: int) -> FrameMasks | None:
        """The masks at a position; None if there are none."""
        return read_masks(self._path, self._offsets[position]) if position in self._offsets else None
