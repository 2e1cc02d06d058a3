"""Masks for other tools, read by the libraries that people use for them."""

import json
import shutil

import annotated
import numpy as np
import pytest
from pycocotools import mask as coco

pytestmark = pytest.mark.detectors

BRIDGE = 60  # pixels: the most of a line between the two parts of object 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    annotated.write(folder, annotated.outputs())
    return folder


def test_supervision_reads_coco(folder):
    supervision = pytest.importorskip("supervision")
    dataset = supervision.DetectionDataset.from_coco(
        str(folder / "yolo_seg" / "images"), str(folder / "coco.json"), force_masks=True
    )
    assert dataset.classes == ["person", "object"]
    found = {path[-9:-4]: sorted(detections.mask.sum((1, 2)).tolist()) for path, _, detections in dataset}
    assert found == expected()


def expected():
    """The areas of each frame's objects, by the frame's name."""
    found = {}
    for (index, _), area in annotated.areas().items():
        found.setdefault(f"{index:05d}", []).append(area)
    return {name: sorted(areas) for name, areas in found.items()}


def test_supervision_reads_yolo(folder):
    supervision = pytest.importorskip("supervision")
    yolo = folder / "yolo_seg"
    dataset = supervision.DetectionDataset.from_yolo(
        str(yolo / "images"), str(yolo / "labels"), str(yolo / "data.yaml"), force_masks=True
    )
    assert dataset.classes == ["person", "object"]
    assert len(dataset) == annotated.FRAMES
    for path, _, detections in dataset:
        drawn = annotated.masks(int(path[-9:-4]))
        masks = [mask_hw for mask_hw in drawn.masks_nhw if mask_hw.any()]
        for mask_hw, read_hw in zip(masks, detections.mask, strict=True):
            assert read_hw[mask_hw].all()
            # object 2's parts don't touch: the bridge is there in addition; all else is exact
            assert np.count_nonzero(read_hw & ~mask_hw) <= (BRIDGE if mask_hw[101, 5] else 0)


def test_datumaro_reads_cvat(folder, tmp_path):
    datumaro = pytest.importorskip("datumaro")
    shutil.copy(folder / "cvat.xml", tmp_path)
    shutil.copytree(folder / "labelme", tmp_path / "images", ignore=shutil.ignore_patterns("*.json"))
    dataset = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    found = {
        (int(item.id), mask.group): int(np.asarray(mask.image).sum()) for item in dataset for mask in item.annotations
    }
    assert found == annotated.areas()


def test_labelme_reads_its_files(folder):
    shapes = pytest.importorskip("labelme.utils")
    for index in range(annotated.FRAMES):
        content = json.loads((folder / "labelme" / f"{index:05d}.json").read_text())
        drawn = annotated.masks(index)
        for object_id, mask_hw in zip(drawn.object_ids, drawn.masks_nhw, strict=True):
            read_hw = np.zeros(mask_hw.shape, bool)
            for shape in content["shapes"]:
                if shape["group_id"] == object_id:
                    read_hw |= shapes.shape_to_mask(mask_hw.shape, shape["points"], shape["shape_type"])
            # Pillow draws a slanting edge up to a pixel beside where OpenCV found it
            assert np.count_nonzero(read_hw ^ mask_hw) <= 0.02 * mask_hw.sum()


def test_trackeval_reads_mots(folder, tmp_path):
    trackeval = pytest.importorskip("trackeval")
    lines = (folder / "mots.txt").read_text().replace(" 3002 3 ", " 2002 2 ")  # it knows cars and pedestrians only
    for path in (tmp_path / "gt" / "label_02", tmp_path / "trackers" / "ours" / "data"):
        path.mkdir(parents=True)
        (path / "0000.txt").write_text(lines)
    settings = {
        "GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers"), "PRINT_CONFIG": False,
        "SEQ_INFO": {"0000": annotated.FRAMES},
    }  # fmt: skip
    dataset = trackeval.datasets.KittiMOTS(settings)
    counted = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", "0000"), "pedestrian")
    assert counted["num_gt_dets"] == counted["num_tracker_dets"] == len(annotated.areas(top=True))
    assert counted["num_gt_ids"] == 3
    assert trackeval.metrics.HOTA().eval_sequence(counted)["HOTA"].min() == pytest.approx(1)


def test_trackeval_reads_davis(folder, tmp_path):
    trackeval = pytest.importorskip("trackeval")
    maps = folder / "davis" / "Annotations" / "480p"
    shutil.copytree(maps, tmp_path / "trackers" / "ours" / "data")
    settings = {"GT_FOLDER": str(maps), "TRACKERS_FOLDER": str(tmp_path / "trackers"), "PRINT_CONFIG": False}
    dataset = trackeval.datasets.DAVIS(settings)
    counted = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", "array"), "general")
    assert counted["num_timesteps"] == annotated.FRAMES
    assert counted["num_gt_ids"] == 3
    assert trackeval.metrics.JAndF().eval_sequence(counted)["J-Mean"].min() == pytest.approx(1)


def compressed(mask):
    """An RLE as results have it."""
    rle = coco.frPyObjects(mask, *mask["size"])
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def test_trackeval_reads_youtube_vis(folder, tmp_path):
    trackeval = pytest.importorskip("trackeval")
    content = json.loads((folder / "youtube_vis.json").read_text())
    for path, name in ((tmp_path / "gt" / "youtube_vis_val", "gt.json"), (tmp_path / "t" / "youtube_vis_val", "")):
        path.mkdir(parents=True)
        if name:
            (path / name).write_text(json.dumps(content))
    results = tmp_path / "t" / "youtube_vis_val" / "ours" / "data"
    results.mkdir(parents=True)
    found = [
        entry | {"score": 1.0, "segmentations": [mask and compressed(mask) for mask in entry["segmentations"]]}
        for entry in content["annotations"]
    ]
    (results / "results.json").write_text(json.dumps(found))
    dataset = trackeval.datasets.YouTubeVIS(
        {
            "GT_FOLDER": f"{tmp_path}/gt/", "TRACKERS_FOLDER": f"{tmp_path}/t/", "SPLIT_TO_EVAL": "val",
            "PRINT_CONFIG": False,
        }
    )  # fmt: skip
    raw = dataset.get_raw_seq_data("ours", "array")
    counted = {name: dataset.get_preprocessed_seq_data(raw, name) for name in ("person", "object")}
    assert {name: each["num_gt_dets"] for name, each in counted.items()} == {"person": 9, "object": 5}
    assert trackeval.metrics.HOTA().eval_sequence(counted["person"])["HOTA"].min() == pytest.approx(1)
