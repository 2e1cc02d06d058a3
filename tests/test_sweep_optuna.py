"""Optuna's sweeper with a run's score; W&B's own sweeps as far as they go without its server."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from PIL import Image
from sweeping import SQUARE, inspect, jobs, statuses
from wandb.apis.public.sweeps import _validate_config_and_fill_distribution
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

pytestmark = pytest.mark.timeout(240)
OPTUNA = ("-m", *SQUARE, "output=[]", "tracker=none", "hydra/sweeper=optuna", "hydra.sweep.dir=sweep")


@pytest.fixture(autouse=True)
def _optuna(request):
    if "optuna" in request.node.name and importlib.util.find_spec("optuna") is None:
        pytest.skip("optuna is not installed")


def best(folder):
    return yaml.safe_load((folder / "optimization_results.yaml").read_text())


def test_optuna_finds_the_parameter_of_the_best_score(vidseg, tmp_path, clip):
    (tmp_path / "truth").mkdir()
    for index in range(4):
        labels_hw = np.zeros((120, 160), np.uint8)
        labels_hw[10:50, 2 * index : 2 * index + 40] = 1  # where the square is without a shift
        Image.fromarray(labels_hw).save(tmp_path / "truth" / f"{index:05d}.png")
    done = vidseg(
        *OPTUNA, f"video={clip}", "model.shift=8,0,4", "optimize=j", "hydra/sweeper/sampler=grid",
        "metric=[davis_jf]", "metric.davis_jf.truth=truth",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len({job["metrics"]["j"] for job in jobs(tmp_path / "sweep")}) == 3
    assert best(tmp_path / "sweep")["best_value"] == 1
    assert best(tmp_path / "sweep")["best_params"] == {"model.shift": 0}


@pytest.mark.slow
def test_optuna_with_a_cost_that_is_no_metric_and_a_database(vidseg, tmp_path, clip):
    arguments = (f"video={clip}", "optimize=-peak_rss_mib", "stride=range(1,4)", "hydra.sweeper.n_trials=2",
                 "hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=s")  # fmt: skip
    done = vidseg(*OPTUNA, *arguments)
    assert done.returncode == 0, done.stderr
    assert best(tmp_path / "sweep")["best_value"] == min(job["peak_rss_mib"] for job in jobs(tmp_path / "sweep"))
    assert "Directions: ['minimize']" in done.stdout


@pytest.mark.slow
def test_an_unknown_score_is_told_with_the_known_ones_by_optuna(vidseg, tmp_path, clip):
    done = vidseg(*OPTUNA, f"video={clip}", "optimize=beauty", "stride=1,2", "hydra.sweeper.n_trials=1")
    assert done.returncode == 1
    assert "optimize: the run has no score 'beauty'; it has " in done.stdout
    assert "fps, peak_rss_mib" in done.stdout
    assert statuses(tmp_path / "sweep") == ["failed"]
    unsaid = vidseg(*OPTUNA, f"video={clip}", "stride=1,2", "hydra.sweep.dir=another")
    assert unsaid.returncode == 1
    assert unsaid.stderr.startswith("optimize: missing; name a score of the run")


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_run_of_a_wandb_sweep(tmp_path, file):
    sweep = _validate_config_and_fill_distribution(yaml.safe_load(file.read_text()))
    assert sweep["method"] in ("grid", "bayes")
    parameters = {name: one.get("value", one.get("values", [None])[0]) for name, one in sweep["parameters"].items()}
    # What stands between a test and the real thing: the server, the checkpoint, the hours.
    parameters |= {"tracker.mode": "offline", "model": "square", "output": ["rle"], "extract.stop": 4}
    parameters |= {"hydra.searchpath": [f"file://{ROOT / 'tests' / 'conf'}"]}
    parameters = {name: value for name, value in parameters.items() if name != "model.image_size"}
    arguments = create_sweep_command_args({"args": {name: {"value": value} for name, value in parameters.items()}})
    arguments |= {"env": ["/usr/bin/env"], "interpreter": [sys.executable]}
    command = []
    for word in create_sweep_command(list(sweep["command"])):
        command += arguments[word[2:-1]] if word.startswith("${") else [word]
    sent = tmp_path / "config.yaml"
    sent.write_text(yaml.safe_dump({"wandb_version": 1, **{k: {"value": v} for k, v in parameters.items()}}))
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "WANDB_RUN_ID": "abc",
        "WANDB_SWEEP_ID": "xyz",
    }
    environment["WANDB_SWEEP_PARAM_PATH"] = str(sent)
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    summary = json.loads((tmp_path / "runs" / "agents" / "abc" / "summary.json").read_text())
    assert (summary["status"], summary["wandb"]["id"]) == ("finished", "abc")
    (record,) = tmp_path.glob("runs/wandb/offline-run-*-abc")
    assert sweep["metric"]["name"] in json.loads(inspect(record, "--summary"))["summary"]


def test_the_sweeps_name_models_and_precisions_that_exist():
    for file in (ROOT / "sweeps").glob("*.yaml"):
        parameters = yaml.safe_load(file.read_text())["parameters"]
        for group in ("model", "precision", "prompt"):
            one = parameters[group]
            for choice in one.get("values", [one.get("value")]):
                assert Path(ROOT / "conf" / group / f"{choice}.yaml").is_file()
