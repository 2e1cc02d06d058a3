"""A tracker whose failures don't end a run. Knows nothing about any particular service."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vidseg.types import Frame, FrameMasks, Prompt, Tracker

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Guarded:
    """A ``Tracker`` around another one: its first failure is one warning, and the run goes on without it.

    A record that is expected begins with what is first logged.

    After a failure nothing more is logged. A record that was started is finished all the same, so that it doesn't look
    as if it still ran; a failure of that is not reported. KeyboardInterrupt passes through.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._started = False
        self._failed = False
        self._expected: Callable[[], object] | None = None

    def resume(self, record: Mapping[str, Any]) -> None:
        """Makes ``start`` go on with the record that an earlier ``start`` returned, if the tracker can do that."""
        if hasattr(self._tracker, "resume"):
            self._tracker.resume(record)

    def expect(self, config: Mapping[str, Any], folder: Path, begun: Callable[[dict[str, Any] | None], object]) -> None:
        """Makes the first ``log`` or ``log_sample`` start the record; then ``begun`` gets what ``start`` returned.

        What takes long and leaves no trace, such as an import, is done here, if the tracker has a ``prepare``.
        """
        self._expected = lambda: begun(self.start(config, folder))
        if hasattr(self._tracker, "prepare"):
            self._attempt(self._tracker.prepare)

    def begin(self) -> None:
        """Starts the record that is expected, if nothing did before."""
        expected, self._expected = self._expected, None
        if expected is not None and not self._failed:
            expected()

    def start(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """Begins the record; None if that fails."""
        record = self._attempt(lambda: self._tracker.start(config, folder))
        self._started = not self._failed
        return record

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Logs the values of one frame."""
        self.begin()
        if self._started and not self._failed:
            self._attempt(lambda: self._tracker.log(step, values))

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Logs the picture of one frame."""
        self.begin()
        if self._started and not self._failed:
            self._attempt(lambda: self._tracker.log_sample(frame, masks, prompts))

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Ends the record if it was started, also after a failure; a second call does nothing."""
        if self._started:
            self._started = False
            self._attempt(lambda: self._tracker.finish(summary, folder))

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """Records a finished sweep."""
        self._attempt(lambda: self._tracker.log_sweep(group, rows, folder))

    def _attempt(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except Exception as error:
            level = logging.DEBUG if self._failed else logging.WARNING
            self._failed = True
            reason = next(iter(str(error).splitlines()), "")
            logger.log(level, "tracker: %s: %s; the run goes on without it", type(error).__name__, reason)
            logger.debug("tracker: the failure in full", exc_info=True)
            return None


class NoTracker:
    """A ``Tracker`` that records nothing: summary.json's ``wandb`` is null."""

    def start(self, *args: Any, **options: Any) -> None:
        """Does nothing, as all other methods."""

    log = log_sample = finish = log_sweep = start
