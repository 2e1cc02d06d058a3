"""Many videos from a list or a pattern, whatever their names, and the first annotation of each."""

import json
import os

import numpy as np
import pytest
from conftest import SEARCH_PATH, run_command
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image
from sweeping import SQUARE, jobs

import vidseg
from vidseg.config.values import texts
from vidseg.errors import InputError
from vidseg.prompt import first_mask
from vidseg.sweep.videos import spread
from vidseg.video import open_source

NAMES = ["a.mp4", "b c.mp4", "d,e.mp4", "f=g.mp4", "h'i.mp4", 'j"k.mp4', "l(m).mp4", "n[1].mp4", "o$p.mp4", "q{r}.mp4",
         "s\\t.mp4", "u#v.mp4", "w${x}.mp4", "y\\'z.mp4", "ä:ö.mp4", "null", "true", "007", "@at.mp4"]  # fmt: skip


def values(argument):
    """What Hydra makes of an argument."""
    return texts(OverridesParser.create().parse_override(argument).value())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    for name in NAMES:
        (tmp_path / "clips" / name).touch()
    return tmp_path


def test_a_pattern_becomes_the_files_it_matches(folder):
    found = spread(["-m", "video=clips/[ab]*.mp4", "stride=3"])
    assert found == ["-m", "video=clips/a.mp4,clips/b c.mp4", "stride=3"]
    assert spread(["--multirun", "video='clips/a*'"])[1] == "video=clips/a.mp4"
    assert spread(["video=clips/a*.mp4,sample", "-m"])[0] == "video=clips/a.mp4,sample"
    assert spread(["-m", f"video={folder}/clips/a*"])[1] == f"video={folder}/clips/a.mp4"


def test_a_list_is_relative_to_itself_and_may_have_comments(folder):
    (folder / "my lists").mkdir()
    (folder / "my lists" / "list.txt").write_text("# clips\n\n ../clips/b c.mp4 \n/else/where.mp4\n")
    found = spread(["-m", "video=@my lists/list.txt"])[1]
    assert found == "video=my lists/../clips/b c.mp4,/else/where.mp4"


def test_what_is_no_list_stays_as_it_is(folder):
    for arguments in (["video=clips/a.mp4"], ["-m", "video=a.mp4,b.mp4"], ["-m", "prompt.path=*.yaml"], ["stride=3"]):
        assert spread(arguments) == arguments
    os.chdir(folder / "clips")
    assert spread(["video=n[1].mp4"]) == ["video='n[1].mp4'"]  # a file of that name, not a pattern


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "video=none/*.mp4"], "video: nothing matches none/*.mp4"),
        (["-m", "video=@none.txt"], "video: can't read the list none.txt: No such file or directory"),
        (["-m", "video=@empty.txt"], "video: the list empty.txt is empty"),
        (["video=clips/*.mp4"], "video: clips/*.mp4 is a pattern of videos; add -m"),
        (["video=@empty.txt"], "video: @empty.txt is a list of videos; add -m"),
    ],
)
def test_mistakes(folder, arguments, message):
    (folder / "empty.txt").write_text("# nothing\n\n")
    with pytest.raises(InputError) as raised:
        spread(arguments)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) == 1


def test_hydra_reads_every_name_as_it_is(folder):
    found = spread(["-m", "video=clips/*"])[1]
    assert sorted(values(found)) == sorted(f"clips/{n}" for n in NAMES)


@pytest.mark.slow
def test_a_sweep_over_odd_names(tmp_path, clip):
    odd = ["b c.mp4", "d,e=f.mp4", "h'i.mp4", "n[1](2).mp4", "w${x}.mp4", "y\\'z.mp4"]
    (tmp_path / "clips").mkdir()
    for name in odd:
        (tmp_path / "clips" / name).hardlink_to(clip)
    done = run_command(
        tmp_path, "-m", *SQUARE, "video=clips/*", "tracker=none", "hydra.sweep.dir=sweep", "extract.stop=1"
    )
    assert done.returncode == 0, done.stderr
    assert [job["status"] for job in jobs(tmp_path / "sweep")] == ["finished"] * len(odd)
    alone = run_command(tmp_path, *SQUARE, "video=clips/*")
    assert alone.returncode == 1
    assert alone.stderr == "video: clips/* is a pattern of videos; add -m to run a job for each\n"


@pytest.fixture
def davis(tmp_path):
    """Two sequences; the square is object 3 in the second, and first annotated on frame 2."""
    for name, first, value in (("camel", 0, 255), ("cows.v2", 2, 3)):
        frames, annotations = tmp_path / "JPEGImages" / name, tmp_path / "Annotations" / name
        frames.mkdir(parents=True)
        annotations.mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (160, 120), (20 * index, 90, 60)).save(frames / f"{index:05d}.jpg")
            if index >= first:
                labels = np.zeros((120, 160), np.uint8)
                labels[10:50, 2 * index : 2 * index + 40] = value
                Image.fromarray(labels).save(annotations / f"{index:05d}.png")
    return tmp_path


