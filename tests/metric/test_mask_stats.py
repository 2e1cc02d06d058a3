"""Place, parts and flicker of drawn masks on drawn pictures; objects that are absent or begin late."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from vidseg.metric import mask_stats
from vidseg.metric.mask_stats import MaskStats
from vidseg.types import Frame, FrameMasks, Prompt

FROM_THE_START = (Prompt(0, 1, [[1, 1]]),)


def texture(height=240, width=400, seed=0):
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 4, width // 4, 3)).astype(np.float32)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def box(*parts, height=240, width=400):
    mask_hw = np.zeros((height, width), bool)
    for part in parts:
        mask_hw[part] = True
    return mask_hw


def followed(pictures, masks, prompts=FROM_THE_START, scores=None):
    """Values of each frame, and the run's, of one object or (a mask a list) several."""
    metric, values = MaskStats(), []
    metric.open(None, prompts)
    for index, (rgb_hw3, mask) in enumerate(zip(pictures, masks, strict=True)):
        masks_nhw = np.stack(mask if isinstance(mask, list) else [mask])
        ids = tuple(range(1, len(masks_nhw) + 1))
        logits = np.where(masks_nhw, 1, -1).astype(np.float32)
        values.append(metric.update(Frame(index, 0.0, rgb_hw3), FrameMasks(index, ids, logits, scores)))
    return values, metric.compute()


def test_place_and_parts():
    mask_hw = box(
        np.s_[20:40, 100:160], np.s_[40:60, 160:180], np.s_[100, 300]
    )  # two that touch at a corner, and a dot
    (values,), metrics = followed([texture()], [mask_hw], scores=(0.75,))
    rows, columns = np.nonzero(mask_hw)
    assert values == {
        "parts_1": 2,
        "centroid_x_1": pytest.approx(columns.mean()),
        "centroid_y_1": pytest.approx(rows.mean()),
        "box_x0_1": 100,
        "box_y0_1": 20,
        "box_x1_1": 301,
        "box_y1_1": 101,
    }
    assert metrics == {
        f"{name}{suffix}": value
        for name, value in {"absent_frames": 0, "mean_score": 0.75, "mean_area": 1601, "mean_parts": 2}.items()
        for suffix in ("", "_1")
    }


def test_a_mask_that_moves_with_its_picture_flickers_little_and_one_that_jumps_a_lot():
    still = texture()
    moving = [np.roll(still, (2 * t, 4 * t), axis=(0, 1)) for t in range(5)]
    along = [box(np.s_[60 + 2 * t : 160 + 2 * t, 100 + 4 * t : 220 + 4 * t]) for t in range(5)]
    steady = followed([still] * 5, [along[0]] * 5)[1]["flicker"]
    carried = followed(moving, along)[1]["flicker"]
    unmoved = followed([still] * 5, along)[1]["flicker"]  # as carried's masks, but nothing moves
    jumping = followed([still] * 5, [box(np.s_[60:160, 100 + 60 * (t % 2) : 220]) for t in range(5)])[1]["flicker"]
    assert steady < 1e-6
    assert carried < 0.02
    assert unmoved == pytest.approx(1 - 98 * 116 / (2 * 100 * 120 - 98 * 116), abs=0.01)
    assert jumping == pytest.approx(0.5, abs=0.01)


def test_thin_masks_count_at_the_reduced_size():
    picture = texture(768, 1280)
    lines = [box(np.s_[100, left:], height=768, width=1280) for left in (0, 640)]
    values, _ = followed([picture] * 2, lines)
    assert values[1]["flicker_1"] == pytest.approx(0.5, abs=0.02)


def test_coming_and_going():
    here = box(np.s_[60:160, 100:220])
    masks = [here, here, box(), box(), here]
    values, metrics = followed([texture()] * 5, masks)
    assert [frame.get("flicker_1") for frame in values] == [None, pytest.approx(0, abs=1e-6), 1, None, 1]
    assert [frame["parts_1"] for frame in values] == [1, 1, 0, 0, 1]
    assert ["centroid_x_1" in frame for frame in values] == [True, True, False, False, True]
    assert (metrics["absent_frames"], metrics["mean_area"], metrics["mean_parts"]) == (2, 12000, 1)
    assert metrics["flicker"] == pytest.approx(2 / 3)


