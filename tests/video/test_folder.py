"""Folders of numbered images."""

import os
from fractions import Fraction

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


@pytest.mark.parametrize("names", [[], ["cover.png"], ["._00001.png"]])
def test_no_numbered_images(tmp_path, names):
    folder = fill(tmp_path / "clip", names)
    (tmp_path / "clip/notes1.txt").write_text("x")
    with pytest.raises(InputError, match=r"video: .*clip holds no numbered JPEG or PNG images"):
        open_source(folder)


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
