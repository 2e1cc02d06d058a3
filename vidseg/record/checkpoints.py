"""Checkpoints: what a segmenter must remember for a stopped run to go on, in the run folder's ``.vidseg/``.

``checkpoint_<frame>_<hash>.bin`` is written whole and has the first 16 digits of its SHA-256 in its name. A crash of
the machine may damage the newest; the one before it is kept for that.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from vidseg.record.files import sync, whole
from vidseg.record.folder import PRIVATE

log = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint_(-?\d+)_([0-9a-f]{16})\.bin")
_SHARE = 200  # a checkpoint waits so many times as long as the last one took: they cost half a per cent of the time
_LEAST_S = 5.0  # between two; shorter runs are as soon made again
_KEPT = 2
BEFORE = -1  # the frame of a checkpoint before the first one


@dataclass(frozen=True)
class Saved:
    """A checkpoint: the number of the last frame that it remembers (-1 before the first), and what a segmenter made."""

    frame_index: int
    content: bytes


class FileCheckpoints:
    """``vidseg.types.Checkpoints`` in a run's folder, going on from ``saved``.

    ``every``: save after so many frames; None: as often as costs under 1% of the time.
    """

    def __init__(self, folder: Path, every: int | None, going_on: Saved | None = None) -> None:
        self._folder, self._private, self._every = folder, folder / PRIVATE, every
        self.saved = None if going_on is None else going_on.content
        self._waiting: dict[int, Callable[[], bytes]] = {}
        self._lock = Lock()  # a segmenter may offer in another thread than the loop's
        self._asked = 0
        self._next_s = time.monotonic() + _LEAST_S

    def wanted(self) -> bool:
        """Whether it is time: after ``every`` frames (each asks once), or after enough seconds."""
        if self._every is not None:
            self._asked += 1
            return self._asked % self._every == 0
        return time.monotonic() >= self._next_s

    def offer(self, frame_index: int | None, save: Callable[[], bytes]) -> None:
        """Keeps ``save`` until the frame is ``finished``; saves at once without one."""
        self._next_s = float("inf")
        if frame_index is None:
            self._write(BEFORE, save)
        else:
            with self._lock:
                self._waiting[frame_index] = save

    def finished(self, frame_index: int) -> None:
        """Saves what was offered with the frame, whose lines are written."""
        with self._lock:
            save = self._waiting.pop(frame_index, None)
        if save is not None:
            self._write(frame_index, save)

    def file(self, name: str) -> Path:
        """A file beside the checkpoints."""
        self._private.mkdir(exist_ok=True)
        return self._private / name

    def _write(self, frame_index: int, save: Callable[[], bytes]) -> None:
        began_s = time.monotonic()
        content = save()
        path = self.file(f"checkpoint_{frame_index}_{hashlib.sha256(content).hexdigest()[:16]}.bin")
        for lines in (*self._folder.glob("*.jsonl"), *self._private.glob("*.jsonl")):  # what it counts on comes first
            sync(lines)
        with whole(path, durable=True) as part:
            part.write_bytes(content)
        for old in _found(self._private)[:-_KEPT]:
            old.unlink(missing_ok=True)
        self._next_s = time.monotonic() + max(_LEAST_S, _SHARE * (time.monotonic() - began_s))


def newest(folder: Path, known: Callable[[int], bool]) -> Saved | None:
    """The newest checkpoint in a run's ``folder`` that is whole, and of a frame that is ``known`` or of none."""
    for path in reversed(_found(folder / PRIVATE)):
        frame_index, digest = _NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
        if int(frame_index) != BEFORE and not known(int(frame_index)):
            continue
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest().startswith(digest):
            return Saved(int(frame_index), content)
        log.warning("%s is damaged; the checkpoint before it is taken", path)
    return None


def remove(folder: Path) -> None:
    """Removes all checkpoints in a run's ``folder``, and then what lies beside them for them."""
    for pattern in ("*.bin", ".*.part", "*.jsonl"):
        for path in (folder / PRIVATE).glob(pattern):
            path.unlink(missing_ok=True)


def _found(private: Path) -> list[Path]:
    """The checkpoints, oldest first."""
    files = [(path.stat().st_mtime_ns, path) for path in private.glob("*.bin") if _NAME.fullmatch(path.name)]
    return [path for _, path in sorted(files)]
