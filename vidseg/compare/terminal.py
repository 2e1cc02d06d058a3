"""The comparison's table as text: the best value of each column marked, errors below."""

from vidseg.compare.table import Column, Table
from vidseg.console.table import KEPT, TextColumn, render, shorten

BEST, DIM, PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"


def render_table(table: Table, width: int, colour: bool) -> str:
    """The table of at most ``width`` characters, then the columns it leaves out and the errors of failed runs.

    The best value of a column is green with ``colour``, else it has a star.
    """
    columns = [_text_column(table, column, colour) for column in table.columns if not column.extra]
    lines, left_out = render(columns, width)
    if left_out:
        lines += ["", f"too wide for {width} characters: {', '.join(left_out)}"]
    if errors := _errors(table):
        lines += ["", *errors]
    return "\n".join(lines)


def _text_column(table: Table, column: Column, colour: bool) -> TextColumn:
    best = table.best(column)
    cells = []
    for row, run in enumerate(table.runs):
        text = shorten(column.show(table.rows[row][column.name]))
        if not colour:
            text += "*" if row in best else " " if best else ""  # a blank keeps the digits in line
        elif paint := BEST if row in best else "" if run.finished else DIM:
            text = f"{paint}{text}{PLAIN}"
        cells.append(text)
    return TextColumn(column.name, cells, right=not column.is_text, rank=_rank(table, column))


def _rank(table: Table, column: Column) -> int:
    """Which columns go first if the table is too wide: frames and what says little, then costs, then configuration."""
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
