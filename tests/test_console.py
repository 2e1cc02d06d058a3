"""Standard streams that are closed, full, without a reader, or that can't write a name: the run lives and says so."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, command
from sweeping import SQUARE

from vidseg.console import progress

SWEEP = ("-m", *SQUARE, "stride=2,3", "tracker=none", "hydra.sweep.dir=naïve …")
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
KINDS = ["all closed", *(pytest.param(kind, marks=pytest.mark.slow) for kind in (
    "C", "stdout closed", "stderr closed", "stdout full", "stderr without reader", "ascii"))]  # fmt: skip


def shell(folder, words, kind, env):
    """Runs a command whose standard streams are of this kind; returns the exit status and what it wrote."""
    redirected = {
        "stdout closed": ">&-", "stderr closed": "2>&-", "all closed": "<&- >&- 2>&-", "stdout full": ">/dev/full",
        "stderr without reader": '2>"$GONE"',
    }.get(kind, "")  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    own = {"ascii": {"PYTHONIOENCODING": "ascii"}, "C": C_LOCALE}.get(kind, {})
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {redirected}', "bash", *words], cwd=folder, capture_output=True, check=False,
        timeout=120, env={**env, **own, "GONE": f"/dev/fd/{writer}"}, pass_fds=[writer],
    )  # fmt: skip
    os.close(writer)
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_and_its_comparison_live(tmp_path, clip, kind):
    (tmp_path / "é (1).mp4").hardlink_to(clip)
    sweep = command(*SWEEP, "video=é (1).mp4")
    status, stdout, stderr = shell(tmp_path, sweep["args"], kind, sweep["env"])
    assert status == 0, stderr
    (folder,) = tmp_path.glob("na*")
    states = [json.loads(path.read_text())["status"] for path in folder.glob("*/summary.json")]
    assert states == ["finished", "finished"]
    logs = [path.read_bytes().decode() for path in sorted(folder.glob("*/vidseg.log"))]  # UTF-8, whatever the locale
    assert "Traceback" not in stdout + stderr + "".join(logs)
    lost = {"all closed": 2, "ascii": 0, "C": 0}.get(kind, 1)
    assert logs[0].count("every file is written all the same") == lost
    again = int(kind == "stderr without reader")  # which only the jobs write to, each a process of its own
    assert logs[1].count("every file is written all the same") == again
    if kind in ("stdout closed", "stdout full"):
        assert stderr.count("warning: stdout ") == 1
    words = [sys.executable, "-m", "vidseg.compare", folder.name, "--no-html"]
    status, stdout, stderr = shell(tmp_path, words, kind, {**os.environ, "PYTHONPATH": str(ROOT)})
    assert status == 0, stderr
    assert "Traceback" not in stdout + stderr
    assert (folder / "comparison.csv").read_bytes().decode().count("\n") == 3


def test_a_reader_that_has_read_enough(tmp_path):
    words = command("--help")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(**words, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_progress_bar_without_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress(3) as bar:
        bar.update()
