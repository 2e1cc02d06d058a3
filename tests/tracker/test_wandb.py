"""Real offline W&B runs, read back with ``wandb leet inspect`` and from the files they leave."""

import json
import os
import pty
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from sweeping import inspect

from vidseg.config import resolvers
from vidseg.errors import InputError
from vidseg.tracker.guard import Guarded, NoTracker
from vidseg.tracker.wandb import WandbTracker
from vidseg.types import Frame, FrameMasks, Prompt

CONF = Path(__file__).parents[2] / "conf" / "tracker" / "wandb.yaml"
SUMMARY = {
    "status": "finished",
    "error": None,
    "frames": 6,
    "fps": 12.5,
    "seconds": {"segment": 0.25, "total": 1.5},
    "peak_rss_mib": 300.5,
    "peak_cuda_mib": None,
    "model": "nano",
    "metrics": {"j": 0.75, "j_1": 0.75},
    "outputs": {"overlay": "overlay.mp4", "rle": "masks.jsonl"},
    "objects": [1, 300],
}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """No account, no settings, no cache of the person who runs the tests."""
    for key in [key for key in os.environ if key.startswith("WANDB_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    (tmp_path / "home").mkdir()


def pair(index):
    rgb = np.full((96, 160, 3), (90, 60, 120), np.uint8)
    logits = np.full((2, 96, 160), -3, np.float32)
    logits[0, 20:60, 40:100] = 3
    logits[1, 50:90, 80:150] = 3  # overlaps
    return Frame(index, index / 25, rgb), FrameMasks(index, (1, 300), logits)


def prompts(index):
    return [
        Prompt(index, 1, np.array([[60, 40]], np.float32), np.array([1], np.int32)),
        Prompt(index, 1, np.array([[120, 15]], np.float32), np.array([0], np.int32)),
    ]


def video(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(stream.encode())


def run_folder(tmp_path, name="0_stride=3"):
    folder = tmp_path / "sweep" / name
    folder.mkdir(parents=True)
    video(folder / "overlay.mp4")
    (folder / "masks.jsonl").write_text('{"frame": 10}\n')
    Image.new("RGB", (40, 30), "teal").save(folder / "contact_sheet.png")
    return folder


def track(tracker, folder, summary=SUMMARY, config=None):
    """Six frames, numbers 10, 12, … of the source; every third is a sample; the first is prompted."""
    record = tracker.start(config or {"model": {"name": "nano"}, "provenance": {"git": "abc"}}, folder)
    for step in range(6):
        frame, masks = pair(10 + 2 * step)
        if step % 3 == 0:
            tracker.log_sample(frame, masks, prompts(10))
        values = {"time/segment_ms": 5.5 + step, "mask/area_1": step, "metric/j_1": step / 10, "metric/parts_1": step}
        tracker.log(step, {"frame": frame.index, **values})
    tracker.finish(summary, folder)
    return record


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def the_run(root):
    (run,) = root.glob("wandb/offline-run-*")
    return run


def records(run, kind):
    lines = [json.loads(line) for line in inspect(run).splitlines()]
    return [line[kind] for line in lines if line["type"] == kind]


def test_an_offline_run_holds_everything(tmp_path, capfd):
    root = tmp_path / "runs"
    folder = run_folder(tmp_path)
    record = track(WandbTracker(dir=root), folder)
    assert capfd.readouterr() == ("", "")
    run = the_run(root)
    assert record == {"id": run.name.rsplit("-", 1)[1], "mode": "offline", "url": None}

    whole = json.loads(inspect(run, "--summary"))
    assert (whole["state"], whole["project"], whole["name"]) == ("finished", "vidseg", "sweep/0_stride=3")
    assert whole["config"] == {
        "model": {"name": "nano"},
        "provenance": {"git": "abc"},
        "folder": str(folder),
    }
    expected = {
        "status": "finished",
        "frames": 6,
        "fps": 12.5,
        "seconds/segment": 0.25,
        "seconds/total": 1.5,
        "peak_rss_mib": 300.5,
        "model": "nano",
        "metric/j": 0.75,
        "metric/j_1": 0.75,
    }
    assert {key: whole["summary"].get(key) for key in expected} == expected
    # A metric of the summary is the run's, never the last frame's.
    assert not {"error", "peak_cuda_mib", "outputs", "metrics", "metric/parts_1"} & set(whole["summary"])

    rows = [row["item"] for row in records(run, "history")]
    keys = ("_step", "frame", "time/segment_ms", "mask/area_1", "metric/j_1", "metric/parts_1")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (step, 10 + 2 * step, 5.5 + step, step, step / 10, step) for step in range(6)
    ]
    samples = {row["frame"]: row["sample/frame.caption"] for row in rows if "sample/frame.path" in row}
    assert samples == {10: "frame 10  0.40 s", 16: "frame 16  0.64 s"}
    media = run / "files"
    video = media / rows[-1]["output/overlay.path"]
    assert video.read_bytes() == (folder / "overlay.mp4").read_bytes()
    assert pixels(media / rows[-1]["output/contact_sheet.path"]).shape == (30, 40, 3)
    steps = {row["glob_name"]: row["step_metric"] for row in records(run, "metric") if row.get("glob_name")}
    assert steps == dict.fromkeys(("time/*", "memory/*", "mask/*", "sample/*", "metric/*"), "frame")


def test_samples_are_pictures_with_a_layer_an_object_and_the_prompts_on_their_frame(tmp_path):
    track(WandbTracker(dir=tmp_path), run_folder(tmp_path))
    run = the_run(tmp_path)
    first, later = (r["item"] for r in records(run, "history") if "sample/frame.path" in r["item"])
    masks = pair(10)[1].masks_nhw
    for name, label, mask_hw in (("object 1", 1, masks[0]), ("object 300", 45, masks[1])):
        layer = pixels(run / "files" / first[f"sample/frame.masks.{name}.path"])
        np.testing.assert_array_equal(layer, np.where(mask_hw, label, 0))
    picture, plain = (pixels(run / "files" / row["sample/frame.path"]) for row in (first, later))
    assert picture.shape == (96, 160, 3)
    red, green, _ = picture[40, 60].astype(int)
    assert green > red + 50  # the positive point's star
    red, green, _ = picture[15, 120].astype(int)
    assert red > green + 50  # the negative one's
    assert np.abs(plain.astype(int) - (90, 60, 120)).max() < 12  # no prompts here, and masks are layers


def test_masks_are_an_artifact_that_refers_to_the_run_folder(tmp_path):
    folder = run_folder(tmp_path)
    record = track(WandbTracker(dir=tmp_path), folder)
    (artifact,) = records(the_run(tmp_path), "artifact")
    assert (artifact["type"], artifact["name"]) == ("masks", f"masks-{record['id']}")
    (entry,) = artifact["manifest"]["contents"]
    assert (entry["path"], entry["local_path"]) == ("masks.jsonl", str(folder / "masks.jsonl"))


def test_a_run_without_outputs_is_tracked(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    tracker = WandbTracker(dir=tmp_path)
    tracker.start({}, folder)
    frame, masks = pair(4)
    tracker.log_sample(frame, masks, [])  # a sample that no log follows, as when the run is interrupted
    tracker.finish({"status": "interrupted", "outputs": {}, "metrics": {}}, folder)
    whole = json.loads(inspect(the_run(tmp_path), "--summary"))
    assert whole["exit_code"] == 1
    assert whole["summary"]["status"] == "interrupted"
    assert whole["summary"]["sample/frame"]["caption"] == "frame 4  0.16 s"


def test_several_runs_in_one_process_lie_side_by_side(tmp_path, capfd):
    root = tmp_path / "runs"
    failed = {**SUMMARY, "status": "failed", "error": "boom"}
    first = track(WandbTracker(dir=root), run_folder(tmp_path, "0"))
    second = track(WandbTracker(dir=root, name="mine", tags=["a", "b"]), run_folder(tmp_path, "1"), failed)
    assert capfd.readouterr() == ("", "")
    states = {}
    for run in root.glob("wandb/offline-run-*"):
        whole = json.loads(inspect(run, "--summary"))
        states[whole["run_id"]] = (whole["state"], whole["name"], whole["tags"], whole["summary"].get("error"))
    assert states == {
        first["id"]: ("finished", "sweep/0", ["finished"], None),
        second["id"]: ("failed", "mine", ["a", "b", "failed"], "boom"),
    }


def test_log_video_false_copies_no_video(tmp_path):
    track(WandbTracker(dir=tmp_path, log_video=False), run_folder(tmp_path))
    assert not list(the_run(tmp_path).rglob("*.mp4"))


def test_disabled_makes_nothing(tmp_path):
    assert track(WandbTracker(dir=tmp_path / "runs", mode="disabled"), run_folder(tmp_path)) is None
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "of"}, "tracker.mode: 'of' is none of offline, online, disabled"),
        ({"tags": "a"}, "tracker.tags: 'a' is not a list"),
        ({"init_timeout_s": 0}, "tracker.init_timeout_s: 0 "),
        ({"finish_timeout_s": float("nan")}, "tracker.finish_timeout_s: nan "),
    ],
)
def test_a_wrong_value_is_told(values, message):
    with pytest.raises(InputError) as caught:
        WandbTracker(**values)
    assert str(caught.value).startswith(message)


