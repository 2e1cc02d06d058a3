"""What the tests of sweeps share: a sweep that takes seconds, and its record."""

import json
import os
import signal
import subprocess
import time

from conftest import command
from wandb.util import get_core_path

SQUARE = ("model=square", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", "extract.stop=4", "threads=1")


def jobs(folder):
    """The jobs of folder/sweep.json."""
    return json.loads((folder / "sweep.json").read_text())["jobs"]


def statuses(folder):
    return [job["status"] for job in jobs(folder)]


def inspect(record, *options):
    """What an offline W&B run holds, by the program behind ``wandb leet inspect``, which takes a second to load.

    W&B's service writes the end of a run a little after ``finish`` has returned: it is waited for.
    """
    (file,) = record.glob("*.wandb")

    def told(*words):
        command = [get_core_path(), "leet", "inspect", "--no-observability", *words, "--json", "--run-file", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    deadline = time.monotonic() + 5
    while json.loads(told("--summary")).get("state") not in ("finished", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
    return told(*options)


def interrupt(folder, *arguments, begun):
    """Runs the command in ``folder`` until ``begun()``, then presses Ctrl-C; returns status, stdout and stderr."""
    process = subprocess.Popen(
        **command(*arguments), cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not begun() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=90)
    return process.returncode, stdout, stderr
