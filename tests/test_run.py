"""The whole pipeline on a small real clip with the fake segmenter: the run folder's contract, and how runs end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import cv2
import fakes
import numpy as np
import pytest
from conftest import ROOT, picture
from PIL import Image
from pycocotools import mask as coco
from sources import ArraySource, click, moving_squares

import vidseg as package
from vidseg.meter import Meter
from vidseg.output.samples import Samples
from vidseg.record.progress import Progress
from vidseg.runner import run as run_parts
from vidseg.tracker.guard import NoTracker
from vidseg.work import MOST_UNDER_WAY, Parts

pytestmark = pytest.mark.timeout(120)

CLICK = "prompt.points=[[20,30]]"
EVERYTHING = "[cutout,cutout_avi,greenscreen,overlay,transparent_mov,transparent_webm,masks,rle,frames]"
FILES = {
    "cutout": "cutout.mp4",
    "cutout_avi": "cutout.avi",
    "greenscreen": "greenscreen.mp4",
    "overlay": "overlay.mp4",
    "transparent_mov": "transparent.mov",
    "transparent_webm": "transparent.webm",
    "masks": "masks",
    "rle": "masks.jsonl",
    "frames": "frames",
}


def run(folder, clip, *overrides):
    """One run in this process, without W&B."""
    return package.run(
        [
            f"hydra.searchpath=[file://{ROOT / 'tests' / 'conf'}]",
            f"hydra.run.dir={folder}",
            f"video={clip}",
            "model=square",
            "prompt=click",
            CLICK,
            "tracker=none",
            *overrides,
        ]
    )


def decoded(path, codec=None):
    """All pictures of a video: (n, h, w, 3 or 4)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if codec is None:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        decoder = av.CodecContext.create(codec, "r")
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        return np.stack([frame.to_ndarray(format="rgba") for frame in frames])


def rgba(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgba") for frame in container.decode(video=0)])


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def square(index):
    mask = np.zeros((120, 160), bool)
    mask[10:50, 2 * index : 2 * index + 40] = True
    return mask


@pytest.fixture(scope="module")
def everything(tmp_path_factory, clip):
    folder = tmp_path_factory.mktemp("run") / "run"
    summary, where = run(folder, clip, f"output={EVERYTHING}", "stride=7")
    assert where == folder
    return summary, folder


def test_the_run_folder_is_as_agreed(everything):
    summary, folder = everything
    assert summary == json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["error"], summary["frames"]) == ("finished", None, 20)
    assert set(summary["seconds"]) == {"build", "extract", "segment", "composite", "log", "total"}
    stages = sum(value for name, value in summary["seconds"].items() if name != "total")
    assert stages <= summary["seconds"]["total"] + 0.01
    assert summary["fps"] == pytest.approx(20 / (summary["seconds"]["total"] - summary["seconds"]["build"]), rel=0.05)
    assert summary["peak_rss_mib"] > 30
    assert summary["peak_cuda_mib"] is None or summary["peak_cuda_mib"] >= 0
    assert (summary["model"], summary["precision"], summary["device"]) == ("square", "fp32", "cpu")
    assert summary["objects"] == [1]
    assert summary["outputs"] == FILES
    assert summary["wandb"] is None
    (note,) = summary["notes"]
    assert note.startswith("metric.davis_jf: no ground truth, so no scores j, f and j_and_f")
    assert (folder / "vidseg.log").read_text().count(note) == 1
    assert {"python", "vidseg", "av"} <= set(summary["versions"])
    assert (folder / ".hydra" / "config.yaml").exists()
    assert (folder / "vidseg.log").exists()
    assert sorted(path.name for path in (folder / "samples").iterdir()) == [
        "frame_00000.png",
        "frame_00007.png",
        "frame_00014.png",
    ]
    assert (folder / "contact_sheet.png").exists()
    assert [path.name for path in folder.glob("**/*.part")] == []


def test_masks_jsonl_is_coco_rle_of_every_frame(everything):
    _, folder = everything
    records = lines(folder / "masks.jsonl")
    assert [record["frame"] for record in records] == list(range(20))
    assert [record["time_s"] for record in records] == pytest.approx([index / 10 for index in range(20)])
    for record in records:
        (thing,) = record["objects"]
        assert (thing["id"], thing["score"]) == (1, 0.9)
        assert np.array_equal(coco.decode(thing["rle"]).astype(bool), square(record["frame"]))
        assert thing["area"] == 1600


