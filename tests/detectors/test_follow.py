"""The trackers that people use, on planted squares."""

import pytest
from planted import Planted, followed
from sources import click

from vidseg.model.detector.association import TRACKERS, association
from vidseg.types import Prompt

pytestmark = pytest.mark.detectors

# Two squares that pass close to each other; the second isn't found on frames 8 to 10
PATHS = [{"cat": (10 + 3 * n, 10), "dog": None if 8 <= n <= 10 else (130 - 3 * n, 60)} for n in range(20)]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_objects_are_followed_lost_and_found_again(tracker):
    pytest.importorskip("trackers" if tracker != "ultralytics" else "ultralytics", reason="an extra")
    prompts = click(0, 1, (20, 20, 1)), Prompt(0, 2, box_xyxy=[128, 58, 165, 92])
    rows = followed(Planted(PATHS), *prompts, following=association(tracker, 0.25, 30))
    assert [row[1] for row in rows] == [frame["cat"] for frame in PATHS]
    assert [row[2] for row in rows] == [frame["dog"] for frame in PATHS]


@pytest.mark.parametrize("tracker", ["bytetrack", "ultralytics"])
def test_a_track_goes_on_with_what_is_less_sure_but_does_not_begin_with_it(tracker):
    pytest.importorskip("trackers" if tracker != "ultralytics" else "ultralytics", reason="an extra")
    paths = [{"cat": (10 + n, 10), "dog": (130, 60)} for n in range(8)]
    scores = {(n, name): 0.15 for n in range(8) for name in ("cat", "dog") if name == "dog" or n > 4}
    rows = followed(
        Planted(paths, scores=scores), click(0, 1, (20, 20, 1)), click(0, 2, (140, 70, 1)),
        following=association(tracker, 0.25, 30),
    )  # fmt: skip
    assert [row[1] for row in rows] == [frame["cat"] for frame in paths]
    assert {row[2] for row in rows} == {None}
