"""Video files of many kinds, whole and broken, against plain PyAV and OpenCV."""

import hashlib
import logging
import os
import struct
import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video.clips import copy_video, irregular_pts, make_clip, picture, read_frames, set_display_matrix, shown, sine

from vidseg.errors import InputError
from vidseg.video import open_source

SIGNS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
GOP = {"x264-params": "keyint=12"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:bframes=3"}
KINDS = {
    "mp4": {"options": GOP},
    "open_gop.mp4": {"options": OPEN_GOP},
    "open_gop.mkv": {"options": OPEN_GOP},
    "irregular.mp4": {
        "options": GOP,
        "pts": irregular_pts(60, start=9000),
        "time_base": Fraction(1, 90000),
        "container_options": {"movie_timescale": "90000"},
    },
    "irregular.mkv": {
        "options": GOP,
        "pts": [p // 90 for p in irregular_pts(60)],
        "time_base": Fraction(1, 1000),
    },
    "intra_refresh.mp4": {"options": {"x264-params": "intra-refresh=1:keyint=12"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=12:open-gop=1"}},
    "fragmented.mp4": {"options": GOP, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "ts": {"options": OPEN_GOP, "muxer": "mpegts"},
    "mpg": {"codec": "mpeg2video", "muxer": "mpeg", "attributes": {"max_b_frames": 2}},
    "xvid.avi": {"codec": "mpeg4", "attributes": {"max_b_frames": 2, "codec_tag": "XVID"}},
    "h264.avi": {"options": GOP},
    "raw.h264": {"options": GOP, "muxer": "h264"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "cpu-used": "8"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "16"}},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le", "options": GOP},
    "full_range.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "alpha.mov": {"codec": "qtrle", "pix_fmt": "argb"},
    "odd.mp4": {"codec": "libx264", "pix_fmt": "yuv444p", "size": (161, 121), "options": GOP},
    "gif": {"codec": "gif", "pix_fmt": "rgb8", "rate": 25},
    "flv": {"options": GOP},
}


def clip(folder, kind, **options):
    return make_clip(folder / (kind if "." in kind else f"clip.{kind}"), **{"frames": 60, **KINDS[kind], **options})


def plain(path):
    """RGB of every frame as PyAV decodes them, in one thread."""
    with av.open(str(path)) as container:
        return [shown(frame) for frame in container.decode(video=0)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_once_in_order_the_same_again_and_by_index(tmp_path, kind):
    path = clip(tmp_path, kind)
    source = open_source(str(path))
    frames = list(source)
    assert [f.index for f in frames] == list(source.frames) == list(range(60))
    assert source.info.num_frames == 60
    for frame, expected in zip(frames, plain(path), strict=True):
        assert (frame.rgb_hw3 == expected).all()
    assert frames[0].rgb_hw3.shape == (source.info.height, source.info.width, 3)
    assert all((a.rgb_hw3 == b.rgb_hw3).all() for a, b in zip(frames, source, strict=True))
    for index in (0, 1, 11, 12, 13, 23, 24, 37, 58, 59):
        frame = source[index]
        assert (frame.index, frame.time_s) == (index, frames[index].time_s)
        assert (frame.rgb_hw3 == frames[index].rgb_hw3).all(), index
    late = open_source(str(path), start=25, stop=50, step=7)
    assert [f.index for f in late] == [25, 32, 39, 46]
    assert all((f.rgb_hw3 == frames[f.index].rgb_hw3).all() for f in late)
    assert late.info.fps == source.info.fps / 7
    assert (late.offset_s, source.offset_s) == (frames[25].time_s, 0.0)


@pytest.mark.parametrize("kind", ["irregular.mp4", "irregular.mkv"])
def test_time_stamps_are_exact(tmp_path, kind):
    source = open_source(str(clip(tmp_path, kind)))
    stamps = [pts * KINDS[kind]["time_base"] for pts in KINDS[kind]["pts"]]
    assert [frame.time_s for frame in source] == [float(stamp) for stamp in stamps]
    assert source.info.time_base == KINDS[kind]["time_base"]
    assert float(source.info.fps) == pytest.approx(59 / float(stamps[-1] - stamps[0]), rel=0.05)


@pytest.mark.parametrize("kind", ["mp4", "xvid.avi", "raw.h264", "ts", "vp9.webm", "gif"])
def test_constant_rates_are_found(tmp_path, kind):
    source = open_source(str(clip(tmp_path, kind)))
    rate = KINDS[kind].get("rate", 24)
    assert source.info.fps == rate
    assert [f.time_s for f in source] == pytest.approx([i / rate for i in range(60)], abs=0.00051)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_as_opencv_turns(tmp_path, degrees):
    path = clip(tmp_path, "mp4", frames=3)
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    set_display_matrix(path, cos, sin, -sin, cos)
    source = open_source(str(path))
    capture = cv2.VideoCapture(str(path))
    for frame in source:
        expected = capture.read()[1][..., ::-1]
        assert frame.rgb_hw3.shape == expected.shape == (source.info.height, source.info.width, 3)
        assert np.abs(frame.rgb_hw3.astype(int) - expected).mean() < 3
    capture.release()
    assert (source.info.width, source.info.height) == ((120, 160) if degrees in (90, 270) else (160, 120))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
@pytest.mark.parametrize("matrix", [*((a, 0, 0, d) for a, d in SIGNS), *((0, b, c, 0) for b, c in SIGNS)])
def test_every_orientation_is_shown_as_players_show_it(tmp_path, name, matrix):
    """Selfie cameras mirror: their matrix has a negative determinant, which no angle describes."""
    path = make_clip(tmp_path / name, frames=2, attributes={"sample_aspect_ratio": Fraction(4, 3)})
    stored = plain(path)[1]
    set_display_matrix(path, *matrix)
    source = open_source(str(path))
    a, b, c, d = matrix
    y, x = np.mgrid[: stored.shape[0], : stored.shape[1]]
    shown_x, shown_y = a * x + c * y, b * x + d * y
    expected = np.empty((np.ptp(shown_y) + 1, np.ptp(shown_x) + 1, 3), np.uint8)
    expected[shown_y - shown_y.min(), shown_x - shown_x.min()] = stored
    assert (source[1].rgb_hw3 == expected).all()
    assert (source.info.height, source.info.width) == expected.shape[:2]
    assert source.info.sample_aspect_ratio == (Fraction(3, 4) if b else Fraction(4, 3))


@pytest.mark.parametrize("shape", [(0, 1), (1, 0), (2**31 - 1, 1), (1, 11), (-4, 3)])
def test_a_shape_of_pixels_that_nobody_means_is_square(tmp_path, shape):
    path = make_clip(tmp_path / "a.mp4", "mpeg4", frames=2, attributes={"sample_aspect_ratio": Fraction(4, 3)})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"pasp" + struct.pack(">ii", 4, 3), b"pasp" + struct.pack(">ii", *shape)))
    assert path.read_bytes() != content
    source = open_source(str(path))
    assert source.info.sample_aspect_ratio in (1, Fraction(4, 3))  # the latter is the bitstream's
    copy_video(source, tmp_path / "out.webm", "vp9")


@pytest.mark.slow
def test_a_long_extract_seeks(tmp_path):
    path = clip(
        tmp_path, "mp4", frames=1500, size=(320, 240), options={"x264-params": "keyint=50", "preset": "ultrafast"}
    )
    source = open_source(str(path))
    began = time.perf_counter()
    last = source[1490]
    assert time.perf_counter() - began < 0.25  # decoding all takes several times as long
    assert last.index == 1490
    assert next(iter(open_source(str(path), start="60s"))).index == 1440


def test_closing_early_ends_the_thread_and_closes_the_file(tmp_path):
    source = open_source(str(clip(tmp_path, "mp4")))
    for _ in range(3):
        frames = iter(source)
        next(frames)
        frames.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vidseg")]
    open_files = {str(p.readlink()) for p in Path("/proc/self/fd").iterdir() if p.is_symlink()}
    assert not [name for name in open_files if name.endswith(".mp4")]


def test_sound_name_truth_and_provenance(tmp_path):
    path = make_clip(tmp_path / "talk.mp4", frames=24, sound="aac")
    source = open_source(str(path))
    assert (source.audio, source.name, source.prompts, source.truth(0)) == (path, "talk.mp4", (), None)
    assert dict(source.provenance()) == {
        "path": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "codec": "h264",
        "pix_fmt": "yuv420p",
        "fps": "24",
        "num_frames": "24",
    }


def test_frames_before_a_cut_away_key_frame_do_not_count(tmp_path):
    """A recording that was switched on in the middle: its first pictures need a key frame that is not there."""
    path = clip(tmp_path, "ts")
    with av.open(str(path)) as container:
        keys = [p.pos for p in container.demux(video=0) if p.is_keyframe]
    cut = tmp_path / "cut.ts"
    cut.write_bytes(path.read_bytes()[keys[1] - keys[1] % 188 + 188 * 8 :])
    source = open_source(str(cut))
    frames = list(source)
    assert [f.index for f in frames] == list(range(len(frames))) == list(source.frames)
    assert 20 < len(frames) < 50


def add_cover(path):
    """An audio file with a picture on its front."""
    with av.open(str(path), "w", format="mp3" if path.suffix == ".mp3" else "mp4") as container:
        audio = container.add_stream("libmp3lame" if path.suffix == ".mp3" else "aac", rate=48000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 160, 120, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24").reformat(format="yuvj420p")
        for packet in cover.encode(frame) + cover.encode() + sine(audio, 1.0):
            container.mux(packet)


@pytest.mark.parametrize("name", ["song.mp3", "song.m4a", "song.wav"])
def test_sound_without_pictures(tmp_path, name):
    path = tmp_path / name
    if name == "song.wav":
        with av.open(str(path), "w") as container:
            audio = container.add_stream("pcm_s16le", rate=48000)
            for packet in sine(audio, 1.0):
                container.mux(packet)
    else:
        add_cover(path)
    with pytest.raises(InputError, match=rf"video: .*{name} has sound but no pictures"):
        open_source(str(path))


def write_text(path):
    path.write_text("Roses are red,\nviolets are blue.\n" * 50)


def write_image(path):
    cv2.imwrite(str(path), picture(0))


BROKEN = {
    "empty.mp4": (lambda path: path.touch(), "is empty"),
    "poem.txt": (write_text, "is not a video"),
    "poem.mp4": (write_text, "is not a video"),
    "noise.mp4": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(50000)), "is not a video"),
    "zeros.avi": (lambda path: path.write_bytes(bytes(50000)), "is not a video"),
    "one.ppm": (write_image, "single image"),
    "pipe.mp4": (os.mkfifo, "is neither a file nor a folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_video_says_so_at_once(tmp_path, name):
    write, words = BROKEN[name]
    write(tmp_path / name)
    began = time.perf_counter()
    with pytest.raises(InputError, match=rf"video: .*{name} {words}|video: .*{words}") as caught:
        open_source(str(tmp_path / name))
    assert time.perf_counter() - began < 1
    assert len(str(caught.value).splitlines()) <= 2


def test_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"video: no such file or folder: clip\.mp4 \(looked for in {tmp_path}\)"):
        open_source("clip.mp4")
    with pytest.raises(InputError, match=r"extract\.fps: 25 is for folders"):
        open_source(str(clip(tmp_path, "mp4", frames=3)), fps=25)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path):
    path = clip(tmp_path, "mp4", frames=3)
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        open_source(str(path))


def test_a_wrong_window_is_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(InputError, match=r"extract\.step: 0"):
        open_source(str(tmp_path / "missing.mp4"), step=0)
    path = str(clip(tmp_path, "mp4"))
    with pytest.raises(InputError, match=r"extract\.start: 60 is beyond the video's last frame \(59"):
        open_source(path, start=60)
    assert len(open_source(path, start="1s", stop="900s").frames) == 36


CUT = {
    "faststart.mp4": {"options": GOP, "container_options": {"movflags": "faststart"}},
    "fragmented.mp4": KINDS["fragmented.mp4"],
    "clip.mkv": {"options": GOP},
    "clip.webm": KINDS["vp9.webm"],
    "clip.avi": {**KINDS["xvid.avi"], "size": (640, 480)},
    "clip.mov": {"codec": "prores_ks", "pix_fmt": "yuv444p10le", "container_options": {"movflags": "faststart"}},
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_truncated_file_gives_what_can_be_decoded_and_then_says_so(tmp_path, name, part):
    path = make_clip(tmp_path / name, frames=60, sound=None, **CUT[name])
    whole = plain(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    source, frames = open_source(str(path)), []
    with pytest.raises(InputError, match=rf"video: {name} is truncated or damaged: it ends after \d+ of ") as caught:
        frames.extend(source)
    assert f"after {len(frames)} of" in str(caught.value)
    assert [f.index for f in frames] == list(source.frames) == list(range(len(frames)))
    assert 5 < len(frames) < 60
    for frame in frames[:-1]:
        assert (frame.rgb_hw3 == whole[frame.index]).all()
    assert (source[len(frames) - 1].rgb_hw3 == frames[-1].rgb_hw3).all()
    with pytest.raises(InputError, match=r"truncated|has no frame"):
        source[len(frames)]
    with pytest.raises(InputError, match="has no frame 60"):
        source[60]
    assert len(list(open_source(str(path), stop=len(frames)))) == len(frames)  # asks for no more than there is
    assert open_source(str(path), stop="0.2s").frames == range(5)


def test_half_a_frame_is_no_video(tmp_path):
    path = make_clip(tmp_path / "a.avi", "mpeg4")
    path.write_bytes(path.read_bytes()[:6500])  # AVI's headers take 5.7 kB
    with pytest.raises(InputError, match=r"a\.avi: not one frame could be decoded"):
        open_source(str(path))


def test_a_start_beyond_the_cut(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=60, **CUT["faststart.mp4"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.mp4 is truncated or damaged: it ends after \d\d of 60 frames"):
        open_source(str(path), start=58)


@pytest.mark.parametrize("part", [0.1, 0.6, 0.98])
def test_a_recording_that_was_switched_off_has_no_index(tmp_path, part):
    path = make_clip(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=r"a\.mp4 has no index \(moov\)"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov", "clip.webm", "clip.avi"])
def test_whole_files_are_never_called_truncated(tmp_path, name):
    """With sound longer than the pictures, late pictures and bytes appended by some other program."""
    codec = {"clip.webm": "libvpx-vp9", "clip.avi": "mpeg4"}.get(name, "libx264")
    sound = {"clip.webm": "libopus", "clip.avi": "libmp3lame"}.get(name, "aac")
    late = {} if name == "clip.avi" else {"pts": list(range(7, 47))}
    path = make_clip(tmp_path / name, codec, sound=sound, sound_s=4.0, **late)
    assert len(list(open_source(str(path)))) == 40
    path.write_bytes(path.read_bytes() + b"appended by a camera" * 10)
    assert len(list(open_source(str(path)))) == 40


def test_only_the_index_of_an_avi_is_missing(tmp_path):
    path = make_clip(tmp_path / "a.avi", "mpeg4")
    path.write_bytes(path.read_bytes()[:-300])
    assert len(list(open_source(str(path)))) == 40


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_in_the_middle_never_stops_the_reader(tmp_path, caplog, name, seed):
    codec, muxer = ("mpeg4" if name == "a.avi" else "libx264"), ("mpegts" if name == "a.ts" else None)
    options = {} if name == "a.avi" else GOP
    path = make_clip(tmp_path / name, codec, frames=72, muxer=muxer, options=options)
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    at = len(content) // 3
    content[at : at + 600] = rng.bytes(600)
    path.write_bytes(content)
    source = open_source(str(path))
    frames = list(source)
    assert len(frames) >= 24
    assert all(a.index < b.index for a, b in pairwise(frames))
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) <= 1
    if name == "a.mp4":  # its index is intact: numbers and times hold
        assert all(frame.time_s == pytest.approx(frame.index / 24) for frame in frames)
        assert frames[-1].index == 71


def test_ffmpeg_keeps_silent(tmp_path, capfd):
    path = clip(tmp_path, "mp4", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError):
        list(open_source(str(path)))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_tags_that_are_not_utf8(tmp_path):
    path = clip(tmp_path, "mp4", frames=3)
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", b"Vid\xe9oHandl\xff\xff"))
    assert len(list(open_source(str(path)))) == 3


def test_real_videos(data):
    for name, frames in (("skateboarder.mp4", 192), ("coffee.mp4", 287)):
        source = open_source(str(data / "videos" / name))
        assert len(source.frames) == frames
        images, times_s = read_frames(data / "videos" / name)  # the first has no tags, and 720 lines
        for frame, image, time_s in zip(source, images, times_s, strict=True):
            assert (frame.rgb_hw3 == image).all()
            assert frame.time_s == pytest.approx(time_s, abs=1e-9)
        assert (source[frames - 1].rgb_hw3 == images[-1]).all()


def test_a_raw_stream_without_its_beginning_is_numbered_as_it_is_decoded(tmp_path):
    """FFmpeg makes time stamps up for it; the one after the cut would be the last frame's."""
    data = make_clip(tmp_path / "whole.m4v", "mpeg4", frames=12, muxer="m4v", options={"g": "5"}).read_bytes()
    third = data.split(b"\x00\x00\x01\xb6", 3)[-1]
    (path := tmp_path / "beheaded.m4v").write_bytes(b"\x00\x00\x01\xb6" + third)
    assert [frame.index for frame in open_source(str(path))] == list(range(10))


@pytest.mark.parametrize("backwards", [False, True])
def test_frames_that_come_too_late_are_said(tmp_path, caplog, backwards):
    clip, path = make_clip(tmp_path / "a.mkv", "ffv1", frames=10, rate=10), tmp_path / "jump.mkv"
    with av.open(str(clip)) as whole, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(packet for packet in whole.demux() if packet.size):
            packet.stream = stream
            packet.pts += 5000 if number == 2 else 0
            copy.mux(packet)
    source = open_source(str(path))
    found = [frame.index for frame in (source.backwards(9) if backwards else source)]
    assert sorted(found) == [0, 1, 9]
    assert "jump.mkv: 7 of 10 frames are damaged and left out" in caplog.text


def test_two_frames_of_one_time_stamp_leave_the_others_theirs(tmp_path):
    """As between two entries of an edit list. The file begins at 0.5 s, and so do its frames."""
    clip = make_clip(tmp_path / "a.mp4", frames=30, rate=25, options={"g": "5", "bf": "0"})
    path = tmp_path / "a.mkv"
    with av.open(str(clip)) as file, av.open(str(path), "w") as out:
        stream = file.streams.video[0]
        copied = out.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in file.demux(stream) if packet.size):
            packet.stream, packet.time_base = copied, Fraction(1, 1000)
            packet.pts = packet.dts = 500 + 40 * (number - (number == 12))
            out.mux(packet)
    source = open_source(str(path))
    wanted = [0.5 + 0.04 * i for i in range(30)]
    wanted[12] = wanted[11] + 0.001
    frames = list(source)
    assert [frame.time_s for frame in frames] == pytest.approx(wanted)
    for index in (0, 11, 12, 13, 29):
        assert (source[index].rgb_hw3 == frames[index].rgb_hw3).all()
