"""Images of more than 8 bits, in and out: 16-bit PNG and TIFF, OpenEXR."""

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from PIL import Image
from video.test_colour import hdr
from video.test_deep import grey_ramp, luma_of, write

from vidseg.colour import CHROMATICITIES, PQ
from vidseg.errors import InputError
from vidseg.output.files import FrameImages
from vidseg.output.video import VideoOutput
from vidseg.types import FrameMasks
from vidseg.video import open_source

RAMP = np.linspace(0, 65535, 1024).round().astype(np.uint16)


def folder_of(tmp_path, suffix, pixels=None, count=2):
    pixels = RAMP[None, :, None].repeat(16, 0).repeat(3, 2) if pixels is None else pixels
    folder = tmp_path / "frames_in"
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:05d}{suffix}"), pixels[..., ::-1])
    return folder


def write_linear(path, linear_hw3, **header):
    planes = {name: np.ascontiguousarray(linear_hw3[..., n]) for n, name in enumerate("RGB")}
    OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}, planes).write(
        str(path)
    )


def all_of(frame):
    return FrameMasks(frame.index, (1,), np.ones((1, *frame.rgb_hw3.shape[:2]), np.float32))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_come_in_whole(tmp_path, suffix):
    source = open_source(str(folder_of(tmp_path, suffix)))
    assert source.info.depth.bits == 16
    plain = source[1]
    source.carry_depth()
    assert plain.deep is None
    assert (source[1].deep.rgb_hw3[5] == RAMP[:, None]).all()
    assert (source[1].rgb_hw3 == plain.rgb_hw3).all()


@pytest.mark.parametrize(("codec", "name"), [("prores4444", "o.mov"), ("ffv1", "o.mkv"), ("hevc10", "o.mp4")])
def test_16_bits_go_into_video_with_the_usual_tags(tmp_path, codec, name):
    source = open_source(str(folder_of(tmp_path, ".png")))
    luma, bits, tags = luma_of(write(source, tmp_path / name, codec), row=5)
    assert bits >= 10
    assert tags == [(6, 6, 6, 1)] * 2  # as of images of 8 bits: 1024 columns and 16 lines are SD
    assert len(np.unique((luma / 2 ** (bits - 10)).round())) >= 800


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("tiff", ".tif")])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_frames_go_out_in_16_bits(tmp_path, kind, suffix, premultiplied):
    source = open_source(str(folder_of(tmp_path, ".png")))
    source.carry_depth()
    output = FrameImages("out", format=kind, premultiplied=premultiplied)
    output.open(tmp_path, source)
    for frame in source:
        output.write(frame, all_of(frame))
    back = cv2.imread(str(tmp_path / "out" / f"00001{suffix}"), cv2.IMREAD_UNCHANGED)
    assert back.dtype == np.uint16
    assert (back[5, :, :3] == RAMP[:, None]).all()
    assert (back[..., 3] == 65535).all()
    if kind == "tiff":
        with Image.open(tmp_path / "out" / "00001.tif") as image:
            assert image.tag_v2[338] == ((1,) if premultiplied else (2,))  # ExtraSamples: associated or not


def test_frames_of_8_bits_stay_so(tmp_path):
    source = open_source(str(folder_of(tmp_path, ".png", np.full((16, 32, 3), 77, np.uint8))))
    assert source.info.depth is None
    for kind, suffix in (("png", ".png"), ("tiff", ".tif")):
        output = FrameImages(kind, format=kind)
        output.open(tmp_path, source)
        output.write(source[0], all_of(source[0]))
        with Image.open(tmp_path / kind / f"00000{suffix}") as image:
            assert (image.mode, np.array(image)[3, 3].tolist()) == ("RGBA", [77, 77, 77, 255])
    with pytest.raises(InputError, match=r"format: 'exr' is not png or tiff; output=\[exr\]"):
        FrameImages("frames", format="exr")


