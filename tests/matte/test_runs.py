"""Runs with mattes: real files, decoded again; what auto chooses; replays, stopped runs and photographs."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from conftest import SEARCH_PATH, picture
from PIL import Image
from test_run import decoded, rgba
from test_run import run as run_square

import vidseg
from vidseg.job import JobFailed
from vidseg.record.files import MASKS, JsonLines
from vidseg.record.masks import mask_line, read_masks
from vidseg.types import Frame, FrameMasks

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("own_hydra")]


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    """Twelve frames of conftest's square, out of focus."""
    path = tmp_path_factory.mktemp("clips") / "blurred.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options={"crf": "6"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 120, "yuv420p", Fraction(1, 10)
        for index in range(12):
            soft = cv2.GaussianBlur(picture(index), (0, 0), 1.5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(soft, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def run(tmp_path, blurred):
    """Runs of four frames into the folder of that name."""
    return lambda name, *keys: run_square(tmp_path / name, blurred, "extract.stop=4", *keys).folder


def image(folder, index=2):
    with Image.open(folder / "frames" / f"{index:05d}.png") as made:
        return np.array(made)


def soft(alpha):
    return int(((alpha > 20) & (alpha < 235)).sum())


def test_files_with_alpha_are_soft_by_default_and_others_as_they_were(run):
    both = run("both", "output=[transparent_mov,transparent_webm,frames,cutout]")
    hard = run("hard", "output=[transparent_mov,frames,cutout]", "matte=none")
    alone = run("alone", "output=[cutout]")
    for alpha in (rgba(both / "transparent.mov"), decoded(both / "transparent.webm", "libvpx-vp9")):
        assert soft(alpha[2, ..., 3]) > 40
    assert soft(image(both)[..., 3]) > 40
    assert soft(rgba(hard / "transparent.mov")[2, ..., 3]) == 0
    assert set(np.unique(image(hard)[..., 3])) == {0, 255}
    assert np.array_equal(decoded(alone / "cutout.mp4"), decoded(hard / "cutout.mp4"))
    assert not np.array_equal(decoded(both / "cutout.mp4"), decoded(hard / "cutout.mp4"))


def test_a_replay_has_the_same_alpha(run):
    first = run("first", "output=[frames]", "matte=edge", "matte.smooth=0.5")
    again = run("again", "output=[frames]", "matte=edge", "matte.smooth=0.5", "model=replay", f"model.path={first}")
    assert all(np.array_equal(image(first, n), image(again, n)) for n in range(4))


def test_how_sure_a_model_was_is_recorded_with_its_masks(tmp_path):
    ramp = 20 - np.hypot(*np.mgrid[-40:40, -60:60]).astype(np.float32)
    masks = FrameMasks(0, (1, 3, 4), np.stack([ramp / 4, np.full_like(ramp, -1), 2 * ramp]))
    assert masks.edges_px == (pytest.approx(4, rel=0.1), None, pytest.approx(0.5, rel=0.1))
    lines = JsonLines(tmp_path / MASKS)
    lines.write(mask_line(Frame(0, 0.0, np.zeros((80, 120, 3), np.uint8)), masks))
    lines.close()
    assert read_masks(tmp_path / MASKS, 0).edges_px == masks.edges_px


@pytest.mark.parametrize("matte", ["edge", "none"])
def test_a_stopped_run_goes_on_with_its_matte(tmp_path, blurred, matte):
    keys = (f"matte={matte}", "matte.smooth=0.6", "matte.feather=3")
    whole = run_square(tmp_path / "whole", blurred, *keys, "output=[frames]").folder
    with pytest.raises(JobFailed):
        run_square(tmp_path / "run", blurred, *keys, "output=[frames,failing]", "+output.failing.fail_at=9")
    resumed = run_square(tmp_path / "run", blurred, *keys, "output=[frames]", "resume=true").folder
    assert all(np.array_equal(image(whole, n), image(resumed, n)) for n in range(12))


def test_another_matte_is_no_other_run(run, tmp_path, clip):
    folder = run("run", "output=[frames]", "matte=none")
    hard = image(folder)
    again = run("run", "output=[frames]", "matte=edge", "resume=true")
    assert soft(hard[..., 3]) == 0 < soft(image(again)[..., 3])


def test_a_photograph_has_its_own(tmp_path):
    (tmp_path / "photos").mkdir()
    for name, size in (("a", (160, 120)), ("b", (200, 140))):
        photo = np.full((*size[::-1], 3), 60, np.uint8)
        photo[10:50, :40] = (220, 180, 40)
        Image.fromarray(photo).save(tmp_path / "photos" / f"{name}.png")
    keys = [
        "model=square",
        "prompt=detect",
        "prompt.detector=planted",
        "prompt.detector.things=[[person,0.9,0,10,40,50]]",
    ]
    out = tmp_path / "out"
    vidseg.run([SEARCH_PATH, f"hydra.run.dir={out}", f"video={tmp_path / 'photos'}", "tracker=none", *keys,
                "output=[transparent_mov]", "matte.feather=6"])  # fmt: skip
    for name in "ab":
        with Image.open(out / name / "transparent.png") as made:
            assert soft(np.array(made)[..., 3]) > 100


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["matte=edge", "matte.width=soft"], "matte.width: 'soft' is not a number"),
        (["matte.width=3"], "matte.width: unknown key; it belongs to matte=edge"),
        (["matte=hair"], "matte: there is no 'hair'; choose from auto, edge, none"),
        (["matte.grow=1000"], "matte.grow: 1000 is not a number from -256 to 256"),
        (["output=[frames]", "output.frames.despill=red"], "output.frames.despill: 'red' is not green or blue"),
        (
            ["output=[transparent_mov]", "output.transparent_mov.codec=h264"],
            "output.transparent_mov.codec: h264 has no alpha, which vidseg.composite.transparent draws; these have: "
            "vp9_alpha, prores4444, prores4444xq, qtrle, png",
        ),
        (["output=[cutout]", "output.cutout.despill=red"], "output.cutout.despill: 'red' is not green or blue"),
    ],
)
def test_mistakes_are_named_before_a_model_is_built(run, keys, message):
    with pytest.raises(JobFailed) as failed:
        run("run", *keys)
    assert str(failed.value).startswith(message)
