"""J on videos that nano was never shown a mask of, from a first mask, a box and a click, as vidseg runs it.

python -m training.strangers --data FOLDER [--out OUT] [KEY=VALUE ...]   (of python -m vidseg: model.prompted_weight=1)
python -m training.strangers --data FOLDER --davis breakdance,parkour model.checkpoint=WEIGHTS

strangers.json holds what somebody drew by hand: seven objects of the five videos, four or five frames each beside the
first, as COCO RLE. Parts that nobody could tell apart (spokes, shoelaces) are within what they belong to. Sequences of
DAVIS take their place for weights that were trained without them; the click is then deepest inside the first mask.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from training.data import DAVIS, davis, holding
from vidseg.measure import iou
from vidseg.api import run
from vidseg.types import Prompt

DRAWN = Path(__file__).with_suffix(".json")
KINDS = ("mask", "box", "click")


@dataclass
class Drawn:
    """An object of ``video`` whose masks (H, W) are known in some frames, the first among them."""

    video: Path
    truth: dict[int, NDArray[np.bool_]]
    click: list[int]


def main() -> None:
    """Prints each object's and each kind's mean J over the frames after the first."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    cli.add_argument("--data", type=holding(*DAVIS, "videos"), required=True, help="holds davis/ and videos/")
    cli.add_argument("--davis", metavar="SEQUENCE,...", help="of these sequences instead")
    cli.add_argument("--out", type=Path, default=Path("runs/strangers"), help="for the runs' folders")
    args = cli.parse_args()
    if args.davis:
        names = args.davis.split(",")
        if unknown := [name for name in names if not (args.data / DAVIS[0] / name).is_dir()]:
            cli.error(f"--davis {unknown[0]}: {args.data / DAVIS[0]} has no such folder")
        objects = {name: _of_davis(args.data / "davis", name) for name in names}
    else:
        drawn = json.loads(DRAWN.read_text(encoding="utf-8"))
        objects = {name: _by_hand(args.data / "videos", each) for name, each in drawn.items()}
    for kind in KINDS:
        scores = {name: _score(each, kind, args.out / kind / name, args.overrides) for name, each in objects.items()}
        each = "  ".join(f"{name} {j:.2f}" for name, j in scores.items())
        print(f"{kind:6s}{np.mean(list(scores.values())):.3f}   {each}")  # noqa: T201


def _by_hand(videos: Path, drawn: dict[str, Any]) -> Drawn:
    truth = {int(frame): coco.decode(rle).astype(bool) for frame, rle in drawn["frames"].items()}
    return Drawn(videos / drawn["video"], truth, drawn["click"])


def _of_davis(root: Path, name: str) -> Drawn:
    masks = davis(root, name, 480).masks
    deepest = cv2.minMaxLoc(cv2.distanceTransform(np.pad(masks[0], 1), cv2.DIST_L2, 5)[1:-1, 1:-1])[3]
    return Drawn(root / "JPEGImages/480p" / name, {t: mask > 0 for t, mask in enumerate(masks)}, list(deepest))


def _score(drawn: Drawn, kind: str, folder: Path, overrides: list[str]) -> float:
    settings = [
        f"video={drawn.video}", f"extract.stop={max(drawn.truth) + 1}", f"hydra.run.dir={folder}",
        "model=nano", "output=[rle]", "metric=[]", "tracker=none",
    ]  # fmt: skip
    run([*settings, *overrides], [_prompt(kind, drawn.truth[0], drawn.click)])
    with (folder / "masks.jsonl").open(encoding="utf-8") as lines:
        found = {line["frame"]: line["objects"] for line in map(json.loads, lines) if line["frame"] in drawn.truth}
    later = [iou(_mask(found[frame], mask), mask) for frame, mask in drawn.truth.items() if frame]
    return float(np.mean(later))


def _prompt(kind: str, mask_hw: NDArray[np.bool_], click: list[int]) -> Prompt:
    if kind == "mask":
        return Prompt(0, 1, mask_hw=mask_hw)
    if kind == "click":
        return Prompt(0, 1, points_xy=np.array([click], np.float32), labels=np.array([1], np.int32))
    rows, columns = (np.flatnonzero(mask_hw.any(axis)) for axis in (1, 0))
    return Prompt(0, 1, box_xyxy=np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32))


def _mask(objects: list[dict[str, Any]], like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return coco.decode(objects[0]["rle"]).astype(bool) if objects else np.zeros_like(like)


if __name__ == "__main__":
    main()
