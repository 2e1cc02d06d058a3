"""What the comparison's table holds: a row a run, and of the configuration only what differs.

Each column knows which direction is better, so that every view (terminal, CSV, page) sorts and marks alike.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeGuard

from vidseg.compare.agreement import Agreement
from vidseg.compare.runs import Run, Scalar
from vidseg.errors import InputError

QUALITY = ("j_and_f", "j", "iou", "agreement")  # the first of these that there is says which run is best
HIGHER = ("fps", "j_and_f", "j", "f", "iou", "agreement", "j_recall", "f_recall")
LOWER = ("peak_rss_mib", "peak_cuda_mib", "seconds", "j_decay", "f_decay", "flicker")
TRIVIAL = re.compile(r"tracker$|tracker\.|output\.\w+\.path$|resume$|optimize$")
"""Where a run is recorded and how its sweep went, not what it was."""
DECIMALS = {"iou": 4, "agreement": 4, "fps": 2, "absent_frames": 0, "mean_area": 0, "mean_parts": 2}
DECIMALS |= {"peak_rss_mib": 0, "peak_cuda_mib": 0}


@dataclass(frozen=True)
class Column:
    """``about`` is what it tells of a run: "run", "config", "cost" or "quality"; ``better`` is 1, -1, or 0: neither.

    ``extra`` marks what only the CSV has.
    """

    name: str
    about: str
    better: int = 0
    extra: bool = False

    def show(self, value: Scalar) -> str:
        """A cell as people read it."""
        if isinstance(value, float) and self.about != "config":
            return f"{value:.{DECIMALS.get(self.name, 3 if self.about == 'quality' else 1)}f}"
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Table:
    """``rows`` are parallel to ``runs`` and hold a value, or None, for every column."""

    runs: Sequence[Run]
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Scalar]]

    @cached_property
    def quality(self) -> Column | None:
        """The column that says how good the masks are, if there is one."""
        return next((column for name in QUALITY for column in self.columns if column.name == name), None)

    def column(self, name: str) -> Column:
        """Raises InputError, with the columns there are, for a name that is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise InputError(f"--sort: no column {name!r}; there are {', '.join(column.name for column in self.columns)}")

    def numbers(self, column: Column) -> dict[int, float]:
        """The column's numbers by row, of the runs that came to their end."""
        values = {row: self.rows[row][column.name] for row, run in enumerate(self.runs) if run.finished}
        return {row: float(value) for row, value in values.items() if is_number(value)}

    @cached_property
    def marked(self) -> Mapping[str, set[int]]:
        """The rows with the best value, by column."""
        return {column.name: self.best(column) for column in self.columns}

    def best(self, column: Column) -> set[int]:
        """The rows with the best value, for each video on its own; none where there is no choice."""
        if not column.better:
            return set()
        numbers = self.numbers(column)
        marked: set[int] = set()
        for video in {self.runs[row].video for row in numbers}:
            ours = {row: value for row, value in numbers.items() if self.runs[row].video == video}
            top = column.show(max(ours.values(), key=lambda value: column.better * value))
            winners = {row for row, value in ours.items() if column.show(value) == top}
            if len(winners) < len(ours):
                marked |= winners
        return marked

    def sorted(self, by: str | None = None) -> "Table":
        """Best first by the column ``by``, worst first by ``-by`` (text and what has no better end: ascending).

        What has no value there comes last. Without ``by`` it is the quality, then fps, of the runs that finished.
        """
        if by is None:
            ranks = [column for column in (self.quality, self.column("fps")) if column is not None]
            keys = {
                row: (not run.finished, [self._rank(row, column) for column in ranks])
                for row, run in enumerate(self.runs)
            }
            return self._picked(sorted(keys, key=lambda row: keys[row]))
        column = self.column(by.removeprefix("-"))
        valued = [row for row, cells in enumerate(self.rows) if is_number(cells[column.name]) or not column.better]
        valued = [row for row in valued if self.rows[row][column.name] is not None]
        order = sorted(valued, key=lambda row: self._rank(row, column), reverse=by.startswith("-"))
        return self._picked([*order, *(row for row in range(len(self.rows)) if row not in set(valued))])

    def _rank(self, row: int, column: Column) -> tuple[int, float, str]:
        value = self.rows[row][column.name]
        if is_number(value):
            return 0, -value if column.better > 0 else value, ""
        return 1, 0.0, column.show(value)

    def _picked(self, order: Sequence[int]) -> "Table":
        return replace(self, runs=[self.runs[row] for row in order], rows=[self.rows[row] for row in order])


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a cell can be ranked."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def tabulate(runs: Sequence[Run], agreements: Mapping[Run, Agreement] | None = None) -> Table:
    """The table of ``runs`` as they come; ``agreements`` are those with the reference, in the column ``iou``."""
    config = list(_config_columns(runs))
    rows: list[dict[str, Scalar]] = []
    for run in runs:
        row = _cells(run) | {column.name: _settings(run).get(column.name) for column in config}
        if agreements is not None:
            agreement = agreements[run]
            row["iou"] = agreement.note if agreement.mean is None else agreement.mean
        rows.append(row)
    found = [Column("run", "run"), *config, *_fallbacks(runs), Column("status", "run")]
    known = {column.name: column for column in found}
    for name in dict.fromkeys(name for row in rows for name in row):
        if name not in known:
            known[name] = _column(name, [row.get(name) for row in rows])
    columns = [column for column in known.values() if not (column.extra and _empty(column.name, rows))]
    return Table(runs, columns, [{column.name: row.get(column.name) for column in columns} for row in rows])


