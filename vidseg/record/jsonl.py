"""Files of JSON lines that are whole at any moment: followed while a run goes on, kept when it ends early."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class JsonLines:
    """Writes one JSON object a line into ``path``, unbuffered, in place of what was there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._whole = 0  # bytes of whole lines

    def write(self, entry: Mapping[str, Any]) -> None:
        """Appends one line. One that can't be written whole is cut off again, and the OSError raised."""
        line = memoryview(json.dumps(entry).encode("ascii") + b"\n")
        rest = line
        try:
            while rest:  # a disk that fills up takes a part first
                rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self._whole)
            raise
        self._whole += len(line)

    def close(self) -> None:
        """Ends the file; one without a line is removed."""
        self._file.close()
        if not self._whole:
            self._path.unlink(missing_ok=True)
