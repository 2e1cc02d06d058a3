"""Real multiruns in a process: every job its own folder, summary and W&B run."""

import json

import pytest
from conftest import run_command
from sweeping import inspect, jobs, statuses

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def folder(clip, tmp_path_factory):
    """A sweep over three strides that hands out two GPUs by the jobs' numbers (the square needs none)."""
    root = tmp_path_factory.mktemp("sweep")
    (root / "clip.mp4").symlink_to(clip)
    done = run_command(
        root, "-m", "model=square", "prompt=click", "prompt.points=[[20,30]]", "video=clip.mp4", "stride=5,10,20",
        "device=cuda:${gpu:2}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder,) = root.glob("runs/sweeps/*/*")
    return folder


def test_each_job_has_a_folder_named_after_what_is_swept_over(folder):
    expected = [f"{number}_stride={stride}" for number, stride in enumerate((5, 10, 20))]
    assert sorted(path.name for path in folder.glob("[!.]*/")) == expected
    assert statuses(folder) == ["finished"] * 3
    summaries = [json.loads((folder / name / "summary.json").read_text()) for name in expected]
    assert [(summary["status"], summary["frames"]) for summary in summaries] == [("finished", 20)] * 3
    assert [len(list((folder / name / "samples").iterdir())) for name in expected] == [4, 2, 1]


def test_each_job_is_a_run_of_wandb_in_the_group_of_the_dated_folder(folder):
    ids = [job["wandb"]["id"] for job in jobs(folder)]
    assert len(set(ids)) == 3
    records = [next(folder.parents[2].glob(f"wandb/offline-run-*-{run_id}")) for run_id in ids]
    shown = [json.loads(inspect(record, "--summary")) for record in records]
    assert [run["summary"]["status"] for run in shown] == ["finished"] * 3
    assert {run["config"]["tracker"]["group"] for run in shown} == {f"{folder.parent.name}/{folder.name}"}
    assert [run["config"]["device"] for run in shown] == ["cuda:0", "cuda:1", "cuda:0"]
    names = [json.loads(inspect(record).splitlines()[1])["run"]["display_name"] for record in records]
    assert names == ["0_stride=5", "1_stride=10", "2_stride=20"]


@pytest.mark.slow
def test_precisions_that_the_cpu_lacks_fall_back(vidseg, tmp_path, clip):
    done = vidseg(
        "-m", "model=nano", "model.image_size=128", "precision=tf32,fp16", f"video={clip}", "prompt=click",
        "prompt.points=[[20,30]]", "extract.stop=2", "output=[rle]", "tracker=none", "device=cpu",
        "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summaries = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("sweep/*/summary.json"))]
    assert [(s["status"], s["precision"]) for s in summaries] == [("finished", "fp32"), ("finished", "fp32")]
    assert done.stderr.count("warning: precision") >= 2
    first, second = (path.read_text() for path in sorted(tmp_path.glob("sweep/*/masks.jsonl")))
    assert first == second
