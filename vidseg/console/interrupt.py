"""Ctrl-C and SIGTERM become a request, so that a run ends between two frames and finishes its files."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)


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
