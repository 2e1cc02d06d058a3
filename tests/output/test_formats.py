"""Masks for other tools, as the libraries that are here read them; tests/detectors has the others."""

import io
import json
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace

import annotated
import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.output.coco import Coco, YouTubeVis
from vidseg.output.cvat import Cvat
from vidseg.output.davis import Davis
from vidseg.output.labelled import LabelMe
from vidseg.output.mots import Mots
from vidseg.output.polygons import polygon, polygons


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    annotated.write(folder, annotated.outputs())
    return folder


def test_coco_has_every_object_of_every_frame(folder):
    dataset = COCO(folder / "coco.json")
    entries = dataset.loadAnns(dataset.getAnnIds())
    found = {(entry["image_id"] - 1, entry["track_id"]): int(dataset.annToMask(entry).sum()) for entry in entries}
    assert found == annotated.areas() == {(e["image_id"] - 1, e["track_id"]): e["area"] for e in entries}
    classes = {entry["track_id"]: dataset.loadCats(entry["category_id"])[0]["name"] for entry in entries}
    assert classes == {1: "person", 2: "object", 5: "person"}
    assert [image["file_name"] for image in dataset.loadImgs(dataset.getImgIds())][:2] == ["00000.jpg", "00001.jpg"]


def test_youtube_vis_has_a_list_of_masks_for_each_object(folder):
    content = json.loads((folder / "youtube_vis.json").read_text())
    (video,) = content["videos"]
    assert (video["length"], video["file_names"][5]) == (annotated.FRAMES, "array/00005.jpg")
    found = {
        (index, entry["id"]): int(rle.area(rle.frPyObjects(mask, *mask["size"])))
        for entry in content["annotations"]
        for index, mask in enumerate(entry["segmentations"])
        if mask is not None
    }
    assert found == annotated.areas()
    late = next(entry for entry in content["annotations"] if entry["id"] == 5)
    assert late["bboxes"][2:4] == [None, [121.0, 60.0, 35.0, 40.0]]
    assert late["areas"][2:4] == [None, 1400]


def test_yolo_s_polygons_are_the_masks_but_for_bridges_between_parts(folder):
    content = yaml.safe_load((folder / "yolo_seg" / "data.yaml").read_text())
    assert content["names"] == {0: "person", 1: "object"}
    for index in range(annotated.FRAMES):
        lines = (folder / "yolo_seg" / "labels" / f"{index:05d}.txt").read_text().splitlines()
        drawn = annotated.masks(index)
        expected = [mask_hw for mask_hw in drawn.masks_nhw if mask_hw.any()]
        for mask_hw, line in zip(expected, lines, strict=True):
            shares = np.array(line.split()[1:], float).reshape(-1, 2)
            filled_hw = np.zeros(mask_hw.shape, np.uint8)
            corners = (shares * (annotated.WIDTH, annotated.HEIGHT)).astype(np.int32)
            cv2.fillPoly(filled_hw, [corners], 1)
            assert (filled_hw[mask_hw] == 1).all()
            bridge = 60 if cv2.connectedComponents(mask_hw.view(np.uint8))[0] > 2 else 0
            assert np.count_nonzero(filled_hw[~mask_hw]) <= bridge
        assert (folder / "yolo_seg" / "images" / f"{index:05d}.jpg").is_file()


def test_labelme_has_a_polygon_for_each_part(folder):
    content = json.loads((folder / "labelme" / "00003.json").read_text())
    assert [(shape["label"], shape["group_id"]) for shape in content["shapes"]] == [
        ("person", 1), ("object", 2), ("object", 2), ("person", 5),
    ]  # fmt: skip
    with Image.open(folder / "labelme" / content["imagePath"]) as image:
        assert image.size == (content["imageWidth"], content["imageHeight"]) == (annotated.WIDTH, annotated.HEIGHT)