def test_frames_jsonl_has_what_was_logged_of_every_frame(everything):
    summary, folder = everything
    records = lines(folder / "frames.jsonl")
    assert [record["frame"] for record in records] == list(range(20))
    assert [record["time_s"] for record in records] == pytest.approx([index / 10 for index in range(20)])
    stages = {f"time/{stage}_ms" for stage in ("extract", "segment", "composite", "log")}
    place = {
        f"metric/{name}_1" for name in ("centroid_x", "centroid_y", "box_x0", "box_y0", "box_x1", "box_y1", "parts")
    }
    expected = {"frame", "time_s", "memory/rss_mib", "mask/area_1", "mask/score_1"} | stages | place
    assert set(records[0]) - {"memory/cuda_peak_mib"} == expected
    for record in records[1:]:
        assert set(record) - {"memory/cuda_peak_mib"} == expected | {"metric/flicker_1"}
        assert (record["mask/area_1"], record["mask/score_1"], record["metric/parts_1"]) == (1600, 0.9, 1)
        assert (record["metric/box_x0_1"], record["metric/box_x1_1"]) == (2 * record["frame"], 2 * record["frame"] + 40)
    for stage in ("segment", "composite"):
        total_ms = sum(record[f"time/{stage}_ms"] for record in records)
        assert 0 < total_ms <= 1e3 * summary["seconds"][stage] + 1
    flicker = [record["metric/flicker_1"] for record in records[1:]]
    assert summary["metrics"]["flicker"] == summary["metrics"]["flicker_1"] == pytest.approx(np.mean(flicker), abs=1e-5)
    assert "frames.jsonl" not in summary["outputs"].values()  # outputs are the user's choice; this is always there


def test_cutouts_show_the_object_and_nothing_else(everything):
    _, folder = everything
    for name, ground in (("cutout.mp4", (0, 0, 0)), ("cutout.avi", (0, 0, 0)), ("greenscreen.mp4", (0, 177, 64))):
        pictures = decoded(folder / name)
        assert pictures.shape == (20, 120, 160, 3)
        inside = pictures[7, 15:45, 20:48].reshape(-1, 3).astype(int)
        assert np.abs(inside.mean(0) - (220, 180, 40)).max() < 8, name
        outside = pictures[7, 70:, :].reshape(-1, 3).astype(int)
        assert np.abs(outside - ground).max() < 8, name


def test_transparency_is_real(everything):
    _, folder = everything
    for pictures in (rgba(folder / "transparent.mov"), decoded(folder / "transparent.webm", "libvpx-vp9")):
        assert pictures.shape == (20, 120, 160, 4)
        for index in range(20):
            alpha = pictures[index, ..., 3] > 127
            assert (alpha & square(index)).sum() / (alpha | square(index)).sum() > 0.99


def test_images_of_every_frame(everything):
    _, folder = everything
    for index in (0, 19):
        with Image.open(folder / "masks" / f"{index:05d}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.array(image), square(index))
        with Image.open(folder / "frames" / f"{index:05d}.png") as image:
            pixels = np.array(image)
        assert np.array_equal(pixels[..., 3] > 127, square(index))
        assert np.abs(pixels[15:45, 2 * index + 5 : 2 * index + 35, :3].astype(int) - (220, 180, 40)).max() < 12
    assert len(list((folder / "masks").iterdir())) == len(list((folder / "frames").iterdir())) == 20


def test_a_replay_gives_the_same_masks(everything, tmp_path, clip):
    _, folder = everything
    for number, path in enumerate((folder, folder / "masks.jsonl", folder / "masks")):
        again = tmp_path / str(number)
        overrides = ["model=replay", f"model.path={path}", "output=[rle,masks]"]
        package.run([f"hydra.run.dir={again}", f"video={clip}", "tracker=none", *overrides])
        first, second = lines(folder / "masks.jsonl"), lines(again / "masks.jsonl")
        for one, two in zip(first, second, strict=True):
            assert one["objects"][0]["rle"] == two["objects"][0]["rle"]
        assert (again / "masks" / "00003.png").read_bytes() == (folder / "masks" / "00003.png").read_bytes()


def test_frame_numbers_are_the_source_s(tmp_path, clip):
    folder = tmp_path / "run"
    cut = ["extract.start=4", "extract.stop=1.5s", "extract.step=3", "prompt.frame=7"]
    run(folder, clip, *cut, "output=[rle,masks,cutout]", "stride=2")
    assert [record["frame"] for record in lines(folder / "masks.jsonl")] == [4, 7, 10, 13]
    assert sorted(path.name for path in (folder / "masks").iterdir()) == [f"{i:05d}.png" for i in (4, 7, 10, 13)]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == [
        f"frame_{i:05d}.png" for i in (4, 7, 10)
    ]  # every second one, and the prompted one
    assert len(decoded(folder / "cutout.mp4")) == 4


def test_preview_segments_the_prompted_frames_only(tmp_path, clip):
    folder = tmp_path / "run"
    summary, _ = run(folder, clip, "preview=true", "prompt.frame=9")
    assert (summary["status"], summary["frames"], summary["outputs"]) == ("finished", 1, {"rle": "masks.jsonl"})
    assert [path.name for path in (folder / "samples").iterdir()] == ["frame_00009.png"]


def test_an_early_stop_in_a_stage_keeps_what_was_made(tmp_path, clip):
    folder = tmp_path / "run"
    with pytest.raises(Exception, match="the square fell over"):
        run(folder, clip, "model.fail_at=12")
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["frames"]) == ("failed", 12)
    assert "RuntimeError: the square fell over" in summary["error"]
    assert len(summary["error"].splitlines()) <= 2
    assert len(decoded(folder / "cutout.mp4")) == len(lines(folder / "masks.jsonl")) == 12
    assert len(lines(folder / "frames.jsonl")) == 12
    assert "Traceback" in (folder / "vidseg.log").read_text()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("vidseg-")] == []


