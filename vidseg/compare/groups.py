"""Runs of one computation are one group: the repetitions of a job, or precisions that the device has as one.

Groups of one configuration on several videos are a competitor, and competitors are what the page compares.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from vidseg.compare.table import PER_VIDEO, Table, is_number, label_runs
from vidseg.record.run import Run, Scalar

NAMING = re.compile(r"(tracker|hydra|checkpoint)(\.|$)|output\.\w+\.path$|(repeat|resume|optimize)$")
"""Keys that say where a run is recorded, and which of several it is, not what it computed."""
ASKED = re.compile(r"precision(\.|$)|device$")  # what summary.json has as it was resolved


Cells = Mapping[Run, Mapping[str, Scalar]]  # a table's rows


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of one computation on one video. ``label`` leaves out the video, ``video`` is its number."""

    label: str
    video: int
    runs: tuple[Run, ...]

    @cached_property
    def counting(self) -> tuple[Run, ...]:
        """The runs that finished and found something."""
        return tuple(run for run in self.runs if run.counts)


@dataclass(frozen=True, eq=False)
class Competitor:
    """One configuration; ``groups`` are its runs that count, by the number of the video."""

    label: str
    groups: Mapping[int, Group]

    @property
    def runs(self) -> list[Run]:
        """All of them that count, video by video."""
        return [run for group in self.groups.values() for run in group.counting]

    def values(self, cells: Cells, column: str, video: int) -> list[float]:
        """The numbers of a column in the runs of one video."""
        values = [cells[run][column] for run in self.groups[video].counting]
        return [float(value) for value in values if is_number(value)]


def computation(run: Run) -> Hashable:
    """What a run computed: its configuration with precision and device as they were resolved, and the versions.

    Two GPUs of one machine count as one device, over which a launcher spreads repetitions. A run whose configuration
    isn't known is like no other.
    """
    if not run.config:
        return str(run.folder)
    told = {key: repr(value) for key, value in run.told.items() if not NAMING.match(key)}
    for key in [key for key in told if ASKED.match(key)]:
        if run.summary.get(key.partition(".")[0]) is not None:
            del told[key]
    device = str(run.summary.get("device")).partition(":")[0]
    versions = repr(sorted((run.summary.get("versions") or {}).items()))
    return frozenset(told.items()), str(run.summary.get("precision")), device, versions


def number_videos(runs: Sequence[Run]) -> dict[Run, int]:
    """The number of each run's video, from 0 in the order of the runs."""
    firsts: list[Run] = []
    by_name: dict[tuple[str, str], int] = {}  # 1,000 runs of one sweep have few names
    numbers = {}
    for run in runs:
        name = run.video, repr(run.told.get("video"))
        if name not in by_name:
            same = (n for n, first in enumerate(firsts) if run.same_video(first))
            if (number := next(same, None)) is None:
                number = len(firsts)
                firsts.append(run)
            by_name[name] = number
        numbers[run] = by_name[name]
    return numbers


def group_runs(table: Table) -> list[Group]:
    """The groups of a table's runs, in its order."""
    videos = number_videos(table.runs)
    groups: dict[Hashable, list[Run]] = {}
    for run in table.runs:
        groups.setdefault((videos[run], computation(run)), []).append(run)
    members = list(groups.values())
    labels = _label(table, members, [videos[runs[0]] for runs in members])
    return [Group(label, videos[runs[0]], tuple(runs)) for label, runs in zip(labels, members, strict=True)]


def _label(table: Table, members: Sequence[Sequence[Run]], videos: Sequence[int]) -> list[str]:
    """A label for each group: the keys that differ between groups, the precision as it was resolved.

    Groups of one video whose labels are the same have the names of their first runs in front.
    """
    columns = [column for column in table.columns if column.about == "config" and not column.extra]
    columns = [column for column in columns if column.name not in PER_VIDEO and not NAMING.match(column.name)]
    cells = dict(zip(table.runs, table.rows, strict=True))
    rows = [{column.name: _value(cells, runs, column.name) for column in columns} for runs in members]
    columns = [column for column in columns if len({repr(row[column.name]) for row in rows}) > 1]
    firsts = [runs[0] for runs in members]
    labels = label_runs(replace(table, runs=firsts, columns=columns, rows=rows), video=False)
    keys = list(zip(videos, labels, strict=True))
    times = Counter(keys)
    return [
        " ".join(filter(None, (run.name, key[1]))) if times[key] > 1 else key[1] or "every run"
        for run, key in zip(firsts, keys, strict=True)
    ]


def _value(cells: Cells, runs: Sequence[Run], key: str) -> Scalar:
    """What a group's runs have for a key: what was asked for, or of several or what fell back, what it resolved to."""
    values = {cells[run][key] for run in runs}
    resolved = runs[0].summary.get(key) if key in ("precision", "device") else None
    if resolved is None or values == {"auto"}:
        return cells[runs[0]][key]
    return str(resolved).partition(":")[0] if len(values) > 1 else str(resolved)


def compete(groups: Sequence[Group]) -> list[Competitor]:
    """The configurations that have runs which count on every video of such runs."""
    found: dict[str, dict[int, Group]] = {}
    for group in groups:
        if group.counting:
            found.setdefault(group.label, {})[group.video] = group
    videos = {video for by_video in found.values() for video in by_video}
    return [Competitor(label, by_video) for label, by_video in found.items() if set(by_video) == videos]


def same_precisions(groups: Sequence[Group]) -> Iterator[str]:
    """A sentence for each precision that several of those that were asked for resolved to."""
    asked: dict[str, dict[str, None]] = {}
    for group in groups:
        names = dict.fromkeys(str(run.choices.get("precision")) for run in group.counting)
        if len(names) > 1:
            asked.setdefault(str(group.runs[0].summary["precision"]), {}).update(names)
    for resolved, names in asked.items():
        *first, last = names
        yield f"{', '.join(first)} and {last} are one computation here, {resolved}."
