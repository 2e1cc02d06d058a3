"""Y'CbCr with and without tags, in both directions, and HDR as SDR against the formulas of the standards."""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from video.clips import copy_video, make_clip

from vidseg.colour import LUMA
from vidseg.output.video import VideoOutput
from vidseg.types import Colour, FrameMasks
from vidseg.video import open_source
from vidseg.video.colour import to_rgb
from vidseg.video.ycbcr import to_ycbcr

PATCHES = np.array([[60] * 3, [120] * 3, [200] * 3, [235] * 3, [220, 40, 30], [30, 60, 230], [70, 160, 60]], np.uint8)
FULL = 2  # of color_range
SD, HD = (0.299, 0.114), (0.2126, 0.0722)  # how much red and blue count in luma: BT.601, BT.709


def lossless(path, codes_3hw, pix_fmt, codec="ffv1", **tags):
    """A file of one picture repeated, from its Y, Cb and Cr (all of one size), coded without loss."""
    height, width = codes_3hw.shape[1:]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24), options={"qp": "0"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(width, height, pix_fmt)
        for plane, codes_hw in zip(frame.planes, codes_3hw, strict=True):
            step = width // plane.width
            content = np.zeros((plane.height, plane.line_size // codes_hw.itemsize), codes_hw.dtype)
            content[:, : plane.width] = codes_hw[::step, ::step]
            plane.update(content.tobytes())
        for index in range(2):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def ycbcr(rgb_n3, luma, full=False):
    """8-bit Y'CbCr (3, n) of R'G'B' (n, 3)."""
    red, green, blue = (np.asarray(rgb_n3, float) / 255).T
    y = luma[0] * red + (1 - sum(luma)) * green + luma[1] * blue
    cb, cr = (blue - y) / (2 - 2 * luma[1]), (red - y) / (2 - 2 * luma[0])
    scaled = [255 * y, 128 + 255 * cb, 128 + 255 * cr] if full else [16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr]
    return np.round(scaled).astype(np.uint8)


def patches(width, height, luma, full=False):
    """The colours of ``PATCHES`` side by side, as Y'CbCr, and the columns of their middles."""
    wide = width // len(PATCHES) // 2 * 2
    codes = ycbcr(PATCHES, luma, full).repeat(wide, axis=1)
    codes = np.pad(codes, ((0, 0), (0, width - codes.shape[1])), mode="edge")
    return codes[:, None].repeat(height, axis=1), wide // 2 // 2 * 2 + wide * np.arange(len(PATCHES))


@pytest.mark.parametrize(
    ("size", "luma", "tags", "written"),
    [
        ((1280, 720), HD, {}, Colour(1, 1, 1)),
        ((640, 1136), HD, {}, Colour(1, 1, 1)),
        ((320, 240), SD, {}, Colour(6, 6, 6)),
        ((320, 240), SD, {"color_range": FULL}, Colour(6, 6, 6)),
        ((1280, 720), HD, {"color_range": FULL}, Colour(1, 1, 1)),
        ((320, 240), HD, {"colorspace": 1, "color_primaries": 1, "color_trc": 1}, Colour(1, 1, 1)),
        ((1280, 720), SD, {"colorspace": 6, "color_primaries": 6, "color_trc": 6}, Colour(6, 6, 6)),
        ((320, 240), SD, {"colorspace": 5, "color_primaries": 5, "color_trc": 4}, Colour(5, 5, 4)),
        ((320, 240), SD, {"colorspace": 5}, Colour(5, 5, 6)),  # as Motion JPEG: the rest goes with the matrix
        ((1280, 720), (0.212, 0.087), {"colorspace": 7}, Colour(7, 7, 7)),
    ],
)
def test_an_untouched_pixel_keeps_its_ycbcr_and_its_tags(tmp_path, size, luma, tags, written):
    full = tags.get("color_range") == FULL
    codes, middles = patches(*size, luma, full)
    path = lossless(tmp_path / "in.mp4", codes, "yuvj420p" if full else "yuv420p", "libx264", **tags)
    source = open_source(str(path))
    assert source.info.colour == written
    assert np.abs(source[0].rgb_hw3[10, middles].astype(int) - PATCHES).max() <= 3
    copy_video(source, tmp_path / "out.mp4", "h264", quality=0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == written
    assert frame.color_range == 1
    for plane, expected in zip(frame.planes, ycbcr(PATCHES, luma), strict=True):
        step = size[0] // plane.width
        row = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[10 // step, middles // step]
        assert np.abs(row.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("render", ["cutout", "overlay"])
@pytest.mark.parametrize(
    ("pix_fmt", "size"), [("yuv420p", (320, 240)), ("yuvj420p", (320, 240)), ("yuv420p", (1280, 720))]
)
def test_what_no_object_touches_keeps_its_codes(tmp_path, render, pix_fmt, size):
    """Noise in each plane, of colours that there are, through a whole output at crf 0, which has limited range."""
    rng = np.random.default_rng(3)
    codes = rng.integers((60, 108, 108), (180, 148, 148), (*size[::-1], 3), np.uint8).transpose(2, 0, 1)
    full = pix_fmt.startswith("yuvj")
    path = lossless(tmp_path / "in.mp4", codes, pix_fmt, "libx264", **({"color_range": FULL} if full else {}))
    source = open_source(str(path))
    output = VideoOutput("out.mp4", "h264", 0, f"vidseg.composite.{render}")
    output.open(tmp_path, source)
    for frame in source:
        logits_nhw = np.full((1, *frame.rgb_hw3.shape[:2]), 1 if render == "cutout" else -1, np.float32)
        output.write(frame, FrameMasks(frame.index, (1,), logits_nhw))
    output.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        planes = next(container.decode(video=0)).planes
    for plane, codes_hw, zero, ratio in zip(
        planes, codes, (16, 128, 128), (219 / 255, 224 / 255, 224 / 255), strict=True
    ):
        step = size[0] // plane.width
        found = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].astype(float)
        wanted = codes_hw[::step, ::step].astype(float)
        wanted = (wanted - (zero if zero == 128 else 0)) * ratio + zero if full else wanted
        assert np.abs(found - wanted).max() <= 1
        assert np.abs(found - wanted).mean() <= (0.3 if full else 0.02)


@pytest.mark.parametrize(
    ("codec", "name"), [("prores4444", "a.mov"), ("h264", "a.mov"), ("h264", "a.mp4"), ("hevc", "a.mp4")]
)
@pytest.mark.parametrize("size", [(1280, 720), (320, 240)])
def test_container_and_frame_headers_say_one_thing(tmp_path, codec, name, size):
    """The bytes: the box colr (ISO/IEC 14496-12, 12.1.5; QuickTime's nclc), and ProRes' frame header (RDD 36)."""
    source = open_source(str(make_clip(tmp_path / "in.mp4", frames=2, size=size)))
    content = copy_video(source, tmp_path / name, codec).read_bytes()
    number = 1 if size[1] >= 720 else 6
    at = content.index(b"colr")
    assert struct.unpack(">HHH", content[at + 8 : at + 14]) == (number,) * 3
    if codec == "prores4444":
        at = content.index(b"icpf")
        assert tuple(content[at + 18 : at + 21]) == (number,) * 3


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuva420p", "yuv411p", "yuv440p", "nv12", "yuyv422", "yuv420p10le", "rgb24"],
)
def test_kinds_of_pixels_have_one_colour(pix_fmt, full):
    """Made by the formula here, packed by FFmpeg; also where a picture has another size than the first."""
    rgb = np.array([[200, 90, 60]], np.uint8)
    name = "yuvj444p" if full else "yuv444p"
    image = av.VideoFrame(64, 48, name)
    for plane, code in zip(image.planes, ycbcr(rgb, HD, full)[:, 0], strict=True):
        plane.update(bytes([code]) * plane.buffer_size)
    image.colorspace, image.color_range = 1, FULL if full else 1
    if pix_fmt == "rgb24":
        packed = av.VideoFrame.from_ndarray(rgb[None].repeat(48, 0).repeat(64, 1), format="rgb24")
    else:
        packed = image.reformat(format=pix_fmt, src_color_range=image.color_range, dst_color_range=image.color_range)
        packed.colorspace, packed.color_range = 1, image.color_range
    for size in ((64, 48), (32, 40)):
        shown = to_rgb(packed, *size, Colour(1, 1, 1))
        assert shown.shape == (size[1], size[0], 3)
        assert np.abs(shown.astype(int) - rgb[0]).max() <= 2


def test_avi_has_what_players_take_it_for(tmp_path):
    """It has no tags: BT.709 in a small picture must become BT.601."""
    codes, middles = patches(320, 240, HD)
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}
    source = open_source(str(lossless(tmp_path / "in.mp4", codes, "yuv420p", "libx264", **tags)))
    out = open_source(str(copy_video(source, tmp_path / "out.avi", "xvid", quality=1)))
    assert out.info.colour == Colour(6, 6, 6)
    assert np.abs(out[0].rgb_hw3[10, middles].astype(int) - PATCHES).max() <= 5


def hdr(path, codes_3hw, transfer):
    """A file of 10 bits in BT.2020. FFV1 has no tags of its own: these are Matroska's."""
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    return lossless(path, codes_3hw, "yuv444p10le", **tags)


def pq_nits(code):
    """SMPTE ST 2084, 5.2: the light of a code in 0..1, cd/m2."""
    power = code ** (32 / 2523)
    return 10000 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)


def hlg_nits(code):
    """ITU-R BT.2100, tables 5 and 6: of grey on a screen of 1,000 cd/m2."""
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return 1000 * scene**1.2


@pytest.mark.parametrize(("transfer", "nits", "white"), [(16, pq_nits, 0.5807), (18, hlg_nits, 0.75)])
def test_hdr_greys_are_tone_mapped_by_the_formula(tmp_path, transfer, nits, white):
    ramp = np.arange(64, 941).repeat(2)[:-2].astype(np.uint16)
    codes = np.stack([ramp, np.full_like(ramp, 512), np.full_like(ramp, 512)])[:, None].repeat(64, axis=1)
    source = open_source(str(hdr(tmp_path / "in.mkv", codes, transfer)))
    code = (ramp - 64) / 876
    light = nits(code) / 203  # ITU-R BT.2408: paper is 1
    rolled = np.where(light > 0.8, 1 - 0.04 / (light - 0.6), light)
    srgb = np.where(rolled <= 0.0031308, 12.92 * rolled, 1.055 * rolled ** (1 / 2.4) - 0.055)
    shown = source[1].rgb_hw3[30].astype(int)
    assert np.abs(shown - 255 * srgb[:, None]).max() <= 1
    assert (np.abs(shown[np.abs(code - white).argmin()] - 243) <= 1).all()
    assert source.info.colour == Colour(1, 1, 1)  # however small the picture is
    out = open_source(str(copy_video(source, tmp_path / "out.mp4", "h264", quality=5)))
    assert out.info.colour == Colour(1, 1, 1)
    assert np.abs(out[1].rgb_hw3[30].astype(int) - shown).max() <= 4


@pytest.mark.parametrize(("transfer", "code"), [(16, pq_nits), (18, hlg_nits)])
def test_hdr_colours_come_out_as_they_were_drawn(tmp_path, transfer, code):
    """sRGB colours as light in BT.2020 (ITU-R BT.2087), their white at 203 cd/m2; all are dark enough to stay."""
    srgb = PATCHES[[0, 1, 2, 4, 5, 6]] / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4) * 203
    light = light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    if transfer == 18:  # the inverse OOTF makes grey of the same luminance the same code
        luminance = light @ np.array([0.2627, 0.6780, 0.0593])
        light *= (luminance / 1000)[:, None] ** (1 / 1.2 - 1)
    table = np.linspace(0, 1, 100001)
    known = code(table) if transfer == 16 else 1000 * (code(table) / 1000) ** (1 / 1.2)
    red, green, blue = np.interp(light, known, table).T
    y = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    scaled = [64 + 876 * y, 512 + 896 * (blue - y) / 1.8814, 512 + 896 * (red - y) / 1.4746]
    codes = np.round(scaled).astype(np.uint16).repeat(20, axis=1)[:, None].repeat(64, axis=1)
    shown = open_source(str(hdr(tmp_path / "in.mkv", codes, transfer)))[0].rgb_hw3[30, 10::20].astype(int)
    assert np.abs(shown - PATCHES[[0, 1, 2, 4, 5, 6]]).max() <= 4


@pytest.mark.parametrize("matrix", LUMA)
def test_8_bit_4_2_0_is_the_formula_to_a_level(matrix):
    rng = np.random.default_rng(matrix)
    rgb_hw3 = rng.integers(0, 256, (36, 50, 3), np.uint8)
    rgb_hw3[:18] = cv2.GaussianBlur(rgb_hw3[:18], (0, 0), 3)
    red, blue = LUMA[matrix]
    r, g, b = np.moveaxis(rgb_hw3 / 255, -1, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    wanted = [16 + 219 * y, 128 + 224 * (b - y) / (2 - 2 * blue), 128 + 224 * (r - y) / (2 - 2 * red)]
    wanted[1:] = [each.reshape(18, 2, 25, 2).mean((1, 3)) for each in wanted[1:]]
    image = to_ycbcr(rgb_hw3, matrix, "yuv420p")
    assert image.color_range == 1
    # OpenCV's numbers have 10 bits: 0.37 at most, and rounding; for chroma rounding of the mean, too
    for plane, codes, most in zip(image.planes, wanted, (0.88, 1.38, 1.38), strict=True):
        found = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        assert np.abs(found - codes).max() <= most
        assert np.abs(found - codes).mean() <= 0.3
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(2, 128, 3)
    _, *chroma = (np.frombuffer(plane, np.uint8)[: plane.width] for plane in to_ycbcr(greys, matrix, "yuv420p").planes)
    assert all((codes == 128).all() for codes in chroma)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p"])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (64, 128), (65, 129), (51, 259)])
def test_8_bit_planes_are_decoded_by_the_formula_also_where_strips_meet(pix_fmt, size):
    width, height = size
    image = av.VideoFrame(width, height, pix_fmt)
    rng = np.random.default_rng(height)
    planes = []
    for plane in image.planes:
        codes_hw = rng.integers(16, 240, (plane.height, plane.line_size), np.uint8)
        plane.update(codes_hw.tobytes())
        planes.append(codes_hw[:, : plane.width])
    wide = 1 if "444" in pix_fmt else 2
    tall = 2 if "420" in pix_fmt else 1
    rows, columns = np.mgrid[:height, :width]
    y, cb, cr = planes[0].astype(float), *(codes_hw[rows // tall, columns // wide] - 128.0 for codes_hw in planes[1:])
    y, cb, cr = (y / 255, cb / 255, cr / 255) if "j" in pix_fmt else ((y - 16) / 219, cb / 224, cr / 224)
    red, blue = y + (2 - 2 * HD[0]) * cr, y + (2 - 2 * HD[1]) * cb
    green = (y - HD[0] * red - HD[1] * blue) / (1 - sum(HD))
    wanted_hw3 = (255 * np.dstack([red, green, blue])).clip(0, 255)
    assert np.abs(to_rgb(image, *size, Colour(1, 1, 1)) - wanted_hw3).max() <= 0.9  # OpenCV's numbers have 10 bits
