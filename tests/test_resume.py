"""A stopped run goes on: masks as if it had never stopped, every file complete, and no other run mistaken for it."""

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from functools import partial

import fakes
import numpy as np
import pytest
from conftest import SEARCH_PATH, command, slow_but
from detecting import Planted
from PIL import Image
from test_run import decoded, lines, rgba, square
from test_run import run as run_square

import vidseg
from vidseg.config.overrides import compose_config
from vidseg.model.sam2.one_pass import Pass
from vidseg.record import checkpoints
from vidseg.record.identity import difference, identify
from vidseg.record.masks import encode
from vidseg.record.progress import digest
from vidseg.types import Detections

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("own_hydra")]

NANO = ("model=nano", "model.image_size=128", "threads=1", "checkpoint.every=4", "stride=6")
CORRECTED = "a correction, another frame and both ways"
EVERYTHING = "[cutout,transparent_mov,masks,frames]"
PROMPTS = """prompts:
- {frame: 6, object: 2, box: [12, 8, 55, 52]}
- {frame: 6, object: 1, points: [[30, 30]]}
- {frame: 9, object: 5, box: [60, 60, 120, 110]}
- {frame: 12, object: 1, points: [[34, 20]], labels: [1]}
"""


@pytest.fixture
def steps(monkeypatch):
    """Counts the frames that the engine segments."""
    counted, step = [], Pass.step

    def count(self, position, *arguments, **keys):
        counted.append(position)
        return step(self, position, *arguments, **keys)

    monkeypatch.setattr(Pass, "step", count)
    return counted


@pytest.fixture(scope="module", params=slow_but([CORRECTED], ["a click", CORRECTED]))
def asked(request, tmp_path_factory, clip):
    """Runs of nano on one thread, and the folder of one that never stopped."""
    folder = tmp_path_factory.mktemp("resume")
    prompts: tuple[str, ...] = ()
    if request.param != "a click":
        (folder / "prompts.yaml").write_text(PROMPTS)
        prompts = ("prompt=file", f"prompt.path={folder / 'prompts.yaml'}", "propagate=both")
    run = partial(run_nano, clip=clip, prompts=prompts)
    run(folder / "whole", f"output={EVERYTHING}")
    return run, folder / "whole"


def run_nano(folder, *overrides, clip, prompts=()):
    given = prompts or ("prompt=click", "prompt.points=[[20,30]]")
    common = (SEARCH_PATH, f"hydra.run.dir={folder}", f"video={clip}", "tracker=none", *NANO)
    return vidseg.run([*common, *given, *overrides])


def squares(clip):
    return lambda folder, *overrides: run_square(folder, clip, *overrides)


def stop(run, folder, at, *overrides):
    """Ends a run at its frame number ``at``, counted from 1, by an output that fails."""
    with pytest.raises(vidseg.JobFailed, match="Input/output error"):
        run(folder, "output=[cutout,failing]", f"+output.failing.fail_at={at}", *overrides)
    assert len(lines(folder / "masks.jsonl")) == at - 1


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(asked, tmp_path, steps):
    run, whole = asked
    folder = tmp_path / "stopped"
    stop(run, folder, 15)
    begun = (folder / "frames.jsonl").read_bytes()
    steps.clear()
    resumed = run(folder, f"output={EVERYTHING}", "resume=true")
    assert min(steps, default=12) == 12  # after the checkpoint behind frame 11; both ways no frame is left to track
    assert (folder / "masks.jsonl").read_bytes() == (whole / "masks.jsonl").read_bytes()
    assert (folder / "frames.jsonl").read_bytes().startswith(begun)
    assert [line["frame"] for line in lines(folder / "frames.jsonl")] == list(range(20))
    difference = decoded(folder / "cutout.mp4").astype(int) - decoded(whole / "cutout.mp4")
    assert np.abs(difference).mean() < 0.3  # the encoder's threads don't make the same file twice
    assert np.array_equal(rgba(folder / "transparent.mov"), rgba(whole / "transparent.mov"))
    for kind in ("masks/*.png", "frames/*.png", "samples/*.png"):
        pictures = {path.name: path.read_bytes() for path in whole.glob(kind)}
        assert {path.name: path.read_bytes() for path in folder.glob(kind)} == pictures
    summary, expected = resumed.summary, json.loads((whole / "summary.json").read_text())
    assert (summary["status"], summary["frames"], summary["outputs"]) == ("finished", 20, expected["outputs"])
    assert summary["metrics"] == pytest.approx(expected["metrics"], abs=1e-4)
    assert not list(folder.rglob("*.part"))
    assert not list(folder.glob(".vidseg/*.bin"))
    assert not list(folder.glob(".vidseg/*.jsonl"))


