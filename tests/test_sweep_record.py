"""sweep.json, the table, the W&B group and resume=true, of real multiruns."""

import json
import re
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import SEARCH_PATH, command
from sweeping import SQUARE, inspect, interrupt, jobs, statuses

import vidseg as package
from vidseg.record.summary import score

pytestmark = pytest.mark.timeout(240)
FOUR = ("precision=fp32,auto", "stride=1,3", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${hydra.job.num}")


@pytest.fixture
def sweep(vidseg, clip):
    """Runs a sweep of the square over the clip."""

    def run(*arguments, **options):
        return vidseg("-m", *SQUARE, f"video={clip}", *arguments, **options)

    return run


def wandb_runs(tmp_path):
    """(group, job type, tags) of every offline run, and the id of each by job type."""
    found = []
    for record in sorted(tmp_path.glob("runs/wandb/offline-run-*")):
        *_, run = (line["run"] for line in map(json.loads, inspect(record).splitlines()) if line["type"] == "run")
        found.append((run.get("run_group"), run.get("job_type"), tuple(run.get("tags", ())), record))
    return found


def test_one_of_four_fails_and_resume_runs_just_that_one(sweep, tmp_path):
    obstacle = tmp_path / "sweep" / "2" / "masks.jsonl" / "obstacle"
    obstacle.mkdir(parents=True)
    first = sweep(*FOUR)
    assert first.returncode == 1
    record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert record["group"] == "sweep"
    assert [job["number"] for job in record["jobs"]] == list(range(4))
    assert statuses(tmp_path / "sweep") == ["finished", "finished", "failed", "finished"]
    failed = record["jobs"][2]
    assert failed["folder"] == "2"
    assert "masks.jsonl" in failed["error"]
    assert {"precision=auto", "stride=1"} < set(failed["overrides"])
    finished = [job for job in record["jobs"] if job["number"] != 2]
    assert all(job["fps"] > 0 and job["frames"] == 4 and job["peak_rss_mib"] > 50 for job in finished)
    table = first.stdout[first.stdout.index("sweep sweep") :].splitlines()
    assert table[1].split()[:7] == ["run", "precision", "stride", "fps", "peak_rss_mib", "frames", "status"]
    assert table[2].split()[:3] == ["0", "fp32", "1"]
    assert f"2 failed: {failed['error']}" in table
    assert "3 finished, 1 failed; sweep/sweep.json" in table
    assert "every column: sweep/comparison.csv, sweep/comparison.json" in table
    assert [row["label"] for row in json.loads((tmp_path / "sweep" / "comparison.json").read_text())] == [
        job["label"] for job in record["jobs"]
    ]
    assert failed["label"] == "precision=auto,stride=1"

    runs = wandb_runs(tmp_path)
    assert {run[0] for run in runs} == {"sweep"}
    assert sorted(run[1] for run in runs) == ["summary", *["sweep"] * 3]
    assert {run[2][-1] for run in runs if run[1] == "sweep"} == {"finished"}  # the one that failed had no frame
    assert ("model=square", "precision=auto", "prompt=click", "video=clip", "finished") in {run[2] for run in runs}
    assert [run[2] for run in runs if run[1] == "summary"] == [("summary", "failed")]
    (summary,) = (run[3] for run in runs if run[1] == "summary")
    (artifact,) = (r["artifact"] for r in map(json.loads, inspect(summary).splitlines()) if r["type"] == "artifact")
    files = {content["path"]: content["local_path"] for content in artifact["manifest"]["contents"]}
    page = json.loads(Path(files["sweep.table.json"]).read_text())
    rows = [dict(zip(page["columns"], row, strict=True)) for row in page["data"]]
    assert [row["status"] for row in rows] == statuses(tmp_path / "sweep")
    assert (rows[2]["precision"], rows[2]["stride"]) == ("auto", 1)
    assert rows[2]["error"] == failed["error"]
    assert (rows[0]["sample"]["width"], rows[0]["sample"]["height"]) == (160, 120)
    assert rows[0]["sample"]["path"] in files
    kinds = page["column_types"]["params"]["type_map"]
    assert [kinds["sample"]["params"]["allowed_types"][0]["wb_type"], kinds["stride"]["wb_type"]] != ["any", "any"]

    obstacle.rmdir()
    obstacle.parent.rmdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/summary.json")}
    second = sweep(*FOUR, "resume=true")
    assert second.returncode == 0, second.stderr
    assert "4 finished (3 skipped); sweep/sweep.json" in second.stdout
    assert second.stdout.count("#0 :") == 1  # one job for the launcher
    assert "#1 :" not in second.stdout
    changed = [path.parent.name for path, at in before.items() if path.stat().st_mtime_ns != at]
    assert changed == ["2"]
    assert statuses(tmp_path / "sweep") == ["finished"] * 4
    again = jobs(tmp_path / "sweep")
    assert [job["skipped"] for job in again] == [True, True, False, True]
    assert [job["fps"] for job in again if job["skipped"]] == [
        job["fps"] for job in record["jobs"] if job["number"] != 2
    ]
    assert sorted(path.name for path in (tmp_path / "sweep").glob("[!.]*/")) == list("0123")
    assert "resume: true" in (tmp_path / "sweep" / "2" / ".hydra" / "config.yaml").read_text()


@pytest.mark.slow
def test_resume_knows_a_job_by_its_configuration_not_by_its_number(sweep, tmp_path, clip):
    assert sweep("stride=2", "hydra.sweep.dir=sweep", "tracker=none").returncode == 0
    (first,) = (job["folder"] for job in jobs(tmp_path / "sweep"))
    done = sweep("stride=3,2,4", "hydra.sweep.dir=sweep", "tracker=none", "resume=true")
    assert done.returncode == 0, done.stderr
    new, old, last = jobs(tmp_path / "sweep")
    assert (old["folder"], old["skipped"], old["number"]) == (first, True, 1)
    assert (new["skipped"], last["skipped"]) == (False, False)
    assert new["folder"].startswith("0_")
    assert last["folder"].startswith("2_")
    # Once more, with nothing left to run: what is skipped costs no heavy import.
    words = command(
        "-m", *SQUARE, f"video={clip}", "stride=3,2,4", "hydra.sweep.dir=sweep", "tracker=none", "resume=true"
    )
    words["args"][1:1] = ["-X", "importtime"]
    done = subprocess.run(**words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert "3 finished" in done.stdout
    loaded = set(re.findall(r"\|\s+(\w+)$", done.stderr, re.MULTILINE))
    assert "hydra" in loaded
    assert not loaded & {"torch", "cv2", "av", "wandb"}
    # The same name, but another configuration: the finished run's folder stays as it is.
    content = (tmp_path / "sweep" / first / "summary.json").read_text()
    named = f"hydra.sweep.subdir='{first}'"
    done = sweep("stride=2", "metric=[]", "hydra.sweep.dir=sweep", "tracker=none", "resume=true", named)
    assert done.returncode == 0, done.stderr
    (other,) = jobs(tmp_path / "sweep")
    assert (other["folder"], other["skipped"]) == (f"{first}_2", False)
    assert (tmp_path / "sweep" / first / "summary.json").read_text() == content


def test_what_can_t_be_resumed(vidseg, sweep):
    alone = vidseg(*SQUARE, "resume=true")
    assert alone.returncode == 1
    assert alone.stderr.startswith("resume: name the folder of the run to go on with, hydra.run.dir=")
    nameless = sweep("stride=2,3", "resume=true", "tracker=none")
    assert nameless.returncode == 1
    assert nameless.stderr.startswith("resume: name the folder")
    assert "sweep.json" not in nameless.stdout


@pytest.mark.slow
def test_the_user_s_own_group_tags_and_job_type_win(sweep, tmp_path):
    done = sweep("stride=2,3", "tracker.group=mine", "tracker.tags=[a]", env={"WANDB_JOB_TYPE": "night"})
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("runs/sweeps/*/*")
    assert json.loads((folder / "sweep.json").read_text())["group"] == "mine"
    assert {run[:3] for run in wandb_runs(tmp_path)} == {
        ("mine", "night", ("a", "finished")),
        ("mine", "summary", ("summary", "finished")),
    }


def test_a_single_run_has_neither_group_nor_tags(tmp_path, clip):
    package.run(
        [SEARCH_PATH, *SQUARE, f"video={clip}", f"tracker.dir={tmp_path}/runs", f"hydra.run.dir={tmp_path}/run"]
    )
    ((group, job_type, tags, _),) = wandb_runs(tmp_path)
    assert (group, job_type, tags) == (None, None, ("finished",))
    assert not list(tmp_path.glob("**/sweep.json"))


@pytest.mark.slow
def test_a_broken_tracker_costs_the_sweep_one_warning_more(sweep, tmp_path):
    (tmp_path / "runs").write_text("no folder")
    done = sweep("stride=2,3", "hydra.sweep.dir=sweep")
    assert done.returncode == 0
    assert statuses(tmp_path / "sweep") == ["finished"] * 2
    assert done.stderr.count("warning: tracker:") == 2  # of the jobs
    assert done.stdout.count("tracker:") + done.stderr.count("tracker:") == 3


def test_ctrl_c_leaves_the_record_and_the_table(tmp_path, clip):
    def begun():
        if not list(tmp_path.glob("sweep/*/samples/*.png")):
            return False
        assert jobs(tmp_path / "sweep")[2]["status"] == "missing"  # sweep.json is there from the start
        return True

    arguments = ("-m", *SQUARE, "extract.stop=20", f"video={clip}", "model.pause_s=0.5", "stride=1,2,3", "tracker=none")
    status, stdout, _ = interrupt(tmp_path, *arguments, "hydra.sweep.dir=sweep", begun=begun)
    assert status == 130
    assert statuses(tmp_path / "sweep") == ["interrupted", "missing", "missing"]
    assert "1 interrupted, 2 missing" in stdout
    assert re.search(r"^1 missing: stride=2$", stdout, re.MULTILINE)


@pytest.mark.slow
def test_a_small_job_after_a_big_one_has_its_own_peak(vidseg, tmp_path, clip):
    big = tmp_path / "big.mp4"
    with av.open(str(big), "w") as container:
        stream = container.add_stream("mpeg4", 10)
        stream.width, stream.height, stream.pix_fmt = 8000, 4496, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((4496, 8000, 3), np.uint8))))
        container.mux(stream.encode())
    sweep = ("-m", *SQUARE, "output=[]", "stride=1", "tracker=none", "hydra.sweep.dir=sweep")
    done = vidseg(*sweep, f"video={clip},{big},{clip}", "hydra.sweep.subdir=${hydra.job.num}")
    assert done.returncode == 0, done.stderr
    alone, large, small = (job["peak_rss_mib"] for job in jobs(tmp_path / "sweep"))
    assert large > alone + 400
    assert small == pytest.approx(alone, rel=0.03)


def test_a_score_by_name():
    summary = {"metrics": {"j": 0.5}, "fps": 3.0, "peak_rss_mib": 7.0, "peak_cuda_mib": None}
    assert [score(summary, name) for name in (None, "j", "-j", "fps", "-peak_rss_mib")] == [None, 0.5, 0.5, 3.0, 7.0]
    with pytest.raises(ValueError, match="optimize: the run has no score 'peak_cuda_mib'; it has j, fps, peak_rss_mib"):
        score(summary, "peak_cuda_mib")


def test_a_launcher_that_is_not_installed_says_which_extra_brings_it():
    from hydra.errors import MissingConfigException

    from vidseg.config.overrides import explain

    error = MissingConfigException("Could not find it", "hydra/launcher/joblib")
    assert explain(error) == "hydra/launcher/joblib: not installed; pip install 'vidseg[parallel]' brings it"
