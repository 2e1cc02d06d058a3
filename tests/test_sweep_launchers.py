"""Launchers whose jobs run in other processes: the same masks, the same record, and a Ctrl-C that cuts no file."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from sweeping import SQUARE, inspect, jobs, statuses

pytestmark = pytest.mark.timeout(280)
PACKAGES = {"joblib": "joblib", "submitit_local": "submitit", "ray": "ray"}
GRABCUT = ("model=grabcut", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", "extract.stop=4", "threads=1",
           "tracker=none", "stride=2,9", "hydra.sweep.subdir=${hydra.job.num}")  # fmt: skip


def needs(launcher):
    if importlib.util.find_spec(PACKAGES[launcher]) is None:
        pytest.skip(f"{PACKAGES[launcher]} is not installed")


@pytest.fixture(scope="module")
def expected(tmp_path_factory, clip):
    """The masks of the basic launcher."""
    folder = tmp_path_factory.mktemp("basic")
    command = [sys.executable, "-m", "vidseg", "-m", *GRABCUT, f"video={clip}", "hydra.sweep.dir=sweep"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=120)
    return [(folder / "sweep" / str(number) / "masks.jsonl").read_bytes() for number in range(2)]


@pytest.mark.parametrize("launcher", PACKAGES)
def test_masks_are_those_of_the_basic_launcher(vidseg, tmp_path, clip, expected, launcher):
    needs(launcher)
    sweep = (*GRABCUT, f"video={clip}", f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep")
    obstacle = tmp_path / "sweep" / "1" / "masks.jsonl" / "obstacle"
    obstacle.mkdir(parents=True)
    first = vidseg("-m", *sweep, timeout=200)
    assert first.returncode == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"], first.stderr
    assert "masks.jsonl" in jobs(tmp_path / "sweep")[1]["error"]
    assert "job 1 failed: " in first.stdout
    obstacle.rmdir()
    obstacle.parent.rmdir()
    second = vidseg("-m", *sweep, "resume=true", timeout=200)
    assert second.returncode == 0, second.stderr
    assert [job["skipped"] for job in jobs(tmp_path / "sweep")] == [True, False]
    found = [(tmp_path / "sweep" / str(number) / "masks.jsonl").read_bytes() for number in range(2)]
    assert found == expected
    assert len(found[0].splitlines()) == 4


def test_ctrl_c_lets_the_workers_finish_their_files(tmp_path):
    needs("joblib")
    command = [sys.executable, "-m", "vidseg", "-m", "model=grabcut", "prompt=skater", "stride=1,2,3", "output=[rle]",
               "threads=1", "tracker=none", "hydra.sweep.dir=sweep", "hydra/launcher=joblib",
               "hydra.launcher.n_jobs=2", "hydra.sweep.subdir=${hydra.job.num}"]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while len(list(tmp_path.glob("sweep/*/samples"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    while not list(tmp_path.glob("sweep/0/samples/*.png")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 130, stderr
    assert statuses(tmp_path / "sweep") == ["interrupted", "interrupted", "missing"]
    assert "2 interrupted, 1 missing" in stdout
    lines = (tmp_path / "sweep" / "0" / "masks.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    assert not list(tmp_path.glob("sweep/.halt"))


def test_a_gpu_for_each_job_by_its_number(vidseg, clip, tmp_path):
    done = vidseg("-m", *SQUARE, f"video={clip}", "stride=1,2,3", "device=cuda:${gpu:2}", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    ids = [job["wandb"]["id"] for job in jobs(tmp_path / "sweep")]
    records = [next(tmp_path.glob(f"runs/wandb/offline-run-*-{run_id}")) for run_id in ids]
    devices = [json.loads(inspect(record, "--summary"))["config"]["device"] for record in records]
    assert devices == ["cuda:0", "cuda:1", "cuda:0"]


def test_a_worker_that_is_killed_leaves_a_missing_job(vidseg, clip, tmp_path):
    needs("joblib")
    done = vidseg(
        "-m", "model=suicidal,square", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", f"video={clip}",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "tracker=none", "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert done.returncode == 1
    assert statuses(tmp_path / "sweep")[0] == "missing"
    assert "missing" in done.stdout
