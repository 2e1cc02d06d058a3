"""The console's side of logging: plain lines that don't break a progress bar, and errors without tracebacks.

A run's log file (vidseg.log) keeps times, names and tracebacks; people at a terminal get the one line that helps.
"""

import logging
import sys


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a record's message, with its level from warnings on; above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        try:
            text = record.getMessage()
            if record.levelno >= logging.WARNING:
                text = f"{record.levelname.lower()}: {text}"
            if (tqdm := sys.modules.get("tqdm")) is not None:
                tqdm.tqdm.write(text, file=self.stream)
            else:
                self.stream.write(text + "\n")
            self.flush()
        except Exception:
            self.handleError(record)
