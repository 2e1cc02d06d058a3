"""Errors of alpha: by their formulas on small pictures, zero where alpha is true, and in real runs."""

import json
import math
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import SEARCH_PATH
from PIL import Image
from test_run import run

import vidseg
from vidseg.errors import InputError
from vidseg.job import JobFailed
from vidseg.metric import alpha_errors
from vidseg.metric.matting import Matting
from vidseg.record.alpha_maps import AlphaMaps
from vidseg.types import Alpha, Frame, FrameMasks, Prompt, VideoInfo

pytestmark = pytest.mark.usefixtures("own_hydra")
ERRORS = ("sad", "mse", "gradient", "connectivity")


def source(num_frames, height, width):
    info = VideoInfo(width, height, Fraction(24), num_frames, Fraction(1, 24))
    return SimpleNamespace(info=info, frames=range(num_frames), name="clip")


def pair(index, mask):
    frame = Frame(index, 0.0, np.zeros((*mask.shape, 3), np.uint8))
    return frame, FrameMasks(index, (1,), np.where(mask, 1, -1).astype(np.float32)[None])


def scored(clip, prompts, found):
    """Values of each frame, and the run's scores."""
    metric = Matting()
    metric.open(clip, prompts)
    return [metric.update(*pair(index, found(index))) for index in clip.frames], metric.compute()


def ramp(height=40, width=50):
    return np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, 0)


def test_sums_and_means_of_differences():
    true = ramp()
    found = np.clip(true + np.float32(0.1) * (np.indices(true.shape).sum(0) % 2), 0, 1).astype(np.float32)
    difference = found.astype(float) - true
    assert alpha_errors.sad(found, true) == pytest.approx(np.abs(difference).sum() / 1e3)
    assert alpha_errors.mse(found, true) == pytest.approx((difference**2).mean() * 1e3)
    assert alpha_errors.dtssd(found, true, true, true) == pytest.approx(100 * math.sqrt((difference**2).mean()))
    assert alpha_errors.dtssd(found, found, true, true) == 0  # what stays the same doesn't flicker


def slope(alpha):
    """The gradient's magnitude by its definition: two-dimensional filters, pixel by pixel."""
    at = np.arange(-4, 5)  # as far as the Gaussian is above a hundredth
    gauss = np.exp(-(at**2) / (2 * 1.4**2)) / (1.4 * math.sqrt(2 * math.pi))
    across = np.outer(gauss, -at * gauss / 1.4**2)
    across /= np.sqrt((across**2).sum())
    padded = np.pad(alpha.astype(float), 4, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9))
    return np.hypot((windows * across).sum((2, 3)), (windows * across.T).sum((2, 3)))


def test_gradient_error_is_of_gaussian_derivatives():
    noise = np.random.default_rng(0).random((30, 40)).astype(np.float32)
    assert alpha_errors.gradient(noise, ramp(30, 40)) == pytest.approx(
        ((slope(noise) - slope(ramp(30, 40))) ** 2).sum() / 1e3, rel=1e-4
    )


def test_connectivity_error_is_of_what_is_not_part_of_the_object():
    true = np.zeros((40, 60), np.float32)
    true[5:25, 5:25] = 1
    island, bump = true.copy(), true.copy()
    island[30:35, 40:48] = 0.8  # 40 pixels that hang on nothing
    assert alpha_errors.connectivity(island, true) == pytest.approx(40 * 0.8 / 1e3)
    bump[25:30, 5:13] = 0.12  # less than 0.15 is as good as nothing
    assert alpha_errors.connectivity(bump, true) == 0
    hole = true.copy()
    hole[10:14, 10:20] = 0.5  # connected up to 0.5 in both; the truth is half above
    assert alpha_errors.connectivity(hole, true) == pytest.approx(40 * 0.5 / 1e3, rel=1e-4)


@pytest.mark.parametrize("name", ERRORS)
def test_true_alpha_has_no_errors(name):
    error = getattr(alpha_errors, name)
    for alpha in (ramp(), np.zeros((9, 9), np.float32), np.ones((9, 9), np.float32), np.zeros((1, 1), np.float32)):
        assert error(alpha, alpha) == 0
    assert error(ramp(), 1 - ramp()) > 0


def test_alpha_flickers_where_it_changes_without_the_picture():
    height, width = 60, 80
    square = np.zeros((height, width), bool)
    square[20:40, 30:50] = True
    less = square & (np.arange(width) < 40)
    clip = source(4, height, width)
    values, metrics = scored(clip, [Prompt(0, 1, [[1, 1]])], lambda t: square if t % 2 else less)
    assert "alpha_flicker" not in values[0]
    assert [frame["alpha_flicker"] for frame in values[1:]] == pytest.approx([0.5] * 3, abs=0.05)
    assert metrics == {"alpha_flicker": pytest.approx(0.5, abs=0.05)}
    _, still = scored(clip, [Prompt(0, 1, [[1, 1]])], lambda t: square)
    assert still["alpha_flicker"] == pytest.approx(0, abs=1e-6)


def test_a_frame_counts_from_the_first_one_with_an_object():
    square = np.ones((20, 30), bool)
    clip = source(4, 20, 30)
    values, _ = scored(clip, [Prompt(2, 1, [[1, 1]])], lambda t: square if t > 1 else ~square)
    assert [len(frame) for frame in values] == [0, 0, 0, 1]


