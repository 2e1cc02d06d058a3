"""Progress of what takes more than two seconds: one bar on a terminal, nothing off it."""

from typing import Any

from tqdm import tqdm


def progress(total: int, what: str | None = None, unit: str = "frame") -> "tqdm[Any]":
    """A bar over ``total`` frames (or what ``unit`` says), called ``what``; it vanishes when it is closed."""
    return tqdm(total=total, desc=what, unit=unit, disable=None, dynamic_ncols=True, leave=False)
