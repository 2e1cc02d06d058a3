"""Photographs as sources: one alone, and a folder of them, each segmented by itself in one command."""

import json

import numpy as np
import pytest
from conftest import SEARCH_PATH, picture
from PIL import Image, ImageOps

import vidseg as package
from vidseg.errors import InputError
from vidseg.job import JobFailed
from vidseg.video import open_source

pytestmark = pytest.mark.timeout(60)

SQUARE = [SEARCH_PATH, "model=square", "threads=1", "tracker=none", "metric=[mask_stats]"]
CLICK = ["prompt=click", "prompt.points=[[20,30]]"]


def save(path, width=160, height=120, orientation=1):
    """A photograph with fakes.Square's object at the top left, once it is upright."""
    path.parent.mkdir(exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = Image.fromarray(picture(0, width, height))
    turn = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}.get(orientation)
    (pixels if turn is None else pixels.transpose(turn)).save(path, exif=exif)
    return path


def read(path):
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_shown_upright(tmp_path, orientation):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    source = open_source(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as image:
        expected = np.array(ImageOps.exif_transpose(image))
    assert (source[0].rgb_hw3 == expected).all()
    assert (source.info.height, source.info.width) == expected.shape[:2]
    assert [frame.index for frame in source] == [frame.index for frame in source.backwards(0)] == [0]


def test_outputs_of_a_photograph_are_pictures_of_its_size(tmp_path):
    photo = save(tmp_path / "phone.png", orientation=6)
    outputs = "output=[cutout,overlay,transparent_mov,masks]"
    folder = package.run([*SQUARE, *CLICK, f"video={photo}", outputs, f"hydra.run.dir={tmp_path / 'run'}"]).folder
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["outputs"] == {
        "cutout": "cutout.png",
        "overlay": "overlay.png",
        "transparent_mov": "transparent.png",
        "masks": "masks",
        "rle": "masks.jsonl",
    }
    assert (summary["status"], summary["frames"], summary["objects"]) == ("finished", 1, [1])
    inside = np.zeros((120, 160), bool)
    inside[10:50, :40] = True
    cutout, transparent, original = read(folder / "cutout.png"), read(folder / "transparent.png"), picture(0)
    assert (cutout == original * inside[..., None]).all()
    assert (transparent[..., 3] == 255 * inside).all()
    assert (transparent[inside][:, :3] == original[inside]).all()
    assert (read(folder / "masks" / "phone.png") == inside).all()
    assert (folder / "samples" / "frame_00000.png").is_file()
    assert not list(folder.glob("*.mp4"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["prompt.frame=1"], "prompt.frame: 1 is beyond the last frame of photo.png, which is 0"),
        (["extract.start=3"], "extract.start: 3 is beyond the video's last frame"),
        (["extract.fps=25"], "extract.fps: 25.0 is for folders of images"),
        (["output=[transparent_mov,transparent_webm]"], "output.transparent_webm.path: transparent.png is the path of"),
    ],
)
def test_mistakes_with_a_photograph(tmp_path, overrides, words):
    photo = save(tmp_path / "photo.png")
    with pytest.raises(JobFailed, match=words.replace("[", r"\[")):
        package.run([*SQUARE, *CLICK, f"video={photo}", f"hydra.run.dir={tmp_path / 'run'}", *overrides])


def test_what_is_no_photograph(tmp_path):
    frames = [Image.fromarray(picture(index)) for index in range(3)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:], duration=100)
    assert len(list(open_source(tmp_path / "moving.png"))) == 3  # a video, which FFmpeg reads
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "empty.jpg").touch()
    for name, words in {"pages.tif": "holds 3 pictures", "page.jpg": "is a web page", "empty.jpg": "is empty"}.items():
        with pytest.raises(InputError, match=rf"^video: .*{name} {words}"):
            open_source(tmp_path / name)
