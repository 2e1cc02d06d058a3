"""What the names of images say: their order, their numbers, and which label map is of which frame."""

import os
import random
from fractions import Fraction
from pathlib import Path

import pytest

from vidseg.errors import InputError
from vidseg.record.map_names import of_frames
from vidseg.record.names import in_order
from vidseg.types import VideoInfo

FOLDER = Path("clip")


def numbering(names):
    """Of the images in an order in which a folder may list them."""
    files = [FOLDER / name for name in names]
    random.Random(1).shuffle(files)
    return in_order(files, "video")


def info(names):
    found = numbering(names)
    files = tuple(file.name for file in found.files)
    return VideoInfo(6, 4, Fraction(30), len(files), Fraction(1, 30), files, found.numbers)


ORDERS = {  # names in the right order, and the frames' numbers
    "padded": ([f"{i:05d}.jpg" for i in range(12)], range(12)),
    "unpadded": (["1.png", "2.png", "10.png", "11.png"], (1, 2, 10, 11)),
    "constant after": ([f"{i:04d}_cam2.png" for i in range(12)], range(12)),
    "constant before": ([f"cam2_{i:04d}.png" for i in range(12)], range(12)),
    "constants before": ([f"shot10_v2_{i:04d}.png" for i in range(1, 12)], range(1, 12)),
    "constants around": ([f"1080p_{i:05d}_x264.jpg" for i in range(3)], range(3)),
    "copies": ([f"img-{i:03d} (copy 2).PNG" for i in (7, 8, 12)], (7, 8, 12)),
    "hyphen": (["frame-1.png", "frame-2.png", "frame-10.png"], (1, 2, 10)),
    "two hyphens": (["clip--01.png", "clip--02.png"], (1, 2)),
    "negative": (["-10.png", "-2.png", "0.png", "1.png"], (-10, -2, 0, 1)),
    "negative after text": (["f_-0001.png", "f_0000.png", "f_0001.png"], (-1, 0, 1)),
    "mixed cases and kinds": (["IMG_0001.JPG", "img_0002.jpg", "img_0003.png"], (1, 2, 3)),
    "text after the number": (["0001_cat.png", "0002_dog.png", "0010_cat.png"], (1, 2, 10)),
    "seconds": (["IMG_20261128_103005.jpg", "IMG_20261128_103006.jpg"], (103005, 103006)),
    "stamps": (["1305031102.655304.png", "1305031102.988637.png", "1305031103.021971.png"], None),
    "dates": (["2026-11-28_10-30-05.123.jpg", "2026-11-28_10-30-06.023.jpg", "2026-12-01_09-00-00.000.jpg"], None),
    "unpadded times": (["10.30.5.png", "10.30.12.png", "10.31.1.png"], None),
    "several series": (["seq01_0001.png", "seq01_0002.png", "seq02_0001.png"], None),
    "decimal fractions": (["0.05.png", "0.25.png", "0.5.png", "1.0.png"], None),
    "versions": ([f"1.{i}.png" for i in range(8, 12)], (8, 9, 10, 11)),
    "month first": (["11-28-2026 1.png", "11-29-2026 2.png"], None),
    "no number": (["a.png", "B.png", "c.png"], None),
    "one": (["frame_12.png"], (12,)),
    "one with several numbers": (["cam2_0000.png"], None),
    "not UTF-8": ([os.fsdecode(b"caf\xe9_1.png"), os.fsdecode(b"caf\xe9_2.png")], (1, 2)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_images_are_in_the_natural_order_of_their_names(name):
    names, numbers = ORDERS[name]
    found = numbering(names)
    assert [file.name for file in found.files] == names
    assert found.numbers == (None if numbers is None else tuple(numbers))
    found.how.encode()  # fit for any log


@pytest.mark.parametrize(
    ("names", "how"),
    [
        ([f"{i:04d}_cam2.png" for i in range(8)], "frames 0 to 7 by the first number in 0000_cam2.png"),
        (["1.png", "2.png", "4.png"], "frames 1 to 4 by the number in 1.png, with gaps"),
        (["1.5.png", "2.6.png"], "numbered by position"),
        (["a.png", "b.png"], "in the order of their names"),
    ],
)
def test_what_was_understood_is_said(names, how):
    assert numbering(names).how == how


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["00001.jpg", "1.png"], "00001.jpg and 1.png have the same number"),
        (["a.jpg", "a.png"], "a.jpg and a.png have the same number"),
        (["0009.png", "000a.png", "0010.png"], "differ in more than a number"),
        (["3fa85f.png", "7bc921.png"], "differ in more than a number"),
        (["0001_left.png", "0001_right.png", "0002_left.png"], "differ in more than a number"),
        (["left_1.png", "left_2.png", "right_1.png"], "differ in more than a number"),
        (["0001.png", "0001_mask.png"], "differ in more than a number"),
        (["IMG_0001.jpg", "IMG_0001 (1).jpg"], "differ in more than a number"),
        (["28Nov.png", "01Dec.png"], "differ in more than a number"),
        (["at 9.59.12 AM.png", "at 1.00.05 PM.png"], "differ in more than a number"),
        (["30-11-2026_1.png", "01-12-2026_1.png"], "write the year first"),
        (["-0001.png", "-0002.png"], "sign of the number"),
        (["1.5.png", "1.25.png"], "decimal fractions or two numbers"),
        (["image.png", "image (1).png", "image (2).png"], "is image.png the first image"),
    ],
)
def test_an_order_that_is_not_certain_is_refused(names, words):
    with pytest.raises(InputError, match=r"^video: clip: .*") as caught:
        numbering(names)
    assert words in str(caught.value)