def test_alpha_comes_from_any_kind_of_image(tmp_path):
    alpha = np.rint(255 * ramp()).astype(np.uint8)
    rgba = np.dstack([np.full((*alpha.shape, 3), 9, np.uint8), alpha])
    for index, pixels in enumerate((alpha, alpha.astype(np.uint16) * 257, rgba, np.repeat(alpha[..., None], 3, 2))):
        assert cv2.imwrite(str(tmp_path / f"{index:05d}.png"), pixels)
    info = VideoInfo(50, 40, 25, 5, 1)
    maps = AlphaMaps(tmp_path, "key")
    assert all(np.array_equal(maps.read(index, info), alpha) for index in range(4))
    assert maps.read(4, info) is None
    with pytest.raises(InputError, match="key: frame 0 is 50x40, the video is 51x40"):
        AlphaMaps(tmp_path, "key").read(0, VideoInfo(51, 40, 25, 5, 1))
    (tmp_path / "00000.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"key: .*00000\.png is no image of 8 or 16 bits"):
        maps.read(0, info)
    for missing in ("nothing", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=r"key: .*(no such folder|no images of alpha)"):
            AlphaMaps(tmp_path / missing, "key")


def test_a_run_is_scored_against_a_folder_of_alpha(tmp_path, clip):
    first = run(tmp_path / "first", clip, "extract.stop=4", "output=[frames]", "matte.feather=4").folder
    truth = f"metric.matting.truth={first / 'frames'}"
    same = run(tmp_path / "same", clip, "extract.stop=4", "output=[]", "matte=edge", "matte.feather=4",
               "metric=[matting]", truth)  # fmt: skip
    assert [same.summary["metrics"][name] for name in (*ERRORS, "dtssd")] == [0] * 5
    hard = run(tmp_path / "hard", clip, "extract.stop=4", "output=[]", "matte=none", "metric=[matting]", truth)
    assert all(hard.summary["metrics"][name] > 0 for name in (*ERRORS, "dtssd"))
    lines = [json.loads(line) for line in (hard.folder / "frames.jsonl").read_text().splitlines()]
    assert all(f"metric/{name}" in line for line in lines for name in ERRORS)
    with pytest.raises(JobFailed, match=r"metric\.matting\.truth: no such folder"):
        run(tmp_path / "none", clip, "metric=[matting]", "metric.matting.truth=nowhere")


@pytest.fixture(scope="module")
def true_masks(tmp_path_factory):
    """The built-in clip's own masks of the skater on six frames, as label maps."""
    folder = tmp_path_factory.mktemp("truth")
    clip = vidseg.open_source("sample")
    for index in range(88, 94):
        Image.fromarray((clip.truth(index) == 1).astype(np.uint8)).save(folder / f"{index:05d}.png")
    return folder


def test_the_edge_is_nearer_to_the_built_in_clip_s_own_alpha(tmp_path, true_masks):
    """Measured: an eighth of the squared error."""
    found = {}
    for matte in ("none", "edge"):
        keys = [f"matte={matte}", "model=replay", f"model.path={true_masks}", "output=[]", "metric=[matting]"]
        keys += ["extract.start=88", "extract.stop=94", "tracker=none", "stride=100"]
        made = vidseg.run([SEARCH_PATH, f"hydra.run.dir={tmp_path / matte}", *keys])
        found[matte] = made.summary["metrics"]
    none, edge = found["none"], found["edge"]
    assert edge["mse"] <= none["mse"] / 2
    assert edge["alpha_flicker"] <= none["alpha_flicker"]
    for name in ("sad", "gradient", "connectivity", "dtssd"):
        assert edge[name] <= none[name], name


def test_the_alpha_of_masks_without_a_matte_is_0_or_1():
    square = np.eye(20, dtype=bool)
    clip = source(1, 20, 20)
    clip.alpha = lambda index: np.stack([square * np.uint8(255), np.zeros((20, 20), np.uint8)])
    metric, (frame, masks) = Matting(), pair(0, square)
    metric.open(clip, [Prompt(0, 1, [[1, 1]])])
    assert metric.update(frame, masks)["sad"] == 0
    masks.soften(Alpha(square * np.uint8(51)))
    assert metric.update(frame, masks)["sad"] == pytest.approx(20 * 0.8 / 1e3)


def connectivity_by_definition(alpha, true):
    """Rhemann et al.'s: at each threshold the largest part, 4-connected, of what is as high in both."""
    reached = np.full(alpha.shape, -1.0)
    for below in range(10):
        both = (np.minimum(alpha, true) >= (below + 1) / 10 - 1e-6).astype(np.uint8)
        _, labels = cv2.connectedComponents(both, connectivity=4)
        sizes = np.bincount(labels.ravel())[1:]
        largest = (labels == 1 + sizes.argmax()) if sizes.size else np.zeros(alpha.shape, bool)
        reached[(reached < 0) & ~largest] = below / 10
    reached[reached < 0] = 1
    above = (alpha - reached, true - reached)
    kept = [1 - part * (part >= 0.15 - 1e-6) for part in above]
    return np.abs(kept[0] - kept[1]).sum() / 1e3


def test_connectivity_error_is_its_definition():
    random = np.random.default_rng(4)
    noise = [cv2.GaussianBlur(random.random((60, 80)).astype(np.float32), (0, 0), 2) * 5 % 1 for _ in range(2)]
    nothing, full = np.zeros((60, 80), np.float32), np.ones((60, 80), np.float32)
    for alpha, true in [noise, (noise[0], full), (nothing, noise[0]), (nothing, full), (full, nothing)]:
        assert alpha_errors.connectivity(alpha, true) == pytest.approx(
            connectivity_by_definition(alpha, true), abs=1e-6
        )
    assert alpha_errors.connectivity(nothing, full) == alpha_errors.sad(nothing, full) == 4.8
