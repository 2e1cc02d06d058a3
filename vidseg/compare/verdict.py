"""The answer in sentences: what found nothing or failed, then speed and quality, and only what is more than noise."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec

from vidseg.compare.groups import Competitor, Group, compete, group_runs, same_precisions
from vidseg.compare.quality import ENOUGH, Paired, Scores, pair, score
from vidseg.compare.speed import UNKNOWN, Noise, Standing, measure_noise, rank
from vidseg.compare.table import Column, Table, label_runs
from vidseg.record.run import Run

log = logging.getLogger(__name__)

NAMED = 3  # labels in a sentence; the others are counted
STATES = {"failed": "failed", "interrupted": "was interrupted", "missing": "left no summary"}


@dataclass(frozen=True)
class Verdict:
    """What the comparison of a table's runs says, in ``sentences`` and in ``standings``."""

    table: Table

    @cached_property
    def groups(self) -> list[Group]:
        """The table's runs by what they computed."""
        return group_runs(self.table)

    @cached_property
    def competitors(self) -> list[Competitor]:
        """The configurations that can be compared."""
        return compete(self.groups)

    @cached_property
    def noise(self) -> Noise:
        """What the repetitions say of the machine."""
        return measure_noise(self.groups)

    @cached_property
    def standings(self) -> list[Standing]:
        """The competitors by their speed; none where there is nothing to compare."""
        return rank(self.competitors, self.noise) if self.comparable else []

    @cached_property
    def scores(self) -> list[Scores]:
        """The competitors by their quality, if the runs were scored."""
        if self.table.quality is None or not self.comparable:
            return []
        cells = dict(zip(self.table.runs, self.table.rows, strict=True))
        return score(self.competitors, cells, self.table.quality)

    @cached_property
    def sentences(self) -> list[str]:
        """What holds, each in a sentence: first what found nothing or didn't finish, which is never the best."""
        return [*_troubles(self.table), *_speed(self), *_quality(self), *same_precisions(self.groups)]

    @cached_property
    def fastest(self) -> frozenset[Run]:
        """The runs of the fastest configuration; none where noise may have made it so."""
        others = self.standings[1:]
        shown = others and all(other.differs for other in others)
        return frozenset(self.standings[0].competitor.runs if shown else ())

    @cached_property
    def comparable(self) -> bool:
        """Whether several runs count, and scipy is there to compare them."""
        if sum(len(each.runs) for each in self.competitors) < 2:
            return False
        if find_spec("scipy") is None:
            log.warning("what is fastest and best takes scipy to tell: pip install 'vidseg[compare]'")
            return False
        return True


def judge(table: Table) -> tuple[Table, Verdict]:
    """The table with the fastest runs marked where they are shown to be, and its verdict."""
    verdict = Verdict(table)
    return replace(table, fastest=verdict.fastest), verdict


def _troubles(table: Table) -> Iterator[str]:
    labels = label_runs(table)
    nothing = [label for run, label in zip(table.runs, labels, strict=True) if run.found_nothing]
    if nothing:
        yield f"{_count(nothing, table)} found nothing, no object on any frame: {_list(nothing)}."
    for status, what in STATES.items():
        ours = [label for run, label in zip(table.runs, labels, strict=True) if run.summary["status"] == status]
        if ours:
            told = what.replace("was", "were") if len(ours) > 1 else what
            yield f"{_count(ours, table)} {told}: {_list(ours)}."


def _count(some: Sequence[str], table: Table) -> str:
    return f"{len(some)} of {len(table.runs)} run{'s' if table.runs[1:] else ''}"


