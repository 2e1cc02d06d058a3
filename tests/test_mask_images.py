"""Masks as people have them: soft, JPEG, in alpha, in colours, of 16 bits; understood one way by all who read them."""

import logging
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vidseg.composite import PALETTE
from vidseg.errors import InputError
from vidseg.record.label_maps import LabelMaps
from vidseg.record.mask_images import MaskImages
from vidseg.types import VideoInfo

Y, X = np.mgrid[:90, :160]
DISC = (X - 40) ** 2 + (Y - 30) ** 2 < 18**2
RECT = (X >= 90) & (Y >= 50)
TWO = np.where(DISC, 1, np.where(RECT, 2, 0)).astype(np.uint8)
GREY = Image.fromarray(np.where(DISC, 255, 0).astype(np.uint8))
SOFT = GREY.filter(ImageFilter.GaussianBlur(2))
INFO = VideoInfo(160, 90, Fraction(24), 9, Fraction(1, 24))
GRADIENT = Image.fromarray(np.dstack([X, 2 * Y, 255 - X]).astype(np.uint8))


def colours(first, second, background=(0, 0, 0)):
    table = np.array([background, first, second], np.uint8)
    return Image.fromarray(table[TWO])


def alpha(image, alpha_hw):
    return Image.fromarray(np.dstack([np.asarray(image.convert("RGB")), np.asarray(alpha_hw, np.uint8)]))


def indexed(indices, *palette):
    image = Image.fromarray(np.asarray(indices, np.uint8))
    image.putpalette(np.array(palette, np.uint8).tobytes())
    return image


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return {"exif": tags}


def read(path, image, **options):
    """What is read of an image that is saved as ``path``."""
    if isinstance(image, np.ndarray) and path.suffix == ".npy":
        np.save(path, image)
    else:
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)
    return MaskImages("key").read(path)


RED_GREEN = colours((128, 0, 0), (0, 128, 0))
PURE = colours((255, 0, 0), (0, 0, 255))

