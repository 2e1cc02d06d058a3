"""What a run is made of, and what is done with every frame once it has masks: outputs, scores, samples, records.

``Work`` has it as tasks for ``vidseg.prefetch.Crew``. Knows the protocols of vidseg.types only.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from vidseg.contract import check_scores
from vidseg.meter import Meter, peak_cuda_mib, rss_mib
from vidseg.prompt.obeyed import disobeyed
from vidseg.record.masks import mask_line
from vidseg.record.progress import Progress
from vidseg.types import Finder, Frame, FrameMasks, Matte, Metric, Output, Prompt, Source, Tracker

log = logging.getLogger(__name__)

MOST_UNDER_WAY = 8
"""A sample takes as long as five other frames: with fewer under way the model would wait for it."""
HELD_BYTES = 128 * 2**20
"""Of frames under way, with logits and masks: 8 of one object are 59 MB at 720p, and 132 MB at 1080p."""


class SampleWriter(Protocol):
    """Draws the frames that it ``wants`` into files."""

    def wants(self, position: int, frame_index: int) -> bool: ...  # noqa: D102
    def write(self, frame: Frame, masks: FrameMasks) -> object: ...  # noqa: D102
    def go_on(self, found: Sequence[Prompt]) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Told:
    """What a segmenter is told: a video, prompts, and who finds new objects while it runs.

    In a preview ``source`` has the prompted frames only. ``tracked``, unless it is None, has those between them, too:
    they are segmented, so that masks are those of a run, and not given out.
    """

    source: Source
    prompts: tuple[Prompt, ...]
    tracked: Source | None = field(default=None, kw_only=True)
    finder: Finder | None = field(default=None, kw_only=True)
    looks: Any = field(default=None, kw_only=True)  # what a detector saw, for the samples
    detector: Mapping[str, str] | None = field(default=None, kw_only=True)  # which one it was, for the run's record
    classes: Sequence[str] = field(default=(), kw_only=True)  # the names that objects may have, in order; () if unknown

    @property
    def steps(self) -> int:
        """How many frames are segmented."""
        given = self.source.frames
        if self.tracked is None:
            return len(given)
        return sum(given[0] <= number <= given[-1] for number in self.tracked.frames)

    @property
    def prompts_so_far(self) -> tuple[Prompt, ...]:
        """Those of the start and those that were found since."""
        return (*self.prompts, *(self.finder.prompts if self.finder else ()))


def log_notes(notes: Sequence[tuple[int, str]]) -> None:
    """Logs texts, each with its level."""
    for level, text in notes:
        log.log(level, text)


@dataclass(frozen=True)
class Parts(Told):
    """What a run is made of, without the segmenter.

    ``note`` takes what the run's record has to say, with levels of logging; it is called in a thread.
    """

    outputs: Mapping[str, Output]
    metrics: Sequence[Metric]
    samples: SampleWriter
    tracker: Tracker
    matte: Matte | None = field(default=None, kw_only=True)  # None: alpha is 0 or 255
    note: Callable[[Sequence[tuple[int, str]]], None] = field(default=log_notes, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A frame with its masks, on its way to outputs, metrics and records."""

    position: int  # in the run, from 0
    frame: Frame
    masks: FrameMasks
    prompts: tuple[Prompt, ...]  # all so far
    lap_ms: Mapping[str, float]  # what the loop spent on it, by stage


def most_under_way(masks: FrameMasks, soft: bool = False, deep: bool = False) -> int:
    """How many frames are composited, scored and recorded while the next one is segmented: 2 to MOST_UNDER_WAY.

    As many as HELD_BYTES hold, with the codes that they were made of; ``soft`` ones have an Alpha, ``deep`` ones 16
    bits, too, and those of their Alpha.
    """
    objects, height, width = map(int, masks.masks_nhw.shape)
    pixel = 5 + 8 * deep + 5 * objects + (4 + 6 * deep) * soft
    return max(2, min(MOST_UNDER_WAY, HELD_BYTES // (height * width * pixel)))


class Work:
    """The tasks of a run. ``drawing`` are its outputs; ``noting`` are scores, and samples with lines of masks.jsonl.

    Both are by name, for one frame each. ``record`` takes what they returned. ``first``, unless it is None, comes
    before them: it gives the masks their alpha.
    """

    def __init__(self, parts: Parts, progress: Progress, meter: Meter) -> None:
        self._parts, self._progress, self._meter = parts, progress, meter
        self.first = None if parts.matte is None else partial(_soften, parts.matte)
        self.drawing: dict[str, Callable[[Made], Any]] = {
            f"output.{name}": partial(_draw, output) for name, output in parts.outputs.items()
        }
        self._scoring = {f"metric.{n}": partial(_score, metric) for n, metric in enumerate(parts.metrics)}
        self.noting: dict[str, Callable[[Made], Any]] = {**self._scoring, "masks": self._note}

    def record(self, made: Made, done: Mapping[str, Any]) -> None:
        """Tells the tracker of a frame, and writes its lines, after which it is finished."""
        # Frames that were finished before are in the log already (NOTSET is logged nowhere); the summary begins anew
        level = logging.NOTSET if self._is_finished(made) else logging.WARNING
        self._parts.note([(level, text) for text in disobeyed(made.masks, made.prompts, self._parts.source.info)])
        if not self._is_finished(made):
            sampled, line = done["masks"]
            if sampled:
                self._parts.tracker.log_sample(made.frame, made.masks, made.prompts)
            values = _values(made, [done[name] for name in self._scoring])
            self._parts.tracker.log(made.position, {"frame": made.frame.index, **values})
            self._progress.add(made.frame, line, values)
        self._meter.frames += 1

    def _is_finished(self, made: Made) -> bool:
        """Whether the run that goes on has recorded the frame before."""
        return made.position < self._progress.finished

    def _note(self, made: Made) -> tuple[bool, dict[str, Any] | None]:
        """Whether the frame is a sample, which is drawn, and the line of its masks unless that is recorded already.

        One task for both: a thread more costs half a millisecond a frame, and most frames are no samples.
        """
        if wanted := self._parts.samples.wants(made.position, made.frame.index):
            self._parts.samples.write(made.frame, made.masks)
        return wanted, None if self._is_finished(made) else mask_line(made.frame, made.masks)


def _soften(matte: Matte, made: Made) -> None:
    made.masks.soften(matte.refine(made.frame, made.masks))


def _draw(output: Output, made: Made) -> None:
    output.write(made.frame, made.masks)


def _score(metric: Metric, made: Made) -> dict[str, float]:
    return check_scores(metric, "update", metric.update(made.frame, made.masks))


def _values(made: Made, scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The numbers of one frame by their W&B keys, rounded to six decimals."""
    masks = made.masks
    values = {f"time/{name}_ms": made.lap_ms[name] for name in ("extract", "segment", "composite", "log")}
    values["memory/rss_mib"] = rss_mib()
    if (cuda_mib := peak_cuda_mib()) is not None:
        values["memory/cuda_peak_mib"] = cuda_mib
    for number, object_id in enumerate(masks.object_ids):
        values[f"mask/area_{object_id}"] = masks.areas[number]
        if masks.scores is not None and (score := masks.scores[number]) is not None:
            values[f"mask/score_{object_id}"] = score
    for named in scores:
        values |= {f"metric/{name}": value for name, value in named.items()}
    return {key: round(value, 6) for key, value in values.items()}
