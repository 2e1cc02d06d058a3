"""The frames of a source to take: by ``extract.start``, ``stop`` and ``step``, or few of them for ``preview``."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.coordinates import moment
from vidseg.errors import InputError
from vidseg.types import Frame, Source

Position = int | str | None
"""A frame number (100), seconds ("2.5s"), or None: the start or the end of the video."""

_ROUNDING_S = 1e-6
"""2.5s also selects a frame whose time is 2.4999999996 s by rounding."""


def check_window(start: Position, stop: Position, step: int) -> None:
    """Raises InputError for values that fit no video: malformed, negative or nan, or ``step`` below 1."""
    for key, value in (("extract.start", start), ("extract.stop", stop)):
        if value is not None:
            moment(key, value)
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise InputError(f"extract.step: {step!r} is not 1, 2, 3, … (every step-th frame is taken)")


def frame_window(times_s: Sequence[float] | NDArray[np.float64], start: Position, stop: Position, step: int) -> range:
    """The numbers of the frames to take from a source whose frame i is shown at ``times_s[i]``.

    Seconds count from the first frame: the first frame taken is at ``start`` or later, the last one before ``stop``. A
    ``stop`` after the end is the end. Raises InputError if no frame is left.
    """
    check_window(start, stop, step)
    times = np.asarray(times_s, dtype=np.float64)
    times = times - times[0]
    first = _frame_number(moment("extract.start", 0 if start is None else start), times)
    end = len(times) if stop is None else min(_frame_number(moment("extract.stop", stop), times), len(times))
    if first >= len(times):
        last = f"{len(times) - 1}, at {times[-1]:.3f} s"
        raise InputError(f"extract.start: {start} is beyond the video's last frame ({last})")
    if first >= end:
        raise InputError(f"extract.stop: {stop} must be after extract.start ({start or 0}): no frame lies between them")
    return range(first, end, step)


def _frame_number(position: int | float, times_s: NDArray[np.float64]) -> int:
    return position if isinstance(position, int) else int(np.searchsorted(times_s, position - _ROUNDING_S))


class Selection:
    """The frames of ``source`` with the given numbers, each read by seeking; without sound."""

    def __init__(self, source: Source, frames: Sequence[int]) -> None:
        self._source, self.frames = source, frames
        self.name, self.info, self.prompts = source.name, source.info, source.prompts
        self.truth, self.provenance, self.time_s = source.truth, source.provenance, source.time_s
        self.audio: Path | None = None
        self.offset_s = 0.0

    def __iter__(self) -> Generator[Frame]:
        return (self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        return self._source[index]


class Excerpt:
    """Of ``source`` only the frames with the numbers ``first`` to ``last`` are read, as if those before and after were
    damaged: ``frames`` still has all, since masks depend on how many there are, and on a frame's position among them.
    """

    def __init__(self, source: Source, first: int, last: int) -> None:
        self._source, self._first, self._last = source, first, last
        self.name, self.info, self.prompts, self.frames = source.name, source.info, source.prompts, source.frames
        self.truth, self.provenance, self.time_s = source.truth, source.provenance, source.time_s
        self.audio, self.offset_s = source.audio, source.offset_s

    def __iter__(self) -> Generator[Frame]:
        with closing(self._source.__iter__()) as frames:
            for frame in frames:
                if self._first <= frame.index <= self._last:
                    yield frame
                if frame.index >= self._last:
                    return

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames``, which may be after ``last``, to ``first``."""
        with closing(self._source.backwards(position)) as frames:
            for frame in frames:
                if frame.index < self._first:
                    return
                yield frame

    def __getitem__(self, index: int) -> Frame:
        return self._source[index]