ONE = {
    "black and white": ("m.png", GREY, {}),
    "1 bit": ("m.png", GREY.convert("1"), {}),
    "BMP": ("m.bmp", GREY, {}),
    "TIFF": ("m.tif", GREY, {}),
    "WebP": ("m.webp", GREY, {}),
    "soft": ("m.png", SOFT, {}),
    "softer": ("m.png", GREY.filter(ImageFilter.GaussianBlur(5)), {}),
    "soft in 16 indices": ("m.png", SOFT.quantize(16), {}),
    "half the size and back": ("m.png", GREY.resize((80, 45), Image.Resampling.BOX).resize((160, 90)), {}),
    "JPEG 95": ("m.jpg", GREY, {"quality": 95}),
    "JPEG 10": ("m.jpg", GREY, {"quality": 10}),
    "JPEG in colour": ("m.jpg", GREY.convert("RGB"), {"quality": 50}),
    "video levels": ("m.png", GREY.point(lambda level: 16 + level * 219 // 255), {}),
    "alpha": ("m.png", alpha(GRADIENT, 255 * DISC), {}),
    "soft alpha": ("m.png", alpha(GRADIENT, SOFT), {}),
    "grey with alpha": ("m.png", Image.merge("LA", (GRADIENT.convert("L"), GREY)), {}),
    "constant alpha": ("m.png", GREY.convert("RGBA"), {}),
    "all half transparent": ("m.png", alpha(GREY, np.full(TWO.shape, 100)), {}),
    "0 and 65535": ("m.png", DISC.astype(np.uint16) * np.uint16(65535), {}),
    "soft, 16 bits": ("m.png", np.asarray(SOFT, np.uint16) * np.uint16(251), {}),
    "shares": ("m.tif", np.asarray(SOFT, np.float32) / 255, {}),
    "bool in NumPy's file": ("m.npy", DISC[None], {}),
    "probabilities in NumPy's file": ("m.npy", np.asarray(SOFT) / 255, {}),
    "turned by EXIF": ("m.png", GREY.rotate(180), exif(3)),
}


@pytest.mark.parametrize("case", ONE.values(), ids=ONE)
def test_one_object(tmp_path, case):
    name, image, options = case
    labels = read(tmp_path / name, image, **options)
    assert set(np.unique(labels)) == {0, 255}
    assert np.count_nonzero((labels == 255) != DISC) < 0.1 * DISC.sum()  # a wide blur rounds a disc off


SEVERAL = {
    "DAVIS' palette": ("m.png", indexed(TWO, *PALETTE), {}),
    "another palette": ("m.png", indexed(TWO, (0, 0, 0), (236, 95, 103), (249, 145, 87)), {}),
    "an editor's palette": ("m.png", indexed(2 - TWO, (0, 128, 0), (128, 0, 0), (0, 0, 0)), {}),
    "a transparent index": ("m.png", indexed(2 - TWO, (0, 0, 255), (255, 0, 0), (9, 9, 9)), {"transparency": 2}),
    "DAVIS' colours": ("m.png", RED_GREEN, {}),
    "as JPEG": ("m.jpg", RED_GREEN, {"quality": 75}),
    "as bad JPEG": ("m.jpg", RED_GREEN, {"quality": 10}),
    "with soft edges": ("m.png", RED_GREEN.filter(ImageFilter.GaussianBlur(1)), {}),
    "with soft edges in a palette": ("m.png", RED_GREEN.filter(ImageFilter.GaussianBlur(1)).quantize(64), {}),
    "other colours": ("m.png", PURE, {}),
    "other colours as JPEG": ("m.jpg", PURE, {"quality": 75}),
    "on white": ("m.png", colours((255, 0, 0), (0, 0, 255), (255, 255, 255)), {}),
    "painted on nothing": ("m.png", alpha(PURE, 255 * (TWO > 0)), {}),
    "almost black": ("m.png", colours((1, 0, 0), (2, 0, 0)), {}),
    "grey as colour": ("m.png", Image.fromarray(TWO).convert("RGB"), {}),
    "16 bits": ("m.png", TWO.astype(np.uint16), {}),
    "16 bits, scaled": ("m.png", TWO.astype(np.uint16) * np.uint16(257), {}),
    "classes and instances": ("m.png", TWO.astype(np.uint16) * np.uint16(1001), {}),
    "32 bits": ("m.tif", TWO.astype(np.int32) * 70000, {}),
    "float": ("m.tif", TWO.astype(np.float32), {}),
}


@pytest.mark.parametrize("case", SEVERAL.values(), ids=SEVERAL)
def test_two_objects(tmp_path, case):
    name, image, options = case
    labels = read(tmp_path / name, image, **options)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert np.count_nonzero(labels != TWO) < 0.04 * TWO.astype(bool).sum()


def test_a_void_border_is_no_object(tmp_path):
    ring = np.asarray(GREY.filter(ImageFilter.MaxFilter(5)), bool) & ~DISC
    for image in (RED_GREEN, PURE):
        rgb = np.array(image)
        rgb[ring] = (224, 224, 192)  # Pascal VOC's
        labels = read(tmp_path / "m.png", rgb)
        assert np.array_equal(labels, np.where(ring, 255, TWO))


def test_small_objects_count(tmp_path):
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:, 2], rgb[:, 3] = (128, 0, 0), (0, 128, 0)
    assert read(tmp_path / "m.png", rgb)[0].tolist() == [0, 0, 1, 2, 0, 0]


PAGES = {"save_all": True, "append_images": [GREY.rotate(90)]}


@pytest.mark.parametrize(
    ("name", "image", "options", "message"),
    [
        ("m.png", GRADIENT, {}, r"holds \d+ colours: a picture\?"),
        ("m.png", GRADIENT.convert("L"), {}, r"holds \d+ levels of grey: a picture\?"),
        ("m.png", (X * 400).astype(np.uint16), {}, r"holds 160 values up to 63600: a picture\?"),
        ("m.png", colours((90, 60, 30), (60, 90, 120), (200, 30, 90)), {}, "has the colours .* and no black"),
        (
            "m.jpg",
            Image.fromarray(TWO * np.uint8(3)),
            {"quality": 95},
            r"holds \d levels of grey: lossy images such as JPEG",
        ),
        ("m.png", (TWO * 127.5).astype(np.uint8), {}, "holds the levels 0, 127, 255: a trimap, or an object"),
        ("m.tif", np.full((9, 9), np.nan, np.float32), {}, "holds numbers that are not finite"),
        ("m.tif", np.full((9, 9), -1, np.int32), {}, "holds values below 0"),
        ("m.npy", np.zeros((2, 9, 9), bool), {}, r"holds bool \(2, 9, 9\)"),
        ("m.npy", np.array([[None]]), {}, "is not an image that can be read"),
        ("m.gif", GREY, PAGES, "has several pages or frames"),
        ("m.tif", GREY, PAGES, "has several pages or frames"),
        ("m.png", GREY, PAGES, "has several pages or frames"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, name, image, options, message):
    with pytest.raises(InputError, match=rf"^key: .*{name} {message}") as raised:
        read(tmp_path / name, image, **options)
    assert len(str(raised.value).splitlines()) == 1


def folder_of(tmp_path, suffix, *images):
    for index, image in enumerate(images):
        image.save(tmp_path / f"{index:05d}{suffix}")
    return LabelMaps(tmp_path, "key")


def ids(maps, index):
    return np.unique(maps.read_labels(index, INFO)).tolist()


def painted(**areas):
    """An image with bands of colours: ``red=0`` is at the left."""
    rgb = np.zeros((90, 160, 3), np.uint8)
    table = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    for name, at in areas.items():
        rgb[20:70, 40 * at + 5 : 40 * at + 35] = table[name]
    return Image.fromarray(rgb)


def test_a_colour_that_comes_later_gets_a_later_id_whichever_frame_is_read_first(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    maps = folder_of(tmp_path, ".png", painted(), painted(blue=0), painted(blue=1, red=0), painted(green=3, red=2))
    assert ids(maps, 3) == [0, 2, 3]
    assert [ids(maps, index) for index in (0, 1, 2)] == [[0], [0, 1], [0, 1, 2]]
    assert maps.object_ids == {1, 2, 3}
    assert [record.getMessage() for record in caplog.records] == [
        "key: 1 object by colour: 1 (0, 0, 255)",
        "key: 2 objects by colour: 1 (0, 0, 255), 2 (255, 0, 0)",
        "key: 2 objects by colour: 2 (255, 0, 0), 3 (0, 255, 0)",
    ]


def test_white_stays_object_1_when_a_colour_comes(tmp_path):
    maps = folder_of(tmp_path, ".png", painted(white=0), painted(white=1, red=0))
    assert [ids(maps, index) for index in (0, 1)] == [[0, 1], [0, 1, 2]]
    assert maps.read_labels(1, INFO)[40, 60] == 1


def test_a_colour_of_davis_keeps_its_index_in_every_map(tmp_path):
    both, second = colours((128, 0, 0), (0, 128, 0)), colours((0, 0, 0), (0, 128, 0))
    maps = folder_of(tmp_path, ".png", second, both, colours((0, 0, 0), (128, 128, 128)))
    assert [ids(maps, index) for index in range(3)] == [[0, 2], [0, 1, 2], [0, 7]]


def test_a_folder_of_jpeg_masks_is_one_object_and_says_so_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    maps = folder_of(tmp_path, ".jpg", *([GREY] * 3))
    assert [ids(maps, index) for index in range(3)] == [[0, 1]] * 3
    assert [record.getMessage() for record in caplog.records] == ["key: soft masks are cut at half"]


def test_frames_with_alpha_are_one_object_also_where_it_fills_or_leaves_the_frame(tmp_path):
    everything, nothing = np.full(TWO.shape, 255), np.zeros(TWO.shape)
    maps = folder_of(tmp_path, ".png", *(alpha(GRADIENT, each) for each in (255 * DISC, everything, nothing)))
    assert [ids(maps, index) for index in range(3)] == [[0, 1], [1], [0]]


def test_pngs_go_first_in_a_folder_with_the_frames(tmp_path):
    GRADIENT.save(tmp_path / "00000.jpg")
    assert ids(folder_of(tmp_path, ".png", indexed(TWO, *PALETTE)), 0) == [0, 1, 2]


def test_a_palette_in_another_order_is_a_warning(tmp_path, caplog):
    image = indexed(TWO, (0, 0, 0), (0, 128, 0), (128, 0, 0))
    assert np.array_equal(read(tmp_path / "m.png", image), TWO)
    assert "the palette has DAVIS' colours in another order: its indices are the ids" in caplog.text
