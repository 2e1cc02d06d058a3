"""A detector as a segmenter: what prompts mean, and who is absent. tests/detectors has the trackers that people use."""

import logging
import sys

import numpy as np
import pytest
from planted import SIDE, ByName, Planted, followed, numbered
from sources import ArraySource, click

from vidseg.errors import InputError
from vidseg.model.detector.association import association
from vidseg.model.detector.classes import OfClasses
from vidseg.model.detector.follow import Follow, Following
from vidseg.types import Prompt
from vidseg.video.window import Selection

TWO = [{"cat": (10 + 2 * n, 20), "dog": (120, 40 + n)} for n in range(6)]


@pytest.mark.parametrize(
    ("prompt", "square"),
    [
        (click(0, 1, (20, 30, 1)), "cat"),
        (click(0, 1, (130, 50, 1), (20, 30, 0)), "dog"),
        (Prompt(0, 1, box_xyxy=[115, 38, 155, 72]), "dog"),
        (Prompt(0, 1, points_xy=[[20, 30]], box_xyxy=[5, 10, 45, 55]), "cat"),
        (Prompt(0, 1, mask_hw=np.pad(np.ones((30, 28), bool), ((20, 70), (10, 162)))), "cat"),
    ],
    ids=["click", "a point off another", "box", "point and box", "mask"],
)
@pytest.mark.parametrize("masks", [True, False])
def test_a_prompt_means_a_detection(prompt, square, masks):
    expected = [frame[square] for frame in TWO]
    if masks:
        assert [row[1] for row in followed(Planted(TWO), prompt)] == expected
    else:
        with pytest.raises(InputError, match=r"model.detector: it makes boxes and no masks; .*\n.*model=sam"):
            followed(Planted(TWO, masks=False), prompt)


def test_prompts_take_different_detections_and_begin_where_they_are():
    late = Prompt(2, 7, box_xyxy=[10, 20, 44, 50], until=4)
    rows = followed(Planted(TWO), click(0, 3, (130, 50, 1)), late)
    assert [row[3] for row in rows] == [frame["dog"] for frame in TWO]
    assert [row[7] for row in rows] == [None, None, (14, 20), (16, 20), (18, 20), None]


def test_an_object_that_is_lost_is_absent_until_it_is_associated_again():
    frames = [{**frame, "cat": None} if n in (2, 3) else frame for n, frame in enumerate(TWO)]
    rows = followed(Planted(frames), click(0, 1, (20, 30, 1)))
    assert [row[1] for row in rows] == [(10, 20), (12, 20), None, None, (18, 20), (20, 20)]


def test_what_no_detection_fits_is_said_and_found_when_one_does(caplog):
    frames = [{"dog": frame["dog"]} if n == 0 else frame for n, frame in enumerate(TWO)]
    with caplog.at_level(logging.WARNING):
        rows = followed(Planted(frames), click(0, 1, (25, 30, 1)))
    assert [row[1] for row in rows] == [None, *(frame["cat"] for frame in TWO[1:])]
    assert caplog.messages == ["prompt of object 1: no detection fits on frame 0 (it found dog)"]


def test_what_is_never_found_is_absent(caplog):
    frames = [{"dog": (150, 40)} for _ in range(14)]
    with caplog.at_level(logging.WARNING):
        rows = followed(Planted(frames), Prompt(0, 1, box_xyxy=[10, 20, 40, 50]))
    assert {row[1] for row in rows} == {None}
    assert caplog.messages[1] == "object 1: no detection fits on 10 frames; it is absent"


@pytest.mark.parametrize("x_y", [(5, 5), (20, 30)], ids=["beside it", "on it"])
@pytest.mark.parametrize("seen", [True, False])
def test_points_off_an_object_leave_it_what_it_is(caplog, seen, x_y):
    frames = [frame if seen or n != 3 else {"dog": frame["dog"]} for n, frame in enumerate(TWO)]
    rows = followed(Planted(frames), click(0, 1, (20, 30, 1)), Prompt(3, 1, points_xy=[x_y], labels=[0]))
    assert [row[1] for row in rows] == [frame.get("cat") for frame in frames]
    assert "prompt of object 1: points off it on frame 3 change nothing" in caplog.text