def test_an_object_counts_from_its_prompt_or_its_first_mask():
    here, pictures = box(np.s_[60:160, 100:220]), [texture()] * 4
    late = followed(pictures, [box(), box(), here, box()], [Prompt(2, 1, [[1, 1]])])  # tracked forwards from frame 2
    assert (late[1]["absent_frames"], late[1]["flicker"], late[0][1]) == (1, 1, {})
    before = followed(pictures, [box(), here, here, here], [Prompt(2, 1, [[1, 1]])])  # in both directions
    assert (before[1]["absent_frames"], before[1]["flicker"]) == (0, pytest.approx(0, abs=1e-6))
    never = followed(pictures, [box()] * 4, [Prompt(0, 1, [[1, 1]])])
    assert never[1] == {"absent_frames": 4, "absent_frames_1": 4}
    replayed = followed(pictures, [box(), here, box(), box()], [])
    assert replayed[1]["absent_frames"] == 2


def test_several_objects_and_their_mean():
    one, two = box(np.s_[60:160, 100:220]), box(np.s_[10:30, 10:30])
    _, metrics = followed(
        [texture()] * 3, [[one, two], [one, box()], [one, two]], [Prompt(0, 1, [[1, 1]]), Prompt(0, 2, [[1, 1]])]
    )
    assert (metrics["flicker_1"], metrics["flicker_2"]) == (pytest.approx(0, abs=1e-6), 1)
    assert metrics["flicker"] == pytest.approx(0.5)
    assert (metrics["absent_frames"], metrics["absent_frames_2"], metrics["mean_area"]) == (0.5, 1, 6200)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (2, 900), (900, 2), (20, 320), (28, 320), (40, 240), (60, 640), (1500, 90), (33, 47)]
)
def test_pictures_of_any_form(height, width):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    here = box(np.s_[:], height=height, width=width)
    values, _ = followed(pictures, [here] * 3)
    assert [frame["flicker_1"] for frame in values[1:]] == [pytest.approx(0, abs=1e-6)] * 2
    assert all(one["box_x1_1"] == two["box_x1_1"] == width for one, two in pairwise(values))


def masks_of(masks_nhw):
    ids = tuple(range(1, len(masks_nhw) + 1))
    return FrameMasks(0, ids, np.where(masks_nhw, 1, -1).astype(np.float32))


def test_parts_are_those_of_connected_components():
    rng = np.random.default_rng(0)
    masks_nhw = np.stack([rng.random((30, 40)) < share for share in (0, 0.02, 0.3, 0.5, 0.7, 0.98, 1)])
    masks_nhw[3] = cv2.resize(masks_nhw[3, ::5, ::5].astype(np.uint8), (40, 30), interpolation=cv2.INTER_NEAREST)
    wanted = [cv2.connectedComponents(mask_hw.view(np.uint8))[0] - 1 for mask_hw in masks_nhw]
    masks = masks_of(masks_nhw)
    assert [outlines.parts for outlines in masks.outlines] == wanted
    assert [mask_stats._shape(masks, row)["parts"] for row in range(7)] == wanted
    assert masks.areas == tuple(np.count_nonzero(masks_nhw, axis=(1, 2)))


@pytest.mark.parametrize("size", [(720, 1280), (1920, 1080), (480, 854), (1280, 160), (320, 320)])
def test_a_small_mask_is_that_of_the_whole_picture(size):
    height, width = size
    noise = np.random.default_rng(1).random((height, width)) < 0.5
    parts = [np.zeros(size, bool) for _ in range(3)]
    for part, (top, left, bottom, right) in zip(
        parts, ((3, 5, 90, 101), (height - 9, width - 7, height, width), (0, 0, 1, 1)), strict=True
    ):
        part[top:bottom, left:right] = noise[top:bottom, left:right]
        part[top, left] = part[bottom - 1, right - 1] = True
    masks = masks_of(np.stack(parts))
    for row, mask_hw in enumerate(parts):
        assert np.array_equal(mask_stats._cover(masks, row), mask_stats._shrink(mask_hw.astype(np.float32)))
