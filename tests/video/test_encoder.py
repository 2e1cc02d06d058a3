"""The encoder and its codec table: pictures, alpha, colours and time stamps, read back with plain PyAV."""

import os
import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from video.clips import info_of, irregular_pts, make_clip, picture, read_frames

from vidseg.errors import InputError
from vidseg.video import open_source
from vidseg.video.codec import CODECS, CONTAINERS, check_codec
from vidseg.video.encoder import Encoder

SUFFIXES = {container.muxer: suffix for suffix, container in CONTAINERS.items()}
EVERY_FIT = [(name, muxer) for name, row in CODECS.items() for muxer in row.containers]


def encode(path, codec, images, rate=24, info=None, **options):
    height, width = images[0].shape[:2]
    encoder = Encoder(path, codec, info_of(width, height, rate, **info or {}), **options)
    for index, image in enumerate(images):
        encoder.write(image, index / rate)
    encoder.close()
    return path


def rgba_pictures(count, width=160, height=120):
    """Pictures with a moving disc as alpha, hard-edged as masks are."""
    y, x = np.mgrid[:height, :width]
    for index in range(count):
        disc = (np.hypot(x - width / 2 - 2 * index, y - height / 2) < height / 3) * 255
        yield np.dstack([picture(index, width, height), disc.astype(np.uint8)])


@pytest.mark.parametrize(("codec", "muxer"), EVERY_FIT)
def test_every_codec_keeps_every_frame_in_every_container_that_it_names(tmp_path, codec, muxer):
    row = CODECS[codec]
    pictures = list(rgba_pictures(12)) if row.alpha else [picture(i) for i in range(12)]
    # The last label before midnight, and pixels whose shape the picture's width can't show exactly in pixels
    info = {"timecode": "23:59:59:23", "sample_aspect_ratio": Fraction(12, 11)}
    path = encode(tmp_path / f"out{SUFFIXES[muxer]}", codec, pictures, info=info)
    read = open_source(str(path)).info
    assert read.timecode == "23:59:59:23"
    assert read.sample_aspect_ratio == (1 if (codec, muxer) == ("ffv1", "avi") else Fraction(12, 11))
    images, times_s = read_frames(path)
    assert times_s == pytest.approx([i / 24 for i in range(12)], abs=0.0006)
    for image, expected in zip(images, pictures, strict=True):
        assert np.abs(image.astype(int) - expected[..., :3]).mean() < 4
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("codec", "suffix", "levels"), [("qtrle", ".mov", 0), ("png", ".mov", 0), ("prores4444", ".mov", 1)]
)
def test_alpha_comes_back(tmp_path, codec, suffix, levels):
    pictures = list(rgba_pictures(8))
    images, _ = read_frames(encode(tmp_path / f"out{suffix}", codec, pictures), "rgba")
    for image, expected in zip(images, pictures, strict=True):
        assert np.abs(image[..., 3].astype(int) - expected[..., 3]).max() <= levels
        inside = expected[..., 3] > 0
        difference = np.abs(image[inside][:, :3].astype(int) - expected[inside][:, :3])
        assert difference.mean() <= 1.5 * (levels > 0)


def test_the_alpha_of_webm_has_the_mask_s_pixels(tmp_path):
    pictures = list(rgba_pictures(8))
    images, _ = read_frames(encode(tmp_path / "out.webm", "vp9_alpha", pictures), "rgba", decoder="libvpx-vp9")
    for image, expected in zip(images, pictures, strict=True):
        alpha, mask = image[..., 3], expected[..., 3]
        assert ((alpha > 127) == (mask > 127)).all()
        assert np.abs(alpha.astype(int) - mask).mean() < 1


