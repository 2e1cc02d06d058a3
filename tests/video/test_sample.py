"""The built-in clip: the same pictures everywhere, exact truth, a click on the clothes, and a real occlusion."""

import cv2
import numpy as np
import pytest
from conftest import slow_but

from vidseg.errors import InputError
from vidseg.sample import SampleSource
from vidseg.sample.drawing import NUM_FRAMES, Drawing
from vidseg.sample.skater import Skater


@pytest.fixture(scope="module")
def clip() -> SampleSource:
    return SampleSource(0)


def test_the_video_is_what_it_says(clip: SampleSource) -> None:
    assert (clip.info.width, clip.info.height, clip.info.fps, clip.info.num_frames) == (1280, 720, 30, 180)
    assert list(clip.frames) == list(range(180))
    frame = clip[30]
    assert frame.rgb_hw3.shape == (720, 1280, 3)
    assert (frame.index, frame.time_s) == (30, 1.0)
    assert frame.rgb_hw3.std() > 30
    assert clip.provenance() == {"name": "sample", "seed": "0"}
    assert clip.audio is None


def test_a_frame_is_a_function_of_seed_and_number(clip: SampleSource) -> None:
    again = SampleSource(0, frames=[5, 60, 100])
    iterated = {frame.index: frame.rgb_hw3 for frame in again}
    assert list(iterated) == [5, 60, 100]
    for index in (100, 5, 60):
        assert np.array_equal(clip[index].rgb_hw3, iterated[index])
    assert not np.array_equal(clip[5].rgb_hw3, clip[6].rgb_hw3)
    other = SampleSource(1)[5].rgb_hw3.astype(int)
    assert np.abs(other - clip[5].rgb_hw3).mean() > 10


def test_a_part_of_the_clip_starts_late_and_brings_its_own_click() -> None:
    part = SampleSource(3, frames=range(40, 44))
    assert part.offset_s == pytest.approx(40 / 30)
    (prompt,) = part.prompts
    assert prompt.frame_index == 40
    assert prompt.points_xy is not None
    x, y = prompt.points_xy[0].astype(int)
    assert part.truth(40)[y, x] == 1
    assert [frame.index for frame in part] == [40, 41, 42, 43]
    assert SampleSource(0, frames=[0, 10]).offset_s == 0


@pytest.mark.parametrize("frames", [[180], [-1], range(170, 190)])
def test_frames_outside_the_clip_are_refused(frames: list[int]) -> None:
    with pytest.raises(InputError, match=r"extract.*0 to 179"):
        SampleSource(0, frames=frames)


def test_seeking_outside_the_clip_is_refused(clip: SampleSource) -> None:
    with pytest.raises(InputError, match="no frame 180"):
        clip[180]
    with pytest.raises(InputError, match="no frame -1"):
        clip.truth(-1)


@pytest.mark.parametrize("seed", range(8))
def test_the_click_lies_well_inside_the_clothes(seed: int) -> None:
    clip = SampleSource(seed)
    (prompt,) = clip.prompts
    assert (prompt.frame_index, prompt.object_id) == (0, 1)
    assert prompt.points_xy is not None
    x, y = prompt.points_xy[0].astype(int)
    if seed == 0:
        assert (x, y) == (782, 301)
    assert (clip.truth(0)[y - 12 : y + 13, x - 12 : x + 13] == 1).all()


@pytest.mark.parametrize("seed", slow_but([0], range(4)))
def test_both_skaters_are_seen_and_one_passes_in_front(seed: int) -> None:
    clip = SampleSource(seed)
    areas = np.array([[(clip.truth(i) == k).sum() for k in (1, 2)] for i in range(0, NUM_FRAMES, 10)])
    assert areas[:, 0].min() > 10_000  # the skater never leaves
    assert (areas[:, 1] > 10_000).sum() >= 8  # the other is there for a good part
    assert areas[0, 1] == 0  # but not at first
    middle = areas[6:13]
    assert middle[:, 0].min() < 0.75 * np.median(areas[:, 0])  # hidden in part, around the middle
    assert middle[np.argmin(middle[:, 0]), 1] > 20_000
    x = np.nonzero(clip.truth(0) == 1)[1]
    assert x.min() > 0
    assert x.max() < 1279


def test_truth_follows_the_colours(clip: SampleSource) -> None:
    """Inside it the red jacket; outside it none of that red beside the skater."""
    rgb, truth = clip[0].rgb_hw3.astype(int), clip.truth(0)
    red = (rgb[..., 0] > 150) & (rgb[..., 1] < 75) & (rgb[..., 2] < 75)
    rows, columns = np.nonzero(truth == 1)
    inside = red & (truth == 1)
    assert inside.sum() > 5_000
    near = np.zeros_like(red)
    near[rows.min() : 320, columns.min() : columns.max()] = True  # above the boards, which have red letters
    assert (red & near & (truth == 0)).sum() < 0.05 * inside.sum()  # a red hat in the crowd


