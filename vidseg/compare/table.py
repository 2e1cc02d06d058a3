"""The comparison's table: a row for each run, its results and those keys of its configuration that differ.

Each column knows which direction is better, so that the terminal, the CSV and the page sort and mark alike.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

from vidseg.compare.keys import PER_VIDEO as PER_VIDEO
from vidseg.compare.keys import differing
from vidseg.errors import InputError
from vidseg.record.labels import Scalar, label, word
from vidseg.record.run import Run

if TYPE_CHECKING:  # it brings numpy
    from vidseg.compare.agreement import Agreement

QUALITY = ("j_and_f", "j", "iou", "agreement")  # the first of these that there is says which run is best
COSTS = ("fps", "peak_rss_mib", "peak_cuda_mib")
SCORES = ("j_and_f", "j", "f", "iou", "agreement")  # what people look for first
HIGHER = ("fps", "j_and_f", "j", "f", "iou", "agreement", "j_recall", "f_recall")
LOWER = (
    "peak_rss_mib", "peak_cuda_mib", "seconds", "j_decay", "f_decay", "flicker", "alpha_flicker", "sad", "mse",
    "gradient", "connectivity", "dtssd",
)  # fmt: skip
DECIMALS = {"iou": 4, "agreement": 4, "fps": 2, "absent_frames": 0, "both_empty_frames": 0, "mean_area": 0}
DECIMALS |= {"mean_parts": 2, "peak_rss_mib": 0, "peak_cuda_mib": 0}
LONGEST = 28  # characters of a cell where people read it
TITLES = {"j_and_f": "J&F", "j": "J", "f": "F", "iou": "IoU with the reference"}


@dataclass(frozen=True)
class Column:
    """One column of the table.

    ``about`` says what its values describe: "run", "config", "cost" or "quality". ``better`` is 1 if higher values are
    better, -1 if lower ones are, 0 if neither. An ``extra`` column is in the files only. ``short`` are values that
    people read in fewer words, as paths, and ``null`` is what they read where there is none.
    """

    name: str
    about: str
    better: int = 0
    extra: bool = False
    short: Mapping[str, str] = field(default_factory=dict, compare=False)
    null: str = ""

    @property
    def title(self) -> str:
        """Its name in sentences and charts."""
        return TITLES.get(self.name, self.name)

    @property
    def is_text(self) -> bool:
        """Whether it holds words rather than measured numbers."""
        return self.about in ("run", "config")

    def show(self, value: Scalar) -> str:
        """A value as people read it."""
        if isinstance(value, float) and self.about != "config":
            return f"{value:.{DECIMALS.get(self.name, 3 if self.about == 'quality' else 1)}f}"
        if value is None:
            return self.null
        if self.about != "config" or isinstance(value, bool):
            return word(value) if isinstance(value, bool) else str(value)
        return self.short.get(value, word(value)) if isinstance(value, str) else str(value)


@dataclass(frozen=True)
class Table:
    """``rows`` are parallel to ``runs``; each has a value, or None, for every column by its name.

    ``fastest`` are the runs that were shown to be: no other is marked for its ``fps``, which noise alone may have made.
    """

    runs: Sequence[Run]
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Scalar]]
    fastest: frozenset[Run] = frozenset()

    @cached_property
    def quality(self) -> Column | None:
        """The column that says how good the masks are, if there is one."""
        return next((column for name in QUALITY for column in self.columns if column.name == name), None)

    def column(self, name: str) -> Column:
        """The column of that name. Raises InputError, with the names there are, if there is none."""
        columns = {column.name: column for column in self.columns}
        if name not in columns:
            raise InputError(f"--sort: no column {name!r}; there are {', '.join(columns)}")
        return columns[name]

    def numbers(self, column: Column) -> dict[int, float]:
        """The column's numbers by row, of the runs that finished and found something."""
        values = {row: self.rows[row][column.name] for row, run in enumerate(self.runs) if run.counts}
        return {row: float(value) for row, value in values.items() if is_number(value)}

    def best(self, column: Column) -> set[int]:
        """The rows with the column's best value, as it is shown, on each video; none where all are equal."""
        if column.name == "fps":
            return {row for row, run in enumerate(self.runs) if run in self.fastest}
        numbers = self.numbers(column) if column.better else {}
        best: set[int] = set()
        for video in {self.runs[row].video for row in numbers}:
            ours = {row: value for row, value in numbers.items() if self.runs[row].video == video}
            top = column.show(max(ours.values(), key=lambda value: column.better * value))
            winners = {row for row, value in ours.items() if column.show(value) == top}
            if len(winners) < len(ours):
                best |= winners
        return best

    @cached_property
    def marked(self) -> Mapping[str, set[int]]:
        """``best`` of each column, by its name."""
        return {column.name: self.best(column) for column in self.columns}

    def sorted(self, by: str | None = None) -> "Table":
        """Sorted by the column ``by``, best first, or worst first by ``-by``; rows without a value come last.

        Text and numbers of which neither end is better ascend. Without ``by`` the runs that finished and found
        something come first, sorted by quality, then fps.
        """
        rows = range(len(self.runs))
        if by is None:
            columns = [column for column in (self.quality, self.column("fps")) if column is not None]
            best = sorted(rows, key=lambda row: [self._rank(row, column) for column in columns])
            order = sorted(best, key=lambda row: not self.runs[row].counts)
        else:
            column = self.column(by.removeprefix("-"))
            values = [cells[column.name] for cells in self.rows]
            without = {row for row in rows if values[row] is None or (column.better and not is_number(values[row]))}
            best = sorted(rows, key=lambda row: self._rank(row, column), reverse=by.startswith("-"))
            order = sorted(best, key=without.__contains__)
        return replace(self, runs=[self.runs[row] for row in order], rows=[self.rows[row] for row in order])

    def _rank(self, row: int, column: Column) -> tuple[int, float, str]:
        value = self.rows[row][column.name]
        if is_number(value):
            return 0, -value if column.better > 0 else value, ""
        return 1, 0.0, column.show(value)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value can be ranked."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def tabulate(runs: Sequence[Run], agreements: "Mapping[Run, Agreement] | None" = None) -> Table:
    """The table of ``runs``, in their order; ``agreements`` with a reference are its column ``iou``."""
    config = list(_config_columns(runs))
    rows: list[dict[str, Scalar]] = []
    for run in runs:
        row = _results(run) | {column.name: run.settings.get(column.name) for column in config}
        if agreements is not None:
            agreement = agreements[run]
            row["iou"] = agreement.note if agreement.mean is None else agreement.mean
        rows.append(row)
    columns = {column.name: column for column in [Column("run", "run"), *config, *_fallbacks(runs)]}
    measured = {name for row in rows for name, value in row.items() if value is not None}
    for name in dict.fromkeys(name for row in rows for name in row if name in measured):
        columns.setdefault(name, _result_column(name))
    ordered = sorted(columns.values(), key=_place)
    table = Table(runs, ordered, [{column.name: row.get(column.name) for column in ordered} for row in rows])
    labels = label_runs(table)
    named = [{"run": row["run"], "label": told, **row} for told, row in zip(labels, table.rows, strict=True)]
    return replace(table, columns=[ordered[0], Column("label", "run", extra=True), *ordered[1:]], rows=named)


