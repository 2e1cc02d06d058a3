"""A run that the page starts and follows: a process of its own, whose folder tells how far it is."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from vidseg.errors import InputError
from vidseg.record.files import FRAMES
from vidseg.record.folder import reserve

_TAIL = 4096  # bytes of what the run said


class Running:
    """The run that was started last. It goes on when the picker ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._console: IO[bytes] | None = None
        self._folder, self._total = Path(), 0

    def start(self, words: Sequence[str], total: int) -> None:
        """Runs ``python -m vidseg WORDS`` on ``total`` frames. Raises InputError while another run is under way."""
        if self._process is not None and self._process.poll() is None:
            raise InputError(f"a run is under way in {self._folder}: wait, or stop it")
        now = datetime.now()
        self._folder = reserve(Path("runs", f"{now:%Y-%m-%d}", f"{now:%H-%M-%S}"), "hydra.run.dir")
        self._total = total
        command = [sys.executable, "-m", "vidseg", *words, f"hydra.run.dir={self._folder}"]
        self.close()
        self._console = tempfile.TemporaryFile()  # noqa: SIM115 (the run writes there)
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT, start_new_session=True
        )

    def close(self) -> None:
        """Follows the run no more."""
        if self._console is not None:
            self._console.close()

    def stop(self) -> None:
        """Interrupts the run, as Ctrl-C does: what is finished stays."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)

    def state(self) -> dict[str, Any] | None:
        """How far it is; None before the first run."""
        if self._process is None:
            return None
        code = self._process.poll()
        status = "running" if code is None else self._status(code)
        state = {"status": status, "done": self._done(), "total": self._total, "folder": str(self._folder)}
        return {**state, "line": self._last_line()}

    def _status(self, code: int) -> str:
        try:
            return str(json.loads((self._folder / "summary.json").read_text("utf-8"))["status"])
        except (OSError, ValueError, KeyError):
            return "interrupted" if code in (130, -signal.SIGINT) else "failed"  # -SIGINT: before it was under way

    def _done(self) -> int:
        try:
            return (self._folder / FRAMES).read_bytes().count(b"\n")
        except OSError:
            return 0

    def _last_line(self) -> str:
        """What the run said last. Read from a place of its own: the run writes at the file's end."""
        assert self._console is not None
        size = os.fstat(self._console.fileno()).st_size
        said = os.pread(self._console.fileno(), _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
        return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
