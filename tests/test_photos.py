"""Photographs as sources: one alone, and a folder of them, each segmented by itself in one command."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SEARCH_PATH, picture
from hydra import compose, initialize_config_dir
from PIL import Image, ImageCms, ImageOps

import vidseg as package
from vidseg import config as configuration
from vidseg.errors import InputError
from vidseg.job import JobFailed
from vidseg.job.album import find_photos
from vidseg.video import image as image_files
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


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_shown_upright(tmp_path, orientation, suffix):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = tmp_path / f"photo.{suffix}"
    Image.fromarray(pixels).save(photo, exif=exif, lossless=True)
    source = open_source(photo)
    with Image.open(photo) as image:
        expected = np.array(ImageOps.exif_transpose(image))
    assert (source[0].rgb_hw3 == expected).all()
    assert (source.info.width, source.info.height) == expected.shape[1::-1] == image_files.size(photo)
    assert [frame.index for frame in source] == [frame.index for frame in source.backwards(0)] == [0]


@pytest.mark.parametrize("scale", [np.uint8(1), np.uint16(257), np.float32(1 / 255)])
@pytest.mark.parametrize(("orientation", "turn"), [(2, np.fliplr), (5, np.transpose), (8, np.rot90)])
def test_a_tiff_is_turned_once_as_a_photograph_and_never_as_a_frame(tmp_path, orientation, turn, scale):
    stored = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    Image.fromarray(stored * scale).save(tmp_path / "1.tif", tiffinfo={0x0112: orientation})
    assert (open_source(tmp_path / "1.tif")[0].rgb_hw3 == turn(stored)[..., None]).all()
    assert (open_source(tmp_path)[0].rgb_hw3 == stored[..., None]).all()


def test_the_colours_of_a_photograph_become_srgb(tmp_path, caplog):
    caplog.set_level("INFO")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmp ").replace(b"gXYZ", b"rXYZ").replace(b"tmp ", b"gXYZ")  # red and green
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be"))
    pixels = Image.new("RGB", (8, 8), (200, 60, 20))
    for name, content, expected in (("as_it_is", profile, (200, 60, 20)), ("mine", swapped, (60, 200, 20))):
        pixels.save(tmp_path / f"{name}.png", icc_profile=content)
        assert np.abs(open_source(tmp_path / f"{name}.png")[0].rgb_hw3.astype(int) - expected).max() <= 2
    assert caplog.text.count("to sRGB") == 1
    for mode in ("RGBA", "P"):  # alpha and palette aren't colours
        (pixels.convert(mode) if mode == "RGBA" else pixels.quantize(2)).save(
            tmp_path / "plain.png", icc_profile=swapped
        )
        assert np.abs(open_source(tmp_path / "plain.png")[0].rgb_hw3.astype(int) - (60, 200, 20)).max() <= 2
    pixels.save(tmp_path / "broken.png", icc_profile=b"no profile")
    assert (open_source(tmp_path / "broken.png")[0].rgb_hw3 == (200, 60, 20)).all()


def test_outputs_of_a_photograph_are_pictures_of_its_size(tmp_path):
    photo = save(tmp_path / "phone.png", orientation=6)
    outputs = "output=[cutout,overlay,transparent_mov,masks]"
    folder = package.run(
        [*SQUARE, *CLICK, "matte=none", f"video={photo}", outputs, f"hydra.run.dir={tmp_path / 'run'}"]
    ).folder
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


@pytest.fixture
def album(tmp_path):
    """Three photographs of three sizes, one of them turned by its EXIF orientation."""
    save(tmp_path / "album" / "2.png", 170, 130)
    save(tmp_path / "album" / "1.jpg", 150, 110)
    save(tmp_path / "album" / "10.png", 120, 200, orientation=8)
    return tmp_path / "album"


def shoot(folder, *overrides):
    return package.run([*SQUARE, f"video={folder}", f"hydra.run.dir={folder.parent / 'run'}", *overrides])


def boxes(folder, *names):
    """A prompt file with a box for each image."""
    entries = [{"image": name, "box": [0, 10, 40, 50], "name": "square"} for name in names]
    (folder.parent / "prompts.json").write_text(json.dumps({"prompts": entries}))
    return ["prompt=file", f"prompt.path={folder.parent / 'prompts.json'}"]


def test_each_photograph_of_a_folder_by_itself(album):
    run = shoot(album, *boxes(album, "2.png", "10.png", "1.jpg"))
    summary = json.loads((run.folder / "summary.json").read_text())
    assert (summary["status"], summary["frames"], summary["error"]) == ("finished", 3, None)
    assert (summary["photos"]["finished"], summary["photos"]["failed"]) == (3, 0)
    each = summary["photos"]["each"]
    assert [(one["photo"], one["folder"], one["status"]) for one in each] == [
        ("1.jpg", "1", "finished"), ("2.png", "2", "finished"), ("10.png", "10", "finished"),
    ]  # fmt: skip
    assert [(one["objects"], one["names"]) for one in each] == [([1], {"1": "square"})] * 3
    assert summary["seconds"]["total"] >= sum(one["seconds"] for one in each)
    for name, size in {"1": (110, 150), "2": (130, 170), "10": (200, 120)}.items():
        own = json.loads((run.folder / name / "summary.json").read_text())
        assert own["outputs"] == {"cutout": "cutout.png", "overlay": "overlay.png", "rle": "masks.jsonl"}
        assert read(run.folder / name / "cutout.png").shape == (*size, 3)
        assert read(run.folder / name / "cutout.png")[10:50, :40].mean() > 100
        assert (run.folder / name / "samples" / "frame_00000.png").is_file()
    assert summary["metrics"]["mean_area"] == 1600
    assert "mean_area_1" not in summary["metrics"]
    assert "photos" not in own


@pytest.mark.parametrize("prompt", sorted(path.stem for path in Path(configuration.folder(), "prompt").glob("*.yaml")))
def test_pictures_of_several_sizes_are_photographs_only_for_prompts_of_each(album, prompt):
    boxes(album, "2.png")
    configuration.register()
    with initialize_config_dir(configuration.folder(), version_base="1.3"):
        keys = [f"prompt.path={album.parent / 'prompts.json'}"] if prompt == "file" else []
        config = compose("config", [f"video={album}", f"prompt={prompt}", *keys])
    assert bool(find_photos(config, own_prompts=True)) == (prompt in ("detect", "text", "file"))


def test_a_class_has_one_number_in_all_photographs(album):
    names = {"2.png": "dog", "10.png": "person", "1.jpg": None}
    entries = [{"image": image, "box": [0, 10, 40, 50], "name": name} for image, name in names.items()]
    (album.parent / "prompts.json").write_text(json.dumps({"prompts": entries}))
    prompts = ["prompt=file", f"prompt.path={album.parent / 'prompts.json'}"]
    folder = shoot(album, *prompts, "output=[coco,yolo_seg,youtube_vis,mots]", "output.coco.classes=[cat]").folder
    for name, number in {"2": 0, "10": 1, "1": 2}.items():
        assert (folder / name / "yolo_seg" / "labels" / f"{name}.txt").read_text()[:2] == f"{number} "
        (own,) = json.loads((folder / name / "coco.json").read_text())["annotations"]
        assert own["category_id"] == number + 2
        listed = json.loads((folder / name / "youtube_vis.json").read_text())["categories"]
        assert [category["name"] for category in listed][:2] == ["dog", "person"]
    assert [(folder / name / "mots.txt").read_text().split()[2] for name in ("2", "10", "1")] == ["3", "2", "4"]


def test_what_isn_t_read_or_isn_t_there_is_told(album, caplog):
    for name in ("d.HEIC", "e.avif"):
        (album / name).touch()
    prompts = boxes(album, "2.png", "1.jpg", "10.png", "d.HEIC", "typo.jpg")
    with pytest.raises(
        JobFailed, match=r"^prompt.path: .* names d.HEIC, typo.jpg; none of the 3 photographs in .*album"
    ):
        shoot(album, *prompts)
    assert "d.HEIC, e.avif left out, since HEIC, AVIF and raw files aren't read" in caplog.text
    for name in ("2.png", "1.jpg", "10.png"):
        (album / name).unlink()
    for overrides in (["prompt=detect"], [*CLICK, "extract.photos=true"]):
        with pytest.raises(JobFailed, match=r"^video: .*album holds no image that is read \(d.HEIC, e.avif\)\nHEIC"):
            shoot(album, *overrides)


def test_a_broken_photograph_doesn_t_lose_the_others(album, caplog):
    (album / "2.png").write_bytes(b"no image")
    run = shoot(album, *boxes(album, "2.png", "1.jpg"))
    photos = run.summary["photos"]
    assert (run.summary["status"], photos["finished"], photos["failed"]) == ("finished", 1, 2)
    errors = {one["photo"]: one["error"] for one in photos["each"]}
    assert errors["2.png"] == f"video: {album / '2.png'} can't be read: it is no image"
    assert errors["10.png"].endswith("has no entry for 10.png; give it one, image: 10.png")
    assert f"2.png: video: {album / '2.png'} can't be read" in caplog.text
    assert json.loads((run.folder / "2" / "summary.json").read_text())["status"] == "failed"


@pytest.mark.slow
def test_a_run_of_photographs_goes_on(album, caplog):
    prompts = boxes(album, "2.png", "1.jpg", "10.png")
    whole = (album / "2.png").read_bytes()
    (album / "2.png").write_bytes(b"no image")
    folder = shoot(album, *prompts).folder
    before = (folder / "1" / "cutout.png").stat().st_mtime_ns
    (album / "2.png").write_bytes(whole)
    again = shoot(album, *prompts, "resume=true")
    assert (again.summary["status"], again.summary["photos"]["finished"]) == ("finished", 3)
    assert (folder / "1" / "cutout.png").stat().st_mtime_ns == before
    assert read(folder / "2" / "cutout.png").shape == (130, 170, 3)
    assert shoot(album, *prompts, "resume=true").summary == again.summary
    assert "finished before, with all that is asked for" in caplog.text
    with pytest.raises(JobFailed, match=r"model\.shift: 2 isn't 0, as it was for the run in .*; start anew"):
        shoot(album, *prompts, "resume=true", "model.shift=2")


def test_another_run_in_the_folder_leaves_nothing_of_the_photographs(album):
    folder = shoot(album, *boxes(album, "2.png", "1.jpg", "10.png"), "output=[cutout,masks]").folder
    (folder / "2" / "notes.txt").touch()
    package.run([*SQUARE, *CLICK, f"video={album / '1.jpg'}", f"hydra.run.dir={folder}"])
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [".hydra", ".vidseg", "2", "samples"]
    assert [path.name for path in (folder / "2").iterdir()] == ["notes.txt"]


def test_what_photographs_are(album):
    save(album / "10.png", 170, 130)
    (album / "1.jpg").unlink()
    prompts = boxes(album, "2.png", "10.png")
    assert shoot(album, *prompts, "extract.photos=true").summary["photos"]["finished"] == 2
    assert shoot(album, *prompts, "extract.photos=true", "extract.start=1").summary["photos"]["finished"] == 1
    frames = shoot(album, *prompts)  # of one size: the frames of a video, whose images the file names
    assert ("photos" in frames.summary, frames.summary["frames"]) == (False, 2)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (CLICK, r"all must have one size\nPhotographs are segmented one by one with prompt=detect"),
        (["prompt=file", "prompt.path=no.yaml"], "prompt.path: can't read no.yaml"),
        (
            [*CLICK, "extract.photos=true", "output=[cutout,cutout_avi]"],
            "output.cutout_avi.path: cutout.png is the path",
        ),
        ([*CLICK, "extract.photos=true", "extract.fps=5"], "extract.fps: 5.0; photographs have no rate"),
        ([*CLICK, "extract.photos=true", "extract.stop=2s"], "extract.stop: 2s; photographs have no times"),
        ([*CLICK, "extract.photos=true", "model.fail_at=0"], "none of the 3 photographs|the square fell over"),
    ],
)
def test_mistakes_with_a_folder_of_photographs(album, overrides, words):
    with pytest.raises(JobFailed, match=words):
        shoot(album, *overrides)
