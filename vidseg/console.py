"""What a user at a terminal sees and does: the log, progress bars, Ctrl-C."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a log record above the progress bar, without a traceback; vidseg.log has times, names and tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; a warning or an error begins with its level."""
        try:
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            tqdm.write(level + record.getMessage(), file=self.stream)
            self.flush()
        except Exception:
            self.handleError(record)


def progress(total: int, what: str | None = None, unit: str = "frame") -> "tqdm[Any]":
    """A bar over ``total`` units with the title ``what``, on a terminal only. It disappears when it is closed."""
    return tqdm(total=total, desc=what, unit=unit, disable=None, dynamic_ncols=True, leave=False)


class Interruption:
    """``requested`` is true after a signal. Then ``consequence`` is logged and ``action`` is called, once."""

    def __init__(self, consequence: str, action: Callable[[], object]) -> None:
        self.requested = False
        self._consequence, self._action = consequence, action

    def request(self, number: int, stack: FrameType | None) -> None:
        """The signal handler: the first signal is a request, the second one raises KeyboardInterrupt."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        log.warning("interrupted: %s; once more ends at once", self._consequence)
        self._action()


@contextmanager
def interruptible(
    consequence: str = "finishing the files", action: Callable[[], object] = lambda: None
) -> Iterator[Interruption]:
    """Within the block SIGINT and SIGTERM set ``requested``; but only in the main thread, others can't set handlers."""
    interruption = Interruption(consequence, action)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.request) for number in numbers]
    try:
        yield interruption
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
