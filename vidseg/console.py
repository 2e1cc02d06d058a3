"""What a user at a terminal sees and does: the log, progress bars, Ctrl-C."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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


@dataclass
class Interruption:
    """``requested`` is true after a signal."""

    requested: bool = False


@contextmanager
def interruptible(
    consequence: str = "finishing the files", action: Callable[[], object] = lambda: None
) -> Iterator[Interruption]:
    """Within the block the first SIGINT or SIGTERM sets ``requested``, logs ``consequence`` and calls ``action``.

    The second one raises KeyboardInterrupt. Outside the main thread, which alone can set handlers, nothing changes.
    """
    interruption = Interruption()

    def request(number: int, stack: FrameType | None) -> None:
        if interruption.requested:
            raise KeyboardInterrupt
        interruption.requested = True
        log.warning("interrupted: %s; once more ends at once", consequence)
        action()

    with ExitStack() as handlers:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handlers.callback(signal.signal, number, signal.signal(number, request))
        yield interruption