def test_an_output_that_fails_leaves_the_others_whole(tmp_path, clip):
    folder = tmp_path / "run"
    with pytest.raises(Exception, match=r"failing\.txt: Input/output error"):
        run(folder, clip, "output=[cutout,rle,failing]")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert set(summary["outputs"]) == {"cutout", "rle"}
    # The frame that failed, and those that were under way with it, may be in it already
    assert 2 <= len(decoded(folder / "cutout.mp4")) <= 2 + MOST_UNDER_WAY + 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("vidseg-")] == []


@pytest.mark.parametrize("name", ["masks.jsonl", "frames.jsonl", ".cutout.mp4.part"])
def test_no_space_left(tmp_path, clip, name):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).symlink_to("/dev/full")
    with pytest.raises(Exception, match="no space left on the device of"):
        run(folder, clip, "output=[rle,cutout,overlay]")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "hydra.run.dir=" in summary["error"]
    if name == "masks.jsonl":  # fails with the first frame, so nothing was made
        assert summary["outputs"] == {}
    elif name == "frames.jsonl":  # with the first frame, too, but its masks are written already
        assert (summary["frames"], summary["outputs"]) == (0, {"rle": "masks.jsonl"})
        assert not (folder / name).is_symlink()
    else:
        assert {"rle", "overlay"} <= set(summary["outputs"])
        # The frame at which it failed, and those under way with it, may be in the other output already
        assert len(lines(folder / "masks.jsonl")) - summary["frames"] in (0, 1)
        assert 0 <= len(decoded(folder / "overlay.mp4")) - summary["frames"] <= MOST_UNDER_WAY + 1
    assert not (folder / "cutout.mp4").exists()


class Slow(ArraySource):
    """Takes 20 ms to read a frame."""

    def __iter__(self):
        for frame in super().__iter__():
            time.sleep(0.02)
            yield frame


@pytest.mark.parametrize("segmenter", [fakes.Square(), fakes.Ahead()], ids=["in the loop", "in a thread"])
def test_reading_is_extraction_wherever_the_segmenter_reads(tmp_path, segmenter):
    source, prompts = Slow(moving_squares(10)), (click(0, 1, (20, 30, 1)),)
    parts = Parts(source, prompts, {}, [], Samples(tmp_path, 100, prompts, 10), NoTracker())
    meter = Meter()
    assert run_parts(parts, segmenter, tmp_path, meter, Progress(tmp_path))
    extract_ms = [record["time/extract_ms"] for record in lines(tmp_path / "frames.jsonl")]
    assert np.median(extract_ms) >= 15
    assert sum(extract_ms) <= 1e3 * meter.seconds["extract"] + 1
    assert sum(meter.seconds.values()) <= meter.total()


def test_threads_are_those_of_one_job(tmp_path, clip, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(fakes.BringsTorch, "torch", torch)
    threads, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    own = 1 + (threads == 1)
    monkeypatch.delitem(sys.modules, "torch")  # as in a process in which nobody has imported it
    run(tmp_path, clip, f"threads={own}", "output=[]")
    found = []
    for wanted in (own, "null"):
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        run(tmp_path, clip, f"threads={wanted}", "output=[]", "model._target_=fakes.BringsTorch")
        found.append(fakes.BringsTorch.threads)
    assert found == [own, threads]
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (threads, opencv_threads)


def test_a_signal_ends_the_run_after_its_frame(tmp_path, clip):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, clip, "model._target_=fakes.Terminated", "model.fail_at=4", "output=[rle]", "metric=[]")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["error"], summary["frames"]) == ("interrupted", None, 5)
    assert len(lines(tmp_path / "masks.jsonl")) == 5


def test_ctrl_c_finishes_the_files(tmp_path, clip):
    command = [sys.executable, "-m", "vidseg", "--config-dir", str(ROOT / "tests" / "conf")]
    command += ["hydra.run.dir=run", f"video={clip}", "model=square", "model.pause_s=0.2", "prompt=click", CLICK]
    command += ["tracker=none", "output=[cutout,rle]"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    written = tmp_path / "run" / "masks.jsonl"
    deadline = time.monotonic() + 60
    while not (written.exists() and written.read_bytes()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert 0 < summary["frames"] < 20
    assert len(decoded(tmp_path / "run" / "cutout.mp4")) == len(lines(written)) == summary["frames"]


def test_the_picture_of_the_clip_is_what_the_tests_think(clip):
    assert np.abs(decoded(clip)[5].astype(int) - picture(5)).mean() < 3
