"""A progress bar on a terminal; nothing elsewhere, such as in a log file."""

from typing import Any

from tqdm import tqdm


def progress(total: int, what: str | None = None, unit: str = "frame") -> "tqdm[Any]":
    """A bar over ``total`` frames, or other units, with the title ``what``. It disappears when it is closed."""
    return tqdm(total=total, desc=what, unit=unit, disable=None, dynamic_ncols=True, leave=False)
