"""Log records on the console: plain lines above the progress bar, errors without tracebacks.

The log file of a run (vidseg.log) has times, names and tracebacks.
"""

import logging
import sys


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a record's message, above a progress bar if there is one. Warnings and errors begin with their level."""

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