def test_rgb_is_opaque_to_a_codec_with_alpha(tmp_path):
    images, _ = read_frames(encode(tmp_path / "out.mov", "qtrle", [picture(0), picture(1)]), "rgba")
    assert (images[1][..., 3] == 255).all()
    assert (images[1][..., :3] == picture(1)).all()


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "prores4444", "mpeg4", "xvid"])
@pytest.mark.parametrize("size", [(1280, 720), (320, 240)])
def test_colours_survive_and_are_tagged(tmp_path, codec, size):
    width, height = size
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 150, 40)]
    image = np.repeat(np.array(colours, np.uint8), -(-width // len(colours)), axis=0)[None, :width].repeat(height, 0)
    image = np.ascontiguousarray(image)
    path = encode(tmp_path / f"out{SUFFIXES[CODECS[codec].containers[0]]}", codec, [image] * 3, quality=1)
    back = open_source(str(path))[1].rgb_hw3
    middles = [width // len(colours) // 2 + i * -(-width // len(colours)) for i in range(len(colours))]
    for x, colour in zip(middles, colours, strict=True):
        assert np.abs(back[height // 2, x].astype(int) - colour).max() <= 4, colour
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        if codec != "xvid":  # AVI has nowhere to write it
            assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (
                (1,) * 3 if width == 1280 else (6,) * 3
            )


@pytest.mark.parametrize("codec", ["h264", "vp9_alpha", "prores4444", "xvid"])
def test_odd_sizes(tmp_path, codec):
    pictures = [picture(i, 161, 121) for i in range(4)]
    path = tmp_path / f"out{SUFFIXES[CODECS[codec].containers[0]]}"
    images, _ = read_frames(encode(path, codec, pictures, quality=2))
    padded = "420" in CODECS[codec].pix_fmt
    assert images[0].shape == ((122, 162, 3) if padded else (121, 161, 3))
    assert np.abs(images[3][:121, :161].astype(int) - pictures[3]).mean() < 3
    if padded:
        assert np.abs(images[3][121, :].astype(int) - images[3][120, :]).max() <= 12


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "mpeg4", "vp9", "prores4444", "qtrle"])
def test_irregular_time_stamps_are_kept_exactly(tmp_path, codec):
    clock, stamps = Fraction(1, 90000), irregular_pts(30, start=18000)
    path = tmp_path / ("out.mp4" if "mp4" in CODECS[codec].containers else "out.mov")
    encoder = Encoder(path, codec, info_of(160, 120, 24, clock))
    for index, stamp in enumerate(stamps):
        encoder.write(picture(index), float(stamp * clock))
    encoder.close()
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert [frame.pts * frame.time_base for frame in frames] == [stamp * clock for stamp in stamps]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="SVT-AV1 asks for priority as root only")
def test_av1_leaves_the_process_scheduled_as_before(tmp_path):
    before = os.sched_getscheduler(0)
    encode(tmp_path / "out.mp4", "av1", [picture(index) for index in range(3)])
    assert os.sched_getscheduler(0) == before


def test_avi_counts_frames(tmp_path):
    encoder = Encoder(tmp_path / "out.avi", "xvid", info_of(160, 120, Fraction(30000, 1001), Fraction(1, 90000)))
    for index, stamp in enumerate(irregular_pts(30)):
        encoder.write(picture(index), stamp / 90000)
    encoder.close()
    with av.open(str(tmp_path / "out.avi")) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.frames, stream.codec_context.codec_tag) == (
            Fraction(30000, 1001),
            30,
            "XVID",
        )


def test_time_starts_at_the_offset_and_never_goes_back(tmp_path):
    encoder = Encoder(tmp_path / "out.mp4", "h264", info_of(160, 120), offset_s=0.5)
    for time_s in (0.5, 0.5 + 1 / 24, 0.5 + 1 / 24, 0.75):
        encoder.write(picture(0), time_s)
    encoder.close()
    assert read_frames(tmp_path / "out.mp4")[1] == pytest.approx([0, 1 / 24, 2 / 24, 6 / 24])


def test_smaller_quality_is_better(tmp_path):
    noise = [np.random.default_rng(i).integers(0, 256, (120, 160, 3), np.uint8) for i in range(4)]
    for codec, row in CODECS.items():
        if row.quality is None or codec == "h264_nvenc":
            continue
        suffix = SUFFIXES[row.containers[0]]
        best, worst = (
            encode(tmp_path / f"{codec}{quality:g}{suffix}", codec, noise, quality=quality).stat().st_size
            for quality in (row.quality.best, row.quality.worst)
        )
        assert best > 1.5 * worst, codec


def test_a_codec_without_its_hardware_falls_back(tmp_path, caplog):
    try:
        av.CodecContext.create("h264_nvenc", "w")
        context = av.CodecContext.create("h264_nvenc", "w")
        context.width, context.height, context.pix_fmt, context.time_base = 320, 240, "yuv420p", Fraction(1, 24)
        context.open()
        pytest.skip("this machine has NVENC")
    except av.error.FFmpegError:
        pass
    encode(tmp_path / "out.mp4", "h264_nvenc", [picture(i) for i in range(3)], quality=40)
    assert "h264 instead" in caplog.text
    assert len(read_frames(tmp_path / "out.mp4")[0]) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("codec", "path", "quality", "words"),
    [
        ("h265", "out.mp4", None, "codec: there is no 'h265'; choose from h264, h264_nvenc, hevc"),
        ("h264", "out.webm", None, r"\.webm can't hold codec h264, which goes into \.mp4, \.mov, \.mkv"),
        ("vp9_alpha", "out.mp4", None, r"which goes into \.webm, \.mkv"),
        ("h264", "out.gif", None, r"\.gif is no video container; use \.mp4"),
        ("h264", "out", None, "no suffix is no video container"),
        ("h264", "out.mp4", 52, r"quality: 52 is not a crf of codec h264: 0 \(best\) to 51"),
        ("xvid", "out.avi", 0, r"quality: 0 is not a quantiser of codec xvid: 1 \(best\) to 31"),
        ("h264", "out.mp4", float("nan"), "quality: nan"),
        ("h264", "out.mp4", "high", "quality: high"),
        ("png", "out.mov", 3, "quality: codec png is lossless"),
    ],
)
def test_a_mistake_is_explained(tmp_path, codec, path, quality, words):
    with pytest.raises(InputError, match=words) as caught:
        check_codec(codec, path, quality)
    assert len(str(caught.value).splitlines()) <= 2
    with pytest.raises(InputError, match=words):
        Encoder(tmp_path / path, codec, info_of(160, 120), quality=quality)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("codec", "words"), [("hevc", "hevc can't encode 8x8"), ("av1", "8x8, only 64 pixels")])
