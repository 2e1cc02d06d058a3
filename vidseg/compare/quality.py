"""Which scores differ: on one video as they are, over several by what the configurations differ on each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vidseg.compare.groups import Cells, Competitor
from vidseg.compare.speed import CONFIDENCE, RESAMPLES, Interval
from vidseg.compare.table import Column

ENOUGH = 6
"""Videos from which on a difference may hold for others. Of five, equals all agree in 2 of 32 cases, over 5%."""


@dataclass(frozen=True)
class Scores:
    """A competitor's mean score on each video, and how far its runs of one video are apart at most."""

    competitor: Competitor
    by_video: Mapping[int, float]
    spread: float

    @property
    def mean(self) -> float:
        """The mean over the videos."""
        return fmean(self.by_video.values())


@dataclass(frozen=True)
class Paired:
    """By how much one's scores are above another's on the same videos, and on how many of them they are."""

    difference: Interval
    higher: int
    videos: int

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance, for videos such as these."""
        return self.videos >= ENOUGH and (self.difference.low > 0 or self.difference.high < 0)


def score(competitors: Sequence[Competitor], cells: Cells, column: Column) -> list[Scores]:
    """The scores of those that have one on every video, the best first."""
    found = []
    for each in competitors:
        values = {video: each.values(cells, column.name, video) for video in each.groups}
        if all(values.values()):
            means = {video: fmean(numbers) for video, numbers in values.items()}
            found.append(Scores(each, means, max(max(numbers) - min(numbers) for numbers in values.values())))
    return sorted(found, key=lambda scores: -column.better * scores.mean)


def pair(one: Scores, other: Scores) -> Paired | None:
    """Compares two on the videos on which they were asked for the same objects; None if there is none."""
    shared = [video for video in one.by_video if _objects(one, video) == _objects(other, video)]
    differences = [one.by_video[video] - other.by_video[video] for video in shared]
    if not differences:
        return None
    return Paired(_interval(differences), sum(value > 0 for value in differences), len(differences))


def _objects(scores: Scores, video: int) -> list[int]:
    return list(scores.competitor.groups[video].runs[0].summary.get("objects") or ())


def _interval(values: Sequence[float]) -> Interval:
    import numpy as np
    from scipy.stats import bootstrap

    mean = fmean(values)
    if len(set(values)) < 2:
        return Interval(mean, mean, mean)
    found = bootstrap(
        (values,), np.mean, n_resamples=10 * RESAMPLES, confidence_level=CONFIDENCE, method="percentile",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))
