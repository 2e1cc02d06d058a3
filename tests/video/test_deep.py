"""More than 8 bits, from the file through every render into every codec that keeps them, and what stays as it was."""

import av
import numpy as np
import pytest
from conftest import SEARCH_PATH
from video.clips import make_clip, picture
from video.test_colour import hdr, hlg_nits, lossless, pq_nits

import vidseg as package
from vidseg.colour import HLG, PQ, in_colour, tone_mapped
from vidseg.composite import cutout, overlay, transparent
from vidseg.output.video import VideoOutput
from vidseg.types import Alpha, Colour, Deep, Frame, FrameMasks
from vidseg.video import open_source
from vidseg.video.codec import CODECS
from vidseg.video.colour import to_deep_rgb
from vidseg.video.ycbcr import to_ycbcr

WIDTH, HEIGHT = 1024, 64
BT2020_PQ, BT2020_HLG = Colour(9, 9, PQ), Colour(9, 9, HLG)


def masks_of(frame_index, height=HEIGHT, width=WIDTH, everything=False):
    """One object: the lower half, or all."""
    logits_nhw = np.full((1, height, width), -1, np.float32)
    logits_nhw[:, 0 if everything else height // 2 :] = 1
    return FrameMasks(frame_index, (1,), logits_nhw)


def grey_ramp(bits=10):
    """Luma from the lowest code to the highest, and chroma of grey."""
    luma = np.linspace(0, 2**bits - 1, WIDTH).round().astype(np.uint16)[None].repeat(HEIGHT, 0)
    return np.stack([luma, np.full_like(luma, 2 ** (bits - 1)), np.full_like(luma, 2 ** (bits - 1))])


def write(source, path, codec, render="cutout", **options):
    """What the runner does, with masks of everything."""
    output = VideoOutput(path.name, codec, options.pop("quality", None), f"vidseg.composite.{render}", **options)
    output.check(source, ())
    if output.deep:
        source.carry_depth()
    output.open(path.parent, source)
    for frame in source:
        output.write(frame, masks_of(frame.index, *frame.rgb_hw3.shape[:2], everything=render != "overlay"))
    output.close()
    return path


def luma_of(path, row=HEIGHT // 4):
    """A row of the second picture's luma, its bits, and its tags, read with plain PyAV."""
    with av.open(str(path)) as container:
        *_, image = container.decode(video=0)
        bits = image.format.components[0].bits
        plane = np.frombuffer(image.planes[0], np.uint16 if bits > 8 else np.uint8).reshape(image.height, -1)
        stream = container.streams.video[0].codec_context
        tags = [(x.colorspace, x.color_primaries, x.color_trc, x.color_range) for x in (image, stream)]
        return plane[row, : image.width].astype(int), bits, tags


DEEP = [("hevc10", "a.mp4"), ("hevc10", "a.mov"), ("hevc10", "a.mkv"), ("prores4444", "a.mov")]
DEEP += [("prores4444xq", "a.mov"), ("ffv1", "a.mkv")]


@pytest.mark.parametrize(("codec", "name"), DEEP)
@pytest.mark.parametrize("colour", [BT2020_PQ, BT2020_HLG, Colour(1, 1, 1)])
def test_a_ramp_of_10_bits_keeps_its_levels_and_its_tags(tmp_path, codec, name, colour):
    keys = ("colorspace", "color_primaries", "color_trc")
    tags = dict(zip(keys, colour, strict=True)) | {"color_range": 2}
    source = open_source(str(lossless(tmp_path / "in.mkv", grey_ramp(), "yuv444p10le", **tags)))
    for render in ("cutout", "overlay"):
        luma, bits, found = luma_of(write(source, tmp_path / f"{render}{name}", codec, render))
        assert found == [(*colour, 1)] * 2  # of the frame and of the stream
        assert bits >= 10
        levels = luma / 2 ** (bits - 10)
        assert len(np.unique(levels.round())) >= 800  # limited range has 877
        assert np.abs(levels - (64 + 876 * np.arange(1024) / 1023)).mean() <= 1


def test_what_is_lossless_has_the_very_codes(tmp_path):
    for bits, pix_fmt in ((10, "yuv444p10le"), (12, "yuv444p12le")):
        tags = {"colorspace": 9, "color_primaries": 9, "color_trc": PQ, "color_range": 1}
        low, high = 16 << bits - 8, 235 << bits - 8
        codes = grey_ramp(bits).clip(low, high)
        source = open_source(str(lossless(tmp_path / f"{bits}.mkv", codes, pix_fmt, **tags)))
        assert source.info.depth[:2] == (bits, BT2020_PQ)
        luma, found, _ = luma_of(write(source, tmp_path / f"out{bits}.mkv", "ffv1"))
        assert found == bits
        assert (luma == codes[0, 0]).all()


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p10le", "yuv444p12le", "gbrp10le", "gbrp12le"])
def test_kinds_of_pixels(tmp_path, pix_fmt):
    """The same picture is decoded to the same codes, whatever it was stored as."""
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.codec_context.color_range = 1
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (40000, 20000, 30000), np.uint16), format="rgb48le")
        frame = frame.reformat(format=pix_fmt, dst_colorspace=6)
        container.mux([*stream.encode(frame), *stream.encode()])
    source = open_source(str(tmp_path / "in.mkv"))
    source.carry_depth()
    deep = source[0].deep
    assert source.info.depth.bits == int(pix_fmt[-4:-2])
    assert np.abs(deep.rgb_hw3.astype(int) - (40000, 20000, 30000)).max() <= 2 * 65535 / 1023 + 160  # swscale's white


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "p010le", "yuv420p12le"])
@pytest.mark.parametrize("colour", [BT2020_PQ, Colour(1, 1, 1)])
def test_what_is_untouched_keeps_its_codes(pix_fmt, colour):
    """Noise in each plane, of colours that there are. Interpolated chroma would be 60 codes off."""
    bits, rng = 12 if "12" in pix_fmt else 10, np.random.default_rng(3)
    drawn = av.VideoFrame(322, 180, f"yuv420p{bits}le")
    for plane, (low, high) in zip(drawn.planes, ((60, 180), (108, 148), (108, 148)), strict=True):
        rows = np.frombuffer(plane, "<u2").reshape(plane.height, -1)
        rows[:, : plane.width] = rng.integers(low << bits - 8, high << bits - 8, (plane.height, plane.width))
    drawn.color_range = 1
    rgb_hw3 = to_deep_rgb(drawn.reformat(format=pix_fmt, threads=1), 322, 180, colour)
    again = to_ycbcr(rgb_hw3, colour.matrix, f"yuv420p{bits}le")
    for before, after in zip(drawn.planes, again.planes, strict=True):
        a, b = (np.frombuffer(p, "<u2").reshape(p.height, -1)[:, : p.width].astype(int) for p in (before, after))
        assert np.abs(a - b).max() <= 1


