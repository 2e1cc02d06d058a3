"""Files of JSON lines, in which every line is complete: they can be followed while a run goes on.

frames.jsonl has the numbers that are logged of each frame: times, memory, mask areas, scores.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class JsonLines:
    """Writes one JSON object a line into ``path``, unbuffered. An earlier file of that name is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._size = 0  # bytes of complete lines

    def write(self, entry: Mapping[str, Any]) -> None:
        """Appends one line. If the disk is full, the part that was written is cut off and the OSError is raised."""
        line = memoryview(json.dumps(entry).encode("ascii") + b"\n")
        rest = line
        try:
            while rest:  # a disk that fills up accepts a part before it fails
                rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self._size)
            raise
        self._size += len(line)

    def close(self) -> None:
        """Closes the file. A file without a line is removed."""
        self._file.close()
        if not self._size:
            self._path.unlink(missing_ok=True)


def read_lines(path: Path, *keys: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's offset in bytes, where it can be read again, and its object.

    Reading ends, with a warning, at the first line that is incomplete or lacks one of ``keys``: a killed process or a
    crash of the machine may leave such a line.
    """
    offset = 0
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            try:
                entry = json.loads(text)
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or not entry.keys() >= set(keys):
                log.warning("%s: line %d is incomplete; the lines from there on are left out", path, number)
                return
            yield offset, entry
            offset += len(text)


def read_frames(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of ``folder``/frames.jsonl, ``{"frame": …, "time_s": …, "time/segment_ms": …, …}``; none without it."""
    if (path := folder / "frames.jsonl").is_file():
        yield from (line for _, line in read_lines(path, "frame", "time_s"))
