"""Folders of images."""

import os
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image
from video.clips import picture

from vidseg.errors import InputError
from vidseg.video import open_source


def fill(folder, names):
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(picture(index)).save(folder / name)
    return str(folder)


@pytest.mark.parametrize("pattern", ["{:05d}.png", "frame_{}.png", "img-{:03d} (copy).PNG", "take2_{}.png"])
def test_ordered_by_number(tmp_path, pattern):
    source = open_source(fill(tmp_path / "clip", [pattern.format(i) for i in range(7, 19)]))
    frames = list(source)
    assert [f.index for f in frames] == list(source.frames) == list(range(12))
    assert [f.time_s for f in frames] == [i / 30 for i in range(12)]
    assert all((frame.rgb_hw3 == picture(frame.index)).all() for frame in frames)
    assert (source[11].rgb_hw3 == picture(11)).all()
    assert (source.name, source.audio, source.prompts, source.truth(0)) == ("clip", None, (), None)
    assert (source.info.width, source.info.height, source.info.num_frames) == (160, 120, 12)
    assert source.info.fps == 30
    assert source.info.time_base == Fraction(1, 30)


def test_fps_start_stop_and_step(tmp_path):
    folder = fill(tmp_path / "clip", [f"{i:05d}.jpg" for i in range(20)])
    source = open_source(folder, start="0.5s", stop=18, step=3, fps=10)
    assert list(source.frames) == [5, 8, 11, 14, 17]
    assert [f.time_s for f in source] == [0.5, 0.8, 1.1, 1.4, 1.7]
    assert (source.offset_s, source.info.fps, source.info.time_base) == (0.5, Fraction(10, 3), Fraction(1, 10))


def test_every_kind_of_image_becomes_rgb(tmp_path):
    (tmp_path / "clip").mkdir()
    ramp = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    Image.fromarray(ramp).save(tmp_path / "clip/0.png")
    Image.fromarray(np.dstack([picture(1), ramp])).save(tmp_path / "clip/1.png")
    Image.fromarray(ramp).convert("P").save(tmp_path / "clip/2.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "clip/3.png")
    Image.fromarray(ramp > 80).save(tmp_path / "clip/4.png")
    Image.fromarray(picture(5)).save(tmp_path / "clip/5.jpeg", quality=100, exif=orientation(6))
    frames = [frame.rgb_hw3 for frame in open_source(str(tmp_path / "clip"))]
    grey = np.dstack([ramp] * 3)
    assert (frames[0] == grey).all()
    assert (frames[1] == picture(1)).all()
    assert (frames[2] == grey).all()
    assert (frames[3] == grey).all()
    assert set(np.unique(frames[4])) == {0, 255}
    assert frames[5].shape == (120, 160, 3)  # not turned
    assert np.abs(frames[5].astype(int) - picture(5)).mean() < 3


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def test_what_was_read_before_a_bad_image_is_kept(tmp_path):
    folder = fill(tmp_path / "clip", [f"{i:05d}.png" for i in range(6)])
    bad = tmp_path / "clip/00003.png"
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size * 2 // 3])
    frames = []
    with pytest.raises(InputError, match=r"video: .*00003\.png can't be read: .*truncated"):
        frames.extend(open_source(folder))  # list.extend keeps what came before the exception
    assert [f.index for f in frames] == [0, 1, 2]
    bad.write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"00003\.png can't be read: it is no image"):
        open_source(folder)[3]
    Image.fromarray(picture(0, 100, 80)).save(bad)
    with pytest.raises(InputError, match=r"00003\.png has 100x80 pixels, the first image 160x120"):
        list(open_source(folder))


@pytest.mark.parametrize("names", [[], ["._00001.png"], [".00001.png"]])
def test_no_images(tmp_path, names):
    folder = fill(tmp_path / "clip", names)
    (tmp_path / "clip/notes1.txt").write_text("x")
    (tmp_path / "clip/2.png").mkdir()
    with pytest.raises(
        InputError, match=r"video: .*clip holds no JPEG, PNG, BMP, TIFF, WebP or EXR images .* holds .*\.txt"
    ):
        open_source(folder)


