"""A soft edge: right where pixels are mixed exactly, nearer to the truth than the mask, the mask beyond the band."""

import cv2
import numpy as np
import pytest
from matted import HEIGHT, WIDTH, disc, masks, mixed

from vidseg.colour import BT2020_PQ, pq_codes, sdr_of
from vidseg.errors import InputError
from vidseg.matte.auto import Auto
from vidseg.matte.edge import Edge
from vidseg.matte.plain import Plain
from vidseg.sample import SampleSource
from vidseg.sample.drawing import Drawing
from vidseg.types import Alpha, Deep, Frame, FrameMasks


def refined(matte, picture, *parts, index=0):
    alpha = matte.refine(Frame(index, 0.0, picture), masks(*parts, index=index))
    assert isinstance(alpha, Alpha)
    return alpha.alpha_hw / 255


def squared(found, truth):
    return float(((found - truth) ** 2).sum())


@pytest.mark.parametrize("blur", [0, 1.2])
@pytest.mark.parametrize("grain", [0, 3])
def test_alpha_of_mixed_pixels_is_found(blur, grain):
    truth = disc()
    truth = cv2.GaussianBlur(truth, (0, 0), blur) if blur else truth
    found = refined(Edge(), mixed(truth, grain=grain), truth > 0.5)
    assert squared(found, truth) < 0.2 * squared(truth > 0.5, truth)
    far = cv2.dilate(((truth > 0) & (truth < 1)).astype(np.uint8), np.ones((15, 15))) == 0
    assert np.array_equal(found[far], truth[far])


@pytest.mark.parametrize(("front", "back"), [((1500, 1400, 1200), (350, 400, 420)), ((40, 50, 60), (900, 820, 700))])
def test_edges_of_hdr_are_looked_for_in_its_own_codes(front, back):
    """Measured: 0.56 to 0.7 of the error of its SDR, of light (cd/m2) that is mixed by alpha."""
    truth = cv2.GaussianBlur(disc(), (0, 0), 1.0)
    light = truth[..., None] * np.array(front) + (1 - truth[..., None]) * np.array(back)
    deep = Deep(pq_codes(light.astype(np.float32) / 203), BT2020_PQ)
    sdr = sdr_of(deep.rgb_hw3, BT2020_PQ, 8)
    errors = []
    for frame in (Frame(0, 0.0, sdr, deep), Frame(0, 0.0, sdr)):
        errors.append(np.abs(Edge().refine(frame, masks(truth > 0.5)).alpha_hw / 255 - truth).sum())
    assert errors[0] < 0.75 * errors[1]


def test_where_the_picture_tells_nothing_alpha_is_the_mask():
    truth = disc()
    found = refined(Edge(width=6), np.full((HEIGHT, WIDTH, 3), 128, np.uint8), truth > 0.5)
    outline = cv2.morphologyEx((truth > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    assert np.array_equal(found[outline == 0], truth[outline == 0])  # the steps of its outline are straightened
    assert squared(found, truth) < squared(truth > 0.5, truth)


def test_an_object_that_the_pictures_edge_cuts_is_opaque_there():
    truth = disc((0.0, 60.0))
    found = refined(Edge(), mixed(truth), truth > 0.5)
    assert (found[40:80, 0] == 1).all()


def test_two_objects_that_touch_leave_no_seam():
    truth = disc()
    left = np.broadcast_to(np.arange(WIDTH) < 80, truth.shape)
    picture = mixed(truth)
    found = refined(Edge(), picture, (truth > 0.5) & left, (truth > 0.5) & ~left)
    assert np.array_equal(found, refined(Edge(), picture, truth > 0.5))
    assert (found[40:80, 70:90] == 1).all()


def test_no_object_and_an_object_everywhere():
    picture = mixed(disc())
    for value in (0, 1):
        assert (refined(Edge(), picture, np.full(picture.shape[:2], bool(value))) == value).all()
    nobody = FrameMasks(0, (), np.zeros((0, HEIGHT, WIDTH), np.float32))
    assert not Edge().refine(Frame(0, 0.0, picture), nobody).alpha_hw.any()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 3)])