@pytest.mark.parametrize("render", ["cutout", "overlay"])
def test_what_no_object_touches_keeps_its_codes(tmp_path, render):
    """Noise of 10 bits in PQ through a whole output at quality 0."""
    codes = np.random.default_rng(3).integers((240, 432, 432), (720, 592, 592), (HEIGHT, WIDTH, 3), np.uint16)
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": PQ, "color_range": 1}
    path = lossless(tmp_path / "in.mkv", codes.transpose(2, 0, 1), "yuv420p10le", **tags)
    out = write(open_source(str(path)), tmp_path / "out.mp4", "hevc10", render, quality=0)
    with av.open(str(path)) as file, av.open(str(out)) as made:
        for before, after in zip(next(file.decode(video=0)).planes, next(made.decode(video=0)).planes, strict=True):
            a, b = (np.frombuffer(p, "<u2").reshape(p.height, -1)[:, : p.width].astype(int) for p in (before, after))
            rows = len(a) if render == "cutout" else len(a) // 4  # the overlay's object is further down
            assert np.abs(a - b)[:rows].max() <= 1


@pytest.mark.parametrize("pix_fmt", ["yuv422p10le", "p010le", "p210le", "yuv444p12le", "gray10le", "yuv440p10le"])
def test_a_picture_is_the_same_each_time(pix_fmt):
    """swscale's threads spoil each other's rows at such a width."""
    noise = np.random.default_rng(3).integers(0, 65535, (182, 854, 3), np.uint16)
    drawn = av.VideoFrame.from_ndarray(noise, format="rgb48le").reformat(format=pix_fmt, threads=1)
    first = to_deep_rgb(drawn, 854, 182, BT2020_PQ)
    assert all((to_deep_rgb(drawn, 854, 182, BT2020_PQ) == first).all() for _ in range(30))