def test_an_image_without_a_number_is_left_out_with_a_warning(caplog):
    assert [file.name for file in numbering(["0001.png", "0002.png", "cover.png"]).files] == ["0001.png", "0002.png"]
    assert "video: cover.png is left out" in caplog.text


FRAMES, CAM = [f"{i:05d}.jpg" for i in range(12)], [f"{i:04d}_cam2.png" for i in range(12)]
STAMPS = ["rgb_1305031102.655304.png", "rgb_1305031102.988637.png", "rgb_1305031103.021971.png"]
MATCHES = {  # the frames' names, the maps', and the indices of the maps' frames
    "same names": (FRAMES, ["00000.png", "00007.png"], (0, 7)),
    "the first only": (CAM, ["0000_cam2.png"], (0,)),
    "a word more": (CAM, ["0007_cam2_mask.png"], (7,)),
    "the number alone": (CAM, ["00007.png"], (7,)),
    "another word": ([f"rgb_{i}.jpg" for i in range(5, 9)], ["mask_0005.png", "mask_0008.png"], (0, 3)),
    "a number more": (FRAMES, ["cam2_00007.png"], (7,)),
    "stamps": (STAMPS, [STAMPS[2]], (2,)),
    "stamps, another word": (STAMPS, ["mask_1305031102.988637.png"], (1,)),
    "no numbers": (["a.jpg", "b.jpg"], ["b_mask.png"], (1,)),
    "negative": (["-2.png", "-1.png", "0.png"], ["-0002.png", "-0001.png"], (0, 1)),
    "from 1": ([f"{i}.jpg" for i in range(1, 5)], ["00001.png", "00004.png"], (0, 3)),
}


@pytest.mark.parametrize("name", MATCHES)
def test_a_label_map_is_of_the_frame_that_its_name_says(name):
    frames, maps, indices = MATCHES[name]
    found = of_frames([Path("maps", map) for map in maps], info(frames), "key")
    assert {index: path.name for index, path in found.items()} == dict(zip(indices, maps, strict=True))


@pytest.mark.parametrize(
    ("frames", "maps", "words"),
    [
        (STAMPS, ["00000.png"], "none of its 1 label maps"),
        (CAM, ["cam2.png"], "none of its 1 label maps"),
        (CAM, ["0007_cam2.png", "00007.png"], "00007.png and 0007_cam2.png have the same number"),
        (FRAMES, ["00000_1.png", "00000_2.png"], "have the same number"),
        (["a.jpg", "b.jpg"], ["a_b.png"], "is a_b.png of frame a or of b"),
    ],
)
def test_a_map_that_may_be_of_several_frames_is_refused(frames, maps, words):
    with pytest.raises(InputError, match=r"^key: maps: ") as caught:
        of_frames([Path("maps", map) for map in maps], info(frames), "key")
    assert words in str(caught.value)


def test_maps_of_a_video_file_have_the_frames_numbers(caplog):
    video = VideoInfo(6, 4, Fraction(24), 3, Fraction(1, 24))
    maps = [Path("maps", f"cam2_{i:03d}.png") for i in range(4)]
    assert of_frames(maps, video, "key") == dict(enumerate(maps[:3]))
    assert "key: 1 of 4 label maps are of no frame (cam2_003.png): left out" in caplog.text
    for names in (["cam2_003.png"], ["mask.png"], ["00000_1.png", "00000_2.png"]):
        with pytest.raises(InputError, match=f"key: maps: which frame is {names[0]} of"):
            of_frames([Path("maps", name) for name in names], video, "key")
