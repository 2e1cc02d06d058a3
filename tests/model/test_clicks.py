"""Points that correct a mask are obeyed (``model.obey_points``)."""

import numpy as np
import pytest
from numpy.typing import NDArray
from parity import AS_SHIPPED, nano
from sources import Discs, click

from vidseg.model.nano.clicks import obeying
from vidseg.types import FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 224  # a quarter of the pixels that nano learnt with


def plain(value: float) -> NDArray[np.float32]:
    return np.full((112, 112), value, np.float32)


def halves() -> NDArray[np.float32]:
    """A picture whose left half is of one colour and the right half of another, 174 of 255 away."""
    colours_hw3 = np.zeros((112, 112, 3), np.float32)
    colours_hw3[:, 56:] = np.sqrt(3)
    return colours_hw3


def obeyed(logits_hw: NDArray[np.float32], *points: tuple[float, float, int]) -> NDArray[np.float32]:
    xy, labels = np.array([point[:2] for point in points], np.float32), np.array([point[2] for point in points])
    return obeying(logits_hw, halves(), xy, labels.astype(np.int32))


def test_masks_that_are_as_the_points_say_stay_as_they_are() -> None:
    logits_hw = plain(-3.0)
    logits_hw[40:60, 40:60] = 2.0
    assert obeyed(logits_hw, (50, 50, 1), (80, 50, 0)) is logits_hw


@pytest.mark.parametrize(("value", "label"), [(20.0, 0), (-20.0, 1), (-1024.0, 1)])
def test_a_point_changes_what_is_around_it_up_to_an_edge(value: float, label: int) -> None:
    """However sure the decoder was, and also where it had called the object absent."""
    before_hw = plain(value)
    changed_hw = (obeyed(before_hw, (51.4, 60, label)) > 0) != (value > 0)
    assert changed_hw[60, 51]
    assert changed_hw[55:66, 46:56].all()
    assert not changed_hw[:, 56:].any()  # another colour
    assert 100 < changed_hw.sum() < 500
    assert (before_hw == value).all()


def test_a_point_that_is_hardly_obeyed_is_made_clear() -> None:
    assert obeyed(plain(-0.2), (50, 50, 0))[50, 50] < -3


def test_a_point_in_a_speckled_picture_changes_more_than_a_hole_that_is_filled() -> None:
    colours_hw3 = np.random.default_rng(0).normal(0, 3, (112, 112, 3)).astype(np.float32)
    after_hw = obeying(plain(20.0), colours_hw3, np.array([[40, 40]], np.float32), np.array([0], np.int32))
    assert 13 <= (after_hw < 0).sum() < 60


def test_the_nearer_of_two_points_counts() -> None:
    after_hw = obeyed(plain(5.0), (30, 60, 0), (36, 60, 1))
    assert after_hw[60, 32] < 0 < after_hw[60, 34]


def test_corners_of_a_box_are_no_points() -> None:
    logits_hw = plain(5.0)
    assert obeyed(logits_hw, (30, 60, 2), (50, 80, 3)) is logits_hw
    assert obeyed(logits_hw, (30, 60, 2), (50, 80, 3), (40, 70, 0))[70, 40] < 0


def test_a_point_at_the_very_edge_is_in_the_last_cell() -> None:
    assert obeyed(plain(5.0), (112.0, 111.9, 0))[111, 111] < 0


SOURCE = Discs(7, [(120.0, 90.0, 3.0, 0.0), (230.0, 90.0, 0.0, 0.0)], radius=32)
FIRST = click(0, 1, (120, 90, 1))
AT = 5
# In the middle of the disc that is tracked, and in that of the other and on nothing: against what is to be seen
DEFIANT = click(AT, 1, (135, 90, 0), (230, 90, 1), (20, 20, 1))


def track(*prompts: Prompt, **keys: object) -> list[FrameMasks]:
    return [masks for _, masks in nano(**{**AS_SHIPPED, "image_size": SIDE, **keys}).track(SOURCE, prompts)]


def done(masks: FrameMasks, prompt: Prompt) -> list[bool]:
    """Whether each point is obeyed, at its very pixel."""
    assert prompt.points_xy is not None
    assert prompt.labels is not None
    points = zip(prompt.points_xy.astype(int), prompt.labels, strict=True)
    return [bool(masks.masks_nhw[0][y, x]) == bool(label) for (x, y), label in points]


@pytest.mark.parametrize("keys", [{}, {"zoom": None}, {"zoom": None, "upsample": "bilinear", "mask_threshold": 0.0}])
def test_points_that_correct_are_obeyed(keys: dict[str, object]) -> None:
    assert not all(done(track(FIRST, DEFIANT, obey_points=False, **keys)[AT], DEFIANT))
    assert done(track(FIRST, DEFIANT, **keys)[AT], DEFIANT) == [True] * 3


def test_several_points_on_the_first_frame_are_obeyed() -> None:
    several = click(0, 1, (120, 90, 1), (130, 98, 0), (20, 20, 1))
    assert not all(done(track(several, obey_points=False)[0], several))
    assert done(track(several)[0], several) == [True] * 3


@pytest.mark.slow
def test_without_corrections_nothing_changes() -> None:
    """One click, also beside the object, and a box."""
    for prompt in (FIRST, click(0, 1, (20, 20, 1)), Prompt(0, 1, box_xyxy=np.array([88, 58, 152, 122], np.float32))):
        for one, other in zip(track(prompt), track(prompt, obey_points=False), strict=True):
            np.testing.assert_array_equal(one.logits_nhw, other.logits_nhw)


def test_an_object_that_was_lost_is_there_where_a_point_says_so() -> None:
    gone = Discs(8, [(300.0, 90.0, 16.0, 0.0)], radius=30)  # out of the picture from frame 4 on
    back = click(6, 1, (100, 90, 1))
    pairs = list(nano(**{**AS_SHIPPED, "image_size": SIDE}).track(gone, [click(0, 1, (300, 90, 1)), back]))
    masks = pairs[6][1]
    assert masks.masks_nhw[0][90, 100]
    assert masks.scores is not None
    assert masks.scores[0] is not None
    assert masks.scores[0] > 0.5
