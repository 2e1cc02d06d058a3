"""The window that follows the objects: where it goes, and that what is seen through it is the video's crop."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from parity import AS_SHIPPED, build, mask, nano, point
from sources import ArraySource, Discs, click, moving_squares

from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.nano.window import Window
from vidseg.model.nano.windows import Windows
from vidseg.model.sam2.engine import Engine, MaskOptions
from vidseg.model.sam2.segmenter import SAM2
from vidseg.model.sam2.view import View
from vidseg.types import RGB, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 400, 200
VIDEO: Any = ArraySource(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))
NO_MODEL: Any = SimpleNamespace(options=MaskOptions())  # a mask is taken as it is, and no click looked for
Rectangle = tuple[int, int, int, int]
"""Left, top, right, below."""


def window(left: int, top: int, width: int, height: int) -> Window:
    return Window(width, height, left, top, WIDTH, HEIGHT)


WHOLE = window(0, 0, WIDTH, HEIGHT)


def around(*rectangle: int) -> tuple[Windows, Window]:
    """Windows of the video from an object in a rectangle on, and the first one."""
    mask_hw = np.zeros((HEIGHT, WIDTH), bool)
    left, top, right, below = rectangle
    mask_hw[top:below, left:right] = True
    prompts = [Prompt(0, 1, mask_hw=mask_hw)]
    windows = Windows(0.8, NO_MODEL, VIDEO, {0: prompts})
    view, given = windows.prompted(0, VIDEO[0].rgb_hw3, prompts)
    assert given == prompts
    windows.start(0)
    assert view == windows.view == windows.at(0) == windows.at(1)
    return windows, windows.view


def logits(view: Window, *rectangle: int) -> torch.Tensor:
    """Of an object in a rectangle of the video: (1, 1, 100, 100), of what the view shows."""
    logits_11hw = torch.full((1, 1, 100, 100), -5.0)
    left, right = (round(100 * (x - view.left) / view.width) for x in rectangle[::2])
    top, below = (round(100 * (y - view.top) / view.height) for y in rectangle[1::2])
    logits_11hw[:, :, top:below, left:right] = 5.0
    return logits_11hw


@pytest.mark.parametrize(
    ("rectangle", "expected"),
    [
        ((100, 60, 120, 140), window(10, 50, 200, 100)),  # 80 of 200 are 0.5 of 0.8
        ((10, 0, 30, 80), window(0, 0, 200, 100)),  # the picture's corner
        ((100, 60, 104, 62), window(42, 31, 120, 60)),  # no closer than this
        ((0, 60, 390, 62), WHOLE),
    ],
)
def test_the_objects_longer_side_is_its_share_of_the_window(rectangle: Rectangle, expected: Window) -> None:
    assert around(*rectangle)[1] == expected


def test_a_growing_object_is_followed_at_once_and_a_shrinking_one_slowly() -> None:
    windows, view = around(100, 60, 120, 140)
    windows.follow(view, logits(view, 110, 60, 130, 140))
    assert windows.view == window(20, 50, 200, 100)
    windows.follow(windows.view, logits(windows.view, 60, 80, 180, 110))  # 120 of 400: not yet longer than 80 of 200
    assert windows.view.width == pytest.approx(199, abs=1)
    windows.follow(windows.view, logits(windows.view, 30, 80, 214, 110))
    assert windows.view.width == pytest.approx(184 / 0.8, abs=5)
    assert windows.view.left + windows.view.width / 2 == pytest.approx(122, abs=3)


def test_an_object_that_reaches_the_windows_edge_is_taken_to_go_on_beyond_it() -> None:
    windows, view = around(100, 60, 120, 140)  # 10 to 210, 50 to 150
    windows.follow(view, logits(view, 60, 70, 210, 130))
    beyond = 0.12 * view.width
    assert windows.view.width == pytest.approx((210 + beyond - 60) / 0.8, abs=3)
    assert windows.view.left + windows.view.width / 2 == pytest.approx((60 + 210 + beyond) / 2, abs=3)
    windows, corner = around(10, 0, 30, 80)  # at the picture's left edge there is nothing to go on
    windows.follow(corner, logits(corner, 0, 10, 120, 80))
    assert windows.view.left == 0
    assert windows.view.width == pytest.approx(corner.width, abs=1)


def test_specks_are_not_followed() -> None:
    windows, view = around(100, 60, 120, 140)
    logits_11hw = logits(view, 90, 60, 130, 140)
    logits_11hw[:, :, 0, :3] = 5.0
    windows.follow(view, logits_11hw)
    assert windows.view == view
    logits_11hw[:, :, 0, :60] = 5.0
    windows.follow(view, logits_11hw)
    assert windows.view.top < view.top


def test_without_a_mask_the_window_widens_to_the_whole_picture() -> None:
    windows, view = around(100, 60, 104, 62)
    sizes = []
    for _ in range(20):
        windows.follow(view, torch.full((2, 1, 100, 100), -5.0))
        view = windows.view
        assert 0 <= view.left <= view.left + view.width <= WIDTH
        assert 0 <= view.top <= view.top + view.height <= HEIGHT
        sizes.append(view.width)
    assert sizes == sorted(sizes)
    assert sizes[2] < WIDTH
    assert view == WHOLE


def test_it_goes_on_from_where_it_was() -> None:
    """The way back starts from the prompted frame's window, and the way on from the window at that time."""
    windows, view = around(100, 60, 120, 140)
    windows.follow(view, logits(view, 140, 60, 160, 140))
    moved = windows.view
    assert moved != view
    windows.start(0)
    assert windows.view == view
    windows.resume(moved)
    assert windows.view == windows.at(5) == moved
    assert windows.at(0) == view  # the prompted frame is remembered in its window