def test_hdr_frames_are_sdr_of_16_bits(tmp_path):
    source = open_source(str(hdr(tmp_path / "in.mkv", grey_ramp(), PQ)))
    source.carry_depth()
    output = FrameImages("out")
    output.open(tmp_path, source)
    output.write(source[0], all_of(source[0]))
    back = cv2.imread(str(tmp_path / "out" / "00000.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(back[30, :, :3] / 257 - source[0].rgb_hw3[30]).max() <= 1.5
    assert len(np.unique(back[30, :, 0])) > 500


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_exr_comes_in_as_light(tmp_path, dtype):
    """In SDR as the curve of sRGB has it, below the knee at 0.8; with its highlights where an output takes them."""
    light = np.geomspace(0.001, 20, 512).astype(dtype)
    folder = tmp_path / "plate"
    folder.mkdir()
    for index in range(2):
        write_linear(folder / f"plate.{index + 1001}.exr", light[None, :, None].repeat(16, 0).repeat(3, 2))
    source = open_source(str(folder))
    dark = light.astype(float) < 0.8
    srgb = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light.astype(float) ** (1 / 2.4) - 0.055)
    assert np.abs(source[0].rgb_hw3[5, dark, 0] - srgb[dark]).max() <= 1
    source.carry_depth()
    deep = source[0].deep
    assert deep.colour == (9, 9, PQ)
    made = tmp_path / "o.mkv"
    luma, bits, tags = luma_of(write(source, made, "ffv1"), row=5)
    assert (bits, tags) == (16, [(9, 9, PQ, 1)] * 2)
    assert np.ptp(luma) > 30000
    from vidseg.output.exr import Exr

    output = Exr("exr")
    output.open(tmp_path, source)
    output.write(source[0], all_of(source[0]))
    with av.open(str(tmp_path / "exr" / "01001.exr")) as container:
        image = next(container.decode(video=0))
        green = np.frombuffer(image.planes[0], "<f2").reshape(image.height, -1).astype(np.float32)
    np.testing.assert_allclose(green[5, : len(light)], light.astype(float), rtol=0.004)


def test_primaries_of_an_exr_count(tmp_path):
    """A colour that is written in the primaries of Display P3 is shown as what it is, in those of BT.709."""
    corners = np.array(CHROMATICITIES[12])
    write_linear(
        tmp_path / "p3.exr", np.full((16, 32, 3), (0.3, 0.2, 0.1), np.float32), chromaticities=tuple(corners.ravel())
    )
    write_linear(tmp_path / "709.exr", np.full((16, 32, 3), (0.3225, 0.1959, 0.0895), np.float32))  # by SMPTE RP 177
    p3, bt709 = (open_source(str(tmp_path / f"{name}.exr"))[0].rgb_hw3[3, 3].astype(int) for name in ("p3", "709"))
    assert np.abs(p3 - bt709).max() <= 1


def test_a_photograph_of_16_bits_makes_pictures_of_16(tmp_path):
    path = folder_of(tmp_path, ".png", count=1) / "00000.png"
    source = open_source(str(path))
    output = VideoOutput("cutout.mp4", "h264", None, "vidseg.composite.cutout")
    output.check(source, ())
    assert output.deep
    source.carry_depth()
    output.open(tmp_path, source)
    output.write(source[0], all_of(source[0]))
    back = cv2.imread(str(tmp_path / "cutout.png"), cv2.IMREAD_UNCHANGED)
    assert (back[5, :, 0] == RAMP).all()


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".tif", ".jpg"])
def test_kinds_of_8_bits(tmp_path, suffix):
    source = open_source(str(folder_of(tmp_path, suffix, np.full((16, 32, 3), (200, 100, 50), np.uint8))))
    assert np.abs(source[1].rgb_hw3.astype(int) - (200, 100, 50)).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
@pytest.mark.parametrize("width", [160, 720])
def test_8_bits_are_8_at_any_width(tmp_path, mode, width):
    """Pillow's notes on these hold 160 and 2160, the bytes of a row."""
    Image.new("RGB", (width, 16), (200, 100, 50)).convert(mode).save(tmp_path / "a.bmp")
    source = open_source(str(tmp_path / "a.bmp"))
    assert source.info.depth is None
    assert source[0].rgb_hw3.shape == (16, width, 3)


def test_exr_that_can_t_be_read(tmp_path):
    (tmp_path / "a.exr").write_bytes(b"no exr" * 10)
    with pytest.raises(InputError, match=r"a\.exr can't be read"):
        open_source(str(tmp_path / "a.exr"))
    depth = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(depth, {"Z": np.zeros((16, 16), np.float32)}).write(str(tmp_path / "z.exr"))
    with pytest.raises(InputError, match=r"z\.exr has no channels R, G and B, nor Y; it has Z"):
        open_source(str(tmp_path / "z.exr"))
    folder = folder_of(tmp_path, ".png")
    write_linear(folder / "00002.exr", np.zeros((16, 1024, 3), np.float32))
    with pytest.raises(InputError, match="OpenEXR and other images"):
        open_source(str(folder))
