"""Tables as text: columns side by side, as many as fit the width."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

GAP = "  "
LONGEST = 28  # characters of a cell
KEPT = 3  # the rank of columns that are never left out
_PAINT = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class TextColumn:
    """``cells`` are its texts, row by row, perhaps with ANSI colours; ``right`` puts them flush right, as numbers are.

    Columns of the lowest ``rank`` are left out first, from the right.
    """

    name: str
    cells: Sequence[str]
    right: bool = False
    rank: int = 0

    @cached_property
    def width(self) -> int:
        """Characters across."""
        return max(map(_length, (self.name, *self.cells)))

    def lines(self) -> list[str]:
        """The name and the cells, all of one width."""
        texts = (self.name, *self.cells)
        pads = [" " * (self.width - _length(text)) for text in texts]
        return [pad + text if self.right else text + pad for text, pad in zip(texts, pads, strict=True)]


def render(columns: Sequence[TextColumn], width: int) -> tuple[list[str], list[str]]:
    """The table's lines, its head first, of at most ``width`` characters; and the names of the columns left out."""
    shown = list(columns)
    while sum(column.width + len(GAP) for column in shown) - len(GAP) > width:
        rank = min((column.rank for column in shown), default=KEPT)
        if rank == KEPT:
            break
        shown.remove(next(column for column in reversed(shown) if column.rank == rank))
    lines = [GAP.join(cells).rstrip() for cells in zip(*(column.lines() for column in shown), strict=True)]
    return lines, [column.name for column in columns if column not in shown]


def shorten(text: str) -> str:
    """At most LONGEST characters; of a path the end is kept, which tells more."""
    if len(text) <= LONGEST:
        return text
    return f"…{text[1 - LONGEST :]}" if "/" in text else f"{text[: LONGEST - 1]}…"


def _length(text: str) -> int:
    return len(_PAINT.sub("", text))