def arguments(**changes):
    """The YAML's keys, resolved, as Hydra hands them to the constructor."""
    resolvers.register()
    config = OmegaConf.create({"video": "sample", "tracker": OmegaConf.merge(OmegaConf.load(CONF), changes)})
    values = OmegaConf.to_container(config.tracker, resolve=True)
    assert values.pop("_target_") == "vidseg.tracker.wandb.WandbTracker"
    return values


def test_wandb_variables_count_until_a_key_is_set(tmp_path, monkeypatch):
    defaults = arguments()
    assert (defaults["project"], defaults["mode"], defaults["dir"], defaults["name"]) == (
        "vidseg",
        "offline",
        "runs",
        None,
    )
    for key, value in {
        "PROJECT": "theirs",
        "NAME": "named",
        "RUN_GROUP": "grouped",
        "NOTES": "noted",
        "DIR": str(tmp_path / "elsewhere"),
    }.items():
        monkeypatch.setenv(f"WANDB_{key}", value)
    track(WandbTracker(**arguments(notes="mine")), run_folder(tmp_path))
    run, *_ = records(the_run(tmp_path / "elsewhere"), "run")  # the second has the status as a tag
    assert (run["project"], run["display_name"], run["run_group"], run["notes"]) == (
        "theirs",
        "named",
        "grouped",
        "mine",
    )
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert arguments()["mode"] == "disabled"


