"""The answer in words, and the means over several videos that it is about."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from vidseg.compare.labels import PER_VIDEO, label_runs, title
from vidseg.compare.table import COSTS, Column, Table, is_number
from vidseg.record.run import Scalar


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


@dataclass(frozen=True)
class _Contender:
    """A run, or the runs of one configuration on several videos."""

    label: str
    figures: dict[str, float]


def summarise(table: Table) -> list[str]:
    """Sentences that say what is fastest, what is best and what that costs, what needs least memory, what failed."""
    means = average(table)
    videos = len({run.video for run in table.runs})
    contenders = _contenders(means or table) if means or videos < 2 else []
    sentences = []
    quality = table.quality
    ranked = [contender for contender in contenders if quality and quality.name in contender.figures]
    fastest = max(contenders, key=lambda contender: contender.figures["fps"], default=None)
    if fastest and len(contenders) > 1:
        sentences.append(f"{fastest.label} is the fastest at {fastest.figures['fps']:.3g} fps.")
    if fastest and quality and len(ranked) > 1:
        sentences += _weigh(fastest, ranked, quality)
    sentences += _compare_memory(contenders)
    if means and sentences:
        sentences.append(f"Figures are means over {videos} videos.")
    if videos > 1 and not contenders:
        sentences.append(
            f"{len(table.runs)} runs of {videos} videos, and no configuration that finished on all of them."
        )
    if unfinished := sum(not run.finished for run in table.runs):
        sentences.append(f"{unfinished} of {len(table.runs)} runs did not finish.")
    return sentences


def _weigh(fastest: _Contender, ranked: Sequence[_Contender], quality: Column) -> list[str]:
    """Which contender is best (of equals the fastest), and how much slower it is than the fastest."""
    name, top = title(quality.name), max(contender.figures[quality.name] for contender in ranked)
    winners = [contender for contender in ranked if quality.show(contender.figures[quality.name]) == quality.show(top)]
    if len(winners) == len(ranked):
        return [f"All have the same {name}: {quality.show(top)}."]
    if fastest in winners:
        others = f", as {'have' if len(winners) > 2 else 'has'} {len(winners) - 1} more" if len(winners) > 1 else ""
        return [f"It also has the best {name}, {quality.show(top)}{others}."]
    best = max(winners, key=lambda contender: contender.figures["fps"])
    said = f"{best.label} has the best {name}, {quality.show(top)}, at {best.figures['fps']:.3g} fps"
    if quality.name not in fastest.figures:
        return [f"{said}."]
    lost, faster = top - fastest.figures[quality.name], fastest.figures["fps"] / max(best.figures["fps"], 1e-9)
    return [f"{said}: {quality.show(lost)} more than the fastest, which is {faster:.2g} times as fast."]


def _compare_memory(contenders: Sequence[_Contender]) -> list[str]:
    """Which needs the least and the most memory, of the GPU if there is one."""
    gpu = any("peak_cuda_mib" in contender.figures for contender in contenders)
    name, where = ("peak_cuda_mib", "GPU memory") if gpu else ("peak_rss_mib", "memory")
    measured = [contender for contender in contenders if name in contender.figures]
    measured.sort(key=lambda contender: contender.figures[name])
    if len(measured) < 2:
        return []
    least, most = measured[0].figures[name], measured[-1].figures[name]
    if most < 1.05 * least:
        return [f"All need about {most:,.0f} MiB of {where}."]
    return [f"{measured[0].label} needs the least {where}: {least:,.0f} MiB; the most is {most:,.0f}."]


def _contenders(table: Table) -> list[_Contender]:
    """The runs that finished, with their figures."""
    columns = [column for column in table.columns if column.name in COSTS or column == table.quality]
    numbers = {column.name: table.numbers(column) for column in columns}
    contenders = [
        _Contender(label, {name: numbers[name][row] for name in numbers if row in numbers[name]})
        for row, label in enumerate(label_runs(table))
    ]
    return [contender for contender in contenders if "fps" in contender.figures]
