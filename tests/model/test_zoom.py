"""The window that follows the objects: where it goes, and that what is seen through it is the video's crop."""

from typing import Any

import numpy as np
import pytest
import torch
from parity import AS_SHIPPED, build, mask, nano, point
from sources import ArraySource, Discs, click, moving_squares

from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.encoder import Encoder
from vidseg.model.sam2 import SAM2
from vidseg.model.zoom import View, Zoom
from vidseg.types import Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 400, 200


def logits(view: View, *box: int) -> torch.Tensor:
    """Of an object in the box (left, top, right, below) of the video: (1, 1, 100, 100), of what the view shows."""
    places = torch.full((1, 1, 100, 100), -5.0)
    left, right = (round(100 * (x - view.left) / view.width) for x in box[::2])
    top, below = (round(100 * (y - view.top) / view.height) for y in box[1::2])
    places[:, :, top:below, left:right] = 5.0
    return places


def around(zoom: Zoom, *box: int) -> View:
    mask_hw = np.zeros((HEIGHT, WIDTH), bool)
    mask_hw[box[1] : box[3], box[0] : box[2]] = True
    view = zoom.fitting([mask_hw])
    zoom.hold(0, view)
    zoom.start(0)
    return view


def test_the_objects_longer_side_is_its_share_of_the_window() -> None:
    assert around(Zoom(WIDTH, HEIGHT, 0.8), 100, 60, 120, 140) == View(10, 50, 200, 100)  # 80 of 200 are 0.5 of 0.8
    assert around(Zoom(WIDTH, HEIGHT, 0.8), 10, 0, 30, 80) == View(0, 0, 200, 100)  # the picture's corner
    assert around(Zoom(WIDTH, HEIGHT, 0.8), 100, 60, 104, 62) == View(42, 31, 120, 60)  # no closer than this
    assert around(Zoom(WIDTH, HEIGHT, 0.8), 0, 60, 390, 62) == View(0, 0, WIDTH, HEIGHT)
    assert around(Zoom(WIDTH, HEIGHT, None), 100, 60, 120, 140) == View(0, 0, WIDTH, HEIGHT)


def test_a_growing_object_is_followed_at_once_and_a_shrinking_one_slowly() -> None:
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    view = around(zoom, 100, 60, 120, 140)
    zoom.follow(view, logits(view, 110, 60, 130, 140))
    assert zoom.view == View(20, 50, 200, 100)
    zoom.follow(zoom.view, logits(zoom.view, 60, 80, 180, 110))  # 120 of 400: not yet longer than 80 of 200
    assert zoom.view.width == pytest.approx(199, abs=1)
    zoom.follow(zoom.view, logits(zoom.view, 30, 80, 214, 110))
    assert zoom.view.width == pytest.approx(184 / 0.8, abs=5)
    assert zoom.view.left + zoom.view.width / 2 == pytest.approx(122, abs=3)


def test_an_object_that_reaches_the_views_edge_is_taken_to_go_on_beyond_it() -> None:
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    view = around(zoom, 100, 60, 120, 140)  # 10 to 210, 50 to 150
    zoom.follow(view, logits(view, 60, 70, 210, 130))
    beyond = 0.12 * view.width
    assert zoom.view.width == pytest.approx((210 + beyond - 60) / 0.8, abs=3)
    assert zoom.view.left + zoom.view.width / 2 == pytest.approx((60 + 210 + beyond) / 2, abs=3)
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    corner = around(zoom, 10, 0, 30, 80)  # at the picture's left edge there is nothing to go on
    zoom.follow(corner, logits(corner, 0, 10, 120, 80))
    assert zoom.view.left == 0
    assert zoom.view.width == pytest.approx(corner.width, abs=1)


def test_specks_are_not_followed() -> None:
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    view = around(zoom, 100, 60, 120, 140)
    places = logits(view, 90, 60, 130, 140)
    places[:, :, 0, :3] = 5.0
    zoom.follow(view, places)
    assert zoom.view == view
    places[:, :, 0, :60] = 5.0
    zoom.follow(view, places)
    assert zoom.view.top < view.top


def test_without_a_mask_the_window_widens_to_the_whole_picture() -> None:
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    view = around(zoom, 100, 60, 104, 62)
    sizes = []
    for _ in range(20):
        zoom.follow(view, torch.full((2, 1, 100, 100), -5.0))
        view = zoom.view
        assert 0 <= view.left <= view.left + view.width <= WIDTH
        assert 0 <= view.top <= view.top + view.height <= HEIGHT
        sizes.append(view.width)
    assert sizes == sorted(sizes)
    assert sizes[2] < WIDTH
    assert view == zoom.whole


def test_a_point_outside_is_shown_with_what_was() -> None:
    zoom = Zoom(WIDTH, HEIGHT, 0.8)
    view = around(zoom, 100, 60, 120, 140)
    assert zoom.including([point(0, 1, (40, 100, 1))]) == view
    more = zoom.including([point(0, 1, (40, 100, 1)), point(0, 2, (300, 100, 0))])
    assert more.left <= view.left
    assert more.left + more.width > 310
    assert more.width / more.height == pytest.approx(WIDTH / HEIGHT, abs=0.02)
    assert zoom.including([point(0, 1, (399, 199, 1), (0, 0, 1))]) == zoom.whole


