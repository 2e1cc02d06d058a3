"""The answer in words: which run is the fastest, which the best and what that costs, which the smallest."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidseg.compare.columns import Column, Table
from vidseg.compare.labels import label_runs, title
from vidseg.compare.means import average


@dataclass(frozen=True)
class _Contender:
    """A run, or one configuration's runs on several videos."""

    label: str
    figures: dict[str, float]


def summarise(table: Table) -> list[str]:
    """Sentences that answer: what is fastest, what is best and what does that cost, what is smallest, what failed."""
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
    sentences += _smallest(contenders)
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
    """The runs that finished, with their figures."""
    names = ["fps", "peak_rss_mib", "peak_cuda_mib", *([table.quality.name] if table.quality else [])]
    numbers = {column.name: table.numbers(column) for column in table.columns if column.name in names}
    contenders = [
        _Contender(label, {name: numbers[name][row] for name in numbers if row in numbers[name]})
        for row, label in enumerate(label_runs(table))
    ]
    return [contender for contender in contenders if "fps" in contender.figures]