def _empty(name: str, rows: Sequence[Mapping[str, Scalar]]) -> bool:
    return all(row.get(name) is None for row in rows)


def _cells(run: Run) -> dict[str, Scalar]:
    """What came of a run, in the table's order."""
    summary = run.summary
    cells: dict[str, Scalar] = {"run": run.name}
    cells |= {name: summary.get(name) for name in ("status", "frames", "fps", "peak_rss_mib", "peak_cuda_mib")}
    cells |= run.metrics
    cells |= {f"seconds.{stage}": seconds for stage, seconds in (summary.get("seconds") or {}).items()}
    cells |= {"precision_resolved": summary.get("precision"), "device_resolved": summary.get("device")}
    cells |= {f"versions.{name}": version for name, version in (summary.get("versions") or {}).items()}
    cells |= {f"wandb.{name}": (summary.get("wandb") or {}).get(name) for name in ("id", "url")}
    return cells | {"error": summary.get("error"), "folder": str(run.folder)}


def _column(name: str, values: Sequence[Scalar]) -> Column:
    """A column of what came of the runs; what says little (one object's score, a stage, a version) is extra."""
    plain = re.sub(r"_\d+$", "", name).partition(".")[0]
    better = 1 if plain in HIGHER else -1 if plain in LOWER else 0
    if plain in ("frames", "fps", "peak_rss_mib", "peak_cuda_mib", "seconds"):
        unmeasured = all(value is None for value in values)
        return Column(name, "cost", better, extra=plain == "seconds" or unmeasured)
    if plain in ("precision_resolved", "device_resolved", "versions", "wandb", "error", "folder"):
        return Column(name, "run", extra=True)
    return Column(name, "quality", better, extra=plain != name)


def _settings(run: Run) -> dict[str, Scalar]:
    """A run's choices and its configuration."""
    return {"model": run.summary.get("model"), **run.config, **run.choices}


def _config_columns(runs: Sequence[Run]) -> Iterator[Column]:
    """What differs between the configurations.

    What follows from a choice that differs, as all of ``model.*`` but what somebody named does from the model, is
    extra: the choice says it. So is what prompt, metric and extract hold for each video.
    """
    known = [run for run in runs if run.config]
    settings = [_settings(run) for run in known]
    named = {key for run in known for key in run.overrides}
    names = list(dict.fromkeys(["model", "precision", *(key for values in settings for key in values)]))
    values = {name: [repr(run.get(name)) for run in settings] for name in names}
    for name in names:
        if len(set(values[name])) < 2 or TRIVIAL.match(name):
            continue
        group = name.partition(".")[0]
        causes = [group] if name != group and name not in named else []
        causes += ["video", "sample.seed"] if group in ("prompt", "metric", "extract") else []
        follows = any(cause in values and _follows(values[name], values[cause]) for cause in causes)
        yield Column(name, "config", extra=follows)


def _fallbacks(runs: Sequence[Run]) -> Iterator[Column]:
    """Precision and device as they came out, where they aren't what was asked for: bf16 that ran as fp32, say."""
    for name in ("precision", "device"):
        outcomes = {
            (str(_settings(run).get(name, "auto")), str(got))
            for run in runs
            if (got := run.summary.get(name)) is not None
        }
        unlike = any(asked != "auto" and not got.startswith(asked) for asked, got in outcomes)
        split = len({got for _, got in outcomes}) > 1 and len({asked for asked, _ in outcomes}) < len(outcomes)
        if unlike or split:
            yield Column(f"{name}_resolved", "run")


def _follows(values: Sequence[str], causes: Sequence[str]) -> bool:
    """Whether each of ``causes`` (of which there are several) goes with one value alone."""
    return len(set(causes)) > 1 and len(set(zip(causes, values, strict=True))) == len(set(causes))