FOUND = (
    "prompt=detect", "prompt.detector=planted", "prompt.every=5", "prompt.detector.first=0",
    "prompt.detector.things=[[person,0.9,12,8,55,52],[dog,0.8,90,60,120,110]]", "prompt.confidence=0.5",
)  # fmt: skip


@pytest.mark.slow
def test_what_a_detector_found_is_drawn_again_and_not_looked_for(tmp_path, clip, monkeypatch):
    run = partial(run_nano, clip=clip, prompts=FOUND)
    detect = Planted.detect

    def one_then_two(self, picture):
        found = detect(self, picture)
        return found if self.looked > 1 else Detections(found.boxes_xyxy[:1], found.scores[:1], found.names[:1])

    monkeypatch.setattr(Planted, "detect", one_then_two)
    first = run(tmp_path / "whole", "output=[]", "stride=50")
    whole = first.folder
    stop(run, tmp_path / "stopped", 15, "stride=50")
    folder = tmp_path / "stopped"
    (folder / "summary.json").unlink()
    resumed = run(folder, "output=[]", "stride=50", "resume=true")
    pictures = list((whole / "samples").iterdir())
    assert {path.name for path in pictures} >= {f"found_{n:05d}.png" for n in (0, 5)} | {"frame_00005.png"}
    assert len(list((folder / "samples").iterdir())) == len(pictures)
    for path in pictures:
        assert (folder / "samples" / path.name).read_bytes() == path.read_bytes(), path.name
    assert (folder / "found.yaml").read_bytes() == (whole / "found.yaml").read_bytes()
    assert resumed.summary["names"] == first.summary["names"]
    assert resumed.summary["names"].items() >= {"1": "person", "2": "dog"}.items()
    monkeypatch.setattr(Planted, "detect", None)
    shown = resumed.show(5)
    assert shown.tobytes() == Image.open(whole / "samples" / "frame_00005.png").convert("RGB").tobytes()
    assert not resumed.masks()[0][2].any()
    assert resumed.masks()[5][2].any()


def test_other_names_or_ends_are_other_prompts():
    first = vidseg.Prompt(0, 1, points_xy=[[20, 30]])
    others = [replace(first, **change) for change in ({"name": "dog"}, {"until": 5}, {"joins": True})]
    assert len({digest([prompt]) for prompt in (first, *others)}) == 4


@pytest.mark.slow
def test_twice_stopped_and_a_damaged_checkpoint(asked, tmp_path):
    run, whole = asked
    folder = tmp_path / "stopped"
    stop(run, folder, 10)
    stop(run, folder, 18, "resume=true")
    newest = max(folder.glob(".vidseg/*.bin"), key=lambda path: path.stat().st_mtime_ns)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with (folder / "masks.jsonl").open("ab") as file:
        file.write(b'{"frame": 17, "obj')  # as a power cut leaves it
    run(folder, "output=[]", "resume=true")
    assert (folder / "masks.jsonl").read_bytes() == (whole / "masks.jsonl").read_bytes()
    assert not (folder / "cutout.mp4").exists()  # it had the frames of a run that was stopped


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, clip):
    arguments = (f"video={clip}", "prompt=click", "prompt.points=[[20,30]]", "tracker=none", *NANO, "output=[overlay]")
    whole, killed = (tmp_path / name for name in ("whole", "killed"))
    assert subprocess.run(**command(*arguments, f"hydra.run.dir={whole}"), check=False, timeout=100).returncode == 0
    process = subprocess.Popen(**command(*arguments, f"hydra.run.dir={killed}"), stderr=subprocess.DEVNULL)
    while not (killed / "masks.jsonl").exists() or len((killed / "masks.jsonl").read_bytes().splitlines()) < 7:
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "summary.json").exists()
    done = subprocess.run(**command(*arguments, f"hydra.run.dir={killed}", "resume=true"), check=False, timeout=100)
    assert done.returncode == 0
    assert (killed / "masks.jsonl").read_bytes() == (whole / "masks.jsonl").read_bytes()
    difference = decoded(killed / "overlay.mp4").astype(int) - decoded(whole / "overlay.mp4")
    assert np.abs(difference).mean() < 0.3  # the encoder's threads don't make the same file twice


