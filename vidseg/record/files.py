"""Files that are there whole or not at all, and files of JSON lines.

In a file of JSON lines every line is complete, so that it can be followed while a run goes on. frames.jsonl has the
numbers that are logged of each frame: times, memory, mask areas, scores.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FRAMES, MASKS = "frames.jsonl", "masks.jsonl"
FOUND, FOUND_MASKS = "found.yaml", "found"  # what a detector has found, and a folder of its masks


@contextmanager
def whole(path: Path, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path``, to write to. It is renamed to ``path``, or removed if the block raises.

    A ``durable`` one is there after a power cut, too: the block's end waits for the disk.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        if durable:
            sync(part)
        part.replace(path)
        if durable:
            sync(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk, where that can be asked for."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class JsonLines:
    """Writes one JSON object a line into ``path``, unbuffered.

    Of an earlier file of that name the first ``keep`` lines stay (None: all complete ones), the rest is cut off.
    ``size`` is that of the complete lines, in bytes: where the next one begins.
    """

    def __init__(self, path: Path, keep: int | None = 0) -> None:
        self._path = path
        self.size = 0
        if keep != 0 and path.is_file():
            lines = (text for _, text, entry in _parsed(path) if entry is not None and text.endswith(b"\n"))
            self.size = sum(map(len, islice(lines, keep)))
        self._file = path.open("r+b" if self.size else "wb", buffering=0)
        if self.size:
            self._file.truncate(self.size)
            self._file.seek(self.size)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Appends one line. If the disk is full, the part that was written is cut off and the OSError is raised."""
        line = memoryview(json.dumps(entry).encode("ascii") + b"\n")
        rest = line
        try:
            while rest:  # a disk that fills up accepts a part before it fails
                rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self.size)
                self._file.seek(self.size)
            raise
        self.size += len(line)

    def close(self) -> None:
        """Closes the file. A file without a line is removed."""
        self._file.close()
        if not self.size:
            self._path.unlink(missing_ok=True)


def read_lines(
    path: Path, *keys: str, valid: Callable[[Mapping[str, Any]], bool] = lambda entry: True
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's offset in bytes, where it can be read again, and its object.

    Reading ends, with a warning, at the first line that is incomplete, lacks one of ``keys`` or isn't ``valid``: a
    killed process or a crash of the machine may leave such a line.
    """
    for number, (offset, _, entry) in enumerate(_parsed(path), start=1):
        if entry is None or not entry.keys() >= set(keys) or not valid(entry):
            log.warning("%s: line %d is incomplete; the lines from there on are left out", path, number)
            return
        yield offset, entry


def read_line(path: Path, offset: int) -> dict[str, Any]:
    """The object on the line that begins at ``offset`` bytes, as ``read_lines`` has found it."""
    with path.open("rb") as file:
        file.seek(offset)
        entry: dict[str, Any] = json.loads(file.readline())
        return entry


def _parsed(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
    """Each line's offset in bytes, the line and its object; None, and no more lines, where it isn't one."""
    offset = 0
    with path.open("rb") as file:
        for text in file:
            try:
                entry = json.loads(text)
            except ValueError:
                entry = None
            yield offset, text, entry if isinstance(entry, dict) else None
            if not isinstance(entry, dict):
                return
            offset += len(text)


def count_lines(path: Path) -> int:
    """How many lines of a file end; 0 without the file."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))


def read_frames(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of ``folder``/frames.jsonl, ``{"frame": …, "time_s": …, "time/segment_ms": …, …}``; none without it."""
    if (path := folder / FRAMES).is_file():
        yield from (line for _, line in read_lines(path, "frame", "time_s"))
