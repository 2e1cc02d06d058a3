"""OpenEXR out: scene-linear light, alpha and layers, read back by FFmpeg's own decoder beside OpenEXR's library."""

import av
import numpy as np
import OpenEXR
import pytest
from conftest import SEARCH_PATH
from PIL import TiffImagePlugin
from video.test_colour import hdr, hlg_nits, pq_nits
from video.test_deep import grey_ramp

import vidseg as package
from vidseg.colour import HLG, PQ
from vidseg.composite.layers import object_alphas
from vidseg.errors import InputError
from vidseg.output.exr import Exr
from vidseg.types import Alpha, Frame, FrameMasks
from vidseg.video import open_source
from vidseg.video.tiff import encode_tiff

HEIGHT, WIDTH = 64, 1024


def by_ffmpeg(path):
    """R, G, B and A, float32 (h, w, 4)."""
    with av.open(str(path)) as container:
        image = next(container.decode(video=0))
    assert image.format.name == "gbrapf16le"
    rows = (np.frombuffer(p, "<f2").reshape(image.height, -1)[:, : image.width] for p in image.planes)
    green, blue, red, alpha = rows
    return np.dstack([red, green, blue, alpha]).astype(np.float32)


def written(tmp_path, source, frame, masks, **options):
    output = Exr("exr", **options)
    output.open(tmp_path, source)
    output.write(frame, masks)
    output.close()
    return tmp_path / "exr" / f"{frame.index:05d}.exr"


def masks_of(*columns, height=HEIGHT, width=WIDTH, names=None):
    """An object of all rows for each (first, last) column; logits rise with its number."""
    logits_nhw = np.full((len(columns), height, width), -1, np.float32)
    for row, (first, last) in enumerate(columns):
        logits_nhw[row, :, first:last] = 1 + row
    return FrameMasks(0, tuple(range(1, len(columns) + 1)), logits_nhw, names=names)


@pytest.mark.parametrize(("transfer", "nits"), [(PQ, pq_nits), (HLG, hlg_nits)])
def test_hdr_is_the_light_that_the_standards_say(tmp_path, transfer, nits):
    source = open_source(str(hdr(tmp_path / "in.mkv", grey_ramp(), transfer)))
    source.carry_depth()
    path = written(tmp_path, source, source[0], masks_of((0, WIDTH)))
    code = ((np.arange(1024) - 64) / 876).clip(0, 1)
    light = nits(code) / 203 if transfer == PQ else (nits(code) / 203) ** (1 / 1.2)  # HLG's without the screen's OOTF
    found = by_ffmpeg(path)
    np.testing.assert_allclose(found[30, :, :3], np.repeat(light[:, None], 3, 1), rtol=0.004, atol=1e-5)
    assert (found[..., 3] == 1).all()
    header = OpenEXR.File(str(path), separate_channels=True).header()
    assert header["chromaticities"][:2] == pytest.approx((0.708, 0.292))
    assert header["whiteLuminance"] == 203


def test_sdr_is_the_inverse_of_its_curve(tmp_path):
    ramp_hw3 = np.arange(256, dtype=np.uint8).repeat(4)[None, :, None].repeat(HEIGHT, 0).repeat(3, 2)
    code = np.arange(256).repeat(4) / 255

    class Source:
        info = package.open_source("sample").info

    path = written(tmp_path, Source(), Frame(0, 0.0, ramp_hw3), masks_of((0, WIDTH)))
    srgb = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    np.testing.assert_allclose(by_ffmpeg(path)[5, :, 0], srgb, rtol=0.001, atol=1e-6)


