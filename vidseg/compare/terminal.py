"""The table as text: as wide as the terminal, the best value of each column marked, errors below."""

from vidseg.compare.columns import Column, Table
from vidseg.compare.labels import shorten

BEST, DIM, PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"


def render_table(table: Table, width: int, colour: bool) -> str:
    """The table of at most ``width`` characters, and below it what it leaves out and the errors of failed runs.

    What doesn't fit is left out column by column, the least interesting first. The best value is green with
    ``colour``, else it has a star.
    """
    cells = {column.name: _column_cells(table, column, colour) for column in table.columns if not column.extra}
    widths = {name: max(map(len, (name, *texts))) for name, texts in cells.items()}
    shown = _fitting(table, widths, width)
    best = {column.name: table.best(column) for column in shown}
    lines = ["  ".join(_aligned(column.name, column, widths) for column in shown).rstrip()]
    for row, run in enumerate(table.runs):
        texts = [
            _painted(
                _aligned(cells[column.name][row], column, widths),
                BEST if row in best[column.name] else "" if run.finished else DIM,
                colour,
            )
            for column in shown
        ]
        lines.append("  ".join(texts).rstrip())
    left_out = [column.name for column in table.columns if column not in shown and not column.extra]
    if left_out:
        lines += ["", f"too wide for {width} characters, in comparison.csv: {', '.join(left_out)}"]
    errors = _errors(table)
    return "\n".join([*lines, *([""] if errors else []), *errors])


def _errors(table: Table) -> list[str]:
    """How runs ended that didn't finish, one line an error with all that had it."""
    ends: dict[str, list[str]] = {}
    for run in table.runs:
        if not run.finished:
            error = " ".join(str(run.summary.get("error") or "").split())
            ends.setdefault(run.summary["status"] + (f": {error}" if error else ""), []).append(run.name)
    return [f"{', '.join(names)} {end}" for end, names in ends.items()]


def _column_cells(table: Table, column: Column, colour: bool) -> list[str]:
    """A column's texts. Where stars mark the best, the others have a blank there, so that digits stay in line."""
    best = table.best(column) if not colour else set()
    texts = []
    for row, cells in enumerate(table.rows):
        text = shorten(column.show(cells[column.name]))
        texts.append(text + ("*" if row in best else " " if best else ""))
    return texts


def _aligned(text: str, column: Column, widths: dict[str, int]) -> str:
    return text.ljust(widths[column.name]) if column.about in ("run", "config") else text.rjust(widths[column.name])


def _painted(text: str, paint: str, colour: bool) -> str:
    return f"{paint}{text}{PLAIN}" if colour and paint else text


def _fitting(table: Table, widths: dict[str, int], width: int) -> list[Column]:
    """The columns that fit: run, status, fps and quality stay; of the least interesting the last goes first."""
    shown = [column for column in table.columns if not column.extra]

    def interest(column: Column) -> int:
        if column.name in ("run", "status", "fps", "iou") or column == table.quality:
            return 3
        if column.name == "frames":
            return 0
        return {"config": 2, "cost": 1, "run": 0, "quality": 0}[column.about] + (column.name in ("j", "f"))

    while sum(widths[column.name] + 2 for column in shown) - 2 > width:
        least = min(map(interest, shown))
        if least == 3:
            break
        shown.remove(next(column for column in reversed(shown) if interest(column) == least))
    return shown