def test_points_off_an_object_do_not_say_what_it_is():
    with pytest.raises(InputError, match="prompt of object 1: on frame 2, its first, it has only points off it; add a"):
        followed(Planted(TWO), click(3, 1, (130, 50, 1)), Prompt(2, 1, points_xy=[[5, 5]], labels=[0]))


def test_a_correction_that_no_detection_fits_leaves_an_object_what_it_is(caplog):
    frames = [frame | ({"dog": (120, 80)} if n > 3 else {}) for n, frame in enumerate(TWO)]  # later it is there
    rows = followed(Planted(frames), click(0, 1, (20, 30, 1)), click(3, 1, (125, 100, 1)))
    assert [row[1] for row in rows] == [frame["cat"] for frame in TWO]
    assert caplog.messages == [
        "prompt of object 1: no detection fits on frame 3 (it found cat, dog); it stays what it was"
    ]


def test_objects_change_places():
    swapped = click(3, 1, (130, 50, 1)), click(3, 2, (20, 30, 1))
    rows = followed(Planted(TWO), click(0, 1, (20, 30, 1)), click(0, 2, (130, 50, 1)), *swapped)
    first, second = zip(*((row[1], row[2]) for row in rows), strict=True)
    cat, dog = zip(*((frame["cat"], frame["dog"]) for frame in TWO), strict=True)
    assert (first, second) == (cat[:3] + dog[3:], dog[:3] + cat[3:])


def test_a_prompt_waits_for_ten_of_the_frames_that_are_looked_at(caplog):
    source = ArraySource(numbered(130))
    every_tenth = Selection(source, range(0, 130, 10))
    frames = [{"cat": (10, 20)} if n == 90 else {} for n in range(130)]
    segmenter = Follow(Following(Planted(frames), ByName))
    prompts = [click(0, 1, (20, 30, 1)), click(0, 2, (150, 30, 1))]
    seen = {frame.index: masks.masks_nhw.any((1, 2)).tolist() for frame, masks in segmenter.track(every_tenth, prompts)}
    assert [index for index, (first, _) in seen.items() if first] == [90]
    assert not any(second for _, second in seen.values())
    assert "object 2: no detection fits on 10 frames; it is absent" in caplog.messages


def test_an_object_ends_also_if_it_is_corrected_later():
    first = Prompt(0, 1, points_xy=[[20, 30]], labels=[1], until=3)
    rows = followed(Planted(TWO), first, Prompt(2, 1, points_xy=[[22, 30]], labels=[1]))
    assert [row[1] is None for row in rows] == [False] * 4 + [True] * 2


class Once:
    """A finder that finds the dog on frame 2."""

    def due(self, frame_index):
        return frame_index == 2

    def find(self, frame, masks):
        assert masks.object_ids == (1,)
        x, y = TWO[2]["dog"]
        return [Prompt(2, 2, box_xyxy=[x, y, x + SIDE, y + SIDE], joins=True)]


def test_objects_join():
    rows = followed(Planted(TWO), click(0, 1, (20, 30, 1)), finder=Once())
    assert [row[1] for row in rows] == [frame["cat"] for frame in TWO]
    assert [row.get(2) for row in rows] == [None, None, *(frame["dog"] for frame in TWO[2:])]


def test_only_some_classes_count():
    dogs = OfClasses(Planted(TWO), ["Dog"], "model.classes")
    assert dogs.detect(numbered(1)[0]).names == ("dog",)
    with pytest.raises(InputError, match=r"model.classes: Planted has no class 'dgo'; the nearest that it has: dog"):
        OfClasses(Planted(TWO), ["dgo"], "model.classes")


def test_a_prompt_is_needed():
    with pytest.raises(InputError, match="prompt: there is none"):
        followed(Planted(TWO))


def test_a_tracker_that_is_none():
    message = "model.tracker: sort is not one of bytetrack, ocsort, botsort, ultralytics"
    with pytest.raises(InputError, match=message):
        association("sort", 0.25, 30)


def test_a_tracker_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(InputError, match=r"model.tracker: bytetrack needs the package trackers: pip install trackers"):
        association("bytetrack", 0.25, 30)