def test_who_doesn_t_ask_gets_what_it_got(tmp_path):
    """The picture of 8 bits, and so every mask, is the same with and without the deep one."""
    path = hdr(tmp_path / "in.mkv", grey_ramp(), PQ)
    plain, carrying = open_source(str(path)), open_source(str(path))
    carrying.carry_depth()
    for a, b in zip(plain, carrying, strict=True):
        assert a.deep is None
        assert b.deep.colour == BT2020_PQ
        assert (a.rgb_hw3 == b.rgb_hw3).all()
    assert not VideoOutput("a.mp4", "h264", None, "vidseg.composite.cutout").deep
    assert not VideoOutput("a.avi", "ffv1", None, "vidseg.composite.cutout").deep  # AVI has no tags
    assert not VideoOutput("a.mov", "prores4444", None, "numpy.hypot").deep  # a render that knows nothing about it


def test_a_run_writes_hdr_where_it_can_and_sdr_elsewhere(tmp_path, own_hydra):
    path = make_clip(
        tmp_path / "in.mov",
        codec="libx265",
        frames=12,
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none"},
        attributes={"colorspace": 9, "color_primaries": 9, "color_trc": HLG, "color_range": 1},
        metadata={"timecode": "01:00:00:00"},
    )
    words = [SEARCH_PATH, f"hydra.run.dir={tmp_path / 'run'}", f"video={path}", "model=square", "tracker=none"]
    words += ["prompt=click", "prompt.points=[[20,30]]", "prompt.frame=5", "extract.start=5"]
    words += ["output=[cutout,overlay,transparent_mov]"]
    summary, folder = package.run([*words, "output.overlay.codec=hevc10"])
    assert summary["frames"] == 7
    for name, tags in (("cutout.mp4", (1, 1, 1)), ("overlay.mp4", (9, 9, HLG)), ("transparent.mov", (9, 9, HLG))):
        with av.open(str(folder / name)) as container:
            *_, image = container.decode(video=0)
            assert (image.colorspace, image.color_primaries, image.color_trc) == tags, name
            assert (image.format.components[0].bits > 8) == (tags[0] == 9)
            assert container.streams.data[0].metadata["timecode"] == "01:00:00:05"
        shown = open_source(str(folder / name))[6].rgb_hw3.astype(int)
        if name != "overlay.mp4":  # both show the square as the SDR picture has it
            assert np.median(np.abs(shown - open_source(str(path))[11].rgb_hw3)[20:40, 30:40]) <= 4


MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"


def test_hdr10_s_static_metadata_goes_on_in_hevc(tmp_path):
    """SMPTE ST 2086 and CTA-861.3: what the screen was like, and how bright the video is."""
    path = make_clip(
        tmp_path / "in.mp4",
        codec="libx265",
        frames=3,
        pix_fmt="yuv420p10le",
        options={"x265-params": f"log-level=none:hdr10=1:{MASTERED}"},
        attributes={"colorspace": 9, "color_primaries": 9, "color_trc": PQ, "color_range": 1},
    )
    source = open_source(str(path))
    display, content = source.info.depth.mastering
    assert display == (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10000000, 50)
    assert content == (1000, 400)
    made = open_source(str(write(source, tmp_path / "o.mp4", "hevc10")))
    assert made.info.depth.mastering == source.info.depth.mastering
    assert open_source(str(write(open_source(str(path)), tmp_path / "o.mov", "hevc"))).info.depth is None


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (8, "YCgCo"),
        (10, "BT.2020 of constant luminance"),
        (12, "number 12 of H.273"),
        (14, "ICtCp"),
        (15, "IPT of Dolby Vision, profile 5"),
    ],
)
def test_a_matrix_that_isn_t_read_is_said(tmp_path, caplog, matrix, words):
    tags = {"colorspace": matrix, "color_primaries": 9, "color_trc": PQ}
    source = open_source(str(lossless(tmp_path / "a.mkv", grey_ramp(), "yuv444p10le", **tags)))
    assert source.info.depth.colour == BT2020_PQ
    assert f"a.mkv: its colours are wrong: {words} isn't read, but taken for Y'CbCr" in caplog.text
    source.carry_depth()
    assert len(list(source)) == 2


