"""Runs over several videos as one row a configuration: what a benchmark on many sequences comes to."""

from collections import defaultdict
from dataclasses import replace
from statistics import fmean

from vidseg.compare.columns import Column, Table, is_number
from vidseg.compare.labels import PER_VIDEO, label_runs
from vidseg.compare.runs import Scalar


def average(table: Table) -> Table | None:
    """The configurations that finished on every video, each number the mean over the videos, best first.

    None where there is one video only, or where no configuration finished on all of them. The runs of the table are
    those of the first video; a number that a run lacks is a mean of the others.
    """
    videos = list(dict.fromkeys(run.video for run in table.runs if run.finished))
    if len(videos) < 2:
        return None
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(label_runs(table, video=False)):
        if table.runs[row].finished:
            groups[label].append(row)
    whole = [rows for rows in groups.values() if {table.runs[row].video for row in rows} == set(videos)]
    if not whole:
        return None
    columns = [column for column in table.columns if not column.extra and _stays(column)]
    firsts = [next(row for row in rows if table.runs[row].video == videos[0]) for rows in whole]
    means = [{column.name: _mean(table, rows, column) for column in columns} for rows in whole]
    columns = [column for column in columns if any(cells[column.name] is not None for cells in means)]
    return replace(table, runs=[table.runs[row] for row in firsts], columns=columns, rows=means).sorted()


def _stays(column: Column) -> bool:
    return column.name not in (*PER_VIDEO, "frames") and column.about in ("config", "cost", "quality")


def _mean(table: Table, rows: list[int], column: Column) -> Scalar:
    values = [table.rows[row][column.name] for row in rows]
    if column.about == "config":
        return values[0]
    numbers = [value for value in values if is_number(value)]
    return fmean(numbers) if numbers else None
