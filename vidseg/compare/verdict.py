"""The answer in words, and the means over several videos that it is about."""

from collections import defaultdict
from dataclasses import replace
from statistics import fmean

from vidseg.compare.labels import PER_VIDEO, label_runs, title
from vidseg.compare.table import Column, Table, is_number
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


def summarise(table: Table) -> list[str]:
    """Sentences that say what is fastest, what is best and what that costs, what needs least memory, what failed."""
    means = average(table)
    videos = len({run.video for run in table.runs})
    sentences = []
    if means or videos < 2:
        sentences += _compare_speed(means or table) + _compare_memory(means or table)
    if means and sentences:
        sentences.append(f"Figures are means over {videos} videos.")
    if videos > 1 and not means:
        sentences.append(
            f"{len(table.runs)} runs of {videos} videos, and no configuration that finished on all of them."
        )
    if unfinished := sum(not run.finished for run in table.runs):
        sentences.append(f"{unfinished} of {len(table.runs)} runs did not finish.")
    return sentences


def _compare_speed(table: Table) -> list[str]:
    """Which run is the fastest, which has the best quality (of equals the fastest), and how much slower that one is."""
    labels, fps, quality = label_runs(table), table.numbers(table.column("fps")), table.quality
    if len(fps) < 2:
        return []
    fastest = max(fps, key=fps.__getitem__)
    first = f"{labels[fastest]} is the fastest at {fps[fastest]:.3g} fps."
    scores = {row: score for row, score in table.numbers(quality).items() if row in fps} if quality else {}
    if quality is None or len(scores) < 2:
        return [first]
    name, top = title(quality.name), max(scores.values())
    winners = [row for row, score in scores.items() if quality.show(score) == quality.show(top)]
    if len(winners) == len(scores):
        return [first, f"All have the same {name}: {quality.show(top)}."]
    if fastest in winners:
        others = f", as {'have' if len(winners) > 2 else 'has'} {len(winners) - 1} more" if len(winners) > 1 else ""
        return [first, f"It also has the best {name}, {quality.show(top)}{others}."]
    best = max(winners, key=lambda row: fps[row])
    said = f"{labels[best]} has the best {name}, {quality.show(top)}, at {fps[best]:.3g} fps"
    if fastest not in scores:
        return [first, f"{said}."]
    lost, faster = quality.show(top - scores[fastest]), fps[fastest] / max(fps[best], 1e-9)
    return [first, f"{said}: {lost} more than the fastest, which is {faster:.2g} times as fast."]


def _compare_memory(table: Table) -> list[str]:
    """Which run needs the least and the most memory, of the GPU if one was used."""
    peaks = {column.name: table.numbers(column) for column in table.columns if column.name.startswith("peak_")}
    gpu = peaks.get("peak_cuda_mib")
    mib, where = (gpu, "GPU memory") if gpu else (peaks.get("peak_rss_mib", {}), "memory")
    if len(mib) < 2:
        return []
    least, most = min(mib, key=mib.__getitem__), max(mib.values())
    if most < 1.05 * mib[least]:
        return [f"All need about {most:,.0f} MiB of {where}."]
    return [f"{label_runs(table)[least]} needs the least {where}: {mib[least]:,.0f} MiB; the most is {most:,.0f}."]
