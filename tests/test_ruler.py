"""A preview without a prompt: the frame with a ruler, and boxes that can be copied into the next command."""

import re
import shlex
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from conftest import SEARCH_PATH, run_command
from mistakes import failed_run
from PIL import Image

import vidseg
from vidseg import measure
from vidseg.composite import Sighting, draw_ruler
from vidseg.composite.ruler import LINES, grid_step
from vidseg.video import open_source

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def skater(tmp_path_factory):
    """Twelve frames of the built-in clip at 640x360 and 10 fps."""
    path = tmp_path_factory.mktemp("ruler") / "skater.mp4"
    source = open_source("sample")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for index in range(12):
            rgb_hw3 = cv2.resize(source[index].rgb_hw3, (640, 360), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb_hw3, format="rgb24")))
        container.mux(stream.encode())
    return path


def look(folder, video, *overrides):
    """A preview; returns its run and its log."""
    run = vidseg.run([SEARCH_PATH, f"video={video}", "preview=true", f"hydra.run.dir={folder}", *overrides])
    return run, (folder / "vidseg.log").read_text()


def test_a_box_of_the_log_is_a_prompt_of_the_next_run(tmp_path, skater):
    run, log = look(tmp_path / "look", skater)
    (words,) = re.findall(r"1 person 0\.\d\d: (.*)", log)
    assert re.fullmatch(r"'prompt=box' 'prompt\.box=\[\d+,\d+,\d+,\d+\]'", words)
    keys = [f"video={skater}", "model=square", "tracker=none", "output=[]", f"hydra.run.dir={tmp_path / 'run'}"]
    again = vidseg.run([SEARCH_PATH, *keys, *shlex.split(words)])
    (prompt,) = again._video.prompts
    rows, columns = measure.bounding_box(open_source("sample").truth(0) == 1)
    truth = np.array([columns.start, rows.start, columns.stop, rows.stop], np.float32) / 2
    assert measure.box_iou(prompt.box_xyxy, truth) > 0.7
    assert (run.summary["status"], run.summary["frames"], run.summary["objects"]) == ("finished", 0, [])
    assert repr(run).startswith("finished: nothing was segmented")


def test_it_leaves_one_picture_of_the_video_s_size_and_says_where(tmp_path, skater):
    _, log = look(tmp_path / "run", skater)
    (path,) = (tmp_path / "run" / "samples").iterdir()
    assert path.name == "ruler_00000.png"
    with Image.open(path) as picture:
        assert picture.size == (640, 360)
    assert f"read x and y in {path}, 'prompt=click' 'prompt.points=[[x,y]]'" in log
    assert f"finished: nothing was segmented; {tmp_path / 'run'}/ has samples/" in log
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {".hydra", ".vidseg", "samples", "summary.json", "vidseg.log"}


@pytest.mark.parametrize(
    ("overrides", "number"),
    [
        ([], 0),
        (["prompt.frame=7"], 7),
        (["prompt=click", "prompt.frame=7"], 7),
        (["prompt=box", "prompt.frame=0.5s"], 5),
        (["extract.start=4"], 4),
        (["extract.start=4", "prompt=click"], 4),
    ],
)
def test_the_frame_is_the_one_asked_for_or_the_first(tmp_path, skater, overrides, number):
    _, log = look(tmp_path / "run", skater, *overrides)
    assert (tmp_path / "run" / "samples" / f"ruler_{number:05d}.png").is_file()
    assert log.count("]'") >= 2
    assert log.count(f"]' 'prompt.frame={number}'") == log.count("]'") * (number > 0)  # after every box, and the click


