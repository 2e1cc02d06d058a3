"""How long a frame takes, and which differences are more than noise.

A run's time is the median, over blocks of neighbouring frames, of their mean milliseconds a frame. Blocks, because
neighbours are uneven and correlated: a model that encodes ahead has one frame of 20 ms beside one of 140, one that
encodes four at once has all its time on every fourth, and in seven runs on a busy machine the autocorrelation was 0.28
between neighbours and 0.08 eight frames apart. A group's time is the geometric mean of its runs' times.

Intervals hold 95%. They are bootstraps, of runs first and of the blocks within them, made wider where the repetitions
of all groups tell of more noise: a bootstrap of two or three runs is too narrow.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from vidseg.compare.groups import Competitor, Group
from vidseg.record.files import read_frames
from vidseg.record.run import Run

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

BLOCK, FEWEST, MOST = 8, 8, 128  # frames of a block; at least and at most so many blocks, where there are the frames
RESAMPLES = 1000
CONFIDENCE = 0.95
UNKNOWN = 4.0
"""A ratio that noise alone hardly makes. On 2 busy cores runs of one computation differed by 2.5 times, and by 3.4."""


def frame_times_ms(run: Run) -> list[float]:
    """What the loop took for each frame: the sum of its ``time/*_ms`` in frames.jsonl."""
    lines = ([v for key, v in line.items() if key.startswith("time/")] for line in read_frames(run.folder))
    return [sum(values) for values in lines if values]


def block_means(times_ms: Sequence[float]) -> "NDArray[Any]":
    """The mean of each block: BLOCK frames, fewer in a short run, more in a long one, whose noise is slower too."""
    import numpy as np

    count = min(len(times_ms), MOST, max(FEWEST, len(times_ms) // BLOCK))
    return np.array([block.mean() for block in np.array_split(np.asarray(times_ms, float), max(count, 1))])


@cache
def _blocks_ms(run: Run) -> "NDArray[Any]":
    """The blocks of a run; without times of frames one, of the whole run, and none if it has no time at all."""
    import numpy as np

    if times_ms := frame_times_ms(run):
        blocks = block_means(times_ms)
    else:
        stages = {name: s for name, s in (run.summary.get("seconds") or {}).items() if name not in ("build", "total")}
        blocks = np.array([1e3 * sum(stages.values()) / max(run.summary.get("frames") or 0, 1)])
    return blocks if np.median(blocks) > 0 else blocks[:0]


def log_time(run: Run) -> float | None:
    """The log of a run's milliseconds a frame."""
    import numpy as np

    return math.log(float(np.median(blocks))) if len(blocks := _blocks_ms(run)) else None


def _log_times(group: Group) -> list[float]:
    return [time for run in group.counting if (time := log_time(run)) is not None]


@cache  # the terminal's verdict and the page's take the same
def _bootstrap(run: Run, places: int) -> "NDArray[Any]":
    """The log of a run's time in RESAMPLES bootstraps of its blocks for each of some places: (places, RESAMPLES)."""
    import numpy as np
    from scipy.stats import bootstrap

    blocks = _blocks_ms(run)
    if len(blocks) < 2 or np.ptp(blocks) == 0:
        return np.full((places, RESAMPLES), log_time(run))
    found = bootstrap(
        (blocks,), np.median, n_resamples=places * RESAMPLES, method="percentile", rng=_rng(run), batch=RESAMPLES
    )
    resampled: NDArray[Any] = np.log(found.bootstrap_distribution).reshape(places, RESAMPLES)
    return resampled


def _rng(run: Run) -> "Generator":
    """Numbers of a run's own, the same whenever it is compared."""
    import numpy as np

    return np.random.default_rng(zlib.crc32(str(run.folder).encode("utf-8", "replace")))


@dataclass(frozen=True)
class Noise:
    """How far runs of one computation differ: the deviation of their log times, and the largest ratio in a group.

    ``freedom`` is the number of runs beyond the first of each group; where it is 0 nothing is known.
    """

    deviation: float
    freedom: int
    largest: float

    def margin(self, runs: Sequence[tuple[int, int]], competitors: int) -> float:
        """The log of the ratio that noise alone may make between means of so many runs, video by video.

        It is Tukey's for the fastest and the slowest of so many ``competitors``: of eight equal ones Student's would
        call some two different in 44% of cases. Between single runs it is at least the largest ratio that runs of one
        computation have shown.
        """
        if not self.freedom:
            return math.log(UNKNOWN)
        error = self.deviation * math.sqrt(sum(1 / a + 1 / b for a, b in runs)) / len(runs)
        margin = min(_tukey(competitors, self.freedom) * error, math.log(max(UNKNOWN, self.largest)))
        single = any(min(pair) == 1 for pair in runs)
        return max(margin, math.log(self.largest)) if single else margin

    def around(self, runs: Sequence[int]) -> float:
        """The same around one mean of so many runs; 0 where nothing is known."""
        if not self.freedom:
            return 0.0
        error = self.deviation * math.sqrt(sum(1 / count for count in runs)) / len(runs)
        return min(_tukey(2, self.freedom) * error, math.log(max(UNKNOWN, self.largest)))


@cache
def _tukey(competitors: int, freedom: int) -> float:
    """How many of its standard errors the largest of the differences between equals is, in CONFIDENCE of cases.

    Of two that is Student's t.
    """
    from scipy.stats import studentized_range, t

    if competitors == 2:
        return float(t.ppf((1 + CONFIDENCE) / 2, freedom))
    return float(studentized_range.ppf(CONFIDENCE, competitors, freedom)) / math.sqrt(2)


def measure_noise(groups: Sequence[Group]) -> Noise:
    """The noise that the groups of several runs show."""
    squares, freedom, largest = 0.0, 0, 1.0
    for group in groups:
        if len(times := _log_times(group)) > 1:
            mean = sum(times) / len(times)
            squares += sum((time - mean) ** 2 for time in times)
            freedom += len(times) - 1
            largest = max(largest, math.exp(max(times) - min(times)))
    return Noise(math.sqrt(squares / freedom) if freedom else 0.0, freedom, largest)


@dataclass(frozen=True)
class Interval:
    """A value and the interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """A competitor's milliseconds a frame, and its ratio to the first one's; ``differs`` if that is more than noise.

    ``spread`` is how far its slowest run is above its fastest one on the same video, 0.3 for 30%.
    """

    competitor: Competitor
    ms: Interval
    ratio: Interval
    differs: bool
    spread: float | None


@dataclass(frozen=True)
class _Time:
    """The log of a competitor's milliseconds a frame, and what it is in RESAMPLES bootstraps."""

    log_ms: float
    resampled: "NDArray[Any]"


def _resample(competitor: Competitor) -> _Time | None:
    """The mean over the videos of a competitor's log times, and its resamples; None if a run has no time."""
    import numpy as np

    values, resampled = [], []
    for group in competitor.groups.values():
        count = len(group.counting)
        if len(times := _log_times(group)) < count:
            return None
        values.append(sum(times) / count)
        chosen = _rng(group.runs[0]).integers(count, size=(count, RESAMPLES))  # which run is in each place
        drawn = np.stack([_bootstrap(run, count) for run in group.counting])  # (runs, places, RESAMPLES)
        resampled.append(np.take_along_axis(drawn, chosen[None], axis=0)[0].mean(axis=0))
    return _Time(sum(values) / len(values), np.mean(resampled, axis=0))


def rank(competitors: Sequence[Competitor], noise: Noise) -> list[Standing]:
    """Where the competitors stand, the fastest first; over several videos by their geometric means."""
    timed = {each: times for each in competitors if (times := _resample(each)) is not None}
    order = sorted(timed, key=lambda each: timed[each].log_ms)
    first = order[0] if order else None
    return [_stand(each, first, timed, noise) for each in order if first is not None]


def _stand(each: Competitor, first: Competitor, timed: Mapping[Competitor, _Time], noise: Noise) -> Standing:
    time, best = timed[each], timed[first]
    runs = [(len(group.counting), len(first.groups[video].counting)) for video, group in each.groups.items()]
    ms = _interval(time.log_ms, time.resampled, noise.around([count for count, _ in runs]))
    if each is first:
        ratio = Interval(1.0, 1.0, 1.0)
    else:
        ratio = _interval(time.log_ms - best.log_ms, time.resampled - best.resampled, noise.margin(runs, len(timed)))
    spreads = [_spread(group) for group in each.groups.values() if len(group.counting) > 1]
    return Standing(each, ms, ratio, ratio.low > 1, max(spreads) if spreads else None)


def _interval(log_value: float, resampled: "NDArray[Any]", margin: float) -> Interval:
    """The bootstrap's interval, or that of ``margin`` on either side where it is wider."""
    import numpy as np

    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low, high = min(float(low), log_value - margin), max(float(high), log_value + margin)
    return Interval(math.exp(log_value), math.exp(low), math.exp(high))


def _spread(group: Group) -> float:
    times = _log_times(group)
    return math.exp(max(times) - min(times)) - 1 if times else 0.0