def test_mots_has_masks_that_don_t_overlap(folder):
    found, ids = {}, {}
    for line in (folder / "mots.txt").read_text().splitlines():
        frame, number, category, height, width, counts = line.split()
        area = rle.area({"size": [int(height), int(width)], "counts": counts.encode()})
        found[int(frame), int(number) % 1000] = int(area)
        ids[int(number)] = int(category)
    assert found == annotated.areas(top=True)
    assert ids == {2001: 2, 3002: 3, 2005: 2}


def test_cvat_has_masks_by_runs_of_rows(folder):
    tree = ElementTree.parse(folder / "cvat.xml")
    assert [name.text for name in tree.iterfind("meta/task/labels/label/name")] == ["person", "object"]
    found = {}
    for image in tree.iterfind("image"):
        for mask in image.iterfind("mask"):
            runs = [int(run) for run in mask.get("rle").split(",")]
            assert sum(runs) == int(mask.get("width")) * int(mask.get("height"))
            found[int(image.get("id")), int(mask.get("group_id"))] = sum(runs[1::2])
    assert found == annotated.areas()


def test_davis_has_the_benchmark_s_folders_and_its_zip(folder, tmp_path):
    def of(file):
        with Image.open(file) as image:
            labels_hw = np.array(image)
        return {int(value): int((labels_hw == value).sum()) for value in np.unique(labels_hw) if value}

    maps = sorted((folder / "davis" / "Annotations" / "480p" / "array").iterdir())
    found = {(index, n): area for index, path in enumerate(maps) for n, area in of(path).items()}
    assert found == annotated.areas(top=True)
    archive = tmp_path / "results.zip"
    with zipfile.ZipFile(archive, "w") as given:
        given.writestr("camel/00000.png", b"another video's")
        given.writestr("array/00077.png", b"an earlier run's")
    annotated.write(tmp_path, [Davis("davis", "Annotations", str(archive))])
    with zipfile.ZipFile(archive) as made:
        assert made.namelist() == ["camel/00000.png", *(f"array/{n:05d}.png" for n in range(annotated.FRAMES))]
        assert of(io.BytesIO(made.read("array/00003.png"))) == of(maps[3])


def test_a_run_that_ends_early_isn_t_submitted(tmp_path, caplog):
    source = ArraySource(moving_squares(4))
    output = Davis("davis", "Annotations", str(tmp_path / "results.zip"))
    output.open(tmp_path, source)
    output.write(source[0], annotated.masks(0))
    output.close()
    assert not (tmp_path / "results.zip").exists()
    assert "ended early" in caplog.text


@pytest.mark.parametrize(("still", "video"), [(False, "clip.JPG"), (True, "clip")])
def test_images_have_the_names_of_their_files(tmp_path, still, video):
    source = ArraySource(moving_squares(2))
    source.name, source.info = "clip.JPG", replace(source.info, file_names=("a.JPG", "b.c.png"), still=still)
    outputs = [
        Coco("coco.json", ".jpg"),
        YouTubeVis("vis.json", ".jpg"),
        Cvat("cvat.xml", ".jpg"),
        LabelMe("me", False),
    ]
    for output in [*outputs, Davis("davis", "Annotations", None)]:
        output.open(tmp_path, source)
        for frame in source:
            output.write(frame, annotated.masks(frame.index))
        output.close()
    names = list(source.info.file_names)
    assert [image["file_name"] for image in json.loads((tmp_path / "coco.json").read_text())["images"]] == names
    (listed,) = json.loads((tmp_path / "vis.json").read_text())["videos"]
    assert listed["file_names"] == [f"{video}/{name}" for name in names]
    assert [image.get("name") for image in ElementTree.parse(tmp_path / "cvat.xml").iterfind("image")] == names
    assert [json.loads((tmp_path / "me" / f"{stem}.json").read_text())["imagePath"] for stem in ("a", "b.c")] == names
    assert (tmp_path / "davis" / "Annotations" / video / "b.c.png").is_file()