def test_tiny_pictures_have_alpha(size):
    alpha = Edge().refine(Frame(0, 0.0, np.full((*size, 3), 9, np.uint8)), masks(np.ones(size, bool)))
    assert (alpha.alpha_hw == 255).all()


def band(matte, steep=10.0, shift=0):
    """How soft alpha is across a blurred edge: the sum of how far its pixels are from 0 or 255."""
    height, width = 720, 1280
    share = np.zeros((height, width))
    share[200:500, 400 + shift : 700 + shift] = 1
    logits = cv2.GaussianBlur(np.where(share > 0, 1.0, -1.0), (0, 0), 8)[None] * steep
    picture = np.repeat(np.rint(cv2.GaussianBlur(share, (0, 0), 8) * 200 + 20)[..., None], 3, 2).astype(np.uint8)
    row = matte.refine(Frame(0, 0.0, picture), FrameMasks(0, (1,), logits.astype(np.float32))).alpha_hw[350, :600]
    return int(np.minimum(row, 255 - row).sum())


def test_the_band_is_wider_where_the_model_is_unsure_and_where_the_outline_moves():
    assert band(Edge(), steep=100) < band(Edge(), steep=2)
    moving, still = Edge(), Edge()
    for shift in (0, 12):
        moved, stayed = band(moving, 6, shift), band(still, 6)
    assert stayed < moved
    assert band(Edge(width=2)) < band(Edge(width=8))
    assert band(Edge(width=8), steep=100) == band(Edge(width=8), steep=2)


def test_on_the_built_in_clip_a_third_of_the_error_is_left():
    """Measured: 0.16 to 0.20 of it."""
    drawing, source, edge = Drawing(0), SampleSource(0), Edge()
    before = after = 0.0
    for index in (3, 4):
        figure = next(figure for figure in drawing._cast(index) if figure.label == 1)
        truth = np.zeros((720, 1280))
        x, y = figure.corner
        rows, columns = slice(y, y + figure.rgba.shape[0]), slice(x, x + figure.rgba.shape[1])
        truth[rows, columns] = figure.rgba[..., 3][: 720 - y, : 1280 - x] / 255
        labels = source.truth(index) == 1
        alpha = edge.refine(source[index], masks(labels, index=index)).alpha_hw / 255
        before, after = before + squared(labels, truth), after + squared(alpha, truth)
    assert after < before / 3


def test_auto_is_soft_where_an_output_has_alpha_and_does_what_its_keys_say_elsewhere():
    assert isinstance(Auto().for_outputs(True), Edge)
    assert Auto().for_outputs(False) is None
    assert isinstance(Auto(feather=2).for_outputs(False), Plain)
    assert Plain().for_outputs(True) is None
    assert isinstance(Edge().for_outputs(False), Edge)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"width": 0}, r"matte\.width: 0 is not a number from 1 to 64"),
        ({"width": "wide"}, r"matte\.width: 'wide' is not a number"),
        ({"grow": float("nan")}, r"matte\.grow: nan is not a number from -256 to 256"),
        ({"feather": -1}, r"matte\.feather: -1 is not a number from 0 to 256"),
        ({"specks": 2.5}, r"matte\.specks: 2\.5 is not a whole number of 0 or more"),
        ({"border": True}, r"matte\.border: True is not a whole number from 0 to 256"),
        ({"smooth": 1}, r"matte\.smooth: 1 is not a number from 0 to 0\.95"),
        ({"foreground": "no"}, r"matte\.foreground: 'no' is not true or false"),
    ],
)
def test_values_out_of_range_are_refused(keys, message):
    with pytest.raises(InputError, match=message):
        Edge(**keys)
