"""What each renderer promises about single pixels, on masks whose pixels are known."""

import cv2
import numpy as np
import pytest
from omegaconf import OmegaConf

from vidseg.composite import (
    PALETTE,
    annotate,
    colour,
    cutout,
    label_map,
    overlay,
    parse_colour,
    transparent,
)
from vidseg.composite.marks import NEGATIVE, POSITIVE, WHITE
from vidseg.composite.pictures import EDGE_BAND
from vidseg.errors import InputError
from vidseg.types import Alpha, Frame, FrameMasks, Prompt

HEIGHT, WIDTH = 180, 320
RENDERERS = [cutout, overlay, transparent, annotate]


@pytest.fixture
def frame():
    noise = np.random.default_rng(0).integers(40, 216, (HEIGHT, WIDTH, 3), np.uint8)
    return Frame(7, 0.25, noise)


def boxes(*boxes_xyxy, ids=None, shape=(HEIGHT, WIDTH), levels=None):
    """One object a box; logits of ``levels`` inside (5 each unless told), -5 outside."""
    logits = np.full((len(boxes_xyxy), *shape), -5, np.float32)
    for number, (x0, y0, x1, y1) in enumerate(boxes_xyxy):
        logits[number, y0:y1, x0:x1] = levels[number] if levels else 5
    return FrameMasks(7, ids or tuple(range(1, len(boxes_xyxy) + 1)), logits)


def click(x, y, label, frame_index=7, object_id=1):
    return Prompt(frame_index, object_id, np.array([[x, y]], np.float32), np.array([label], np.int32))


def distance(picture, rgb):
    return np.abs(picture.astype(int) - rgb).max(axis=-1)


