"""A run's folder is its own: made exclusively, locked, and named in one line if it can't be had."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import SEARCH_PATH
from omegaconf import OmegaConf
from sweeping import SQUARE, jobs

import vidseg as package
from vidseg.errors import InputError
from vidseg.job import JobFailed
from vidseg.record.folder import lock, reserve
from vidseg.sweep.plan import claim_sweep

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def run(clip):
    """One run in this process, without W&B."""
    return lambda *overrides: package.run([SEARCH_PATH, *SQUARE, f"video={clip}", "tracker=none", *overrides])


def test_a_folder_is_reserved_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: reserve(tmp_path / "day" / "time", "key"), range(8)))
    assert sorted(path.name for path in made) == ["time", *(f"time_{number}" for number in range(1, 8))]
    assert all(path.is_dir() for path in made)


def test_runs_of_one_second_have_a_folder_each(run, tmp_path):
    named = f"hydra.run.dir='{tmp_path}/${{now:%Y}}'"  # all runs of one year
    folders = [run(named, f"extract.stop={stop}").folder for stop in (1, 2)]
    assert folders[1] == folders[0].with_name(f"{folders[0].name}_1")
    assert [len((folder / "masks.jsonl").read_text().splitlines()) for folder in folders] == [1, 2]
    assert f"dir: {folders[1]}\n" in (folders[1] / ".hydra" / "hydra.yaml").read_text()


def test_a_folder_where_somebody_writes_is_refused_until_he_ends_or_is_killed(run, vidseg, tmp_path):
    hold = (
        f"from vidseg.record.folder import lock; held = lock(__import__('pathlib').Path({str(tmp_path / 'run')!r}), '')"
    )
    words = [sys.executable, "-c", f"{hold}; print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline()
        line = "hydra.run.dir: another run is writing into {}; wait until it ends, or choose another folder with "
        with pytest.raises(JobFailed, match=line.format(tmp_path / "run")):
            run(f"hydra.run.dir={tmp_path / 'run'}")
        refused = vidseg(*SQUARE, "hydra.run.dir=run")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(line.format("run"))
        assert len(refused.stderr.splitlines()) == 1
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".vidseg"]
        other.kill()
    run(f"hydra.run.dir={tmp_path / 'run'}")


def test_two_runs_of_one_process_don_t_share_a_folder(tmp_path):
    with lock(tmp_path, "key"), pytest.raises(InputError, match=f"key: another run is writing into {tmp_path}"):
        lock(tmp_path, "key")
    with lock(tmp_path, "key"):
        pass


def test_a_sweep_s_folder_that_can_t_be_made(vidseg, tmp_path):
    (tmp_path / "runs").touch()
    done = vidseg("-m", *SQUARE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hydra.sweep.dir: runs")
    assert done.stderr.endswith("choose another folder with hydra.sweep.dir=FOLDER\n")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_two_sweeps_of_one_second_have_a_folder_each(vidseg, tmp_path, clip):
    arguments = ("-m", *SQUARE, f"video={clip}", "hydra.sweep.dir='sweep ${now:%Y}'", "hydra.sweep.subdir=job")
    assert [vidseg(*arguments, stride).returncode for stride in ("stride=1,2", "stride=3")] == [0, 0]
    first, second = sorted(tmp_path.glob("sweep*"))
    assert second.name == f"{first.name}_1"
    assert [job["folder"] for job in jobs(first)] == ["job", "job_2"]
    assert (second / "job" / "masks.jsonl").exists()
    # A launcher that was killed, and its job, which still runs
    (second / "job" / "summary.json").write_text('{"status": "failed"}')
    with lock(second / "job", "key"):
        refused = vidseg(*arguments[:-2], f"hydra.sweep.dir='{second.name}'", "stride=3", "resume=true")
    assert refused.returncode == 1
    assert f"hydra.sweep.dir: another run is writing into {second.name}/job; wait until" in refused.stderr
    assert (second / "job" / "summary.json").exists()


def test_a_sweep_doesn_t_go_into_another_one(tmp_path):
    (tmp_path / "sweep.json").write_text("{}")
    hydra = {"sweep": {"dir": str(tmp_path)}, "overrides": {"hydra": []}}
    anew, resumed = (OmegaConf.create({"resume": resume, "repeat": 1, "hydra": hydra}) for resume in (False, True))
    with pytest.raises(InputError, match=f"hydra.sweep.dir: {tmp_path} holds a sweep already; resume=true goes on"):
        claim_sweep(anew)
    with claim_sweep(resumed):
        pass
