"""The comparison as text: the table with the best value of each column marked."""

from collections import defaultdict
from dataclasses import replace
from statistics import fmean

from vidseg.compare.table import PER_VIDEO, Column, Table, is_number, label_runs, shorten
from vidseg.record.run import Scalar

BEST, DIM, PLAIN = "\x1b[1;32m", "\x1b[2m", "\x1b[0m"
GAP = "  "
KEPT = 5  # the rank of columns that are never left out


def render_table(table: Table, width: int, colour: bool) -> str:
    """The table of at most ``width`` characters, then the columns it leaves out and the errors of failed runs.

    The best value of a column is green with ``colour``, else it has a star. If the table is too wide, columns of the
    lowest rank are left out first, from the right.
    """
    shown = [column for column in table.columns if not column.extra]
    columns = {column: _lines(table, column, colour) for column in shown}
    from_the_right = shown[::-1]
    for column in sorted(from_the_right, key=lambda column: _rank(table, column)):
        needed = sum(len(lines[0]) + len(GAP) for lines in columns.values()) - len(GAP)
        if needed > width and _rank(table, column) < KEPT:
            del columns[column]
    lines = [GAP.join(cells).rstrip() for cells in zip(*columns.values(), strict=True)]
    if left_out := [column.name for column in shown if column not in columns]:
        lines += ["", f"too wide for {width} characters: {', '.join(left_out)}"]
    if errors := errors_of(table):
        lines += ["", *errors]
    return "\n".join(lines)


def _lines(table: Table, column: Column, colour: bool) -> list[str]:
    """The column's name and its cells, all of one width."""
    best = table.best(column)
    texts = [column.name]
    for row, cells in enumerate(table.rows):
        mark = "" if colour or not best else "*" if row in best else " "  # a blank keeps the digits in line
        texts.append(shorten(column.show(cells[column.name])) + mark)
    width = max(map(len, texts))
    lines = [text.ljust(width) if column.is_text else text.rjust(width) for text in texts]
    if colour:
        for row, run in enumerate(table.runs):
            if paint := BEST if row in best else "" if run.finished else DIM:
                lines[row + 1] = f"{paint}{lines[row + 1]}{PLAIN}"
    return lines


def _rank(table: Table, column: Column) -> int:
    """What is left out first has the lowest rank: what all runs share, paths and status, then memory, j and f.

    The keys that tell runs apart come after these; number, speed and quality are always there. Errors are told below
    the table, so that the status needn't be.
    """
    if column.name in ("run", "fps", "iou") or column == table.quality:
        return KEPT
    if column.about == "config":
        alone = sum(other.about == "config" and not other.extra for other in table.columns) == 1
        return 1 if column.short and column.name != "video" and not alone else 4
    if column.name == "status":
        return 0 if all(run.finished for run in table.runs) else 1
    return {"j": 3, "f": 3, "peak_rss_mib": 2, "peak_cuda_mib": 2}.get(column.name, 0)


def errors_of(table: Table) -> list[str]:
    """How the runs that didn't finish ended: a line for each error, with all runs that had it."""
    ends: dict[str, list[str]] = {}
    for run in table.runs:
        if not run.finished:
            error = " ".join(str(run.summary.get("error") or "").split())
            ends.setdefault(run.summary["status"] + (f": {error}" if error else ""), []).append(run.name)
    return [f"{', '.join(names)} {end}" for end, names in ends.items()]


def average(table: Table) -> Table | None:
    """The configurations that finished on every video, best first; each number is the mean over the videos.

    None if there is one video only, or no such configuration. The ``runs`` are those of the first video. A run without
    a number doesn't count in its mean.
    """
    videos = list(dict.fromkeys(run.video for run in table.runs if run.finished))
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(label_runs(table, video=False)):
        if table.runs[row].finished:
            groups[label].append(row)
    whole = [rows for rows in groups.values() if {table.runs[row].video for row in rows} == set(videos)]
    if len(videos) < 2 or not whole:
        return None
    columns = [
        column
        for column in table.columns
        if not column.extra and column.about != "run" and column.name not in (*PER_VIDEO, "frames")
    ]
    firsts = [next(row for row in rows if table.runs[row].video == videos[0]) for rows in whole]
    means = [{column.name: _mean(table, rows, column) for column in columns} for rows in whole]
    columns = [column for column in columns if any(cells[column.name] is not None for cells in means)]
    return replace(table, runs=[table.runs[row] for row in firsts], columns=columns, rows=means).sorted()


def _mean(table: Table, rows: list[int], column: Column) -> Scalar:
    values = [table.rows[row][column.name] for row in rows]
    if column.about == "config":
        return values[0]
    numbers = [value for value in values if is_number(value)]
    return fmean(numbers) if numbers else None
