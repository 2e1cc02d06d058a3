"""The loop of a run: extract, segment, composite and log, frame by frame. Knows the protocols of vidseg.types only."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from vidseg.console import interruptible
from vidseg.console import progress as progress_bar
from vidseg.contract import TrackChecker, check_scores
from vidseg.meter import Meter, peak_cuda_mib, rss_mib
from vidseg.record.progress import Progress
from vidseg.types import Finder, Frame, FrameMasks, Metric, Output, Prompt, Segmenter, Source, Tracker, names_of

log = logging.getLogger(__name__)

T = TypeVar("T")


class SampleWriter(Protocol):
    """Draws the frames that it ``wants`` into files."""

    def wants(self, position: int, frame_index: int) -> bool: ...  # noqa: D102
    def write(self, frame: Frame, masks: FrameMasks) -> object: ...  # noqa: D102
    def go_on(self, found: Sequence[Prompt]) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Told:
    """What a segmenter is told: a video, prompts, and who finds new objects while it runs."""

    source: Source
    prompts: tuple[Prompt, ...]
    finder: Finder | None = field(default=None, kw_only=True)
    looks: Any = field(default=None, kw_only=True)  # what a detector saw, for the samples
    detector: Mapping[str, str] | None = field(default=None, kw_only=True)  # which one it was, for the run's record
    classes: Sequence[str] = field(default=(), kw_only=True)  # the names that objects may have, in order; () if unknown

    @property
    def prompts_so_far(self) -> tuple[Prompt, ...]:
        """Those of the start and those that were found since."""
        return (*self.prompts, *(self.finder.prompts if self.finder else ()))


@dataclass(frozen=True)
class Parts(Told):
    """What a run is made of, without the segmenter."""

    outputs: Mapping[str, Output]
    metrics: Sequence[Metric]
    samples: SampleWriter
    tracker: Tracker


def run(parts: Parts, segmenter: Segmenter, folder: Path, meter: Meter, progress: Progress) -> bool:
    """Takes every frame of the source through all stages. Returns False if the user interrupted.

    Frames that ``progress`` has finished before are composited and scored again, and not recorded again.
    However the run ends, every output is finished with the frames that it got, or removed if it can't be finished.
    Raises ContractError if a segmenter or a metric breaks a rule of vidseg.types.
    """
    with ExitStack() as stack:
        interruption = stack.enter_context(interruptible())
        stack.callback(meter.stage("log")(parts.samples.close))
        stack.enter_context(progress.recording())
        for output in parts.outputs.values():
            stack.callback(_finish, output, meter)
            (folder / output.path).parent.mkdir(parents=True, exist_ok=True)
            output.open(folder, parts.source)
        pairs = stack.enter_context(closing(segmented(segmenter, parts, meter, progress)))
        bar = stack.enter_context(progress_bar(len(parts.source.frames)))
        for position, (frame, found) in enumerate(pairs):
            masks = progress.agreed(position, found, parts.source.info)
            with meter.stage("composite"):
                for output in parts.outputs.values():
                    output.write(frame, masks)
            with meter.stage("log"):
                scores = [check_scores(metric, "update", metric.update(frame, masks)) for metric in parts.metrics]
                if parts.samples.wants(position, frame.index):
                    parts.samples.write(frame, masks)
                    if position >= progress.finished:
                        parts.tracker.log_sample(frame, masks, parts.prompts_so_far)
                values = _values(frame, masks, scores, meter)
                if position >= progress.finished:
                    parts.tracker.log(position, {"frame": frame.index, **values})
                    progress.add(frame, masks, values)
            meter.frames += 1
            if meter.frames == progress.finished and not progress.complete:
                meter.begin()
            bar.update()
            if interruption.requested:
                return False
    return True


def segmented(
    segmenter: Segmenter, told: Told, meter: Meter, progress: Progress | None = None
) -> Generator[tuple[Frame, FrameMasks]]:
    """The segmenter's pairs, checked and timed: ``extract`` is what it waits for frames, ``segment`` the rest.

    Objects get the names of their prompts. With ``progress`` it goes on from there, and saves checkpoints.
    """
    track: Any = segmenter.track if progress is None else partial(progress.track, segmenter)
    more = {}
    if told.finder is not None and getattr(segmenter, "joinable", False):
        more = {"finder": told.finder}
    elif told.finder is not None:
        log.warning("prompt.every: this model takes no objects while it runs; only those of the start are followed")
    checker = TrackChecker(segmenter, told.source, told.prompts, finding=bool(more))
    pairs = checker.pairs(_WatchedSource(told.source, meter, checker), partial(track, **more))
    for frame, masks in _timed(pairs, meter, "segment"):
        masks.name(names_of(told.prompts_so_far))
        yield frame, masks


def _timed(items: Generator[T], meter: Meter, stage: str) -> Generator[T]:
    """Yields the items; the time until each of them comes counts for the stage."""
    with closing(items):
        while True:
            with meter.stage(stage):
                item = next(items, None)
            if item is None:
                return
            yield item


class _WatchedSource:
    """A source whose reads count as ``extract`` and are told to the checker; all else is the source's own."""

    def __init__(self, source: Source, meter: Meter, checker: TrackChecker) -> None:
        self._source, self._meter, self._checker = source, meter, checker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Generator[Frame]:
        with closing(_timed(self._source.__iter__(), self._meter, "extract")) as frames:
            for position, frame in enumerate(frames):
                self._checker.saw(position, frame)
                yield frame
        self._checker.saw_all()

    def backwards(self, position: int) -> Generator[Frame]:
        return _timed(self._source.backwards(position), self._meter, "extract")

    def __getitem__(self, index: int) -> Frame:
        with self._meter.stage("extract"):
            return self._source[index]


def _values(frame: Frame, masks: FrameMasks, scores: Sequence[Mapping[str, float]], meter: Meter) -> dict[str, float]:
    """The numbers of one frame by their W&B keys, rounded to six decimals."""
    lap = meter.lap_ms()
    values = {f"time/{name}_ms": lap[name] for name in ("extract", "segment", "composite", "log")}
    values["memory/rss_mib"] = rss_mib()
    if (cuda_mib := peak_cuda_mib()) is not None:
        values["memory/cuda_peak_mib"] = cuda_mib
    for number, object_id in enumerate(masks.object_ids):
        values[f"mask/area_{object_id}"] = int(masks.masks_nhw[number].sum())
        if masks.scores is not None and (score := masks.scores[number]) is not None:
            values[f"mask/score_{object_id}"] = score
    for named in scores:
        values |= {f"metric/{name}": value for name, value in named.items()}
    return {key: round(value, 6) for key, value in values.items()}


def _finish(output: Output, meter: Meter) -> None:
    """Gives an output's file its final name, or removes the file if it is empty or can't be finished."""
    with meter.stage("composite"):
        if not meter.frames:
            output.abort()
            return
        try:
            output.close()
        except BaseException:
            output.abort()
            raise