def test_another_output_of_a_finished_run_needs_no_model(asked, tmp_path, steps):
    run, _ = asked
    folder = tmp_path / "run"
    first = run(folder, "output=[cutout]")
    steps.clear()
    again = run(folder, "output=[overlay]", "resume=true", "metric=[mask_stats]")
    assert steps == []
    assert again.summary["outputs"] == {"overlay": "overlay.mp4", "cutout": "cutout.mp4", "rle": "masks.jsonl"}
    assert len(decoded(folder / "overlay.mp4")) == again.summary["frames"] == 20
    assert (again.summary["device"], again.summary["precision"]) == ("cpu", "fp32")
    assert again.summary["metrics"]["flicker"] == pytest.approx(first.summary["metrics"]["flicker"])
    written = (folder / "summary.json").stat().st_mtime_ns
    assert run(folder, "output=[overlay]", "resume=true", "metric=[mask_stats]").summary == again.summary
    assert (folder / "summary.json").stat().st_mtime_ns == written  # there was nothing left to do


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.fail_at=null", "model.fail_at: None isn't 9, as it was for the run in "),
        ("extract.step=2", "extract.step: 2 isn't 1"),
        ("threads=2", "threads: 2 isn't None"),
        ("prompt.points=[[21,30]]", "prompt.points: "),
        ("propagate=both", "propagate: both isn't forward"),
        ("model._target_=fakes.Ahead", "model: fakes.Ahead isn't fakes.Square"),
    ],
)
def test_what_changes_masks_is_refused_by_its_key_and_loses_nothing(tmp_path, clip, change, message):
    folder = tmp_path / "run"
    with pytest.raises(vidseg.JobFailed, match="fell over"):
        run_square(folder, clip, "model.fail_at=9")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".log"}
    with pytest.raises(vidseg.JobFailed) as raised:
        run_square(folder, clip, "model.fail_at=9", "resume=true", change)
    assert str(raised.value).startswith(message)
    assert str(raised.value).endswith(f"in {folder}, and changes masks; start anew in another folder")
    assert {path: path.read_bytes() for path in before} == before


def test_a_segmenter_without_checkpoints_tracks_again_and_must_agree(tmp_path, clip, monkeypatch, caplog):
    folder = tmp_path / "run"
    stop(squares(clip), folder, 12)
    moved_by(monkeypatch, 30)
    differs = r"resume: frame 0, tracked again, isn't as it was .*IoU 0\.\d+ of object 1"
    with pytest.raises(vidseg.JobFailed, match=differs):
        run_square(folder, clip, "resume=true")
    moved_by(monkeypatch, 1)
    assert run_square(folder, clip, "resume=true").summary["frames"] == 20
    assert caplog.text.count("frames that are tracked again differ a little") == 1
    areas = [line["objects"][0]["rle"] for line in lines(folder / "masks.jsonl")]
    assert areas[:11] == [encode(square(index)) for index in range(11)]  # the record is the truth


def moved_by(monkeypatch, shift):
    monkeypatch.setattr(fakes.Square, "shift", property(lambda self: shift, lambda self, value: None), raising=False)


@pytest.mark.slow
def test_a_run_that_goes_on_saves_checkpoints_again(asked, tmp_path, monkeypatch):
    run, _ = asked
    monkeypatch.setattr(checkpoints, "_LEAST_S", 0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)
    stop(run, tmp_path / "run", 6, "checkpoint.every=4")
    stop(run, tmp_path / "run", 17, "resume=true", "checkpoint.every=null")
    # The next one is due once the last one is written, which is done beside the loop
    assert 8 <= checkpoints.newest(tmp_path / "run", lambda index: True).frame_index <= 15


def test_what_a_run_made_stays_when_its_next_output_fails(asked, tmp_path, steps):
    run, _ = asked
    folder = tmp_path / "run"
    run(folder, "output=[cutout]")
    with pytest.raises(vidseg.JobFailed, match="Input/output error"):
        run(folder, "output=[failing]", "resume=true")
    assert len(decoded(folder / "cutout.mp4")) == 20
    steps.clear()
    assert run(folder, "output=[overlay]", "resume=true").summary["status"] == "finished"
    assert steps == []
    assert (folder / "vidseg.log").read_text().count("finished: ") == 2


@pytest.mark.parametrize("cut", [-1, -40, None], ids=["no line's end", "half a line", "two lines"])
@pytest.mark.parametrize("name", ["masks.jsonl", "frames.jsonl"])
def test_lines_that_a_power_cut_took_from_a_finished_run_are_made_again(tmp_path, clip, name, cut):
    folder = tmp_path / "run"
    run_square(folder, clip, "output=[]", "metric=[]")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:cut] if cut else b"".join(whole.splitlines(keepends=True)[:-2]))
    run_square(folder, clip, "output=[]", "metric=[]", "resume=true")
    for each in ("masks.jsonl", "frames.jsonl"):
        assert [line["frame"] for line in lines(folder / each)] == list(range(20))


def test_a_run_in_the_folder_of_its_frames_goes_on(tmp_path):
    for index in range(6):
        Image.new("RGB", (160, 120)).save(tmp_path / f"{index:05d}.png")
    stop(lambda folder, *overrides: run_square(folder, tmp_path, *overrides), tmp_path / "out", 4)
    (tmp_path / "out").touch()
    assert run_square(tmp_path / "out", tmp_path, "output=[]", "resume=true").summary["frames"] == 6