def test_palette_is_vocs():
    assert PALETTE.dtype == np.uint8
    assert PALETTE[[0, 1, 2, 3, 7, 8, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [128, 128, 128],
        [64, 0, 0],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert len(np.unique(PALETTE, axis=0)) == 256


def test_drawing_colours_are_bright_and_unlike_their_neighbours():
    first = np.array([colour(n) for n in range(1, 11)])
    apart = np.abs(first[:, None] - first[None]).sum(axis=2) + 1000 * np.eye(10, dtype=int)
    assert apart.min() >= 90
    many = np.array([colour(n) for n in range(0, 2000)])
    assert many.min() >= 0
    assert many.max(axis=1).min() >= 200
    assert many.max() <= 255
    assert np.abs(np.diff(many, axis=0)).sum(axis=1).min() >= 90


def test_label_map_gives_an_overlap_to_the_larger_logit():
    masks = boxes((10, 10, 60, 60), (40, 10, 90, 60), (200, 100, 210, 110), ids=(3, 9, 254), levels=(2, 7, 0.1))
    labels = label_map(masks)
    assert labels.dtype == np.uint8
    assert labels.shape == (HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:60, 10:60] = 3
    expected[10:60, 40:90] = 9
    expected[100:110, 200:210] = 254
    np.testing.assert_array_equal(labels, expected)


def test_label_map_gives_a_tie_to_the_first_object():
    assert label_map(boxes((0, 0, 9, 9), (5, 5, 9, 9)))[7, 7] == 1


def test_label_map_tells_by_its_dtype_what_a_png_holds():
    assert label_map(boxes((0, 0, 2, 2), ids=(254,))).dtype == np.uint8
    for too_large_for_a_png in (255, 256, 65535):
        labels = label_map(boxes((0, 0, 2, 2), ids=(too_large_for_a_png,)))
        assert labels.dtype == np.uint16
        assert labels.max() == too_large_for_a_png
    for no_label in (0, -1, 65536):
        with pytest.raises(InputError, match=f"object: {no_label} "):
            label_map(boxes((0, 0, 2, 2), ids=(no_label,)))


def test_label_map_of_no_objects_is_background():
    assert not label_map(FrameMasks(0, (), np.zeros((0, 4, 6), np.float32))).any()


@pytest.mark.parametrize(
    ("background", "rgb"),
    [
        ("black", (0, 0, 0)),
        (" White ", (255, 255, 255)),
        ("green", (0, 177, 64)),
        ("#0aF010", (10, 240, 16)),
        ([1, 2, 3], (1, 2, 3)),
        ((255, 0, 0), (255, 0, 0)),
        (OmegaConf.create([9, 8, 7]), (9, 8, 7)),
    ],
)
def test_cutout_keeps_the_objects_and_nothing_else(frame, background, rgb):
    masks = boxes((10, 10, 60, 60), (50, 50, 90, 90))
    out = cutout(frame, masks, background=background)
    union = masks.masks_nhw.any(axis=0)
    np.testing.assert_array_equal(out[union], frame.rgb_hw3[union])
    assert (out[~union] == rgb).all()


@pytest.mark.parametrize(
    "background",
    ["teal", "", "#12345", "#12345g", "123456", [1, 2], [1, 2, 256], [-1, 0, 0], [1.5, 2, 3], [True, 0, 0], 7, None],
)
def test_cutout_refuses_what_is_no_colour(frame, background):
    with pytest.raises(InputError) as caught:
        cutout(frame, boxes((0, 0, 5, 5)), background=background)
    message = str(caught.value)
    assert message.startswith(f"background: {background!r} ")
    assert "black" in message
    assert "#rrggbb" in message


def test_parse_colour_names_the_key_it_was_given():
    with pytest.raises(InputError, match=r"^edge: 'x' "):
        parse_colour("edge", "x")


@pytest.mark.parametrize(("opacity", "key"), [(1.01, "opacity"), (-0.1, "opacity"), ("half", "opacity")])
def test_overlay_refuses_an_opacity_out_of_range(frame, opacity, key):
    with pytest.raises(InputError, match=rf"^{key}: .* from 0 to 1$"):
        overlay(frame, boxes((0, 0, 5, 5)), opacity=opacity)


@pytest.mark.parametrize("options", [{"opacity": float("nan")}, {"opacity": True}, {"contour": -1}, {"ids": "yes"}])
def test_overlay_refuses_other_options_out_of_range(frame, options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}: "):
        overlay(frame, boxes((0, 0, 5, 5)), **options)


def test_overlay_mixes_each_objects_colour_into_its_pixels(frame):
    masks = boxes((10, 10, 60, 60), (40, 10, 90, 60), levels=(2, 7))
    out = overlay(frame, masks, opacity=0.25, contour=0)
    labels = label_map(masks)
    for label, object_id in ((1, 1), (2, 2)):
        inside = labels == label
        expected = 0.75 * frame.rgb_hw3[inside] + 0.25 * np.array(colour(object_id))
        assert np.abs(out[inside] - expected).max() <= 1
    np.testing.assert_array_equal(out[labels == 0], frame.rgb_hw3[labels == 0])


def test_overlay_without_tint_or_contour_is_the_frame(frame):
    np.testing.assert_array_equal(overlay(frame, boxes((9, 9, 40, 40)), opacity=0, contour=0), frame.rgb_hw3)


def test_overlay_draws_the_contour_on_the_masks_edge_only(frame):
    masks = boxes((50, 40, 150, 120))
    out = overlay(frame, masks, opacity=0, contour=8)  # two pixels wide here
    edge = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(edge, (50, 40), (149, 119), 1)
    assert (distance(out, colour(1))[edge > 0] == 0).all()
    far = cv2.dilate(edge, np.ones((7, 7), np.uint8)) == 0
    np.testing.assert_array_equal(out[far], frame.rgb_hw3[far])


def test_contours_are_as_thick_relative_to_the_picture():
    def painted(scale):
        blank = Frame(7, 0.0, np.zeros((180 * scale, 320 * scale, 3), np.uint8))
        masks = boxes((50 * scale, 40 * scale, 150 * scale, 120 * scale), shape=blank.rgb_hw3.shape[:2])
        return overlay(blank, masks, opacity=0, contour=8).any(axis=2).mean()

    assert painted(4) == pytest.approx(painted(2), rel=0.25)


def test_transparent_is_the_mask_with_a_band_of_colour_around(frame):
    masks = boxes((100, 50, 160, 100), (0, 0, 20, 20))  # one of them in a corner
    out = transparent(frame, masks)
    union = masks.masks_nhw.any(axis=0)
    assert out.shape == (HEIGHT, WIDTH, 4)
    np.testing.assert_array_equal(out[..., 3], np.where(union, 255, 0))
    size = 2 * EDGE_BAND + 1
    band = cv2.dilate(union.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    np.testing.assert_array_equal(out[band, :3], frame.rgb_hw3[band])
    assert not out[~band].any()
    assert (band & ~union).sum() > 1000


@pytest.mark.parametrize(("screen", "channel"), [("green", 1), ("blue", 2)])
def test_despill_takes_the_screen_s_light_out_of_the_object(frame, screen, channel):
    masks = boxes((10, 10, 60, 60))
    others = [number for number in range(3) if number != channel]
    limit = (frame.rgb_hw3[..., others].sum(axis=2) + 1) // 2
    for out, plain in (
        (cutout(frame, masks, despill=screen), cutout(frame, masks)),
        (transparent(frame, masks, despill=screen)[..., :3], transparent(frame, masks)[..., :3]),
    ):
        shown = plain.any(axis=2)
        assert np.abs(out[..., channel].astype(int) - np.minimum(plain[..., channel], limit))[shown].max() <= 1
        assert np.array_equal(out[..., others], plain[..., others])
        assert (out[..., channel] < plain[..., channel])[shown].mean() > 0.3


def test_alpha_mixes_the_objects_with_the_background(frame):
    masks = boxes((10, 10, 60, 60))
    alpha = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    masks.soften(Alpha(alpha))
    expected = (
        frame.rgb_hw3 * (alpha / 255)[..., None] + np.array((0, 177, 64)) * (1 - alpha / 255)[..., None]
    ).round()
    assert np.abs(cutout(frame, masks, background="green") - expected).max() <= 1
    assert np.array_equal(transparent(frame, masks)[..., 3], alpha)
    assert np.array_equal(overlay(frame, masks), overlay(frame, boxes((10, 10, 60, 60))))


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_empty_masks_leave_nothing_of_an_object(frame, render, number):
    masks = FrameMasks(7, tuple(range(1, number + 1)), np.full((number, HEIGHT, WIDTH), -1, np.float32))
    out = render(frame, masks)
    if render in (cutout, transparent):
        assert not out.any()
    else:
        np.testing.assert_array_equal(out, frame.rgb_hw3)


@pytest.mark.parametrize("render", RENDERERS)
def test_inputs_are_left_alone_and_may_be_views(frame, render):
    masks = boxes((10, 10, 60, 60), (50, 50, 319, 90))
    rgb, logits = frame.rgb_hw3.copy(), masks.logits_nhw.copy()
    out = render(frame, masks)
    np.testing.assert_array_equal(frame.rgb_hw3, rgb)
    np.testing.assert_array_equal(masks.logits_nhw, logits)
    assert not np.shares_memory(out, frame.rgb_hw3)
    view = Frame(7, 0.25, np.rot90(np.rot90(rgb, -1).copy()))  # as a rotated video comes
    viewed = FrameMasks(7, (1, 2), np.ascontiguousarray(logits[:, ::-1])[:, ::-1])
    np.testing.assert_array_equal(render(view, viewed), out)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 9)])