def test_the_environment_s_run_id_is_a_single_run_s(tmp_path, monkeypatch):
    for key, value in {"RUN_ID": "theirs", "RESUME": "must", "MODE": "dryrun", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{key}", value)
    single = track(WandbTracker(**arguments()), run_folder(tmp_path))
    assert (single["id"], single["mode"]) == ("theirs", "offline")
    monkeypatch.setattr(resolvers, "_sweep_job", lambda: OmegaConf.create({"sweep": {"dir": "s"}, "job": {"num": 0}}))
    job = track(WandbTracker(**arguments(tags=[])), run_folder(tmp_path, "1"))
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_RUN_ID", "theirs")
    WandbTracker(dir=tmp_path).log_sweep("group", [{"job": 0}], tmp_path)
    written = {
        record["run_id"]: record for run in tmp_path.glob("wandb/offline-run-*") for record in records(run, "run")
    }
    assert {"theirs", job["id"]} < set(written)
    assert len(written) == 3
    assert not written[job["id"]].get("resume")


def test_a_run_goes_on_under_its_id(tmp_path):
    folder = run_folder(tmp_path)
    first = track(WandbTracker(dir=tmp_path / "a"), folder)
    tracker = Guarded(WandbTracker(dir=tmp_path / "b"))
    tracker.resume(first)
    assert tracker.start({}, folder) == first
    tracker.log(7, {"frame": 7})
    tracker.finish(SUMMARY, folder)
    run, again = records(the_run(tmp_path / "b"), "run")
    assert (run["run_id"], run["resume"]) == (first["id"], True)
    assert again["tags"] == ["finished"]
    (step,) = [line["step"] for line in records(the_run(tmp_path / "b"), "history") if "frame" in str(line)][:1]
    assert step["num"] == 7
    Guarded(NoTracker()).resume(first)


def test_a_folder_that_can_t_be_written_is_named_with_its_key(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "wandb")  # tests may run as root
    with pytest.raises(InputError, match=f"^tracker.dir: {tmp_path}/wandb can't be written: permission denied; choose"):
        WandbTracker(dir=tmp_path).start({}, tmp_path)


SCRIPT = """
    import logging, sys
    from pathlib import Path
    import numpy as np
    from vidseg.tracker.guard import Guarded
    from vidseg.tracker.wandb import WandbTracker
    from vidseg.types import Frame, FrameMasks
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = Path(sys.argv[1])
    tracker = Guarded(WandbTracker(dir=folder, mode=sys.argv[2], init_timeout_s=2))
    tracker.start({}, folder)
    tracker.log_sample(
        Frame(0, 0.0, np.zeros((8, 8, 3), np.uint8)), FrameMasks(0, (1,), np.ones((1, 8, 8), np.float32)), []
    )
    for step in (0, 1, 0):  # a step that goes back: W&B would say so
        tracker.log(step, {"frame": step})
    tracker.finish({"status": sys.argv[3]}, folder)
"""


def script(tmp_path, mode, status="finished", stdin=subprocess.DEVNULL, **variables):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), mode, status],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if stdin is subprocess.DEVNULL else stdin,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CONF.parents[2]), **variables},
    )


