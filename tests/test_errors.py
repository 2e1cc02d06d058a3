"""What a person sees after a mistake: one or two lines that name the key; the rest is in the summary and the log."""

import json
import time

import av
import numpy as np
import pytest
from conftest import SEARCH_PATH, slow_but
from mistakes import failed_run
from PIL import Image
from sweeping import SQUARE, inspect

import vidseg as package
from vidseg.job import JobFailed

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def failure(tmp_path, clip):
    """Runs with one mistake in this process; returns its message, after checking its record."""

    def run(*overrides, video=clip, model="square"):
        return failed_run(tmp_path / "run", f"video={video}", f"model={model}", *overrides)

    return run


@pytest.fixture
def bad_files(tmp_path, clip):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is not a video\n" * 100)
    (folder / "nothing").mkdir()
    with av.open(str(folder / "sound.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", 44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    moov_last = clip.read_bytes()
    (folder / "recording.mp4").write_bytes(moov_last[: len(moov_last) // 2])
    with av.open(str(clip)) as source, av.open(str(folder / "whole.mkv"), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    whole = (folder / "whole.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) * 9 // 10])
    return folder


CLICK = ("prompt=click", "prompt.points=[[20,30]]")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.mp4", "video: no such file"),
        ("empty.mp4", "video: "),
        ("text.mp4", "video: "),
        ("sound.m4a", "video: "),
        ("recording.mp4", "video: "),
        ("nothing", "video: "),
    ],
)
def test_files_that_are_no_video(failure, bad_files, name, message):
    said = failure(*CLICK, video=bad_files / name)
    assert said.startswith(message)
    assert name in said


def test_a_truncated_video_keeps_what_was_decoded(failure, bad_files, tmp_path):
    said = failure(*CLICK, "output=[cutout,rle]", video=bad_files / "cut.mkv")
    assert "cut.mkv" in said
    assert "truncated" in said
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 3 <= summary["frames"] < 20
    assert set(summary["outputs"]) == {"cutout", "rle"}
    with av.open(str(tmp_path / "run" / "cutout.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == summary["frames"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("prompt=click", "prompt.points=[[160,30]]"), "prompt.points: [160, 30] lies outside the frame of 160x120"),
        (("prompt=click", "prompt.points=[[nan,30]]"), "prompt.points: [[nan, 30]] is not [[x, y], ...], finite"),
        (("prompt=click",), "prompt.points: missing"),
        ((*CLICK, "prompt.labels=[1,0]"), "prompt.labels: 2 labels for 1 points"),
        ((*CLICK, "prompt.frame=20"), "prompt.frame: 20 is beyond the last frame of clip.mp4, which is 19"),
        (("prompt=box", "prompt.box=[50,10,20,40]"), "prompt.box: [50, 10, 20, 40] is inside out"),
        (("prompt=mask", "prompt.path=nowhere.png"), "prompt.path: no such file: nowhere.png"),
        (("prompt=file", "prompt.path=nowhere.yaml"), "prompt.path: can't read nowhere.yaml"),
        (("prompt=sample",), "prompt: clip.mp4 has no prompt of its own"),
        ((*CLICK, "stride=0"), "stride: 0"),
        ((*CLICK, "threads=0"), "threads: 0"),
        ((*CLICK, "threads=1000000"), "threads: 1000000; 1 to 1024"),
        ((*CLICK, "~prompt.frame"), "prompt: click() missing 1 required positional argument: 'frame'"),
        ((*CLICK, "prompt.frame=${nope}"), "prompt.frame: Interpolation key 'nope' not found"),
        ((*CLICK, "output.cutout.path=${oc.env:NOPE}"), "output.cutout.path: KeyError raised while resolving"),
        ((*CLICK, "stride=${oc.env:NOPE}"), "stride: KeyError raised while resolving interpolation"),
        ((*CLICK, "checkpoint.every=${nope}"), "checkpoint.every: "),
        ((*CLICK, "prompt._partial_=[]"), "prompt._partial_: [] is not true or false"),
        ((*CLICK, "+output.cutout._convert_=7"), "output.cutout._convert_: 7 is not text"),
        ((*CLICK, "output.cutout.path=7"), "output.cutout.path: 7 is not text"),
        ((*CLICK, "output.cutout.quality=fine"), "output.cutout.quality: 'fine' is not a number or null"),
        (
            (*CLICK, "output.overlay.path=./cutout.mp4"),
            "output.overlay.path: ./cutout.mp4 is the path of output.cutout.path, too",
        ),
        ((*CLICK, "output.overlay.path=samples"), "output.overlay.path: "),
        ((*CLICK, "tracker=wandb", "tracker.init_timeout_s=soon"), "tracker.init_timeout_s: 'soon' is not a number"),
        ((*CLICK, "seed=-1"), "seed: -1"),
        ((*CLICK, "extract.step=0"), "extract.step: 0"),
        ((*CLICK, "extract.start=20"), "extract.start: 20"),
        ((*CLICK, "extract.start=9", "extract.stop=3"), "extract.st"),
        ((*CLICK, "extract.stop=soon"), "extract.stop: "),
        ((*CLICK, "output.cutout.background=purplish"), "output.cutout.background: 'purplish' is not a colour"),
        ((*CLICK, "output.overlay.opacity=2"), "output.overlay.opacity: 2 is not a number from 0 to 1"),
        ((*CLICK, "output.cutout.codec=divx"), "output.cutout.codec: there is no 'divx'; choose from h264"),
        ((*CLICK, "output.cutout.quality=99"), "output.cutout.quality: 99 is not a crf of codec h264"),
        ((*CLICK, "+output.cutout.shadow=1"), "output.cutout.render: "),
        ((*CLICK, "+model.nonsense=1"), "model: "),
        ((*CLICK, "+nonsense=1"), "nonsense: unknown key; there are video, sample"),
        ((*CLICK, "+extract.frames=1"), "extract.frames: unknown key; there are start, stop, step, fps"),
        ((*CLICK, "metric.davis_jf.truth=nowhere"), "metric.davis_jf.truth: no such folder: nowhere"),
        ((*CLICK, "metric.davis_jf.root=nowhere"), "metric.davis_jf.root: no such folder: nowhere/clip"),
        ((*CLICK, "metric=[agreement]"), "metric.agreement.reference: missing; give a run's folder"),
        ((*CLICK, "model._target_=vidseg.model.nothing.At"), "model._target_: there is no nothing in vidseg.model, "),
        (
            (*CLICK, "model._target_=nothing.At"),
            "model._target_: there is no module nothing, for nothing.At; the folder",
        ),
    ],
)
def test_values_are_checked_before_any_work(failure, overrides, message):
    began_s = time.process_time()  # whatever else the machine does
    said = failure(*overrides)
    assert said.startswith(message)
    assert time.process_time() - began_s < 2


@pytest.mark.parametrize(
    ("override", "message"),
    [("checkpoint=[1]", "checkpoint: [1] is not text"), ("encode_ahead=7", "encode_ahead: 7 is not true or false")],
)
def test_keys_that_models_share_have_types(failure, override, message):
    assert failure(*CLICK, f"model.{override}", model="nano") == f"model.{message}"


def test_an_empty_mask(failure, tmp_path):
    Image.new("L", (160, 120)).save(tmp_path / "empty.png")
    said = failure("prompt=mask", f"prompt.path={tmp_path / 'empty.png'}")
    assert said.startswith("prompt.path: the mask")
    assert "is empty" in said


def test_replay_of_nothing(failure, tmp_path):
    assert failure(model="replay").startswith("model.path: missing")
    assert failure("model.path=nowhere", model="replay").startswith("model.path: no such file or folder: nowhere")
    (tmp_path / "masks.jsonl").write_text('{"frame": 0}\n')
    said = failure(f"model.path={tmp_path / 'masks.jsonl'}", model="replay")
    assert said.startswith("model.path: line 1 of")


def test_no_prompt_at_all(failure):
    tiny = ("model.checkpoint=random", "model.image_size=256")
    assert failure(*tiny, "prompt=replayed", model="tiny").startswith("prompt: ")


def test_a_device_that_is_not_there(failure):
    tiny = ("model.checkpoint=random", "model.image_size=256")
    assert failure(*CLICK, *tiny, "device=cuda:7", model="tiny").startswith("device: cuda:7")
    assert failure(*CLICK, *tiny, "device=tpu", model="tiny").startswith("device: tpu")


def test_checkpoints_that_can_not_be(failure, tmp_path):
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"not a checkpoint")
    assert failure(*CLICK, f"model.checkpoint={bad}", model="tiny").startswith("model.checkpoint: ")
    assert "nowhere.pt" in failure(*CLICK, "model.checkpoint=nowhere.pt", model="tiny")


def test_the_command_says_it_once_and_fails(vidseg, tmp_path, clip):
    done = vidseg(f"video={clip}", "model=square", "prompt=click", "prompt.points=[[999,3]]", "tracker=none")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: prompt.points: [999, 3] lies outside the frame of 160x120")
    assert done.stdout == ""
    (summary,) = tmp_path.glob("runs/*/*/summary.json")
    assert json.loads(summary.read_text())["status"] == "failed"


@pytest.mark.parametrize("mistake", ["stride=0", "model.fail_at=0", "model.missing=1"])
def test_a_run_that_dies_before_its_first_frame_leaves_no_wandb_run(tmp_path, clip, mistake):
    wandb = ("tracker=wandb", "tracker.mode=offline", f"tracker.dir={tmp_path}/runs")
    with pytest.raises(JobFailed):
        package.run([SEARCH_PATH, *SQUARE, f"video={clip}", f"hydra.run.dir={tmp_path}/run", *wandb, mistake])
    assert not (tmp_path / "runs").exists()
    if mistake != "model.missing=1":  # that is no configuration
        assert json.loads((tmp_path / "run" / "summary.json").read_text())["wandb"] is None


def test_a_preview_leaves_no_wandb_run(tmp_path, clip):
    wandb = ("tracker=wandb", "tracker.mode=offline", f"tracker.dir={tmp_path}/runs")
    run = package.run([SEARCH_PATH, *SQUARE, f"video={clip}", f"hydra.run.dir={tmp_path}/run", *wandb, "preview=true"])
    assert (run.summary["frames"], run.summary["wandb"]) == (1, None)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_dies_later_is_a_failed_run_in_wandb(tmp_path, clip):
    wandb = ("tracker=wandb", "tracker.mode=offline", f"tracker.dir={tmp_path}/runs")
    with pytest.raises(JobFailed):
        package.run([SEARCH_PATH, *SQUARE, f"video={clip}", f"hydra.run.dir={tmp_path}/run", *wandb, "model.fail_at=2"])
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    known = json.loads((tmp_path / "run" / ".vidseg" / "run.json").read_text())
    assert (summary["frames"], known["wandb"]) == (2, summary["wandb"])
    (record,) = tmp_path.glob(f"runs/wandb/offline-run-*-{summary['wandb']['id']}")
    shown = json.loads(inspect(record, "--summary"))
    assert (shown["state"], shown["tags"], shown["summary"]["status"]) == ("failed", ["failed"], "failed")
    assert "the square fell over" in shown["summary"]["error"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "output=[cutout,gif]",
            "output: there is no 'gif'; choose from coco, cutout, cutout_avi, cvat, davis, exr, frames, ",
        ),
        ("hydra/launcher=slurm", "hydra/launcher: there is no 'slurm'; choose from basic, "),
        ("strde=3", "strde: unknown key; did you mean stride?"),
        ("model.boxfit=0.5", "model.boxfit: unknown key; did you mean model.box_fit?"),
        ("prompt.points=[[1,2]]", "prompt.points: unknown key; it belongs to prompt=click, skater"),
        ("output.cutout.crf=3", "output.cutout.crf: unknown key; there are path, codec, quality, render, background"),
        ("stride=often", "stride: Value 'often' of type 'str' could not be converted to Integer"),
        ("model=tiny,large", "model=tiny,large: several values are a sweep and need -m"),
        ("prompt.path=${stem:${video}}.yaml", "prompt.path=${stem:${video}}.yaml: can't be read as KEY=VALUE; put"),
        ("seed=\n(", "'seed=\\n(': can't be read as KEY=VALUE; it has several lines"),
        ("prompt=[1,2]", "this is no configuration: argument of type 'int' is not iterable"),
        ("~nothing", "Could not delete from config. 'nothing' does not exist."),
    ],
)
def test_what_does_not_compose_is_one_line(override, message):
    with pytest.raises(JobFailed) as raised:
        package.run([override])
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path: a.mp4\npath: b.mp4", "{file}: line 2 is not YAML: found duplicate key path"),
        ("path: [", "{file}: line 1 is not YAML: "),
        ("path: a\x00b", "this is no configuration: unacceptable character #x0000"),
        ("7", "this is no configuration: Invalid loaded object type: int"),
        ("7: 8", "In 'output/cutout': KeyValidationError raised while composing config:\nKey 7 (int) is incompatible"),
        ("[1, 2]", "In 'output/cutout': "),
        ("defaults: 3", "this is no configuration: "),
        ("defaults: [a/b]", "In 'output/cutout': Could not load 'output/a/b'"),
    ],
)
def test_yaml_of_one_s_own_that_is_no_configuration(tmp_path, text, message):
    (file := tmp_path / "output" / "cutout.yaml").parent.mkdir()
    file.write_text(text)
    with pytest.raises(JobFailed) as raised:
        package.run(["output=[cutout]"], config_dir=tmp_path)
    assert str(raised.value).startswith(message.format(file=file))
    assert len(str(raised.value).splitlines()) <= 2


