"""Interlaced video: each line is of one of two moments. Files that say so are made whole, all others are left alone."""

import logging

import av
import numpy as np
import pytest
from PIL import Image
from video.clips import make_clip, picture

from vidseg.errors import InputError
from vidseg.video import open_source

WIDTH, HEIGHT, FRAMES = 320, 240, 24


def woven(path, codec="libx264", **options):
    """50 pictures a second of a moving square, woven: a frame's even lines are one of them, its odd lines the next."""
    known = {"flags": "+ildct+ilme", "g": "12", **({"x264-params": "tff=1", "crf": "6"} if codec == "libx264" else {})}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={**known, **options})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.bit_rate = 4_000_000
        for index in range(FRAMES):
            lines = picture(2 * index, WIDTH, HEIGHT)
            lines[1::2] = picture(2 * index + 1, WIDTH, HEIGHT)[1::2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lines, format="rgb24")))
        container.mux(stream.encode())
    return path


def comb(frame):
    """How far lines are from the mean of their neighbours, where the square's sides move: in levels."""
    lines = frame.rgb_hw3[HEIGHT // 4 + 8 : HEIGHT // 2 - 8].astype(int)
    return np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean()


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.ts", "libx264"), ("a.mpg", "mpeg2video")])
def test_combs_are_gone_and_frames_are_as_many_at_the_same_times(tmp_path, caplog, name, codec):
    path = str(woven(tmp_path / name, codec))
    left = open_source(path, deinterlace=None)
    with caplog.at_level(logging.INFO):
        whole = open_source(path)
    assert f"{name} is interlaced, and is made whole with bwdif" in caplog.text
    assert whole.provenance()["deinterlaced"] == "bwdif"
    assert "deinterlaced" not in left.provenance()
    before, after = list(left), list(whole)
    assert [(f.index, f.time_s) for f in after] == [(f.index, f.time_s) for f in before]
    assert len(after) == FRAMES
    for a, b in zip(before[3:-3], after[3:-3], strict=True):
        assert comb(b) < 0.6 * comb(a)


def test_a_frame_is_the_same_however_it_is_read(tmp_path):
    """It depends on the frame before it and the one after it, also behind a seek."""
    path = str(woven(tmp_path / "a.mp4"))
    source = open_source(path)
    frames = list(source)
    for index in (0, 1, 11, 12, 13, FRAMES - 1):
        assert (source[index].rgb_hw3 == frames[index].rgb_hw3).all()
    assert all((f.rgb_hw3 == frames[f.index].rgb_hw3).all() for f in source.backwards(FRAMES - 1))
    assert all((f.rgb_hw3 == frames[f.index].rgb_hw3).all() for f in open_source(path, start=13, step=3))


def mixed(path, progressive):
    """A broadcast that begins with progressive pictures: two streams of H.264, one after the other."""
    first = make_clip(path.with_name("first.ts"), "libx264", progressive, (WIDTH, HEIGHT), 25)
    with av.open(str(path), "w") as out:
        shift, copied = 0, None
        for part in (first, woven(path.with_name("second.ts"))):
            with av.open(str(part)) as file:
                stream = file.streams.video[0]
                copied = copied or out.add_stream_from_template(stream)
                for packet in file.demux(stream):
                    if packet.size:
                        packet.stream, packet.pts, packet.dts = copied, packet.pts + shift, packet.dts + shift
                        out.mux(packet)
                shift += round(progressive / 25 / stream.time_base)
    return path


def test_what_turns_interlaced_later_is_made_whole_from_there_on(tmp_path, caplog):
    path = str(mixed(tmp_path / "a.ts", progressive := 10))
    left = list(open_source(path, deinterlace=None))
    with caplog.at_level(logging.INFO):
        frames = list(open_source(path))
    assert [record.message for record in caplog.records] == [
        f"video: a.ts is interlaced in part (frame {progressive}), and is made whole with bwdif"
    ]
    assert [f.index for f in frames] == [f.index for f in left] == list(range(progressive + FRAMES))
    for before, after in zip(left, frames, strict=True):
        if before.index < progressive:
            assert (before.rgb_hw3 == after.rgb_hw3).all()
        elif 3 < before.index - progressive < FRAMES - 3:
            assert comb(after) < 0.6 * comb(before)
    for index in (progressive - 1, progressive, progressive + 12):  # also where reading begins there
        assert (open_source(path)[index].rgb_hw3 == frames[index].rgb_hw3).all()
    backwards = open_source(path).backwards(len(frames) - 1)
    assert all((f.rgb_hw3 == frames[f.index].rgb_hw3).all() for f in backwards)


def test_a_frame_that_is_lost_where_streams_meet_is_no_end(tmp_path, caplog):
    """FFmpeg's decoder of MPEG-2 drops one there, without an error; this is said once and is the same each time."""
    first = make_clip(tmp_path / "first.ts", "mpeg2video", 10, (WIDTH, HEIGHT), 25)
    path = tmp_path / "a.ts"
    path.write_bytes(first.read_bytes() + woven(tmp_path / "second.ts", "mpeg2video").read_bytes())
    source = open_source(str(path))
    for frames in (source, source, source.backwards(len(source.frames) - 1)):
        assert len(list(frames)) == 9 + FRAMES
    assert caplog.messages == ["a.ts: 1 of 34 frames are damaged and left out"]


def test_fields_that_are_pictures_of_their_own_stay_so(tmp_path, caplog):
    options = {"x265-params": "log-level=none:interlace=tff"}
    path = str(make_clip(tmp_path / "a.mp4", "libx265", 8, options=options))
    frames = list(open_source(path))
    assert caplog.messages == ["video: a.mp4: each picture is a single field of interlaced video, and stays so"]
    assert all((a.rgb_hw3 == b.rgb_hw3).all() for a, b in zip(frames, open_source(path, deinterlace=None), strict=True))


def test_progressive_video_is_left_alone(tmp_path, caplog):
    path = str(make_clip(tmp_path / "a.mp4", frames=8))
    with caplog.at_level(logging.INFO):
        frames = list(open_source(path))
    assert "interlaced" not in caplog.text
    assert all((a.rgb_hw3 == b.rgb_hw3).all() for a, b in zip(frames, open_source(path, deinterlace=None), strict=True))
    with pytest.raises(InputError, match=r"extract.deinterlace: 'yes' is not auto, or null"):
        open_source(path, deinterlace="yes")


def test_a_wrong_value_is_told_with_videos_that_it_does_not_change_too(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "0.png")
    for video in ("sample", str(tmp_path), str(tmp_path / "0.png")):
        with pytest.raises(InputError, match=r"extract.deinterlace: 'yes' is not auto, or null"):
            open_source(video, deinterlace="yes")
