"""Which frame a prompt means: ``frame`` and ``until`` are a frame's number, or seconds.

Both count from the beginning of the source, also where ``extract.start`` leaves it out.
"""

from bisect import bisect_right
from typing import Any

from vidseg import coordinates
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.types import Source

_ROUNDING_S = 1e-6
"""2.5s also means a frame whose time is 2.5000000004 s by rounding."""


def frame_of(source: Source, key: str, value: Any) -> int:
    """The number of an extracted frame: ``value`` itself, or that of the frame shown at so many seconds.

    With ``extract.step`` that is the extracted frame before it; at the time of ``extract.start`` the first one. Raises
    InputError, beginning with ``key``, for a value that is neither, and for a frame that isn't extracted.
    """
    given = coordinates.moment(key, value)
    if isinstance(given, int):
        if given not in source.frames:
            raise InputError(f"{key}: {given} is {why_missing(source, given)}")
        return given
    number, frames = shown_at(source, key, value), source.frames
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    nearest = frames[max(bisect_right(frames, number) - 1, 0)]
    if not -1 <= number - nearest < step:
        raise InputError(f"{key}: {shown(value)}, frame {number}, is {why_missing(source, number)}")
    return nearest


def shown_at(source: Source, key: str, value: Any, clip: bool = False) -> int:
    """The number of the source's frame that ``value`` means, whether it is extracted or not: a number, or seconds.

    Raises InputError, beginning with ``key``, for a value that is neither, for seconds of a photograph, and for seconds
    after the last frame, unless ``clip`` takes that one.
    """
    given = coordinates.moment(key, value)
    if isinstance(given, int):
        return given
    if source.info.still:
        raise InputError(f"{key}: {shown(value)}; a photograph has no times: leave it out")
    first_s, last = source.time_s(0), (source.info.num_frames or source.frames[-1] + 1) - 1

    def time_s(number: int) -> float:
        return source.time_s(number) - first_s

    # The last frame is shown for as long as the one before it
    if last and not clip and given >= 2 * time_s(last) - time_s(last - 1):
        end = f"({last}, at {time_s(last):.3f} s)"
        raise InputError(f"{key}: {shown(value)} is beyond the last frame of {source.name} {end}")
    return bisect_right(range(last + 1), given + _ROUNDING_S, key=time_s) - 1


def why_missing(source: Source, frame: int) -> str:
    """Why a frame isn't extracted, as the end of a sentence."""
    first, last, total = source.frames[0], source.frames[-1], source.info.num_frames
    if total is not None and frame >= total:
        return f"beyond the last frame of {source.name}, which is {total - 1}"
    which = f"{first} to {last}, {len(source.frames)} of them; extract.start, extract.stop, extract.step"
    return f"not among the extracted frames ({which}); numbers and seconds count from the source's beginning"
