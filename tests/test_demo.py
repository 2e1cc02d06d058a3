"""What `make demo` promises: the main job on the built-in clip, offline, from its one click and from a detector."""

import json
import os
import re
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.timeout(280)


LINES = re.findall(r"^\t\$\(BIN\)/python -m vidseg ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
CLICK, DETECTOR = (line.replace("\\\n", " ").split() for line in LINES)


@pytest.mark.parametrize("stop", [12, pytest.param(180, marks=pytest.mark.slow)])
def test_the_demo_reaches_its_score(vidseg, tmp_path, stop):
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "WANDB_API_KEY": ""}
    run = (*CLICK, f"extract.stop={stop}", "hydra.run.dir=run")
    done = vidseg(*run, timeout=250, env={**os.environ, **offline})
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["frames"]) == ("finished", stop)
    assert summary["metrics"]["j"] >= 0.78  # measured: 0.841, mean over five seeds 0.865; of 12 frames 0.859
    assert summary["metrics"]["j_1"] == summary["metrics"]["j"]
    assert set(summary["outputs"]) == {"cutout", "overlay", "rle", "transparent_mov"}
    assert all((tmp_path / "run" / path).stat().st_size > 10_000 for path in summary["outputs"].values())
    assert summary["wandb"]["mode"] == "offline"
    assert len(list(Path(tmp_path).glob("runs/wandb/offline-run-*"))) == 1


def test_the_demo_finds_the_skater(vidseg, tmp_path):
    done = vidseg(*DETECTOR, "extract.stop=3", "hydra.run.dir=run", timeout=250)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["names"], {*summary["outputs"]}) == ({"1": "person"}, {"cutout", "overlay", "rle"})
    assert summary["metrics"]["j"] >= 0.78
