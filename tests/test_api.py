"""The public API: `vidseg.run` and what it returns, `vidseg.segment`, `vidseg.show`, and the names of the package."""

import gc
import subprocess
import sys
import threading
from itertools import islice

import numpy as np
import pytest
from conftest import ROOT
from omegaconf import OmegaConf
from PIL import Image

import vidseg
from vidseg.composite import draw_prompts, overlay
from vidseg.video import open_source

CONF = ROOT / "tests" / "conf"
CLICK = vidseg.Prompt(0, 1, points_xy=[[20, 30]])
SQUARE = np.zeros((120, 160), bool)
SQUARE[10:50, 6:46] = True  # of conftest.picture(3)


@pytest.fixture
def overrides(tmp_path, clip):
    return [f"hydra.run.dir={tmp_path / 'run'}", f"video={clip}", "model=square", "tracker=none", "metric=[mask_stats]"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, clip):
    """A run with two objects, of which the second is prompted later."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    prompts = [CLICK, vidseg.Prompt(4, 2, box_xyxy=[8, 60, 48, 100])]
    asked = [f"hydra.run.dir={folder}", f"video={clip}", "model=square", "tracker=none", "output=[rle,overlay]"]
    return vidseg.run([*asked, "extract.start=2", "extract.step=2", "metric=[mask_stats]"], _later(prompts), CONF)


def _later(prompts):
    """The prompts on frames that `finished` extracts."""
    return [vidseg.Prompt(p.frame_index + 2, p.object_id, p.points_xy, p.labels, p.box_xyxy) for p in prompts]


def test_run_returns_the_summary_and_the_folder(overrides, tmp_path):
    bboxes = [{"x": 20, "y": 30, "width": 0, "height": 0, "label": "square"}]
    summary, folder = vidseg.run([*overrides, "output=[rle]"], vidseg.Prompt.from_bboxes(bboxes), CONF)
    assert summary["status"] == "finished"
    assert summary["objects"] == [1]
    assert folder == tmp_path / "run"
    assert (folder / "masks.jsonl").exists()
    assert OmegaConf.load(folder / ".hydra" / "config.yaml").stride == 15
    assert "square on cpu" in (folder / "vidseg.log").read_text()
    again, _ = vidseg.run([*overrides, "output=[rle]"], bboxes, str(CONF))
    assert again["metrics"] == summary["metrics"]


def test_masks_of_a_run(finished):
    masks = finished.masks()
    assert list(masks) == list(range(2, 20, 2))
    assert len(masks) == finished.summary["frames"] == 9
    assert sorted(masks[4]) == [1, 2]
    assert masks[4][1].dtype == bool
    assert np.array_equal(np.argwhere(masks[4][1]).min(0), [10, 8])  # fakes.Square
    assert np.array_equal(np.argwhere(masks[4][2]).max(0), [99, 47])
    assert 3 not in masks
    with pytest.raises(KeyError):
        masks[3]
    assert repr(masks) == "<masks of 9 frames, object ids 1, 2>"


def test_frames_of_a_run(finished):
    rows = finished.frames()
    assert [row["frame"] for row in rows] == list(finished.masks())
    assert rows[1]["time_s"] == 0.4
    assert rows[1]["mask/area_1"] == finished.masks()[4][1].sum() == 1600
    assert rows[1]["time/segment_ms"] >= 0


def test_a_run_shows_its_frames_with_masks_and_prompts(finished, clip):
    picture = open_source(str(clip))[6]
    expected = vidseg.show(picture, finished.masks()[6], vidseg.Prompt(6, 2, box_xyxy=[8, 60, 48, 100]))
    assert np.array_equal(finished.show(6), expected)
    assert not np.array_equal(finished.show(6), vidseg.show(picture, finished.masks()[6]))
    with pytest.raises(vidseg.InputError, match=r"^frame: 7 has no masks in .*; there are 2 to 18$"):
        finished.show(7)


def test_a_run_shows_the_prompts_of_its_configuration(overrides, clip):
    run = vidseg.run([*overrides, "output=[rle]", "prompt=click", "prompt.points=[[20,30]]"], config_dir=CONF)
    assert np.array_equal(run.show(0), vidseg.show(open_source(str(clip))[0], run.masks()[0], CLICK))


def test_a_run_in_three_lines(finished):
    how, what, where = repr(finished).splitlines()
    assert how == "finished: square on cpu, fp32"
    assert what.startswith("9 frames at ")
    assert what.endswith(f" MiB, flicker {finished.summary['metrics']['flicker']:.3f}")  # as the command's last line
    assert where == f"{finished.folder}: overlay.mp4, masks.jsonl"


def test_every_run_has_masks_and_says_so_when_they_are_gone(overrides):
    run = vidseg.run([*overrides, "output=[]"], CLICK, CONF)
    (run.folder / "masks.jsonl").unlink()
    for ask in (run.masks, lambda: run.show(0)):
        with pytest.raises(vidseg.InputError, match=r"run has no masks: no frame was segmented"):
            ask()


def test_run_works_after_sam2_took_hydra_and_leaves_it_as_it_was(overrides):
    import sam2  # noqa: F401  initialises GlobalHydra
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    vidseg.run([*overrides, "prompt=click", "prompt.points=[[20,30]]", "output=[rle]"], config_dir=CONF)
    assert GlobalHydra.instance().hydra is before


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("stride=often", "stride: Value 'often' of type 'str' could not be converted to Integer"),
        (
            "--config-dir=mine",
            "--config-dir=mine: flags are for the command line; here give KEY=VALUE, and a folder as",
        ),
        ("image_size=256", "image_size: unknown key; did you mean model.image_size?"),
        ("seed=1,2", "seed=1,2: several values are a sweep and need -m"),
        ("seed=range(3)", "seed=range(3): several values are a sweep and need -m"),
        ("foo", "foo: can't be read as KEY=VALUE; put a value with"),
        ("prompt.points=[[1,2]", "prompt.points=[[1,2]: can't be read as KEY=VALUE"),
        ("prompt.path=${stem:${video}}.yaml", "prompt.path=${stem:${video}}.yaml: can't be read as KEY=VALUE"),
        ("=3", "this is no configuration: Config group override must be a string or a list. Got int"),
    ],
)
def test_what_is_no_configuration_is_one_line(tmp_path, monkeypatch, mistake, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(vidseg.JobFailed) as raised:
        vidseg.run(mistake)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_config_dir_that_is_not_there():
    with pytest.raises(vidseg.JobFailed, match=r"^config_dir: no such folder: mine$"):
        vidseg.run(config_dir="mine")


def test_a_config_dir_comes_before_vidseg_s_own(tmp_path, overrides):
    (tmp_path / "mine" / "output").mkdir(parents=True)
    (tmp_path / "mine" / "output" / "masks.yaml").write_text(
        "masks: {_target_: vidseg.output.files.MaskImages, path: mine}"
    )
    (tmp_path / "mine" / "model").symlink_to(CONF / "model")
    run = vidseg.run([*overrides, "output=[masks]"], CLICK, tmp_path / "mine")
    assert run.summary["outputs"] == {"masks": "mine", "rle": "masks.jsonl"}
    assert len(run.masks()) == 20


def test_a_mistake_raises_with_the_command_s_message(overrides):
    with pytest.raises(vidseg.JobFailed, match=r"^prompt: clip\.mp4 has no prompt of its own"):
        vidseg.run(overrides, config_dir=CONF)
    outside = vidseg.Prompt(0, 1, points_xy=[[160, 3]])
    with pytest.raises(
        vidseg.JobFailed, match=r"^prompt of object 1: points: \[160, 3\] lies outside the frame of 160x"
    ):
        vidseg.run(overrides, outside, CONF)


def segment(clip, prompts=CLICK, **keys):
    return vidseg.segment(clip, prompts, model="square", config_dir=CONF, **keys)


def test_segment_yields_every_frame_with_its_masks_and_writes_nothing(tmp_path, clip, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = list(segment(clip))
    assert [frame.index for frame, _ in pairs] == list(range(20))
    frame, masks = pairs[3]
    assert isinstance(frame, vidseg.Frame)
    assert isinstance(masks, vidseg.FrameMasks)
    assert np.array_equal(masks.masks_nhw[0], SQUARE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("keys", "frames"),
    [
        ({"extract": {"stop": "0.5s", "step": 2}}, [0, 2, 4]),
        ({"extract.start": np.int64(17)}, [17, 18, 19]),
        ({"preview": True, "seed": 3, "device": "cpu"}, [19]),
    ],
)
def test_keys_of_segment(clip, keys, frames):
    on_frame = vidseg.Prompt(frames[-1], 1, box_xyxy=[8, 10, 48, 50])
    assert [frame.index for frame, _ in segment(str(clip), [on_frame], **keys)] == frames


def test_segment_takes_the_prompts_of_the_configuration(clip):
    _, masks = next(segment(clip, None, prompt="click", **{"prompt.points": [(20, 30.5)], "prompt.object": 2}))
    assert masks.object_ids == (2,)


def test_segment_makes_alpha_if_it_is_told_to(clip):
    assert all(masks.alpha is None for _, masks in islice(segment(clip), 3))
    for keys, soft in (({"matte": "edge"}, True), ({"matte": {"feather": 4}}, True), ({"matte": "none"}, False)):
        frame, masks = next(segment(clip, **keys))
        assert (masks.alpha is not None) == soft
        assert not soft or masks.alpha.foreground_hw3.shape == frame.rgb_hw3.shape


def test_any_path_is_taken_as_it_is(tmp_path, clip):
    for name in ("it's [a], b=c.mp4", "${x}, 'y'.mp4", "back\\slash\\.mp4"):
        (tmp_path / name).symlink_to(clip)
        frame, _ = next(segment(tmp_path / name))
        assert frame.index == 0


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"video": "nowhere.mp4"}, "video: no such file"),
        ({"model": "huge"}, "model: there is no 'huge'; choose from "),
        ({"strid": 2}, "strid: unknown key; did you mean stride?"),
        ({"stride": 0}, "stride: 0; every n-th frame"),
        ({"matte": "edge", "matte.width": 99}, "matte.width: 99 is not a number from 1 to 64"),
        ({"extract": {"strat": 3}}, "extract.strat: unknown key; did you mean extract.start?"),
        (
            {"prompts": vidseg.Prompt(20, 1, points_xy=[[1, 1]])},
            "prompt of object 1: frame: 20 is beyond the last frame",
        ),
        ({"prompts": [CLICK, 3]}, "prompts: give vidseg.Prompts; 3 is none"),
        ({"prompts": 7}, "prompts: give vidseg.Prompts; 7 is none"),
        ({"prompts": None}, "prompt: clip.mp4 has no prompt of its own"),
    ],
)
def test_mistakes_of_segment_are_told_before_the_first_frame(clip, mistake, message):
    given = {"video": clip, "prompts": CLICK, "model": "square", "config_dir": CONF, **mistake}
    with pytest.raises(vidseg.InputError) as raised:
        vidseg.segment(**given)
    assert str(raised.value).startswith(message)


def test_ending_the_loop_early_ends_the_threads(clip):
    before = set(threading.enumerate())
    for _ in islice(segment(clip, threads=1), 2):
        during = set(threading.enumerate()) - before
    assert during  # the clip is decoded ahead
    gc.collect()
    for thread in during:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_show_draws_as_the_samples_do(clip):
    frame = open_source(str(clip))[3]
    masks = vidseg.FrameMasks(3, (1,), np.where(SQUARE, 1, -1)[None].astype(np.float32))
    here, elsewhere = vidseg.Prompt.from_bboxes([{"x": 20, "y": 30}], frame_index=3), CLICK
    image = vidseg.show(frame, masks, [*here, elsewhere])
    assert isinstance(image, Image.Image)
    assert np.array_equal(image, draw_prompts(overlay(frame, masks, ids=True), here))


def test_show_takes_pictures_and_masks_in_every_form(clip):
    frame = open_source(str(clip))[3]
    expected = np.array(vidseg.show(frame, vidseg.FrameMasks(3, (1,), np.where(SQUARE, 1, -1)[None].astype("f4"))))
    for picture in (frame, frame.rgb_hw3, Image.fromarray(frame.rgb_hw3)):
        for masks in (SQUARE, SQUARE[None], SQUARE.astype(np.uint8) * 255, {1: SQUARE}):
            assert np.array_equal(vidseg.show(picture, masks), expected)
    assert not np.array_equal(vidseg.show(frame, {2: SQUARE}), expected)  # another colour and id
    two = vidseg.show(frame, {2: SQUARE[::-1], 1: SQUARE})
    assert np.array_equal(two, vidseg.show(frame, np.stack([SQUARE, SQUARE[::-1]])))
    assert np.array_equal(vidseg.show(frame), frame.rgb_hw3)
    later = vidseg.Prompt(7, 1, points_xy=[[80, 60]])
    assert np.array_equal(vidseg.show(frame, None, later), frame.rgb_hw3)
    assert not np.array_equal(vidseg.show(frame.rgb_hw3, None, later), frame.rgb_hw3)  # which frame isn't known


@pytest.mark.parametrize(
    ("picture", "masks", "message"),
    [
        (np.zeros((12, 16)), None, r"^Frame: rgb_hw3 is float64 \(12, 16\); it must be uint8 \(height, width, 3\)$"),
        (np.zeros((12, 16, 3), np.uint8), SQUARE, r"^masks: object 1 is 160x120, the frame is 16x12$"),
        (np.zeros((12, 16, 3), np.uint8), {3: np.zeros((12, 16))}, r"^masks: object 3: float64 \(12, 16\) is no mask"),
        (
            np.zeros((12, 16, 3), np.uint8),
            np.zeros((1, 1, 12, 16), bool),
            r"^masks: object 1: bool \(1, 12, 16\) is no",
        ),
    ],
)
def test_what_show_can_not_draw(picture, masks, message):
    with pytest.raises(vidseg.InputError, match=message):
        vidseg.show(picture, masks)


def test_every_public_name_is_there_and_documented():
    for name in vidseg.__all__:
        assert getattr(vidseg, name).__doc__
        assert f"``{name}" in vidseg.__doc__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = vidseg.nonsense


def test_the_names_are_known_before_anything_is_loaded():
    script = "import sys, vidseg; print(*dir(vidseg)); print(*{'torch', 'cv2', 'hydra', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names, loaded = done.stdout.split("\n")[:2]
    assert names.split() == sorted(vidseg.__all__)
    assert not loaded
