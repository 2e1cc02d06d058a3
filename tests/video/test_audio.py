"""Source and output side by side, packet by packet: time stamps and sound."""

import re
from fractions import Fraction

import av
import pytest
from video.clips import copy_video, info_of, irregular_pts, make_clip, picture, read_frames, read_packets

from vidseg.video import open_source
from vidseg.video.encoder import Encoder

CLOCK = Fraction(1, 90000)
MILLISECOND = 0.001


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Irregular H.264 with B-frames and AAC in MP4, its pictures starting 0.2 s after its sound."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return make_clip(path, pts=irregular_pts(60, start=18000), time_base=CLOCK, sound="aac")


@pytest.fixture(scope="module")
def webm(tmp_path_factory):
    """Irregular VP9 with Opus in WebM."""
    stamps = [round(pts / 90) for pts in irregular_pts(60)]
    return make_clip(
        tmp_path_factory.mktemp("webm") / "talk.webm",
        "libvpx-vp9",
        pts=stamps,
        time_base=Fraction(1, 1000),
        sound="libopus",
    )


def video_stamps(path):
    return sorted(pts for _, pts, _ in read_packets(path, "video"))


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("h264", "a.mp4"),
        ("hevc", "a.mp4"),
        ("mpeg4", "a.mp4"),
        ("prores4444", "a.mov"),
        ("qtrle", "a.mov"),
        ("av1", "a.mp4"),
    ],
)
def test_irregular_pictures_and_sound_come_back_packet_by_packet(talk, tmp_path, codec, name):
    out = copy_video(open_source(str(talk)), tmp_path / name, codec)
    assert video_stamps(out) == video_stamps(talk)
    assert read_frames(out)[1] == read_frames(talk)[1]
    assert read_packets(out, "audio") == read_packets(talk, "audio")


@pytest.mark.parametrize(
    ("codec", "name"), [("vp9_alpha", "a.webm"), ("vp9", "a.webm"), ("h264", "a.mp4"), ("ffv1", "a.mkv")]
)
def test_a_webm_comes_back_packet_by_packet(webm, tmp_path, codec, name):
    out = copy_video(open_source(str(webm)), tmp_path / name, codec)
    assert video_stamps(out) == video_stamps(webm)
    ours, theirs = read_packets(out, "audio"), read_packets(webm, "audio")
    assert [data for data, _, _ in ours] == [data for data, _, _ in theirs]
    assert [pts for _, pts, _ in ours] == [pts for _, pts, _ in theirs]
    # MP4 sums durations in samples where Matroska rounds each to a millisecond
    assert [float(d) for _, _, d in ours] == pytest.approx([float(d) for _, _, d in theirs], abs=MILLISECOND + 1e-9)


def test_pictures_in_matroska_are_within_half_a_millisecond_and_not_shifted_by_priming(talk, tmp_path):
    out = copy_video(open_source(str(talk)), tmp_path / "a.mkv", "ffv1")
    stamps = [float(pts) for pts in video_stamps(out)]
    assert stamps == pytest.approx([float(pts) for pts in video_stamps(talk)], abs=MILLISECOND / 2 + 1e-9)
    theirs = [data for data, pts, _ in read_packets(talk, "audio") if pts >= 0]
    assert [data for data, _, _ in read_packets(out, "audio")] == theirs


@pytest.mark.parametrize(
    ("sound", "source", "out", "kept"),
    [
        ("aac", "a.mp4", "b.mov", True),
        ("libmp3lame", "a.mp4", "b.mp4", True),
        ("ac3", "a.mp4", "b.mov", True),
        ("alac", "a.mov", "b.mp4", True),
        ("flac", "a.mkv", "b.mp4", True),
        ("libopus", "a.mkv", "b.webm", True),
        ("pcm_s16le", "a.mov", "b.mov", True),
        ("pcm_s16le", "a.mov", "b.mp4", False),
        ("aac", "a.mp4", "b.webm", False),
        ("flac", "a.mkv", "b.mov", False),
        ("libmp3lame", "a.mp4", "b.avi", False),
    ],
)
def test_sound_is_copied_where_the_container_holds_it_and_one_warning_says_where_not(
    tmp_path, caplog, sound, source, out, kept
):
    path = make_clip(tmp_path / source, frames=24, sound=sound)
    codec = {".webm": "vp9", ".avi": "xvid"}.get(out[1:], "h264")
    result = copy_video(open_source(str(path)), tmp_path / out, codec)
    if kept:
        ours, theirs = ([data for data, _, _ in read_packets(p, "audio")] for p in (result, path))
        if sound.startswith("pcm"):  # MOV's demuxer cuts packets of PCM as it likes
            ours, theirs = [b"".join(ours)], [b"".join(theirs)]
        assert ours == theirs
        assert not caplog.records
    else:
        assert read_packets(result, "audio") is None
        assert [r.levelname for r in caplog.records] == ["WARNING"]
        assert re.search(rf"{source}: left out, as \w+ can't hold it: sound \(\w+\)\n", caplog.text)
    assert len(read_frames(result)[0]) == 24