def test_a_size_that_the_codec_refuses(tmp_path, codec, words):
    with pytest.raises(InputError, match=words):
        Encoder(tmp_path / "out.mp4", codec, info_of(8, 8))
    assert not list(tmp_path.iterdir())


def test_pictures_of_another_shape_are_refused(tmp_path):
    encoder = Encoder(tmp_path / "out.mp4", "h264", info_of(160, 120))
    for image in (picture(0, 120, 160), picture(0).astype(np.float32), np.dstack([picture(0), picture(0)[..., :1]])):
        with pytest.raises(ValueError, match=r"out\.mp4 takes uint8 \[\(120, 160, 3\)\]"):
            encoder.write(image, 0.0)
    encoder.abort()


@pytest.mark.parametrize(("codec", "name"), [("h264", "out.mp4"), ("qtrle", "out.mov"), ("vp9", "out.webm")])
def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path, codec, name):
    (tmp_path / f".{name}.part").symlink_to("/dev/full")
    encoder = Encoder(tmp_path / name, codec, info_of(160, 120))
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    with pytest.raises(OSError, match="No space left") as caught:
        for index in range(200):
            encoder.write(noise, index / 24)
        encoder.close()
    assert caught.value.errno == 28
    encoder.abort()
    assert not list(tmp_path.iterdir())
    assert not [t for t in threading.enumerate() if t.name.startswith("vidseg")]


