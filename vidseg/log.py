"""The console's side of logging: lines that don't break a progress bar, and errors without tracebacks.

A run's log file (vidseg.log) keeps the tracebacks; people at a terminal get the one line that helps.
"""

import logging
import sys


class ConsoleHandler(logging.Handler):
    """Writes messages to stderr, above a progress bar if there is one; never a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        try:
            text = self.format(_without_traceback(record))
            if record.levelno >= logging.WARNING:
                text = f"{record.levelname.lower()}: {text}"
            tqdm = sys.modules.get("tqdm")
            if tqdm is not None:
                tqdm.tqdm.write(text, file=sys.stderr)
            else:
                sys.stderr.write(text + "\n")
        except Exception:
            self.handleError(record)


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    if record.exc_info is None:
        return record
    plain = logging.makeLogRecord(record.__dict__)
    plain.exc_info = plain.exc_text = None
    return plain
