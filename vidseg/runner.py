"""The loop of a run: extract, segment, matte, composite and log, frame by frame. Knows only types.py's protocols."""

import logging
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vidseg.console import interruptible
from vidseg.console import progress as progress_bar
from vidseg.contract import TrackChecker
from vidseg.meter import Meter
from vidseg.prefetch import Crew
from vidseg.record.progress import Progress
from vidseg.types import Frame, FrameMasks, Output, Segmenter, Source, names_of
from vidseg.work import Made, Parts, Told, Work, most_under_way

log = logging.getLogger(__name__)

T = TypeVar("T")


def run(parts: Parts, segmenter: Segmenter, folder: Path, meter: Meter, progress: Progress) -> bool:
    """Takes every frame of the source through all stages. Returns False if the user interrupted.

    The loop only segments and hands over: the matte, outputs, metrics and records have threads of their own (see
    ``Crew``). Frames that ``progress`` has finished before are composited and scored again, and not recorded again.
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
        work = Work(parts, progress, meter)
        crew = stack.enter_context(Crew({**work.drawing, **work.noting}, work.record, work.first))
        bar = stack.enter_context(progress_bar(parts.steps))

        def go_on() -> bool:
            bar.update()
            return not interruption.requested

        pairs = stack.enter_context(closing(segmented(segmenter, parts, meter, progress, go_on)))
        for position, (frame, found) in enumerate(pairs):
            masks = progress.agreed(position, found, parts.source.info)
            crew.put(Made(position, frame, masks, parts.prompts_so_far, meter.lap_ms()))
            while crew.under_way > most_under_way(masks, soft=parts.matte is not None, deep=frame.deep is not None):
                with meter.stage("composite"):
                    crew.wait(work.drawing)
                with meter.stage("log"):
                    crew.finish()
            if position + 1 == progress.finished and not progress.complete:
                meter.begin(progress.finished)
            if not go_on():
                return False
        return not interruption.requested


def segmented(
    segmenter: Segmenter, told: Told, meter: Meter, progress: Progress | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> Generator[tuple[Frame, FrameMasks]]:  # fmt: skip
    """The segmenter's pairs, checked and timed: ``extract`` is what it waits for frames, ``segment`` the rest.

    Objects get the names of their prompts. With ``progress`` it goes on from there, and saves checkpoints; not in a
    preview that tracks. There ``go_on`` is called after each frame that isn't given out; False ends it.
    """
    source = told.source if told.tracked is None else told.tracked
    track: Any = segmenter.track
    if progress is not None and told.tracked is None:  # a checkpoint counts the frames that are given out
        track = partial(progress.track, segmenter)
    more = {}
    if told.finder is not None and getattr(segmenter, "joinable", False):
        more = {"finder": told.finder}
    elif told.finder is not None:
        log.warning("prompt.every: this model takes no objects while it runs; only those of the start are followed")
    checker = TrackChecker(segmenter, source, told.prompts, finding=bool(more))
    pairs = checker.pairs(_WatchedSource(source, meter, checker), partial(track, **more))
    for frame, masks in _timed(pairs, meter, "segment"):
        if told.tracked is None or frame.index in told.source.frames:
            masks.name(names_of(told.prompts_so_far))
            yield frame, masks
        elif not go_on():
            return


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