def test_the_built_in_clip_has_a_prompt_of_its_own(tmp_path):
    _, log = look(tmp_path / "run", "sample", "prompt=click")
    assert "1 person" in log
    run, log = look(tmp_path / "own", "sample", "model=square")
    assert (run.summary["frames"], "1 person" in log) == (1, False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["prompt.frame=12"], "prompt.frame: 12 is beyond the last frame of skater.mp4, which is 11"),
        (["prompt.frame=2s"], "prompt.frame: 2s is beyond the last frame of skater.mp4 (11, at 1.100 s)"),
        (
            ["prompt.frame=2", "extract.start=4"],
            "prompt.frame: 2 is not among the extracted frames (4 to 11, 8 of them;",
        ),
        (["prompt.frame=soon"], "prompt.frame: 'soon' is neither a frame number (100) nor seconds (2.5s)"),
        (["prompt=file"], "prompt.path: missing"),
    ],
)
def test_mistakes_name_the_key(tmp_path, skater, overrides, message):
    assert failed_run(tmp_path / "run", f"video={skater}", "preview=true", *overrides).startswith(message)


def test_nothing_found_is_said(tmp_path, clip):
    _, log = look(tmp_path / "run", clip)
    assert "yolox_nano finds nothing that it knows" in log
    assert "'prompt=click' 'prompt.points=[[x,y]]'" in log


def test_a_photograph(tmp_path):
    Image.fromarray(open_source("sample")[0].rgb_hw3).save(tmp_path / "a.png")
    _, log = look(tmp_path / "run", tmp_path / "a.png")
    assert "1 person" in log


def test_the_next_run_in_the_folder_removes_the_picture(tmp_path, skater):
    for words in ([], ["prompt=click", "prompt.points=[[9,9]]", "model=square"]):
        look(tmp_path / "run", skater, *words)
    assert [path.name for path in (tmp_path / "run" / "samples").iterdir()] == ["frame_00000.png"]


def test_no_model_is_built_and_torch_isn_t_imported(tmp_path, skater):
    script = (
        "import sys; from vidseg.__main__ import main\n"
        "sys.argv[1:] = ['video=VIDEO', 'preview=true', 'model=large', 'model.checkpoint=nowhere.pt']\n"
        "main(); print('torch' in sys.modules)"
    ).replace("VIDEO", str(skater))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.slow
def test_each_video_of_a_sweep(tmp_path, skater):
    (tmp_path / "b.mp4").symlink_to(skater)
    done = run_command(tmp_path, "-m", f"video={skater},b.mp4", "preview=true", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("sweep/*/samples/ruler_00000.png"))) == 2


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(360, 640), (720, 1280), (2160, 3840), (854, 480)])
def test_the_ruler_can_be_read_on_any_picture(level, height, width):
    plain = np.full((height, width, 3), level, np.uint8)
    drawn = draw_ruler(plain)
    assert (plain == level).all()
    step = grid_step(max(height, width))
    assert max(height, width) / LINES <= step <= max(height, width) / 7
    row = drawn[height // 2 + step // 3, :, 0].astype(int)  # between two lines
    assert abs(row[step * 4 :].max() - row[step * 4 :].min()) >= 100  # lines are seen
    scale = np.sqrt(height * width / (1280 * 720))
    for at in range(step * 2, width - step, step):  # each is where it says
        assert np.abs(row[at - 2 : at + 5] - level).max() >= 60
        assert row[at + step // 2] == level
    band = drawn[: round(12 + 12 * scale), step : width // 2, 0].astype(int)
    assert (band.max(), np.median(band)) == (255, level // 4)
    white = (drawn[: round(24 + 24 * scale), step : width // 2] == 255).all(2).any(1)
    digits = np.argmin(white[np.argmax(white) :])  # the first rows with white, in pixels
    assert digits >= max(7, 9 * scale)


def test_boxes_are_numbered_and_leave_the_ruler_free():
    plain = np.full((360, 640, 3), 200, np.uint8)
    box = np.array([100, 0, 300, 200], np.float32)
    without, drawn = draw_ruler(plain), draw_ruler(plain, [Sighting(box, "1 person", 1)])
    changed = (without != drawn).any(2)
    assert changed[195:205, 150:250].any()  # its lower side
    assert changed[20:60, 170:230].any()  # its label, below the ruler
    assert np.array_equal(without[:16] == 255, drawn[:16] == 255)  # the digits
