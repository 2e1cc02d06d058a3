"""Pixels that an output leaves as they are keep their Y'CbCr, also codes that R'G'B' can't hold."""

import av
import numpy as np
import pytest
from video.clips import set_display_matrix
from video.test_colour import lossless

from vidseg.output.video import VideoOutput
from vidseg.types import FrameMasks
from vidseg.video import open_source
from vidseg.video.scaled import Scaled

WIDTH, HEIGHT = 192, 320  # more than one strip of rows
OBJECT = slice(64, 224), slice(48, 144)
PQ = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
LAST = 1  # a file of two pictures


def noise(bits=8):
    """Every code but the two at each end, which are for synchronisation."""
    codes = np.random.default_rng(3).integers(4, 252, (3, HEIGHT, WIDTH))
    return (codes * 2 ** (bits - 8)).astype(np.uint8 if bits == 8 else np.uint16)


def written(source, path, codec, render, **options):
    """The planes of the last picture of an output at quality 0, with a mask of ``OBJECT``."""
    output = VideoOutput(path.name, codec, 0, f"vidseg.composite.{render}", **options)
    output.check(source, ())
    if output.deep:
        source.carry_depth()
    output.open(path.parent, source)
    for frame in source:
        logits_nhw = np.full((1, *frame.rgb_hw3.shape[:2]), -1, np.float32)
        logits_nhw[0][OBJECT] = 1
        output.write(frame, FrameMasks(frame.index, (1,), logits_nhw))
    output.close()
    return planes_of(path)


def planes_of(path):
    """The planes of the last picture of a file."""
    with av.open(str(path)) as container:
        *_, image = container.decode(video=0)
    kind = np.uint8 if image.format.components[0].bits == 8 else np.uint16
    return [np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width] for plane in image.planes]


def within(box, plane, margin=0):
    """The part of a plane in a box of pixels."""
    fold = WIDTH // plane.shape[1]
    return plane[tuple(slice((side.start - margin) // fold, (side.stop + margin) // fold) for side in box)]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("background", ["black", "white"])
def test_what_a_cutout_shows_is_the_source_s_and_nothing_else_is(tmp_path, bits, background):
    """A background of white isn't above white where the source is."""
    kind, codec, tags = ("yuv420p", "h264", {}) if bits == 8 else ("yuv420p10le", "hevc10", PQ)
    path = lossless(tmp_path / "in.mkv", noise(bits), kind, **tags)
    made = written(open_source(str(path)), tmp_path / "out.mp4", codec, "cutout", background=background)
    for before, after in zip(planes_of(path), made, strict=True):
        assert (within(OBJECT, before) == within(OBJECT, after)).all()
        outside = np.ones(after.shape, bool)
        within(OBJECT, outside)[:] = False
        assert len(np.unique(after[outside])) == 1


@pytest.mark.parametrize("bits", [8, 10])
def test_an_overlay_changes_codes_where_it_draws_only(tmp_path, bits):
    kind, codec, tags = ("yuv420p", "h264", {}) if bits == 8 else ("yuv420p10le", "hevc10", PQ)
    path = lossless(tmp_path / "in.mkv", noise(bits), kind, **tags)
    made = written(open_source(str(path)), tmp_path / "out.mp4", codec, "overlay")
    for before, after in zip(planes_of(path), made, strict=True):
        same = before == after
        within(OBJECT, same, margin=8)[:] = True  # the outline is 2 pixels wide
        assert same.all()
        assert (within(OBJECT, before) != within(OBJECT, after)).mean() > 0.5


def test_turned_pictures_keep_their_codes(tmp_path):
    codes = noise()
    path = lossless(tmp_path / "in.mp4", codes, "yuv420p", "libx264")
    set_display_matrix(path, 0, 1, -1, 0)
    made = written(open_source(str(path)), tmp_path / "out.mp4", "h264", "cutout")
    for before, after in zip(planes_of(path), made, strict=True):
        turned = np.rot90(before, -1)
        rows, columns = (slice(side.start * len(after) // WIDTH, side.stop * len(after) // WIDTH) for side in OBJECT)
        assert (turned[rows, columns] == after[rows, columns]).all()


def test_luma_stays_where_chroma_is_averaged(tmp_path):
    path = lossless(tmp_path / "in.mkv", noise(), "yuv444p")
    before, after = planes_of(path), written(open_source(str(path)), tmp_path / "out.mp4", "h264", "cutout")
    assert after[1].shape != before[1].shape
    assert (within(OBJECT, before[0]) == within(OBJECT, after[0])).all()


def test_frames_that_aren_t_as_in_the_file_have_no_codes(tmp_path):
    full = lossless(tmp_path / "full.mp4", noise(), "yuvj420p", "libx264", color_range=2)
    source = open_source(str(lossless(tmp_path / "in.mkv", noise(), "yuv420p")))
    assert source[LAST].coded is not None
    assert Scaled(source, (WIDTH // 2, HEIGHT // 2))[LAST].coded is None
    assert open_source(str(full))[LAST].coded is None