def test_a_part_of_a_video_isn_t_submitted(tmp_path):
    output = Davis("davis", "Annotations", str(tmp_path / "results.zip"))
    with pytest.raises(InputError, match="submission: 2 of 4 frames are taken; leave out"):
        output.check(ArraySource(moving_squares(4), frames=(0, 2)), ())
    output.check(ArraySource(moving_squares(4)), ())


def test_a_sweep_has_a_submission_for_each_model(vidseg, tmp_path):
    sweep = ("-m", "video=sample", "model=square,broken", "output=[davis]", "hydra.sweep.dir=sweep")
    done = vidseg(*sweep, "output.davis.submission=all.zip")
    assert done.returncode != 0
    assert "output.davis.submission: two jobs of the sweep add sample to all.zip" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "all.zip").exists()


def test_an_aborted_file_leaves_nothing(tmp_path):
    source = ArraySource(moving_squares(2))
    for output in annotated.outputs():
        if output.path in ("davis", "labelme", "yolo_seg"):  # folders of complete files
            continue
        output.open(tmp_path, source)
        output.write(source[0], annotated.masks(0))
        output.abort()
    assert list(tmp_path.iterdir()) == []


def test_polygons_of_rough_masks():
    noise = cv2.GaussianBlur(np.random.default_rng(3).random((180, 320)), (0, 0), 4)
    mask_hw = noise > np.quantile(noise, 0.6)  # 14 holes and 17 parts
    parts_hw = np.zeros(mask_hw.shape, np.uint8)
    for part in polygons(mask_hw):
        one_hw = np.zeros(mask_hw.shape, np.uint8)
        parts_hw |= cv2.fillPoly(one_hw, [part], 1)
    np.testing.assert_array_equal(parts_hw, mask_hw)
    whole_hw = cv2.fillPoly(np.zeros(mask_hw.shape, np.uint8), [polygon(mask_hw)], 1)
    assert (whole_hw[mask_hw] == 1).all()
    assert np.count_nonzero(whole_hw[~mask_hw]) < 0.03 * mask_hw.sum()
    dot_hw = np.zeros((5, 5), bool)
    dot_hw[2, 3] = True
    assert polygon(dot_hw).tolist() == [[3, 2]] * 3
    assert polygon(~dot_hw & dot_hw) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: Mots("mots.txt", {"car": 10}), "classes.car: 10 is no class; a number from 1, not 10"),
        (lambda folder: Coco("coco.json", ".jpg", ["a", "a"]), "classes: ['a', 'a'] is no list of names, each once"),
        (lambda folder: Davis("davis", "..", None), "folder: .. is no folder in davis; give Annotations/480p"),
        (lambda folder: Davis("davis", "A", str(folder / "no" / "a.zip")), "submission: there is no folder "),
        (lambda folder: Davis("davis", "A", __file__), "test_formats.py is there and is no ZIP; choose another"),
    ],
)
def test_mistakes(make, message, tmp_path):
    with pytest.raises(InputError) as error:
        make(tmp_path).check(ArraySource(moving_squares(2)), ())
    assert message in str(error.value)


def test_the_next_run_removes_what_is_in_folders_of_folders(vidseg, clip, tmp_path):
    run = ("model=square", f"video={clip}", "prompt=click", "prompt.points=[[20,20]]", "tracker=none", "extract.stop=3")
    names = "[coco,youtube_vis,yolo_seg,labelme,mots,cvat,davis]"
    done = vidseg(*run, f"output={names}", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    maps = out / "davis" / "Annotations" / "480p" / "clip"
    assert len(list(maps.iterdir())) == len(list((out / "yolo_seg" / "labels").iterdir())) == 3
    (out / "yolo_seg" / "labels" / "notes.txt").write_text("mine")
    assert vidseg(*run, "output=[rle]", "hydra.run.dir=out").returncode == 0
    left = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.parts[-2] not in (".hydra", ".vidseg"))
    assert [name for name in left if name.startswith(("davis", "yolo", "label", "coco", "you", "mots", "cvat"))] == [
        "yolo_seg", "yolo_seg/labels", "yolo_seg/labels/notes.txt",
    ]  # fmt: skip