def test_every_video_s_first_annotation_is_its_prompt(davis):
    sweep = ("-m", "model=square", "video=JPEGImages/*", "prompt=first_mask", "output=[rle]", "tracker=none")
    subdir = "hydra.sweep.subdir=${hydra.job.num}"
    done = run_command(davis, *sweep, "prompt.root=Annotations", "hydra.sweep.dir=sweep", subdir)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(path.read_text().splitlines()[2]) for path in sorted(davis.glob("sweep/*/masks.jsonl"))]
    assert [[(o["id"], o["area"]) for o in line["objects"]] for line in lines] == [[(1, 1600)], [(1, 1600)]]
    wrong = run_command(davis, *sweep, "prompt.root=JPEGImages", "hydra.sweep.dir=wrong")
    assert wrong.returncode == 1
    errors = [job["error"] for job in jobs(davis / "wrong")]
    assert all(error.startswith("prompt.root: JPEGImages/") and "00000.png" in error for error in errors)


def test_the_first_annotation_of_an_extracted_frame(davis, clip):
    root = str(davis / "Annotations")
    camel = open_source(str(davis / "JPEGImages" / "camel"))
    with pytest.raises(InputError, match=r"prompt\.root: nowhere has no folder camel with the annotations of camel"):
        first_mask(camel, "nowhere", None)
    with pytest.raises(InputError, match=r"prompt\.root: missing"):
        first_mask(camel, None, None)
    (prompt,) = first_mask(open_source(str(davis / "JPEGImages" / "cows.v2")), root, None)
    assert (prompt.frame_index, prompt.object_id, int(prompt.mask_hw.sum())) == (2, 1, 1600)
    (late,) = first_mask(open_source(str(davis / "JPEGImages" / "camel"), start=1), root, None)
    assert (late.frame_index, late.object_id) == (1, 1)
    with pytest.raises(InputError, match=r"prompt\.root: .* none of an extracted frame"):
        first_mask(open_source(str(davis / "JPEGImages" / "cows.v2"), stop=2), root, None)
    (davis / "Annotations" / "camel").rename(davis / "Annotations" / "clip")
    (of_file,) = first_mask(open_source(str(clip)), root, None)
    assert of_file.frame_index == 0


def test_label_maps_have_the_numbers_of_a_folder_s_files(davis, monkeypatch, caplog):
    """As in YouTube-VOS, whose frames are 5 apart, and in folders that FFmpeg numbers from 1."""
    monkeypatch.chdir(davis)
    for folder in ("JPEGImages/camel", "Annotations/camel"):
        for index in range(4):
            (old,) = (davis / folder).glob(f"{index:05d}.*")
            old.rename(old.with_stem(f"frame_{5 + 5 * index:05d}"))
    common = (SEARCH_PATH, "video=JPEGImages/camel", "tracker=none")
    scored = ("prompt=first_mask", "prompt.root=Annotations", "metric=[davis_jf]", "metric.davis_jf.root=Annotations")
    run = vidseg.run([*common, "model=square", "output=[masks,frames,rle]", "hydra.run.dir=run", *scored])
    for kind in ("masks", "frames"):
        names = sorted(path.name for path in (davis / "run" / kind).iterdir())
        assert names == ["00005.png", "00010.png", "00015.png", "00020.png"]
    lines = [json.loads(line) for line in (davis / "run/masks.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2, 3]
    assert run.summary["metrics"]["j"] == 1, "the square moves as the annotations do"
    compared = ("metric=[agreement]", "metric.agreement.reference=run")
    again = vidseg.run(
        [*common, "model=replay", "model.path=run/masks", "output=[rle]", "hydra.run.dir=again", *compared]
    )
    assert again.summary["metrics"]["agreement"] == 1
    assert "have no masks there" not in caplog.text


def test_the_masks_of_a_stamped_folder_are_named_as_its_images_and_read_back(davis, monkeypatch, caplog):
    monkeypatch.chdir(davis)
    stamps = ["1305031102.655304", "1305031102.988637", "1305031103.021971", "1305031103.355304"]
    for index, stamp in enumerate(stamps):
        for folder in ("JPEGImages/camel", "Annotations/camel"):
            (old,) = (davis / folder).glob(f"{index:05d}.*")
            old.rename(old.parent / f"{stamp}{old.suffix}")
    common = (SEARCH_PATH, "video=JPEGImages/camel", "tracker=none", "metric=[davis_jf]")
    first = ("prompt=first_mask", "prompt.root=Annotations", "metric.davis_jf.root=Annotations")
    run = vidseg.run([*common, "model=square", "output=[masks]", "hydra.run.dir=run", *first])
    assert sorted(path.stem for path in (davis / "run/masks").iterdir()) == stamps
    assert run.summary["metrics"]["j"] == 1, "the square moves as the annotations do"
    assert f"video: 4 images, {stamps[0]}.jpg to {stamps[3]}.jpg: numbered by position" in caplog.text
    replay = ("model=replay", "model.path=run/masks", "output=[rle]", "metric.davis_jf.truth=run/masks")
    assert vidseg.run([*common, *replay, "hydra.run.dir=again"]).summary["metrics"]["j"] == 1
