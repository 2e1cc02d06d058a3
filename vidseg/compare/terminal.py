"""The comparison's table as text: the best value of each column marked, errors below."""

import re

from vidseg.compare.labels import shorten
from vidseg.compare.table import Column, Table

BEST, DIM, PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"
GAP = "  "
KEPT = 3  # the rank of columns that are never left out


def render_table(table: Table, width: int, colour: bool) -> str:
    """The table of at most ``width`` characters, then the columns it leaves out and the errors of failed runs.

    The best value of a column is green with ``colour``, else it has a star. If the table is too wide, columns of the
    lowest rank are left out first, from the right.
    """
    columns = {column: _lines(table, column, colour) for column in table.columns if not column.extra}
    left_out = []
    while sum(_length(lines[0]) + len(GAP) for lines in columns.values()) - len(GAP) > width:
        rank = min(_rank(table, column) for column in columns)
        if rank == KEPT:
            break
        column = next(column for column in reversed(columns) if _rank(table, column) == rank)
        left_out.append(column.name)
        del columns[column]
    lines = [GAP.join(cells).rstrip() for cells in zip(*columns.values(), strict=True)]
    if left_out:
        names = [column.name for column in table.columns if column.name in left_out]
        lines += ["", f"too wide for {width} characters: {', '.join(names)}"]
    if errors := _errors(table):
        lines += ["", *errors]
    return "\n".join(lines)


def _lines(table: Table, column: Column, colour: bool) -> list[str]:
    """The column's name and its cells, all of one width."""
    best = table.best(column)
    cells = [column.name]
    for row, run in enumerate(table.runs):
        text = shorten(column.show(table.rows[row][column.name]))
        if not colour:
            text += "*" if row in best else " " if best else ""  # a blank keeps the digits in line
        elif paint := BEST if row in best else "" if run.finished else DIM:
            text = f"{paint}{text}{PLAIN}"
        cells.append(text)
    width = max(map(_length, cells))
    pads = [" " * (width - _length(text)) for text in cells]
    return [text + pad if column.is_text else pad + text for text, pad in zip(cells, pads, strict=True)]


def _length(text: str) -> int:
    return len(re.sub(r"\x1b\[[\d;]*m", "", text))


def _rank(table: Table, column: Column) -> int:
    """Configuration is worth more than costs, and those more than other columns; a few are always kept."""
    if column.name in ("run", "status", "fps", "iou") or column == table.quality:
        return KEPT
    if column.name == "frames":
        return 0
    return {"config": 2, "cost": 1, "run": 0, "quality": 0}[column.about] + (column.name in ("j", "f"))


def _errors(table: Table) -> list[str]:
    """How the runs that didn't finish ended: a line for each error, with all runs that had it."""
    ends: dict[str, list[str]] = {}
    for run in table.runs:
        if not run.finished:
            error = " ".join(str(run.summary.get("error") or "").split())
            ends.setdefault(run.summary["status"] + (f": {error}" if error else ""), []).append(run.name)
    return [f"{', '.join(names)} {end}" for end, names in ends.items()]
