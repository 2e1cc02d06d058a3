"""One bar on a terminal, nothing off it, and a last line that says where the outputs are."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from conftest import ROOT

pytestmark = pytest.mark.timeout(60)

ARGUMENTS = ["model=square", "tracker=none", "output=[rle]", "prompt=click", "prompt.points=[[20,30]]"]


def on_a_terminal(command, **options):
    """Everything a command writes to a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, **options) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += (block := os.read(ours, 4096))
            except OSError:  # the other end is closed
                break
            if not block:
                break
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode()


def test_a_bar_with_frames_rate_and_time_left(tmp_path, clip):
    command = [sys.executable, "-m", "vidseg", "--config-dir", str(ROOT / "tests" / "conf"), *ARGUMENTS]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TQDM_MININTERVAL": "0"}
    written = on_a_terminal([*command, f"video={clip}", "hydra.run.dir=run"], cwd=tmp_path, env=environment)
    assert re.search(r"\d+/20 \[\d+:\d+<\d+:\d+, +[\d.]+frame/s\]", written)
    last = written.replace("\r", "\n").strip().splitlines()[-1]
    assert re.match(r"finished: 20 frames at [\d.]+ fps, flicker [\d.]+; run/ has masks\.jsonl", last)


def test_nothing_off_a_terminal(vidseg, clip):
    done = vidseg(*ARGUMENTS, f"video={clip}", "hydra.run.dir=run")
    assert done.stdout == ""
    lacks, model, finished = done.stderr.splitlines()
    assert lacks.startswith("metric.davis_jf: no ground truth")
    assert (model, finished.partition(":")[0]) == ("square on cpu, fp32", "finished")
    assert "frame/s" not in done.stderr