def test_another_device_is_refused(tmp_path, clip, monkeypatch):
    folder = tmp_path / "run"
    stop(squares(clip), folder, 12)
    monkeypatch.setattr(fakes.Square, "device", "cuda:0")
    with pytest.raises(vidseg.JobFailed, match=f"^device: cuda:0 isn't cpu, as it was for the run in {folder}"):
        run_square(folder, clip, "resume=true")


def test_nothing_to_resume_starts_anew(tmp_path, clip):
    assert run_square(tmp_path / "run", clip, "resume=true", "output=[]").summary["frames"] == 20
    with pytest.raises(vidseg.JobFailed, match=r"^resume: name the folder of the run to go on with, hydra\.run\.dir="):
        vidseg.run([SEARCH_PATH, f"video={clip}", "model=square", "resume=true"])


def test_the_wandb_run_goes_on_too(tmp_path, clip):
    folder, wandb = tmp_path / "run", ("tracker=wandb", "tracker.mode=offline", f"tracker.dir={tmp_path}")
    stop(squares(clip), folder, 12, *wandb)
    first = json.loads((folder / "summary.json").read_text())["wandb"]
    again = run_square(folder, clip, "resume=true", "output=[]", *wandb).summary
    assert again["wandb"] == first
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{first['id']}"))) == 2


def test_files_are_known_by_their_content(tmp_path, clip):
    (tmp_path / "mask.png").write_bytes(b"one")
    (tmp_path / "prompts.yaml").write_text("prompts: [{frame: 0, mask: mask.png}]")
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.new("RGB", (8, 8)).save(frames / "0.png")

    def now(*overrides):
        config, _ = compose_config(["prompt=file", f"prompt.path={tmp_path / 'prompts.yaml'}", *overrides])
        return json.loads(json.dumps(identify(config)))

    before = now(f"video={frames}")
    assert difference(now(f"video={frames}", "output=[masks]", "metric=[]", "tracker=none", "stride=3"), before) is None
    assert difference(now(f"video={frames}", "model=tiny"), before) == "model._target_"
    os.utime(tmp_path / "prompts.yaml", (1, 1))
    assert difference(now(f"video={frames}"), before) is None  # only its time
    (tmp_path / "mask.png").write_bytes(b"two")
    assert difference(now(f"video={frames}"), before) == "prompt.path"
    (tmp_path / "mask.png").write_bytes(b"one")
    (tmp_path / "other.yaml").write_bytes((tmp_path / "prompts.yaml").read_bytes())
    assert difference(now(f"video={frames}", f"prompt.path={tmp_path / 'other.yaml'}"), before) is None
    Image.new("RGB", (9, 8)).save(frames / "0.png")
    assert difference(now(f"video={frames}"), before) == "video"
    assert difference(now(f"video={clip}"), before) == "video"


@pytest.mark.slow
def test_a_killed_sweep_goes_on_midway_and_an_edited_prompt_file_is_another_job(tmp_path, clip):
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text("prompts: [{frame: 0, object: 1, points: [[20, 30]]}]")
    words = ("-m", f"video={clip}", "prompt=file", f"prompt.path={prompts}", "tracker=none", *NANO, "output=[]")
    words = (*words, "sample.seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}", "hydra.sweep.subdir=${hydra.job.num}")
    first, second = tmp_path / "sweep" / "0", tmp_path / "sweep" / "1"
    process = subprocess.Popen(**command(*words), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (second / "masks.jsonl").exists() or len((second / "masks.jsonl").read_bytes().splitlines()) < 9:
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done, begun = ((folder / "frames.jsonl").read_bytes() for folder in (first, second))
    again = subprocess.run(**command(*words, "resume=true"), check=False, timeout=100, capture_output=True, text=True)
    assert "2 finished (1 skipped)" in again.stdout, again.stderr
    assert (first / "frames.jsonl").read_bytes() == done
    assert (second / "frames.jsonl").read_bytes().startswith(begun[: begun.rindex(b"\n") + 1])
    assert (second / "masks.jsonl").read_bytes() == (first / "masks.jsonl").read_bytes()
    prompts.write_text("prompts: [{frame: 0, object: 1, points: [[22, 32]]}]")
    other = subprocess.run(**command(*words, "resume=true"), check=False, timeout=100, capture_output=True, text=True)
    assert "2 finished; " in other.stdout, other.stderr
    assert sorted(path.name for path in (tmp_path / "sweep").glob("[0-9]*")) == ["0", "0_2", "1", "1_2"]
