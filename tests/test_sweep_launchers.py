"""Launchers whose jobs run in other processes: the same masks, the same record, and a Ctrl-C that cuts no file."""

import importlib.util
import json

import pytest
from conftest import run_command
from sweeping import SQUARE, interrupt, jobs, statuses

pytestmark = pytest.mark.timeout(280)
PACKAGES = {"joblib": "joblib", "submitit_local": "submitit", "ray": "ray"}
TWO = ("-m", *SQUARE, "stride=2,9", "tracker=none", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${hydra.job.num}")


def needs(launcher):
    if importlib.util.find_spec(PACKAGES[launcher]) is None:
        pytest.skip(f"{PACKAGES[launcher]} is not installed")


@pytest.fixture(scope="module")
def expected(tmp_path_factory, clip):
    """The masks of the basic launcher."""
    folder = tmp_path_factory.mktemp("basic")
    done = run_command(folder, *TWO, f"video={clip}")
    assert done.returncode == 0, done.stderr
    return [(folder / "sweep" / str(number) / "masks.jsonl").read_bytes() for number in range(2)]


@pytest.mark.parametrize(
    "launcher", ["joblib", *(pytest.param(name, marks=pytest.mark.slow) for name in ("submitit_local", "ray"))]
)
def test_masks_are_those_of_the_basic_launcher(vidseg, tmp_path, clip, expected, launcher):
    needs(launcher)
    sweep = (*TWO, f"video={clip}", f"hydra/launcher={launcher}")
    obstacle = tmp_path / "sweep" / "1" / "masks.jsonl" / "obstacle"
    obstacle.mkdir(parents=True)
    first = vidseg(*sweep, timeout=200)
    assert first.returncode == 1
    assert statuses(tmp_path / "sweep") == ["finished", "failed"], first.stderr
    assert "masks.jsonl" in jobs(tmp_path / "sweep")[1]["error"]
    assert "\n1 failed: " in first.stdout
    obstacle.rmdir()
    obstacle.parent.rmdir()
    second = vidseg(*sweep, "resume=true", timeout=200)
    assert second.returncode == 0, second.stderr
    assert [job["skipped"] for job in jobs(tmp_path / "sweep")] == [True, False]
    found = [(tmp_path / "sweep" / str(number) / "masks.jsonl").read_bytes() for number in range(2)]
    assert found == expected
    assert len(found[0].splitlines()) == 4


@pytest.mark.slow
def test_ctrl_c_lets_the_workers_finish_their_files(tmp_path, clip):
    needs("joblib")
    status, stdout, stderr = interrupt(
        tmp_path, *TWO, "stride=1,2,3", "extract.stop=20", "model.pause_s=0.5", f"video={clip}",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2",
        begun=lambda: all(list(tmp_path.glob(f"sweep/{number}/samples/*.png")) for number in range(2)),
    )  # fmt: skip
    assert status == 130, stderr
    assert statuses(tmp_path / "sweep") == ["interrupted", "interrupted", "missing"]
    assert "2 interrupted, 1 missing" in stdout
    lines = (tmp_path / "sweep" / "0" / "masks.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    assert lines
    assert not list(tmp_path.glob("sweep/.halt"))


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_a_missing_job(vidseg, clip, tmp_path):
    needs("joblib")
    done = vidseg(
        "-m", "model=suicidal,square", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", f"video={clip}",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "tracker=none", "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert done.returncode == 1
    assert statuses(tmp_path / "sweep")[0] == "missing"
    assert "missing" in done.stdout