def test_truth_is_the_majority_of_a_pixel(clip: SampleSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing the skaters from the picture changes what the truth covers, and little else but shadow and mirror."""
    index = 90
    with_them, truth = clip[index].rgb_hw3, clip.truth(index)
    monkeypatch.setattr(Skater, "drawn", lambda *_: None)
    without = Drawing(0).picture(index)
    changed = np.abs(with_them.astype(int) - without).max(axis=2)
    assert (changed[cv2.erode((truth > 0).astype(np.uint8), np.ones((3, 3))) > 0] > 4).mean() > 0.97
    above_the_ice = np.zeros_like(truth, bool)
    above_the_ice[:410] = True
    far = cv2.dilate((truth > 0).astype(np.uint8), np.ones((5, 5))) == 0
    assert (changed[above_the_ice & far] == 0).all()


def test_the_shadow_is_on_the_ice_and_not_in_the_truth(clip: SampleSource, monkeypatch: pytest.MonkeyPatch) -> None:
    with_them, truth = clip[0].rgb_hw3.astype(int), clip.truth(0)
    monkeypatch.setattr(Skater, "drawn", lambda *_: None)
    darker = Drawing(0).picture(0).astype(int).sum(axis=2) - with_them.sum(axis=2)
    shadow = (darker > 60) & (truth == 0)
    shadow[:420] = False
    assert shadow.sum() > 4_000


def test_the_camera_pans(clip: SampleSource) -> None:
    first, later = (cv2.cvtColor(clip[i].rgb_hw3, cv2.COLOR_RGB2GRAY).astype(np.float32) for i in (10, 14))
    (shift, _), _ = cv2.phaseCorrelate(first[325:410], later[325:410])  # the boards
    assert 5 < abs(shift) < 25


def test_alpha_is_the_truth_before_it_was_cut_at_half(clip: SampleSource) -> None:
    for index in (0, 90):
        alpha, truth = clip.alpha(index), clip.truth(index)
        assert (alpha.shape, alpha.dtype) == ((2, 720, 1280), np.uint8)
        assert alpha.astype(int).sum(0).max() <= 255
        assert np.array_equal(alpha[0] > 127, truth == 1)
        assert ((alpha[0] > 0) & (alpha[0] < 255)).sum() > 2_000  # the outline
    assert alpha[1].any()
    assert np.array_equal(SampleSource(0).alpha(0), clip.alpha(0))  # from the cache


def test_alpha_mixes_the_skater_with_what_is_behind(clip: SampleSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pixel is more of the skater, it is farther from the picture without skaters, above shadow and mirror."""
    with_them, alpha = clip[0].rgb_hw3.astype(int), clip.alpha(0)[0].astype(int)
    monkeypatch.setattr(Skater, "drawn", lambda *_: None)
    differ = np.abs(with_them - Drawing(0).picture(0)).sum(axis=2)[:410]
    means = [differ[(alpha[:410] > low) & (alpha[:410] <= low + 64)].mean() for low in (0, 64, 128, 191)]
    assert means == sorted(means)
    assert (differ[alpha[:410] == 0] == 0).mean() > 0.999


def test_a_shutter_blurs_what_moves() -> None:
    sharp, open_half = SampleSource(0, [90]), SampleSource(0, [90], shutter=0.5)
    alpha, blurred = sharp.alpha(90), open_half.alpha(90)
    soft, softer = (((each > 12) & (each < 243)).sum() for each in (alpha, blurred))
    assert softer > 2 * soft
    assert np.abs(alpha.sum(dtype=int) - blurred.sum(dtype=int)) < 0.01 * alpha.sum(dtype=int)
    assert np.array_equal(open_half.truth(90) == 1, blurred[0] > 127)
    detail = [cv2.Laplacian(clip[90].rgb_hw3, cv2.CV_64F).std() for clip in (sharp, open_half)]
    assert detail[1] < detail[0]
    assert open_half.provenance() == {"name": "sample", "seed": "0", "shutter": "0.5"}
    assert np.array_equal(SampleSource(0, [90], shutter=0.5)[90].rgb_hw3, open_half[90].rgb_hw3)


@pytest.mark.parametrize("shutter", [-0.1, 1.5, float("nan")])
def test_a_shutter_is_open_for_a_part_of_a_frame(shutter: float) -> None:
    with pytest.raises(InputError, match=r"sample\.shutter"):
        SampleSource(0, shutter=shutter)