@pytest.mark.parametrize("premultiplied", [False, True])
def test_alpha_and_its_layers(tmp_path, premultiplied):
    """Where objects overlap the surest has all of it; together the layers are the alpha."""
    frame = Frame(0, 0.0, np.full((HEIGHT, WIDTH, 3), 188, np.uint8))
    masks = masks_of((0, 600), (400, 900), names=("the skater", None))
    soft_hw = np.where(masks.union_hw, 255, 0).astype(np.uint8)
    soft_hw[:, 890:920] = np.linspace(255, 0, 30).astype(np.uint8)
    masks.soften(Alpha(soft_hw))

    class Source:
        info = package.open_source("sample").info

    path = written(tmp_path, Source(), frame, masks, premultiplied=premultiplied, compression="piz")
    found = by_ffmpeg(path)
    np.testing.assert_allclose(found[..., 3], soft_hw / 255, atol=0.0005)
    light = 0.5028864  # of 188 in sRGB
    expected = np.where(soft_hw > 0, light * (soft_hw / 255 if premultiplied else 1), 0)
    np.testing.assert_allclose(found[:, :890, 0], expected[:, :890], atol=0.0005)
    np.testing.assert_allclose(found[:, 890:919, 0], expected[:, 890:919], atol=0.0005)
    image = OpenEXR.File(str(path), separate_channels=True)
    channels = {name: channel.pixels for name, channel in image.channels().items()}
    assert sorted(channels) == ["A", "B", "G", "R", "object_2.A", "the_skater_1.A"]
    assert {pixels.dtype for pixels in channels.values()} == {np.dtype(np.float16)}
    assert image.header()["compression"] == OpenEXR.PIZ_COMPRESSION
    together = channels["the_skater_1.A"].astype(float) + channels["object_2.A"]
    np.testing.assert_allclose(together, channels["A"], atol=0.001)
    assert channels["the_skater_1.A"][:, :400].all()
    assert not channels["the_skater_1.A"][:, 402:920].any()
    assert [alpha_hw.dtype for alpha_hw in object_alphas(frame, masks).values()] == [np.uint8] * 2


def test_a_run_writes_a_file_a_frame(tmp_path, clip, own_hydra):
    words = [SEARCH_PATH, f"hydra.run.dir={tmp_path / 'run'}", f"video={clip}", "model=square", "tracker=none"]
    words += ["prompt=click", "prompt.points=[[20,30]]", "output=[exr,frames]", "output.frames.format=tiff"]
    summary, folder = package.run([*words, "extract.stop=3"])
    assert summary["outputs"]["exr"] == "exr"
    assert sorted(p.name for p in (folder / "exr").iterdir()) == ["00000.exr", "00001.exr", "00002.exr"]
    assert sorted(p.name for p in (folder / "frames").iterdir()) == ["00000.tif", "00001.tif", "00002.tif"]
    assert by_ffmpeg(folder / "exr" / "00001.exr").shape == (120, 160, 4)


def test_what_can_t_be():
    with pytest.raises(InputError, match="compression: 'dwaa' is none of none, rle, zips, zip, piz"):
        Exr("exr", compression="dwaa")
    with pytest.raises(InputError, match="premultiplied: 1 is not true or false"):
        Exr("exr", premultiplied=1)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        OpenEXR.File, "write", lambda *_: (_ for _ in ()).throw(RuntimeError("No space left on device"))
    )

    class Source:
        info = package.open_source("sample").info

    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, Source(), Frame(0, 0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8)), masks_of((0, WIDTH)))
    assert not list((tmp_path / "exr").iterdir())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("premultiplied", "says"), [(False, 2), (True, 1)])
def test_a_tiff_says_whether_its_colours_are_times_alpha(tmp_path, dtype, premultiplied, says):
    pixels = np.random.default_rng(0).integers(0, 256, (33, 47, 4)).astype(dtype)
    path = tmp_path / "a.tif"
    path.write_bytes(encode_tiff(pixels, premultiplied))
    with av.open(str(path)) as container:
        found = next(container.decode(video=0))
    assert np.array_equal(found.to_ndarray(), pixels)
    with path.open("rb") as file:
        header = file.read(8)
        file.seek(0)
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
    assert tags[338] == (says,)
