"""SMPTE timecode (ST 12-1): the label hours:minutes:seconds:frames that cameras give each frame.

At 29.97 and 59.94 frames a second ";" before the frames says drop-frame: labels are left out, two (four) a minute but
not in each tenth, so that they keep in step with the clock.
"""

import re
from fractions import Fraction

from av.container import InputContainer

_LABEL = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d{2,3})")


def find_timecode(container: InputContainer) -> str | None:
    """The label of an opened file's first frame, from the tags of the file and its streams."""
    return _find(container, "timecode")


def find_reel(container: InputContainer) -> str | None:
    """The name of the reel (tape, card) that an opened file's timecode track has."""
    return _find(container, "reel_name")


def _find(container: InputContainer, name: str) -> str | None:
    tags = (*(stream.metadata for stream in container.streams), container.metadata)
    return next((value for each in tags for key, value in each.items() if key.lower() == name), None)


def shifted(label: str, offset_s: float, rate: Fraction) -> str | None:
    """The label ``offset_s`` seconds later, at ``rate`` frames a second; None if it is none at that rate."""
    match = _LABEL.fullmatch(label.strip())
    nominal = int(rate + Fraction(1, 2))
    if match is None or int(match[5]) >= nominal:
        return None
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    drops = nominal // 30 * 2 if match[4] != ":" and nominal % 30 == 0 else 0
    minutes += 60 * hours
    number = (60 * minutes + seconds) * nominal + frames - drops * (minutes - minutes // 10)
    return _label(number + round(offset_s * rate), nominal, drops)


def _label(number: int, nominal: int, drops: int) -> str:
    """The label of a frame, counted from midnight."""
    minute, ten_minutes = 60 * nominal - drops, 600 * nominal - 9 * drops
    tens, rest = divmod(number % (144 * ten_minutes), ten_minutes)
    dropped = drops * max(0, (rest - drops) // minute)  # none in the first of ten minutes
    seconds, frames = divmod(rest + dropped, nominal)
    minutes = 10 * tens + seconds // 60
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds % 60:02}{';' if drops else ':'}{frames:02}"
