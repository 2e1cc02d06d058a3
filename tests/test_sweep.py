"""Real multiruns in a process: every job its own folder, summary and W&B run."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(240)


def test_a_sweep_over_stride_is_two_finished_runs(vidseg, tmp_path):
    done = vidseg("-m", "model=grabcut", "prompt=skater", "stride=5,15", "extract.stop=12", "output=[rle]", timeout=200)
    assert done.returncode == 0, done.stderr
    folders = sorted(tmp_path.glob("runs/sweeps/*/*/*"))
    assert [folder.name for folder in folders if folder.is_dir()] == [
        "0_extract.stop=12,model=grabcut,output=_rle_,prompt=skater,stride=5",
        "1_extract.stop=12,model=grabcut,output=_rle_,prompt=skater,stride=15",
    ]
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders if folder.is_dir()]
    assert [summary["status"] for summary in summaries] == ["finished", "finished"]
    assert [summary["frames"] for summary in summaries] == [12, 12]
    assert [len(list((folder / "samples").iterdir())) for folder in folders if folder.is_dir()] == [3, 1]
    ids = [summary["wandb"]["id"] for summary in summaries]
    assert len(set(ids)) == 2
    for run_id in ids:
        (record,) = tmp_path.glob(f"runs/wandb/offline-run-*-{run_id}")
        shown = subprocess.run(
            [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(record)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(shown.stdout)["summary"]["status"] == "finished"


def test_precisions_that_the_cpu_lacks_fall_back(vidseg, tmp_path):
    done = vidseg(
        "-m", "model=tiny", "model.checkpoint=random", "model.image_size=256", "precision=tf32,fp16", "prompt=skater",
        "extract.stop=2", "output=[rle]", "tracker=none", "device=cpu", "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summaries = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("sweep/*/summary.json"))]
    assert [(s["status"], s["precision"]) for s in summaries] == [("finished", "fp32"), ("finished", "fp32")]
    assert done.stderr.count("warning: precision") >= 2
    first, second = (path.read_text() for path in sorted(tmp_path.glob("sweep/*/masks.jsonl")))
    assert first == second