def test_8_bits_go_into_codecs_of_10(tmp_path):
    codes = np.full((3, HEIGHT, WIDTH), 128, np.uint8)
    codes[0] = np.linspace(16, 235, WIDTH).round()
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}
    source = open_source(str(lossless(tmp_path / "in.mp4", codes, "yuv420p", "libx264", **tags)))
    assert source.info.depth is None
    luma, bits, found = luma_of(write(source, tmp_path / "out.mp4", "hevc10", quality=4))
    assert (bits, found) == (10, [(1, 1, 1, 1)] * 2)
    assert np.abs(luma / 4 - codes[0, 0]).max() <= 1


@pytest.mark.parametrize("colour", [BT2020_PQ, BT2020_HLG])
def test_colours_of_backgrounds_and_marks_look_the_same_in_hdr(colour):
    """Drawn into HDR and tone-mapped: dark enough ones are as they were, white is paper's."""
    drawn = np.array(
        [[200, 40, 30], [0, 177, 64], [30, 60, 200], [0, 0, 0], [128, 128, 128], [255, 255, 255]], np.uint8
    )
    codes = in_colour(drawn, colour).T[:, None] // 16
    shown = tone_mapped(codes.astype(np.uint16), colour)[0].astype(int)
    assert np.abs(shown[:-1] - drawn[:-1]).max() <= 3
    assert np.abs(shown[-1] - 243).max() <= 1
    nits = (pq_nits if colour == BT2020_PQ else hlg_nits)(in_colour(drawn[-1:], colour)[0, 0] / 65535)
    assert nits == pytest.approx(203, rel=0.01)
    assert (in_colour(drawn, Colour(1, 1, 1)) == drawn.astype(np.uint16) * 257).all()


@pytest.mark.parametrize("options", [{}, {"opacity": 0.3, "contour": 5}, {"ids": True}, {"opacity": 0, "contour": 0}])
def test_a_deep_overlay_is_the_one_of_8_bits(options):
    image = picture(3, 320, 240)
    frame = Frame(0, 0.0, image, Deep(image.astype(np.uint16) * 257, Colour(1, 1, 1)))
    masks = masks_of(0, 240, 320)
    deep, shallow = overlay(frame, masks, deep=True, **options), overlay(frame, masks, **options)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - shallow).max() <= 4  # two pictures of 8 bits are subtracted, and their ratio is taken
    assert np.abs(deep / 257 - shallow).mean() <= 0.6
    untouched_hw = (overlay(Frame(0, 0.0, 255 - image), masks, **options) == 255 - image).all(axis=2)
    untouched_hw &= (shallow == image).all(axis=2)
    assert untouched_hw.mean() > 0.4
    assert (deep == frame.deep.rgb_hw3)[untouched_hw].all()


def test_a_deep_cutout_and_a_deep_alpha_are_those_of_8_bits():
    image = picture(3, 320, 240)
    frame = Frame(0, 0.0, image, Deep(image.astype(np.uint16) * 257, Colour(1, 1, 1)))
    masks = masks_of(0, 240, 320)
    for render in (cutout, transparent):
        assert (render(frame, masks, deep=True) == render(frame, masks).astype(np.uint16) * 257).all()
    soft_hw = np.linspace(0, 255, 240 * 320).astype(np.uint8).reshape(240, 320)
    foreground_hw3 = np.where(soft_hw[..., None] < 128, 255 - image, image)
    masks.soften(Alpha(soft_hw, foreground_hw3))
    for render, options in (
        (cutout, {"background": "white"}),
        (transparent, {}),
        (transparent, {"premultiplied": True}),
    ):
        for despill in (None, "green"):
            deep = render(frame, masks, deep=True, despill=despill, **options)
            shallow = render(frame, masks, despill=despill, **options)
            assert np.abs(deep / 257 - shallow).max() <= 1.01  # roundings of products in 8 bits
    with pytest.raises(ValueError, match="frame 0 has 8 bits"):
        cutout(Frame(0, 0.0, image), masks, deep=True)


def test_deep_codecs_are_those_that_docs_name():
    assert [name for name, row in CODECS.items() if row.deep] == ["hevc10", "prores4444", "prores4444xq", "ffv1"]
