"""The answer in words: what each run is called, and which is the fastest, the best, the smallest."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from vidseg.compare.columns import Column, Table

TITLES = {
    "j_and_f": "J&F",
    "j": "J",
    "f": "F",
    "iou": "IoU with the reference",
    "agreement": "agreement",
    "fps": "frames per second",
    "peak_rss_mib": "peak memory (MiB)",
    "peak_cuda_mib": "peak GPU memory (MiB)",
}


def title(name: str) -> str:
    """A column's name for people."""
    return TITLES.get(name, name)


def label_runs(table: Table, video: bool = True) -> list[str]:
    """What tells each run from the others, such as "nano · fp32 · stride 5"; its name where nothing does.

    Without ``video`` the label says what ran and not on what, so that runs on several videos share one.
    """
    columns = [column for column in table.columns if column.about == "config" and not column.extra]
    columns = [column for column in columns if video or column.name not in ("video", "sample.seed")]
    labels = []
    for cells in table.rows:
        parts = [_part(column, cells[column.name]) for column in columns if cells[column.name] is not None]
        labels.append(" · ".join(parts))
    if not video:
        return labels
    twins = {label for label in labels if not label or labels.count(label) > 1}
    return [
        " · ".join(filter(None, (run.name, label))) if label in twins else label
        for run, label in zip(table.runs, labels, strict=True)
    ]


def _part(column: Column, value: object) -> str:
    """A word speaks for itself; a number needs its key."""
    text = column.show(value if isinstance(value, str | int | float | bool) else str(value))
    words = isinstance(value, str) and not text[:1].isdigit()
    if column.name == "video":
        text = text.rstrip("/").rpartition("/")[2]
    return text if words or column.name == "video" else f"{column.name.rpartition('.')[2]} {text}"


@dataclass(frozen=True)
class _Contender:
    """One configuration, its figures averaged over its runs."""

    label: str
    figures: dict[str, float]


def summarise(table: Table) -> list[str]:
    """Sentences that answer: what is fastest, what is best and what does that cost, what is smallest, what failed."""
    contenders = _contenders(table)
    sentences = []
    quality = table.quality
    ranked = [contender for contender in contenders if quality and quality.name in contender.figures]
    fastest = max(contenders, key=lambda contender: contender.figures["fps"], default=None)
    if fastest and len(contenders) > 1:
        sentences.append(f"{fastest.label} is the fastest at {fastest.figures['fps']:.3g} fps.")
    if fastest and quality and len(ranked) > 1:
        sentences += _weigh(fastest, ranked, quality)
    sentences += _smallest(contenders)
    videos = len({run.video for run in table.runs})
    if videos > 1 and sentences:
        sentences.append(f"Figures are means over {videos} videos.")
    if videos > 1 and not contenders:
        sentences.append(
            f"{len(table.runs)} runs of {videos} videos, and no configuration that finished on all of them."
        )
    if unfinished := sum(not run.finished for run in table.runs):
        sentences.append(f"{unfinished} of {len(table.runs)} runs did not finish.")
    return sentences


def _weigh(fastest: _Contender, ranked: Sequence[_Contender], quality: Column) -> list[str]:
    """Which is the best (the fastest of those that are), and what speed costs."""
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


def _smallest(contenders: Sequence[_Contender]) -> list[str]:
    name = "peak_cuda_mib" if any("peak_cuda_mib" in contender.figures for contender in contenders) else "peak_rss_mib"
    measured = [contender for contender in contenders if name in contender.figures]
    if len(measured) < 2:
        return []
    least, most = (pick(measured, key=lambda contender: contender.figures[name]) for pick in (min, max))
    if most.figures[name] < 1.05 * least.figures[name]:
        return [f"All need about {most.figures[name]:,.0f} MiB of {'GPU ' * ('cuda' in name)}memory."]
    where = "GPU memory" if "cuda" in name else "memory"
    return [
        f"{least.label} needs the least {where}: {least.figures[name]:,.0f} MiB; the most is {most.figures[name]:,.0f}."
    ]


def _contenders(table: Table) -> list[_Contender]:
    """The finished runs; over several videos the configurations that finished on all of them, averaged."""
    videos = {run.video for run in table.runs if run.finished}
    labels = label_runs(table, video=len(videos) < 2)
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, run in enumerate(table.runs):
        if run.finished:
            groups[labels[row]].append(row)
    wanted = ["fps", "peak_rss_mib", "peak_cuda_mib", *([table.quality.name] if table.quality else [])]
    numbers = {name: table.numbers(table.column(name)) for name in wanted if any(c.name == name for c in table.columns)}
    contenders = []
    for label, rows in groups.items():
        if {table.runs[row].video for row in rows} == videos:
            figures = {
                name: fmean(values[row] for row in rows)
                for name, values in numbers.items()
                if all(row in values for row in rows)
            }
            contenders.append(_Contender(label or "the one configuration", figures))
    return [contender for contender in contenders if "fps" in contender.figures]
