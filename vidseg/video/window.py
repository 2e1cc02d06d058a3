"""What ``extract.start``, ``extract.stop`` and ``extract.step`` mean: frame numbers of the source.

Knows nothing about files.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError

Position = int | str | None
"""A frame number (100), seconds ("2.5s"), or None for the end that is meant."""

_SECONDS = re.compile(r"(\d+\.?\d*|\.\d+)\s*s")
_FRAMES = re.compile(r"\d+")
_ROUNDING_S = 1e-6
"""2.5s is the frame at 2.5 s also where adding up 1/24 gives 2.4999999996."""


def check_window(start: Position, stop: Position, step: int) -> None:
    """Raises InputError for what can't be, whatever the video: malformed, negative or nan, or ``step`` below 1."""
    _parse("extract.start", start)
    _parse("extract.stop", stop)
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise InputError(f"extract.step: {step!r} is not 1, 2, 3, … (every step-th frame is taken)")


def frame_window(times_s: Sequence[float] | NDArray[np.float64], start: Position, stop: Position, step: int) -> range:
    """The numbers of the frames to take, of a source whose frame i is shown at ``times_s[i]``.

    Seconds count from the first frame: from the first frame at ``start`` or later, to the last before ``stop``. A
    ``stop`` beyond the end is the end. Raises InputError if nothing is left.
    """
    check_window(start, stop, step)
    times = np.asarray(times_s, dtype=np.float64)
    times = times - times[0]
    first, end = (
        _frame_number(_parse("extract.start", start), times),
        _frame_number(_parse("extract.stop", stop), times),
    )
    first = 0 if first is None else first
    end = len(times) if end is None else min(end, len(times))
    if first >= len(times):
        last = f"{len(times) - 1}, at {times[-1]:.3f} s"
        raise InputError(f"extract.start: {start} is beyond the video's last frame ({last})")
    if first >= end:
        raise InputError(f"extract.stop: {stop} must be after extract.start ({start or 0}): no frame lies between them")
    return range(first, end, step)


def _parse(key: str, value: Position) -> int | float | None:
    """An int counts frames, a float seconds."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _FRAMES.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, str) and (match := _SECONDS.fullmatch(value.strip())):
        return float(match[1])
    raise InputError(f"{key}: {value!r} is neither a frame number (100) nor seconds (2.5s), from 0 up")


def _frame_number(position: float | None, times_s: NDArray[np.float64]) -> int | None:
    if isinstance(position, float):
        return int(np.searchsorted(times_s, position - _ROUNDING_S))
    return position
