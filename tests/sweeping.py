"""What the tests of sweeps share: a sweep that takes seconds, and its record."""

import json
import subprocess
import sys

SQUARE = ("model=square", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", "extract.stop=4", "threads=1")


def jobs(folder):
    """The jobs of folder/sweep.json."""
    return json.loads((folder / "sweep.json").read_text())["jobs"]


def statuses(folder):
    return [job["status"] for job in jobs(folder)]


def inspect(record, *options):
    """What an offline W&B run holds."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, "--json", str(record)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