def test_a_small_file_s_full_disk_surfaces_in_close(tmp_path):
    (tmp_path / ".out.mp4.part").symlink_to("/dev/full")
    encoder = Encoder(tmp_path / "out.mp4", "h264", info_of(160, 120))
    encoder.write(picture(0), 0.0)
    with pytest.raises(OSError, match="No space left"):
        encoder.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_gone(tmp_path):
    encoder = Encoder(tmp_path / "gone" / "out.mp4", "h264", info_of(160, 120))
    encoder.write(picture(0), 0.0)
    with pytest.raises(OSError, match="No such file"):
        encoder.close()


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "h264_nvenc"])
def test_abort_leaves_no_file_and_no_thread_and_keeps_what_was_there(tmp_path, codec):
    path = tmp_path / f"out{SUFFIXES[CODECS[codec].containers[0]]}"
    path.write_text("an earlier run's")
    encoder = Encoder(path, codec, info_of(160, 120))
    for index in range(6):
        encoder.write(picture(index), index / 24)
    encoder.abort()
    encoder.abort()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "an earlier run's"
    assert not [t for t in threading.enumerate() if t.name.startswith("vidseg")]


def test_abort_after_close_keeps_the_file(tmp_path):
    encoder = Encoder(tmp_path / "out.mp4", "h264", info_of(160, 120))
    encoder.write(picture(0), 0.0)
    encoder.close()
    encoder.close()
    encoder.abort()
    assert len(read_frames(tmp_path / "out.mp4")[0]) == 1


def test_nothing_written_is_no_file(tmp_path, caplog):
    Encoder(tmp_path / "out.mp4", "h264", info_of(160, 120)).close()
    assert not list(tmp_path.iterdir())
    assert "no frame to write" in caplog.text


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "h264_nvenc"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_videos(tmp_path, codec, frames):
    path = tmp_path / f"out{SUFFIXES[CODECS[codec].containers[0]]}"
    for _ in range(3):  # x265's uninitialised times strike by chance
        assert len(read_frames(encode(path, codec, [picture(i, 65, 67) for i in range(frames)]))[0]) == frames


@pytest.mark.parametrize("codec", ["prores4444", "qtrle", "png", "h264"])
def test_the_same_pictures_make_the_same_video(tmp_path, codec):
    pictures = [picture(i) for i in range(12)]
    suffix = SUFFIXES[CODECS[codec].containers[0]]
    first, second = (read_frames(encode(tmp_path / f"{name}{suffix}", codec, pictures)) for name in "ab")
    assert first[1] == second[1]
    # x264 writes other bits in one run of ten from the same pixels, even in one thread: some pixels are 6 levels off
    levels = 0.5 if codec == "h264" else 0
    assert all(np.abs(a.astype(int) - b).mean() <= levels for a, b in zip(first[0], second[0], strict=True))


def test_names_that_look_like_urls_and_patterns(tmp_path):
    for name in ("clip:1.mp4", "frame_%03d.mp4", "ünï.mp4"):
        encode(tmp_path / name, "h264", [picture(0)])
        assert (tmp_path / name).stat().st_size > 500


def test_encoders_are_silent(tmp_path, capfd):
    for codec in ("h264", "hevc", "av1", "vp9", "mpeg4"):
        encode(tmp_path / f"{codec}.mp4", codec, [picture(i, 128, 128) for i in range(3)])
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_make_clip_is_what_it_says(tmp_path):
    """The other tests of this folder rely on it."""
    path = make_clip(tmp_path / "clip.mp4", frames=10, options={"crf": "4"})
    images, times_s = read_frames(path)
    assert times_s == pytest.approx([i / 24 for i in range(10)])
    assert np.abs(images[7].astype(int) - picture(7)).mean() < 3