def test_tiny_pictures_are_drawn(render, size):
    rgb = np.full((*size, 3), 99, np.uint8)
    out = render(Frame(7, 0.0, rgb), FrameMasks(7, (1,), np.ones((1, *size), np.float32)))
    assert out.shape[:2] == size


@pytest.mark.parametrize("render", RENDERERS)
def test_masks_of_another_size_are_refused(frame, render):
    with pytest.raises(ValueError, match="don't fit"):
        render(frame, boxes((0, 0, 5, 5), shape=(HEIGHT, WIDTH + 2)))


def test_annotate_draws_green_stars_for_positive_and_red_for_negative_points(frame):
    masks = boxes((50, 40, 150, 120))
    prompts = [click(100, 80, 1), click(250, 90, 0)]
    out = annotate(frame, masks, prompts)
    assert tuple(out[80, 100]) == POSITIVE
    assert tuple(out[90, 250]) == NEGATIVE
    changed = distance(out, annotate(frame, masks)) > 0
    rows, columns = np.nonzero(changed[:, 200:])
    assert columns.max() - columns.min() <= 20  # a star, not a blot
    assert 60 <= changed[:, 200:].sum() <= 250
    white = (distance(out, WHITE) < 40) & changed
    assert white[:, 200:].sum() >= 10
    assert abs(columns.mean() + 200 - 250) < 1.5
    assert abs(rows.mean() - 90) < 1.5