def test_a_folder_of_something_else_says_what_to_give(tmp_path):
    fill(tmp_path / "JPEGImages", [])
    fill(tmp_path / "JPEGImages/camel", ["1.png"])
    with pytest.raises(InputError, match=r"its folders do: give one, video=.*camel, or all with -m video='.*/\*'"):
        open_source(str(tmp_path / "JPEGImages"))
    folder = fill(tmp_path / "downloads", ["poster.png"])
    (tmp_path / "downloads/a.mp4").touch()
    with pytest.raises(InputError, match=r"give the video in it, video=.*downloads/a\.mp4$"):
        open_source(folder)
    (tmp_path / "downloads/b.mp4").touch()
    with pytest.raises(
        InputError, match=r"give one of its 2 videos, video=.*a\.mp4, or all with -m video='.*/\*\.mp4'"
    ):
        open_source(folder)


def test_the_log_says_what_was_understood(tmp_path, caplog):
    caplog.set_level("INFO")
    stamps = [f"{1305031102.655304 + i / 3:.6f}.png" for i in range(4)]
    source = open_source(fill(tmp_path / "stamped", stamps))
    assert all((frame.rgb_hw3 == picture(frame.index)).all() for frame in source)
    assert [source.info.file_stem(i) for i in range(4)] == [name.removesuffix(".png") for name in stamps]
    assert f"video: 4 images, {stamps[0]} to {stamps[3]}: numbered by position" in caplog.text
    Image.fromarray(picture(0)).save(tmp_path / "stamped" / stamps[0], exif=orientation(6))
    open_source(str(tmp_path / "stamped"))
    assert "numbered by position; EXIF orientation 6 is ignored" in caplog.text


def test_names_that_are_not_utf_8(tmp_path):
    source = open_source(fill(tmp_path / "clip", [os.fsdecode(b"caf\xe9_%d.png" % i) for i in (1, 2)]))
    assert (len(list(source)), source.provenance()["num_frames"]) == (2, "2")
    Image.fromarray(picture(0, 100, 80)).save(tmp_path / "clip" / os.fsdecode(b"caf\xe9_3.png"))
    with pytest.raises(InputError, match=r"caf\\xe9_3\.png has 100x80 pixels"):
        list(open_source(str(tmp_path / "clip")))