def _place(column: Column) -> tuple[int, int]:
    """Where a column stands: what a run is, its scores, what they cost, the rest; then what only the files have."""
    if column.extra:
        return 6, 0
    if column.name in SCORES:
        return 2, SCORES.index(column.name)
    if column.name in ("run", "frames"):
        return (0, 0) if column.name == "run" else (4, 0)
    return {"run": 5, "config": 1, "quality": 5, "cost": 3}[column.about], 0


def _results(run: Run) -> dict[str, Scalar]:
    """What came of a run, in the table's order."""
    summary = run.summary
    cells: dict[str, Scalar] = {"run": run.name}
    cells |= {name: summary.get(name) for name in ("status", "frames", *COSTS)}
    cells |= summary.get("metrics") or {}
    cells |= {f"seconds.{stage}": seconds for stage, seconds in (summary.get("seconds") or {}).items()}
    cells |= {"precision_resolved": summary.get("precision"), "device_resolved": summary.get("device")}
    cells |= {f"versions.{name}": version for name, version in (summary.get("versions") or {}).items()}
    cells |= {f"wandb.{name}": (summary.get("wandb") or {}).get(name) for name in ("id", "url")}
    names = summary.get("names") or {}
    objects = summary.get("objects") or names
    called = ", ".join(f"{number} {names.get(str(number), '')}".strip() for number in objects)
    cells["objects"] = called if names else None
    return cells | {"error": summary.get("error"), "folder": str(run.folder)}


def _result_column(name: str) -> Column:
    """A column of results. Scores of single objects, stages and versions are extra."""
    plain = re.sub(r"_\d+$", "", name).partition(".")[0]
    better = 1 if plain in HIGHER else -1 if plain in LOWER else 0
    if plain in ("frames", "seconds", *COSTS):
        return Column(name, "cost", better, extra=plain == "seconds")
    if plain in ("status", "precision_resolved", "device_resolved", "versions", "wandb", "objects", "error", "folder"):
        return Column(name, "run", extra=plain not in ("status", "objects"))
    return Column(name, "quality", better, extra=plain != name)


def _config_columns(runs: Sequence[Run]) -> Iterator[Column]:
    """A column for each key by which the configurations differ; extra where it follows from another one."""
    for key in differing(runs):
        yield Column(key.name, "config", extra=key.follows, short=key.short, null="null" if key.everywhere else "")


def _fallbacks(runs: Sequence[Run]) -> Iterator[Column]:
    """Columns of the resolved precision and device, if one isn't what was asked for, as where bf16 ran as fp32."""
    for name in ("precision", "device"):
        asked = [str(run.settings.get(name, "auto")) for run in runs]
        pairs = {(key, str(got)) for key, run in zip(asked, runs, strict=True) if (got := run.summary.get(name))}
        unlike = any(key != "auto" and not got.startswith(key) for key, got in pairs)
        if unlike or len(pairs) > len({key for key, _ in pairs}):
            yield Column(f"{name}_resolved", "run")


def shorten(text: str) -> str:
    """At most LONGEST characters; of a path the end is kept, which tells more."""
    if len(text) <= LONGEST:
        return text
    return f"…{text[1 - LONGEST :]}" if "/" in text else f"{text[: LONGEST - 1]}…"


def label_runs(table: Table, video: bool = True) -> list[str]:
    """What distinguishes each run, such as "model=nano,stride=5"; with its name in front where labels are equal.

    Without ``video`` a label leaves out the video, so that the runs of one configuration on several videos share it.
    """
    columns = [column for column in table.columns if column.about == "config" and not column.extra]
    columns = [column for column in columns if video or column.name not in PER_VIDEO]
    labels = []
    for cells in table.rows:
        shown = {column.name: column.show(cells[column.name]) for column in columns}
        labels.append(label({name: text for name, text in shown.items() if text}))
    if not video:
        return labels
    times = Counter(labels)
    return [
        told if told and times[told] == 1 else " ".join(filter(None, (run.name, told)))
        for run, told in zip(table.runs, labels, strict=True)
    ]
