"""The distribution's ffmpeg and ffprobe as another reader: what they make of our files, and of those that we read."""

import json
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
from video.clips import copy_video, make_clip, set_display_matrix
from video.test_deep import write
from video.test_reader import SIGNS

from vidseg.colour import HLG, PQ
from vidseg.video import open_source

pytestmark = pytest.mark.skipif(
    not shutil.which("ffmpeg") or not shutil.which("ffprobe"), reason="ffmpeg and ffprobe of the system aren't there"
)


def ffmpeg(*words):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], capture_output=True, check=True).stdout


def probed(path, *entries):
    """Of the first video stream, by name."""
    words = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", f"stream={','.join(entries)}"]
    found = subprocess.run([*words, "-of", "json", str(path)], capture_output=True, check=True).stdout
    return json.loads(found)["streams"][0]


def pictures(path, width, height, pix_fmt="rgb24"):
    """Every frame (n, h, w, 3), turned as players do."""
    raw = ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pix_fmt, "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3).astype(int)


TAGS = ("color_space", "color_primaries", "color_transfer", "color_range")
HDR = {"colorspace": 9, "color_primaries": 9, "color_range": 1}
P3 = {"colorspace": 1, "color_primaries": 12, "color_trc": 1}


@pytest.mark.parametrize(
    ("attributes", "pix_fmt", "codec", "name", "written"),
    [
        ({}, "yuv420p", "h264", "o.mp4", ("smpte170m",) * 3),
        ({"colorspace": 1, "color_primaries": 1, "color_trc": 1}, "yuv420p", "prores4444", "o.mov", ("bt709",) * 3),
        (HDR | {"color_trc": PQ}, "yuv420p10le", "hevc10", "o.mp4", ("bt2020nc", "bt2020", "smpte2084")),
        (HDR | {"color_trc": HLG}, "yuv420p10le", "prores4444", "o.mov", ("bt2020nc", "bt2020", "arib-std-b67")),
        (HDR | {"color_trc": PQ}, "yuv420p10le", "ffv1", "o.mkv", ("bt2020nc", "bt2020", "smpte2084")),
        (HDR | {"color_trc": PQ}, "yuv420p10le", "h264", "o.mp4", ("bt709",) * 3),
        (
            {"colorspace": 1, "color_primaries": 12, "color_trc": 1},
            "yuv420p",
            "ffv1",
            "o.mkv",
            ("gbr", "smpte432", "bt709"),
        ),
    ],
)
def test_ffprobe_reads_the_tags_that_are_meant(tmp_path, attributes, pix_fmt, codec, name, written):
    path = make_clip(tmp_path / "in.mkv", "libx264", frames=4, pix_fmt=pix_fmt, attributes=attributes)
    out = write(open_source(str(path)), tmp_path / name, codec)
    found = probed(out, *TAGS, "pix_fmt")
    assert tuple(found[key] for key in TAGS) == (*written, "pc" if written[0] == "gbr" else "tv")
    if written[0] == "bt2020nc":
        assert "10" in found["pix_fmt"] or "12" in found["pix_fmt"]


@pytest.mark.parametrize("matrix", [*((a, 0, 0, d) for a, d in SIGNS), *((0, b, c, 0) for b, c in SIGNS)])
def test_ffmpeg_turns_and_mirrors_as_we_do(tmp_path, matrix):
    set_display_matrix(path := make_clip(tmp_path / "a.mp4", frames=2, options={"crf": "2"}), *matrix)
    source = open_source(str(path))
    shown = pictures(path, source.info.width, source.info.height)[1]
    assert np.abs(shown - source[1].rgb_hw3).mean() < 3  # its colours are some levels too dark


def test_edit_lists_and_negative_time_stamps_are_as_ffmpeg_has_them(tmp_path):
    """A stream copy from 0.7 s on begins with frames that an edit list hides; a late video has an empty edit."""
    whole = make_clip(tmp_path / "a.mp4", frames=48, options={"g": "12", "x264-params": "bframes=2"}, sound="aac")
    ffmpeg("-ss", "0.7", "-i", whole, "-c", "copy", tmp_path / "cut.mp4")
    ffmpeg("-itsoffset", "0.5", "-i", whole, "-c", "copy", tmp_path / "late.mp4")
    shift = ("-output_ts_offset", "-0.4", "-avoid_negative_ts", "disabled")
    ffmpeg("-i", whole, "-c", "copy", *shift, tmp_path / "negative.mov")
    make_clip(tmp_path / "early.mp4", frames=24, pts=[index - 5 for index in range(24)])
    for name, count, first_s in (("cut", 31, 0), ("late", 48, 0.5), ("negative", 38, 0), ("early", 19, 0)):
        path = next(tmp_path.glob(f"{name}.*"))
        shown = pictures(path, 160, 120)
        frames = list(open_source(str(path)))
        assert len(frames) == len(shown) == count
        assert frames[0].time_s == pytest.approx(first_s, abs=1e-5)
        for frame, other in zip(frames, shown, strict=True):
            assert np.abs(other - frame.rgb_hw3).mean() < 3


def test_deinterlacing_is_ffmpeg_s(tmp_path):
    from video.test_interlace import HEIGHT, WIDTH, woven

    path = woven(tmp_path / "a.mp4")
    made = tmp_path / "whole.mkv"
    ffmpeg("-i", path, "-vf", "bwdif=send_frame", "-c:v", "ffv1", made)
    for frame, other in zip(open_source(str(path)), open_source(str(made)), strict=True):
        assert frame.rgb_hw3.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(frame.rgb_hw3.astype(int) - other.rgb_hw3).mean() < 0.05


@pytest.mark.parametrize("shape", ["4:3", "40:33", "10:11", "64:45"])
def test_the_shape_of_pixels_is_read_from_every_container(tmp_path, shape):
    attributes = {"sample_aspect_ratio": Fraction(shape.replace(":", "/"))}
    path = make_clip(tmp_path / "a.mp4", frames=2, size=(320, 180), attributes=attributes)
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == attributes["sample_aspect_ratio"]
    for codec, name in (("h264", "o.mp4"), ("prores4444", "o.mov"), ("ffv1", "o.mkv"), ("vp9", "o.webm")):
        out = copy_video(open_source(str(path)), tmp_path / name, codec)
        assert probed(out, "sample_aspect_ratio")["sample_aspect_ratio"] == shape
