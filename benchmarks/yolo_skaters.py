"""Trains a small YOLO that finds the skaters of the built-in clip, with masks: real weights for tests, from nothing.

    python -m benchmarks.yolo_skaters

Ultralytics' yolo11n-seg (AGPL-3.0) learns from 200 frames of 20 seeds and is measured on seed 0, which it hasn't seen:
mask mAP50 0.89 and box mAP50 0.93 after some fifteen minutes on two cores. The weights are kept in the user's cache
folder, where the tests look for them; they are part of no package.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from vidseg.sample import SampleSource

SEEDS = range(1, 21)
UNSEEN = 0  # the clip of video=sample
FRAMES = range(5, 180, 18)  # of each seed
SIZE = 640, 360  # width and height of a training picture
NAME = "yolo_skaters.pt"
RECIPE = {
    "imgsz": 320,
    "optimizer": "AdamW",
    "lr0": 0.002,
    "mosaic": 0.5,  # of the pictures are made of four
    "mask_ratio": 2,  # masks are learnt at half the picture's size
    "batch": 8,
    "nbs": 8,  # a step after every batch: Ultralytics gathers 64 pictures otherwise
    "warmup_epochs": 1,
}


def cached() -> Path:
    """Where the weights are kept."""
    from vidseg.weights import downloads

    return downloads() / NAME


def main() -> None:
    """Draws the pictures, trains, measures, and keeps the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--to", type=Path, help="file for the weights; default: the user's cache folder")
    given = parser.parse_args()
    path = (given.to or cached()).resolve()
    with tempfile.TemporaryDirectory(prefix="yolo_skaters-") as name:
        folder = Path(name)
        draw(folder / "train", SEEDS)
        draw(folder / "val", (UNSEEN,))
        scores = train(folder, given.epochs, path)
    print(json.dumps({"weights": str(path), "epochs": given.epochs, **scores}))


def draw(folder: Path, seeds: range | tuple[int, ...]) -> None:
    """Frames as JPEGs in images/, and their masks as polygons in labels/, as Ultralytics reads them."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for seed in seeds:
        source = SampleSource(seed, FRAMES)
        for index in FRAMES:
            picture = cv2.resize(source[index].rgb_hw3, SIZE, interpolation=cv2.INTER_AREA)
            cv2.imwrite(f"{folder}/images/{seed}_{index}.jpg", picture[..., ::-1])
            truth_hw = source.truth(index)
            lines = [outline(truth_hw == object_id) for object_id in np.unique(truth_hw) if object_id]
            (folder / "labels" / f"{seed}_{index}.txt").write_text("\n".join(filter(None, lines)))


def outline(mask_hw: NDArray[np.bool_]) -> str:
    """A mask as a line of labels: its class and one polygon in shares of the picture, its parts joined by lines."""
    from ultralytics.data.converter import merge_multi_segment

    found, _ = cv2.findContours(mask_hw.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = [part.reshape(-1, 2) for part in found if cv2.contourArea(part) >= 20]
    if not parts:
        return ""
    joined = (
        np.concatenate(merge_multi_segment([part.ravel().tolist() for part in parts])) if len(parts) > 1 else parts[0]
    )
    height, width = mask_hw.shape
    return " ".join(["0", *(f"{value:.5f}" for value in (joined / (width, height)).ravel())])


def train(folder: Path, epochs: int, path: Path) -> dict[str, float]:
    """Trains on ``folder``/train, saves the weights as ``path``, and returns the scores on ``folder``/val."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    from ultralytics import YOLO

    dataset = {"path": str(folder), "train": "train/images", "val": "val/images", "names": {0: "skater"}}
    (folder / "skaters.yaml").write_text(yaml.safe_dump(dataset))
    place = {"project": str(folder / "runs"), "name": "train", "exist_ok": True}
    model = YOLO("yolo11n-seg.yaml", task="segment")
    model.train(
        data=str(folder / "skaters.yaml"), epochs=epochs, seed=0, pretrained=False, cache="ram", workers=0,
        val=False, plots=False, amp=False, **RECIPE, **place,
    )  # fmt: skip
    weights = folder / "runs" / "train" / "weights" / "last.pt"
    scores = YOLO(weights).val(data=str(folder / "skaters.yaml"), imgsz=RECIPE["imgsz"], plots=False, **place)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    shutil.copyfile(weights, part)
    part.rename(path)
    return {"box_map50": round(float(scores.box.map50), 3), "mask_map50": round(float(scores.seg.map50), 3)}


if __name__ == "__main__":
    main()