def test_the_command_says_what_does_not_compose(vidseg):
    done = vidseg("model=huge")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("model: there is no 'huge'; choose from base_plus, broken, large, mask_rcnn, nano, ")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_folder_that_can_not_be_made(vidseg, tmp_path):
    (tmp_path / "file").touch()
    done = vidseg("hydra.run.dir=file/run", "tracker=none")
    assert done.returncode == 1
    reason = "file/run can't be written: not a directory; choose another folder with hydra.run.dir=FOLDER"
    assert (done.stdout, done.stderr) == ("", f"hydra.run.dir: {reason}\n")


def test_hydra_s_variable_shows_the_traceback(vidseg, clip):
    arguments = ("model=square", "prompt=click", "prompt.points=[[999,3]]", "tracker=none")
    done = vidseg(f"video={clip}", *arguments, env={"HYDRA_FULL_ERROR": "1"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "vidseg.job.JobFailed: prompt.points: [999, 3]" in done.stderr


@pytest.mark.parametrize("launcher", slow_but(["fresh"], ["fresh", "basic", "joblib"]))
def test_one_bad_job_of_a_sweep_does_not_take_the_others_along(vidseg, tmp_path, clip, launcher):
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = vidseg(
        "-m", f"video={clip}", "model=square", "prompt=click", "prompt.points=[[20,30]],[[999,3]],[[30,40]]",
        "tracker=none", "hydra.sweep.dir=sweep", "output=[rle]", f"hydra/launcher={launcher}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert "Error executing job" not in done.stderr + done.stdout
    assert done.stderr.count("prompt.points: [999, 3] lies outside") == 1
    states = [json.loads(path.read_text())["status"] for path in sorted(tmp_path.glob("sweep/*/summary.json"))]
    assert states == ["finished", "failed", "finished"]
