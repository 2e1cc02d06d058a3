"""What `make demo` promises: the main job on the built-in clip, offline, from its one click."""

import json
import os
import re
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.timeout(280)


@pytest.mark.parametrize("stop", [12, pytest.param(180, marks=pytest.mark.slow)])
def test_the_demo_reaches_its_score(vidseg, tmp_path, stop):
    (command,) = re.findall(r"^\t\$\(BIN\)/python -m vidseg(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "WANDB_API_KEY": ""}
    run = (*command.split(), f"extract.stop={stop}", "hydra.run.dir=run")
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