RAMP = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (20, 1))
COLOURS = np.dstack([RAMP, RAMP[:, ::-1], RAMP // 2])
DEEP = COLOURS.astype(np.uint16) * 257


def save_deep(path, pixels, *extra):
    """With OpenCV, which writes what Pillow doesn't: more than 8 bits and floats in RGB."""
    assert cv2.imwrite(str(path), pixels[..., 2::-1] if not extra else np.dstack([pixels[..., 2::-1], *extra]))


def save_white_is_zero(path, pixels):
    Image.fromarray(pixels).save(path)
    tiff = path.read_bytes()
    at = tiff.index(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01")  # PhotometricInterpretation, SHORT, one: 1
    path.write_bytes(tiff[: at + 8] + b"\0" + tiff[at + 9 :])


GREY = np.dstack([RAMP] * 3)
KINDS = {  # a writer of the file, and its pixels as 8-bit RGB
    "rgb.bmp": (lambda path: Image.fromarray(COLOURS).save(path), COLOURS),
    "rgb.tif": (lambda path: Image.fromarray(COLOURS).save(path, compression="tiff_lzw"), COLOURS),
    "rgb.webp": (lambda path: Image.fromarray(COLOURS).save(path, lossless=True), COLOURS),
    "rgb16.png": (lambda path: save_deep(path, DEEP), COLOURS),
    "rgba16.png": (lambda path: save_deep(path, DEEP, DEEP[..., 0]), COLOURS),
    "rgb16.tiff": (lambda path: save_deep(path, DEEP), COLOURS),
    "rgba16.tif": (lambda path: save_deep(path, DEEP, DEEP[..., 0]), COLOURS),
    "rgb_float.tif": (lambda path: save_deep(path, (COLOURS / 255).astype(np.float32)), COLOURS),
    "grey16.png": (lambda path: Image.fromarray(DEEP[..., 0]).save(path), GREY),
    "grey16.tif": (lambda path: Image.fromarray(DEEP[..., 0]).save(path), GREY),
    "grey_float.tif": (lambda path: Image.fromarray((RAMP / 255).astype(np.float32)).save(path), GREY),
    "grey12.tif": (
        lambda path: Image.fromarray((RAMP / 255 * 4095).round().astype(np.uint16)).save(path, tiffinfo={281: 4095}),
        GREY,
    ),
    "white_is_zero.tif": (lambda path: save_white_is_zero(path, DEEP[..., 0]), 255 - GREY),
    "palette_alpha.png": (
        lambda path: Image.fromarray(RAMP).convert("P").save(path, transparency=bytes(range(256))),
        GREY,
    ),
    "cmyk.tif": (lambda path: Image.fromarray(COLOURS).convert("CMYK").save(path), COLOURS),
    "grey_alpha.png": (lambda path: Image.fromarray(np.dstack([RAMP, RAMP]), mode="LA").save(path), GREY),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_every_format_and_depth(tmp_path, name, capfd):
    write, pixels = KINDS[name]
    write(tmp_path / name)
    capfd.readouterr()
    np.testing.assert_array_equal(open_source(str(tmp_path))[0].rgb_hw3, pixels)
    assert capfd.readouterr().err == "", "OpenCV is quiet"


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("pages.tif", lambda path, images: images[0].save(path, save_all=True, append_images=images[1:]), "3 pictures"),
        ("pages.png", lambda path, images: images[0].save(path, save_all=True, append_images=images[1:]), "3 pictures"),
        (
            "pages.webp",
            lambda path, images: images[0].save(path, save_all=True, append_images=images[1:]),
            "3 pictures",
        ),
        ("deep.tif", lambda path, images: cv2.imwritemulti(str(path), [DEEP.astype(np.float32) / 65535] * 2), "2 pict"),
        ("float.tif", lambda path, images: save_deep(path, COLOURS.astype(np.float32)), "must be from 0 to 1"),
        ("nan.tif", lambda path, images: save_deep(path, np.full_like(COLOURS, np.nan, np.float32)), "from nan to nan"),
        ("long.tif", lambda path, images: Image.fromarray(RAMP.astype(np.int32)).save(path), "int32 pixels"),
        ("broken.tif", lambda path, images: path.write_bytes(b"II*\0" + bytes(99)), "is broken, or no image"),
    ],
)
def test_images_that_cannot_be_one_frame(tmp_path, name, write, words):
    write(tmp_path / name, [Image.fromarray(picture(i)) for i in range(3)])
    with pytest.raises(InputError, match=rf"^video: .*{name} (holds|can't be read: it) .*{words}"):
        open_source(str(tmp_path))


def test_a_jpeg_s_previews_are_left_alone(tmp_path):
    images = [Image.fromarray(picture(i)) for i in range(2)]
    images[0].save(tmp_path / "1.jpg", format="MPO", save_all=True, append_images=images[1:])
    assert len(list(open_source(str(tmp_path)))) == 1


def test_a_folder_that_is_all_but_black_is_suspicious(tmp_path, caplog):
    for name in ("1.png", "2.png", "3.png"):
        Image.fromarray(DEEP[..., 0] >> 4).save(tmp_path / name)  # 12 bits in a file of 16
    open_source(str(tmp_path))
    assert "the last image are all but black (16 of 255): values of fewer than 16 bits" in caplog.text
    caplog.clear()
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "3.png")
    open_source(str(tmp_path))
    assert caplog.text == ""


def test_two_files_of_one_number(tmp_path):
    with pytest.raises(InputError, match=r"00001\.jpg and 1\.png have the same number"):
        open_source(fill(tmp_path / "clip", ["00001.jpg", "1.png"]))


@pytest.mark.parametrize("fps", [0, -5, float("nan"), float("inf"), True, "30"])
def test_fps_must_be_a_rate(tmp_path, fps):
    folder = fill(tmp_path / "clip", ["1.png"])
    with pytest.raises(InputError, match=r"extract\.fps: "):
        open_source(folder, fps=fps)


def test_frames_beyond_the_folder(tmp_path):
    source = open_source(fill(tmp_path / "clip", ["1.png", "2.png"]))
    for index in (2, -1):
        with pytest.raises(InputError, match="has no frame"):
            source[index]


def test_provenance_changes_with_the_files(tmp_path):
    folder = fill(tmp_path / "clip", ["1.png", "2.png"])
    before = open_source(folder).provenance()
    assert before["num_frames"] == "2"
    fill(tmp_path / "clip", ["1.png", "2.png", "3.png"])
    assert open_source(folder).provenance() != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path):
    folder = fill(tmp_path / "clip", ["1.png"])
    (tmp_path / "clip").chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        open_source(folder)
    (tmp_path / "clip").chmod(0o700)


def test_davis(data):
    source = open_source(str(min((data / "davis/JPEGImages/480p").iterdir())))
    frames = sum(1 for _ in source)
    assert frames == source.info.num_frames > 20