def test_annotate_draws_the_prompts_of_its_own_frame_only(frame):
    masks = boxes((50, 40, 150, 120))
    np.testing.assert_array_equal(annotate(frame, masks, [click(100, 80, 1, frame_index=8)]), annotate(frame, masks))


def test_annotate_outlines_a_box_in_its_objects_colour(frame):
    masks = boxes((50, 40, 150, 120), (0, 0, 1, 1))
    box = Prompt(7, 2, box_xyxy=np.array([200, 30, 300, 160], np.float32))
    out = annotate(frame, masks, [box])
    for x, y in ((200, 100), (300, 100), (250, 30), (250, 160)):
        assert tuple(out[y, x]) == colour(2)
    np.testing.assert_array_equal(out[60:130, 230:270], frame.rgb_hw3[60:130, 230:270])


def test_annotate_dashes_the_contour_of_a_mask_prompt(frame):
    prompt = Prompt(7, 1, mask_hw=boxes((180, 30, 300, 160)).masks_nhw[0])
    out = annotate(frame, FrameMasks(7, (1,), np.full((1, HEIGHT, WIDTH), -1, np.float32)), [prompt])
    side = distance(out[60:150, 180], WHITE) < 60
    assert 0.3 < side.mean() < 0.9
    assert np.count_nonzero(np.diff(side.astype(int))) >= 6
    np.testing.assert_array_equal(out[60:130, 220:260], frame.rgb_hw3[60:130, 220:260])


@pytest.mark.parametrize("corner", [(0, 0), (300, 0), (0, 160), (300, 160)])
def test_a_label_stays_inside_the_picture(corner):
    black = Frame(7, 0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    x, y = corner
    masks = boxes((x, y, x + 20, y + 20), ids=(12,))
    label = distance(overlay(black, masks, ids=True), overlay(black, masks)) > 0
    rows, columns = np.nonzero(label)
    assert label.sum() > 150
    assert columns.max() - columns.min() > rows.max() - rows.min()  # a whole pill: wider than high
    assert rows.min() > 0
    assert columns.min() > 0
    assert rows.max() < HEIGHT - 1
    assert columns.max() < WIDTH - 1


def test_labels_of_objects_in_one_place_don_t_hide_each_other():
    black = Frame(7, 0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    masks = boxes((100, 60, 200, 160), (101, 60, 201, 160), (102, 60, 202, 160))
    out = overlay(black, masks, opacity=0, contour=0, ids=True)
    areas = [(distance(out, colour(n)) == 0).sum() for n in (1, 2, 3)]
    assert min(areas) > 0.8 * max(areas)
