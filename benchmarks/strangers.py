"""J of nano on videos whose masks it was not trained on, from a first mask, from a box and from one click.

python -m benchmarks.strangers --data FOLDER [--out OUT] [KEY=VALUE ...]      keys of python -m vidseg
python -m benchmarks.strangers --data FOLDER --davis breakdance,parkour

strangers.json holds seven objects in five videos of FOLDER/videos. Their masks were drawn by hand on the first frame
and on four or five later frames, as COCO RLE; spokes and shoelaces belong to what they are part of. --davis scores
sequences of FOLDER/davis instead (JPEGImages/480p and Annotations/480p, every frame annotated). Their click is the
point of the first mask that is furthest from its edge.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import vidseg
from vidseg.measure import iou
from vidseg.record.masks import decode, read_mask_lines

DRAWN = Path(__file__).with_suffix(".json")
KINDS = ("mask", "box", "click")


@dataclass(frozen=True)
class Stranger:
    """An object of ``video``: its true masks (h, w) by frame number, with the first frame's, and a click [x, y]."""

    video: Path
    truth: dict[int, NDArray[np.bool_]]
    click: list[int]


def main() -> None:
    """Prints the mean J of every kind of prompt and of every object, over the annotated frames after the first."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    cli.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="holds videos/, and davis/ for --davis")
    cli.add_argument("--davis", metavar="SEQUENCE,...", help="score sequences of DAVIS instead")
    cli.add_argument("--out", type=Path, default=Path("runs/strangers"), help="where the runs' folders go")
    args = cli.parse_args()
    objects = of_davis(args.data / "davis", args.davis.split(",")) if args.davis else drawn(args.data / "videos")
    if missing := [str(each.video) for each in objects.values() if not each.video.exists()]:
        cli.error(f"--data: {missing[0]} is missing")
    for kind in KINDS:
        scores = {name: score(each, kind, args.out / kind / name, args.overrides) for name, each in objects.items()}
        each_object = "  ".join(f"{name} {j:.2f}" for name, j in scores.items())
        print(f"{kind:6s}{np.mean(list(scores.values())):.3f}   {each_object}", flush=True)


def drawn(videos: Path) -> dict[str, Stranger]:
    """The objects of strangers.json, by name."""
    content: dict[str, Any] = json.loads(DRAWN.read_text(encoding="utf-8"))
    return {
        name: Stranger(
            videos / each["video"], {int(frame): decode(rle) for frame, rle in each["frames"].items()}, each["click"]
        )
        for name, each in content.items()
    }


def of_davis(root: Path, names: list[str]) -> dict[str, Stranger]:
    """Sequences of DAVIS-2016 by name; one without annotations has no truth and no click."""
    found = {}
    for name in names:
        annotations = sorted((root / "Annotations/480p" / name).glob("*.png"))
        truth = {t: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127 for t, path in enumerate(annotations)}
        found[name] = Stranger(root / "JPEGImages/480p" / name, truth, innermost(truth[0]) if truth else [])
    return found


def innermost(mask_hw: NDArray[np.bool_]) -> list[int]:
    """The pixel [x, y] of a mask that is furthest from its edge."""
    padded = np.pad(mask_hw, 1).astype(np.uint8)
    return list(cv2.minMaxLoc(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1])[3])


def score(stranger: Stranger, kind: str, folder: Path, overrides: list[str]) -> float:
    """Runs vidseg from one prompt; the mean J over the annotated frames after the first, of those that it took."""
    settings = [
        f"video={stranger.video}", f"extract.stop={max(stranger.truth) + 1}", f"hydra.run.dir={folder}",
        "model=nano", "output=[rle]", "metric=[]", "tracker=none",
    ]  # fmt: skip
    vidseg.run([*settings, *overrides], [prompt(kind, stranger.truth[0], stranger.click)])
    lines = {line["frame"]: line["objects"][0]["rle"] for line in read_mask_lines(folder / "masks.jsonl")}
    return float(
        np.mean(
            [
                iou(decode(lines[frame]), truth_hw)
                for frame, truth_hw in stranger.truth.items()
                if frame and frame in lines
            ]
        )
    )


def prompt(kind: str, mask_hw: NDArray[np.bool_], click: list[int]) -> vidseg.Prompt:
    """The mask itself, its bounding box, or the click."""
    if kind == "mask":
        return vidseg.Prompt(0, 1, mask_hw=mask_hw)
    if kind == "click":
        return vidseg.Prompt(0, 1, points_xy=np.array([click], np.float32), labels=np.array([1], np.int32))
    rows, columns = (np.flatnonzero(mask_hw.any(axis)) for axis in (1, 0))
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return vidseg.Prompt(0, 1, box_xyxy=np.array(box, np.float32))


if __name__ == "__main__":
    main()