def test_sound_goes_on_after_the_last_picture_of_a_whole_clip(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=30, sound="aac", sound_s=3.0)
    out = copy_video(open_source(str(path)), tmp_path / "b.mp4", "h264")
    assert read_packets(out, "audio") == read_packets(path, "audio")
    every_third = copy_video(open_source(str(path), step=3), tmp_path / "c.mp4", "h264")
    assert read_packets(every_third, "audio") == read_packets(path, "audio")


def test_an_extract_has_the_sound_of_its_pictures(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=96, sound="aac", options={"x264-params": "keyint=10"})
    source = open_source(str(path), start=30, stop=60)
    out = copy_video(source, tmp_path / "b.mp4", "h264")
    assert read_frames(out)[1] == pytest.approx([i / 24 for i in range(30)], abs=1e-4)
    assert source.offset_s == pytest.approx(30 / 24)
    ours = read_packets(out, "audio")
    theirs = [(d, p - Fraction(30, 24), t) for d, p, t in read_packets(path, "audio")]
    within = [packet for packet in theirs if 0 <= packet[1] < Fraction(30, 24)]
    assert [data for data, _, _ in ours] == [data for data, _, _ in within]
    assert [float(p) for _, p, _ in ours] == pytest.approx([float(p) for _, p, _ in within], abs=1e-4)


def test_broadcast_clocks_start_at_zero(tmp_path):
    path = make_clip(tmp_path / "a.ts", muxer="mpegts", sound="aac", container_options={"output_ts_offset": "5000"})
    assert read_frames(path)[1][0] > 4999
    source = open_source(str(path))
    out = copy_video(source, tmp_path / "b.mp4", "h264")
    pictures = [frame.time_s for frame in source]
    assert pictures[0] < 0.2
    assert read_frames(out)[1] == pytest.approx(pictures, abs=1e-5)
    start = min(read_packets(path, kind)[0][1] for kind in ("audio", "video"))
    theirs = [float(pts - start) for _, pts, _ in read_packets(path, "audio")]
    assert [float(pts) for _, pts, _ in read_packets(out, "audio")] == pytest.approx(theirs, abs=1e-4)


def test_sound_that_starts_late_ends_early_or_is_missing(tmp_path):
    silent = make_clip(tmp_path / "silent.mp4", frames=10)
    assert open_source(str(silent)).audio is None
    with_no_stream = Encoder(tmp_path / "a.mp4", "h264", info_of(160, 120), audio=silent)
    with_no_stream.write(picture(0), 0.0)
    with_no_stream.close()
    assert read_packets(tmp_path / "a.mp4", "audio") is None
    short = make_clip(tmp_path / "short.mp4", frames=24 * 15, size=(64, 64), sound="aac", sound_s=0.5)
    out = copy_video(open_source(str(short)), tmp_path / "b.mp4", "h264")
    assert read_packets(out, "audio") == read_packets(short, "audio")
    assert len(read_frames(out)[0]) == 24 * 15


def test_abort_closes_the_source_of_the_sound(talk, tmp_path):
    encoder = Encoder(tmp_path / "a.mp4", "h264", info_of(160, 120), audio=talk)
    encoder.write(picture(0), 0.0)
    encoder.abort()
    assert not list(tmp_path.iterdir())


def test_sound_is_interleaved(tmp_path):
    """No player should have to buffer minutes: sound and pictures of the same time lie side by side in the file."""
    path = make_clip(tmp_path / "a.mp4", frames=240, sound="aac", size=(64, 64))
    out = copy_video(open_source(str(path)), tmp_path / "b.mp4", "h264")
    with av.open(str(out)) as container:
        stamps = [
            (p.stream.type, float(p.dts * p.time_base))
            for p in sorted((p for p in container.demux() if p.size), key=lambda p: p.pos)
        ]
    latest = {"audio": 0.0, "video": 0.0}
    for kind, dts in stamps:
        latest[kind] = dts
        assert abs(latest["audio"] - latest["video"]) < 1.5


def test_damaged_sound_is_skipped_with_one_warning(tmp_path, caplog):
    """MOV and MP4 take AAC apart, and refuse a packet whose header isn't one."""
    talk = make_clip(tmp_path / "talk.ts", frames=24, sound="aac")
    data = bytearray(talk.read_bytes())
    headers = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xf1"]
    for at in headers[5:9]:
        data[at : at + 7] = bytes(7)
    (damaged := tmp_path / "damaged.ts").write_bytes(data)
    out = copy_video(open_source(str(damaged)), tmp_path / "a.mov", "prores4444")
    assert len(read_frames(out)[1]) == 24
    assert 0 < len(read_packets(out, "audio")) < len(read_packets(talk, "audio"))
    assert caplog.text.count("damaged.ts: damaged sound is skipped") == 1