def test_what_is_seen_closer_is_the_cropped_video() -> None:
    """Frames 0 and 1 are looked at before masks of frame 0 can move the window."""
    clip, prompt = moving_squares(3), mask(0, 2)
    view = Zoom(200, 120, 0.8).fitting([prompt.mask_hw])
    assert (view.width, view.height) == (83, 50)
    model = build(image_size=128, zoom=0.8)
    closer = [masks for _, masks in model.track(ArraySource(clip), [prompt])]
    cropped = np.stack([view.of(frame) for frame in clip])
    model._options = build(image_size=128)._options
    alone = [masks for _, masks in model.track(ArraySource(cropped), [view.prompt(prompt)])]
    for ours, theirs in zip(closer[:2], alone[:2], strict=True):
        outside = ours.logits_nhw.copy()
        view.of(outside[0])[:] = -1024
        assert np.all(outside == -1024)
        np.testing.assert_array_equal(view.of(ours.logits_nhw[0]), theirs.logits_nhw[0])
        assert ours.scores == theirs.scores


@pytest.mark.parametrize(
    "prompts",
    [[mask(0, 1), mask(2, 2)], [Prompt(0, 1, mask_hw=np.zeros((120, 200), bool))]],
    ids=["prompts on two frames", "nothing to follow"],
)
def test_where_there_is_no_one_place_to_look_at_all_is_seen(prompts: list[Prompt]) -> None:
    source = ArraySource(moving_squares(4))
    plain, closer = (
        [masks.logits_nhw for _, masks in build(image_size=128, zoom=zoom).track(source, prompts)]
        for zoom in (None, 0.8)
    )
    np.testing.assert_array_equal(closer[0], plain[0])
    if len(prompts) == 2:
        np.testing.assert_array_equal(closer, plain)


def test_a_thread_that_encodes_ahead_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[View] = []
    original = Encoder.input
    monkeypatch.setattr(Encoder, "input", lambda self, rgb, view: seen.append(view) or original(self, rgb, view))
    views, logits = [], []
    for ahead in (False, True):
        torch.set_num_threads(2)  # the fixture gives back what was there
        pairs = as_shipped(encode_ahead=ahead).track(Discs(8, SMALL, radius=12), [click(0, 1, (40, 60, 1))])
        logits.append(np.stack([masks.logits_nhw for _, masks in pairs]))
        views.append(seen.copy())
        seen.clear()
    assert views[0] == views[1]
    assert len(set(views[0][-6:])) > 3
    np.testing.assert_allclose(logits[1], logits[0], atol=0.01)  # shown in windows while the next has moved on


def test_a_failing_reader_loses_no_frame() -> None:
    pairs = build(image_size=64, exact=False, encode_ahead=True, zoom=0.8).track(
        ArraySource(moving_squares(8), fails_at=6), [mask(0, 1)]
    )
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, _ in pairs:
            seen.append(frame.index)
    assert seen == list(range(6))


def as_shipped(**changes: Any) -> SAM2:
    return nano(**{**AS_SHIPPED, **changes})


SMALL = [(40.0, 60.0, 5.0, 2.0)]


def mean_j(model: SAM2, source: Discs, *prompts: Prompt, label: int = 1) -> float:
    pairs = model.track(source, prompts)
    return float(np.mean([iou(m.masks_nhw[0], source.truth(m.frame_index) == label) for _, m in pairs]))


def test_a_small_object_is_cut_out_more_finely() -> None:
    source, prompt = Discs(24, SMALL, radius=12), click(0, 1, (40, 60, 1))
    plain, closer = (mean_j(as_shipped(zoom=zoom), source, prompt) for zoom in (None, 0.8))
    assert closer > 0.85
    assert closer > plain


def test_it_is_followed_to_both_ends_of_the_video() -> None:
    source = Discs(40, SMALL, radius=12)
    assert mean_j(as_shipped(propagate="both"), source, click(20, 1, (140, 100, 1))) > 0.85


def test_a_correction_may_be_outside_the_window() -> None:
    """A click far from what was followed adds what is there."""
    source = Discs(12, [*SMALL, (280.0, 120.0, -4.0, 0.0)], radius=12)
    first, later = click(0, 1, (40, 60, 1)), click(4, 1, (264, 120, 1))
    pairs = [masks for _, masks in as_shipped().track(source, [first, later])]
    assert np.mean([iou(m.masks_nhw[0], source.truth(m.frame_index) == 1) for m in pairs[:4]]) > 0.8
    assert np.mean([(m.masks_nhw[0] & (source.truth(m.frame_index) == 2)).sum() for m in pairs[4:]]) > 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zoom": 0}, r"model\.zoom: 0; the objects' share of the window, above 0 and up to 1, or null"),
        ({"zoom": 1.5}, r"model\.zoom: 1\.5; "),
        ({"zoom": "close"}, r"model\.zoom: close; "),
        ({"zoom": [0.8]}, r"model\.zoom: \[0\.8\]; "),
        ({"zoom": 0.8, "encoder_batch": 4, "exact": False}, r"model\.encoder_batch: 4; 1 or null with model\.zoom"),
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(image_size=64, **changes)