def _list(labels: Sequence[str], last: str = "and") -> str:
    """Labels as they stand in a sentence: a, b and c."""
    shown = list(labels[:NAMED])
    if (rest := len(labels) - NAMED) > 0:
        shown.append(f"{rest} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    rounded = float(f"{value:.3g}")
    return f"{value:,.0f}" if abs(rounded) >= 100 else f"{rounded:#.3g}"


def times(standing: Standing) -> str:
    """A ratio and its interval."""
    ratio = standing.ratio
    return f"{ratio.value:.2f} times as long ({ratio.low:.2f} to {ratio.high:.2f})"


def milliseconds(standing: Standing) -> str:
    """A time a frame and its interval."""
    ms = standing.ms
    return f"{number(ms.value)} ms a frame ({number(ms.low)} to {number(ms.high)})"


def _speed(verdict: Verdict) -> Iterator[str]:
    """Who is the fastest, where the others are shown to be slower; else that speeds don't differ beyond noise."""
    known = {group.label for group in verdict.groups if group.counting}
    if len(verdict.competitors) < len(known):
        ranked = (
            f"{len(verdict.competitors)} of {len(known)} configurations" if verdict.competitors else "No configuration"
        )
        yield f"{ranked} finished on every video and found something: no others are ranked."
    if not (standings := verdict.standings):
        return
    first, *others = standings
    noise = verdict.noise
    told = f"runs of one computation differ by up to {100 * (noise.largest - 1):.0f}% here"
    if not others:
        spread = f", the same within {100 * first.spread:.0f}%" if first.spread is not None else ""
        yield f"All {len(first.competitor.runs)} runs are one computation: {milliseconds(first)}{spread}."
        return
    tied = [first, *(each for each in others if not each.differs)]
    labels = [each.competitor.label for each in tied]
    span = f"{number(first.ms.value)} to {number(tied[-1].ms.value)} ms a frame"
    if len(tied) == 1:
        after = f"{others[0].competitor.label} takes {times(others[0])}"
        yield f"{labels[0]} is the fastest: {milliseconds(first)}; {after}."
    elif not noise.freedom:
        every = len(tied) == len(standings)
        which = "Whether speeds differ" if every else f"Which is the fastest, {_list(labels, 'or')},"
        unknown = f"with a run each, a ratio below {UNKNOWN:.0f} may be noise, which repeat=3 measures"
        yield f"{which} isn't known: {span}; {unknown}."
    elif len(tied) == len(standings):
        yield f"Speeds don't differ beyond noise: {span}; {told}."
    else:
        yield f"The fastest is {_list(labels, 'or')}: they don't differ beyond noise, {span}; {told}."


def _quality(verdict: Verdict) -> Iterator[str]:
    scores, column = verdict.scores, verdict.table.quality
    if len(scores) < 2 or column is None:
        return
    shown = {column.show(each.mean) for each in scores}
    if len(shown) < 2:
        return
    if len(scores[0].by_video) == 1:
        yield _best_here(scores, column)
    else:
        yield _best_over_videos(scores, column)


def _best_here(scores: Sequence[Scores], column: Column) -> str:
    """The best on one video: a fact about this video, unless runs of one computation are as far apart."""
    best, margin = scores[0], max(each.spread for each in scores)
    alike = [
        each
        for each in scores
        if column.show(each.mean) == column.show(best.mean) or abs(each.mean - best.mean) <= margin
    ]
    if len(alike) == len(scores):
        return f"{column.title} doesn't differ by more than runs of one computation do, {margin:.3f}."
    have = "has" if len(alike) == 1 else "have"
    return (
        f"{_list([each.competitor.label for each in alike])} {have} the best {column.title}, {column.show(best.mean)}."
    )


def _best_over_videos(scores: Sequence[Scores], column: Column) -> str:
    best, title, mean = scores[0], column.title, column.show(scores[0].mean)
    paired = [(other, found) for other in scores[1:] if (found := pair(best, other)) is not None]
    if not paired:
        return f"{title} isn't compared: no two configurations were asked for the same objects."
    alike = [(other, found) for other, found in paired if not found.differs]
    if paired[0][1].videos >= ENOUGH:
        if not alike:
            return f"{best.competitor.label} has the best {title}, {mean} on average: {_above(*paired[0])}."
        labels = [each.competitor.label for each in (best, *(other for other, _ in alike))]
        return (
            f"The best {title} is that of {_list(labels, 'or')}: the first is {_above(*alike[0])}, perhaps by chance."
        )
    equal = [each for each in scores if column.show(each.mean) == mean]
    below = [(other, found) for other, found in paired if other not in equal]
    names = _list([each.competitor.label for each in equal])
    have = "has" if len(equal) == 1 else "have"
    what = f"On these {len(best.by_video)} videos {names} {have} the highest mean {title}, {mean}"
    return f"{what}{f': {_above(*below[0])}' if below else ''}. So few say little of others."


def _above(other: Scores, found: Paired) -> str:
    value = found.difference
    interval = f"{value.value:.3f} ({value.low:+.3f} to {value.high:+.3f})"
    return f"{interval} above {other.competitor.label}, better on {found.higher} of {found.videos} videos"
