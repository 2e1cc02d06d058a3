"""Progress of what takes more than two seconds: one bar on a terminal, nothing off it."""

from typing import Any

from tqdm import tqdm


def progress(total: int, what: str | None = None) -> "tqdm[Any]":
    """A bar over ``total`` frames, called ``what``; it vanishes when it is closed."""
    return tqdm(total=total, desc=what, unit="frame", disable=None, dynamic_ncols=True, leave=False)