def test_a_point_outside_is_shown_with_what_was() -> None:
    windows, view = around(100, 60, 120, 140)
    assert windows.corrected(3, [point(0, 1, (40, 100, 1))]) == view
    more = windows.corrected(3, [point(0, 1, (40, 100, 1)), point(0, 2, (300, 100, 0))])
    assert isinstance(more, Window)
    assert more.left <= view.left
    assert more.left + more.width > 310
    assert more.width / more.height == pytest.approx(WIDTH / HEIGHT, abs=0.02)
    assert windows.at(3) == more
    assert windows.corrected(3, [point(0, 1, (399, 199, 1), (0, 0, 1))]) == WHOLE


def test_what_is_seen_closer_is_the_cropped_video() -> None:
    """Frames 0 and 1 are looked at before masks of frame 0 can move the window."""
    clip, prompt = moving_squares(2), mask(0, 2)
    view = Window.whole(200, 120).around((65, 40, 105, 80), 0.8)
    assert (view.width, view.height) == (83, 50)
    closer = [masks for _, masks in build(zoom=0.8).track(ArraySource(clip), [prompt])]
    cropped = np.stack([view.look(frame) for frame in clip])
    alone = [masks for _, masks in build().track(ArraySource(cropped), [view.prompt(prompt)])]
    for ours, theirs in zip(closer, alone, strict=True):
        outside = ours.logits_nhw.copy()
        view.look(outside[0])[:] = -1024
        assert np.all(outside == -1024)
        np.testing.assert_array_equal(view.look(ours.logits_nhw[0]), theirs.logits_nhw[0])
        assert ours.scores == theirs.scores


@pytest.mark.slow
@pytest.mark.parametrize(
    "prompts",
    [[mask(0, 1), mask(2, 2)], [Prompt(0, 1, mask_hw=np.zeros((120, 200), bool))]],
    ids=["prompts on two frames", "nothing to follow"],
)
def test_where_there_is_no_one_place_to_look_at_all_is_seen(prompts: list[Prompt]) -> None:
    source = ArraySource(moving_squares(4))
    plain, closer = (
        [masks.logits_nhw for _, masks in build(image_size=64, zoom=zoom).track(source, prompts)]
        for zoom in (None, 0.8)
    )
    np.testing.assert_array_equal(closer[0], plain[0])
    if len(prompts) == 2:
        np.testing.assert_array_equal(closer, plain)


@pytest.mark.slow
def test_a_thread_that_encodes_ahead_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[View] = []
    original = Engine.image

    def image(engine: Engine, rgb_hw3: RGB, view: View) -> torch.Tensor:
        seen.append(view)
        return original(engine, rgb_hw3, view)

    monkeypatch.setattr(Engine, "image", image)
    views, logits = [], []
    for ahead in (False, True):
        torch.set_num_threads(1 + ahead)  # one for the encoder, one for the rest
        model = as_shipped(encode_ahead=ahead, image_size=SIDE)
        pairs = model.track(Discs(6, SMALL, radius=12), [click(0, 1, (40, 60, 1))])
        logits.append(np.stack([masks.logits_nhw for _, masks in pairs]))
        views.append(seen.copy())
        seen.clear()
    torch.set_num_threads(1)
    assert views[0] == views[1]
    assert len(set(views[0][-6:])) > 3
    np.testing.assert_allclose(logits[1], logits[0], atol=0.01)  # shown in windows while the next has moved on


def test_a_failing_reader_loses_no_frame() -> None:
    pairs = build(image_size=64, exact=False, encode_ahead=True, zoom=0.8).track(
        ArraySource(moving_squares(5), fails_at=4), [mask(0, 1)]
    )
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, _ in pairs:
            seen.append(frame.index)
    assert seen == [0, 1, 2, 3]


def as_shipped(**changes: Any) -> SAM2:
    return nano(**{**AS_SHIPPED, **changes})


SIDE = 224  # a quarter of the pixels that nano learnt with: enough for discs
SMALL = [(40.0, 60.0, 5.0, 2.0)]


def mean_j(model: SAM2, source: Discs, *prompts: Prompt) -> float:
    return float(
        np.mean([iou(m.masks_nhw[0], source.truth(m.frame_index) == 1) for _, m in model.track(source, prompts)])
    )


def test_a_small_object_is_cut_out_more_finely() -> None:
    source, prompt = Discs(12, SMALL, radius=12), click(0, 1, (40, 60, 1))
    plain, closer = (mean_j(as_shipped(zoom=zoom, image_size=SIDE), source, prompt) for zoom in (None, 0.8))
    assert closer > 0.85
    assert closer > plain


def test_it_is_followed_to_both_ends_of_the_video() -> None:
    source, prompt = Discs(24, SMALL, radius=12), click(6, 1, (70, 72, 1))  # frames from 22 on come after the way back
    assert mean_j(as_shipped(propagate="both", image_size=SIDE), source, prompt) > 0.85


def test_a_correction_may_be_outside_the_window() -> None:
    """A click far from what was followed adds what is there."""
    source = Discs(8, [*SMALL, (280.0, 120.0, -4.0, 0.0)], radius=12)
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
