"""The command in a process of its own, as users start it, with a limit of time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALL = "output=[rle,cutout,overlay,masks,frames,transparent_mov,transparent_webm,cutout_avi,greenscreen]"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, negative for a signal, what it said on stderr and stdout, and seconds."""

    status: int
    said: str
    seconds: float

    def faults(self, *statuses: int) -> list[str]:
        """What is wrong with it, if it should have ended with one of ``statuses``."""
        found = [] if self.status in statuses else [f"exit status {self.status}: {self.said[-1500:]}"]
        if "Traceback (most recent call last)" in self.said or "--- Logging error ---" in self.said:
            found.append(f"a traceback on the console: {self.said[-3000:]}")
        return found


def start(folder: Path, *overrides: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Starts the command in ``folder``, in a process group of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "offline",
        **(env or {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "vidseg", *overrides], cwd=folder, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def wait(process: "subprocess.Popen[str]", limit_s: float = 300.0) -> Ended:
    """Waits for its end; after ``limit_s`` kills its whole group."""
    began = time.monotonic()
    try:
        said, _ = process.communicate(timeout=limit_s)
        return Ended(process.returncode, said, time.monotonic() - began)
    except subprocess.TimeoutExpired:
        kill(process)
        said, _ = process.communicate()
        return Ended(-999, f"hang: no end after {limit_s:.0f} s\n{said}", limit_s)


def kill(process: "subprocess.Popen[str]") -> None:
    """kill -9 of it and of its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def run(folder: Path, *overrides: str, env: Mapping[str, str] | None = None, limit_s: float = 300.0) -> Ended:
    """Runs the command."""
    return wait(start(folder, *overrides, env=env), limit_s)
