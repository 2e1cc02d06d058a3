"""What a user at a terminal sees and does: the standard streams, the log, progress bars, Ctrl-C."""

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)
INTERRUPTING = [signal.SIGINT, signal.SIGTERM]  # what ``interruptible`` listens to in this process
_lost: list[str] = []  # what became of a standard stream and isn't said yet


class _Stream(io.FileIO):
    """The bytes of a standard stream. Once nobody reads it, or its disk is full, they are thrown away."""

    def __init__(self, number: int, label: str) -> None:
        super().__init__(number, "w", closefd=False)
        self.label = label

    def write(self, data: Any) -> int:
        """Writes bytes; the first OSError is the last one, for other libraries that write there too."""
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            _lost.append(f"{self.label} can't be written any more: {error.strerror}")
            return len(data)


def open_streams() -> None:
    """Makes stdout and stderr of this process such that writing to them never fails.

    One that was closed leads nowhere, so that no file that is opened later gets its number and what other libraries
    write there. So does one that fails later. A character that one can't encode is written as an escape.
    """
    if sys.__stdin__ is None:
        os.open(os.devnull, os.O_RDONLY)
    for label in ("stdout", "stderr"):
        stream = getattr(sys, f"__{label}__")
        if getattr(sys, label) is not stream or not isinstance(stream, io.TextIOWrapper | None):
            continue  # a notebook's or a test's own
        if stream is None:
            _lost.append(f"{label} is closed")
            number, encoding, errors = os.open(os.devnull, os.O_WRONLY), "utf-8", "backslashreplace"
            os.set_inheritable(number, True)  # a process that this one starts has it open
        else:
            stream.flush()
            number, encoding, errors = stream.fileno(), stream.encoding, "backslashreplace"
            if stream.errors == "surrogateescape":  # the C locale: names of files aren't decoded, other text is UTF-8
                encoding, errors = "utf-8", stream.errors
        buffer = io.BufferedWriter(_Stream(number, label))
        setattr(sys, label, io.TextIOWrapper(buffer, encoding, errors, line_buffering=True))


def take_losses() -> list[str]:
    """What isn't said yet, for another process to say with ``give_losses``."""
    taken = _lost[:]
    _lost.clear()
    return taken


def give_losses(lost: list[str]) -> None:
    """Makes this process say what another one took."""
    _lost.extend(lost)


def tell_losses() -> None:
    """Warns, once, of a standard stream that is closed or can't be written any more."""
    while _lost:
        log.warning("%s; go on without it, every file is written all the same", _lost.pop(0))


def write_out(text: str) -> None:
    """Writes text to stdout, which may be closed."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()
    tell_losses()


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a log record above the progress bar, without a traceback; vidseg.log has times, names and tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; a warning or an error begins with its level."""
        try:
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            tqdm.write(level + record.getMessage(), file=self.stream)
            self.flush()
            tell_losses()
        except Exception:
            self.handleError(record)


class LogFile(logging.FileHandler):
    """vidseg.log. Where it can't be written, as on a full disk, one warning says so, and the run goes on without it."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Says once that the file can't be written, instead of a traceback for each record."""
        if not self._failed:
            self._failed = True
            log.warning("%s can't be written: %s", self.baseFilename, sys.exc_info()[1])

    def close(self) -> None:
        """Closes the file, also if its last lines can't be written."""
        with suppress(OSError):
            super().close()


def progress(total: int, what: str | None = None, unit: str = "frame") -> "tqdm[Any]":
    """A bar over ``total`` units with the title ``what``, on a terminal only. It disappears when it is closed.

    One unit needs none.
    """
    silent = True if sys.stderr is None or total == 1 else None  # None: as stderr is a terminal or not
    return tqdm(total=total, desc=what, unit=unit, disable=silent, dynamic_ncols=True, leave=False)


@dataclass
class Interruption:
    """``requested`` is true after a signal."""

    requested: bool = False


@contextmanager
def interruptible(
    consequence: str = "finishing the files", action: Callable[[], object] = lambda: None
) -> Iterator[Interruption]:
    """Within the block the first signal of INTERRUPTING sets ``requested``, logs ``consequence`` and calls ``action``.

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
            for number in INTERRUPTING:
                handlers.callback(signal.signal, number, signal.signal(number, request))
        yield interruption