@pytest.mark.parametrize(
    ("status", "variables"),
    [("finished", {}), ("failed", {"HOME": "/dev/null", "XDG_CACHE_HOME": ""})],
    ids=["", "no home"],
)
def test_a_whole_process_prints_nothing(tmp_path, status, variables):
    done = script(tmp_path, "offline", status, WANDB_TAGS="from,outside", **variables)
    assert (done.returncode, done.stdout) == (0, "")
    whole = json.loads(inspect(the_run(tmp_path), "--summary"))
    assert (whole["state"], whole["tags"]) == (status, ["from", "outside", status])


def test_online_without_a_key_is_one_warning(tmp_path):
    done = script(tmp_path, "online")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("tracker: ")
    assert "No API key" in line
    assert "tracker.mode=offline" in line
    assert line.endswith("; the run goes on without it")


def test_online_without_a_key_does_not_ask_on_a_terminal(tmp_path):
    ours, theirs = pty.openpty()
    try:
        assert script(tmp_path, "online", stdin=theirs).returncode == 0
        assert b"No API key" in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)


def test_online_without_a_network_is_one_warning_soon(tmp_path):
    done = script(tmp_path, "online", WANDB_API_KEY="0" * 40, WANDB_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert "tracker.mode=offline" in line


KILLED = """
    import logging, os, signal, subprocess, sys, time
    from pathlib import Path
    from vidseg.tracker.guard import Guarded
    from vidseg.tracker.wandb import WandbTracker
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tracker = Guarded(WandbTracker(dir=Path(sys.argv[1])))
    tracker.start({}, Path(sys.argv[1]))
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    for pid in map(int, children.split()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # ps itself
            pass
    time.sleep(0.2)
    tracker.log(0, {"frame": 0})
    tracker.finish({"status": "finished"}, Path(sys.argv[1]))
"""


def test_a_service_that_is_killed_is_one_warning(tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=CONF.parents[2], check=True)
    (line,) = done.stderr.splitlines()
    assert line.startswith("tracker: ")
    assert line.endswith("; the run goes on without it")
