"""J on videos that nano was never shown a mask of, from a first mask, a box and a click, as vidseg runs it.

python -m training.strangers --data FOLDER [--out OUT] [KEY=VALUE ...]   (of python -m vidseg: model.prompted_weight=1)

strangers.json holds what somebody drew by hand: seven objects of the five videos, four or five frames each beside the
first, as COCO RLE. Parts that nobody could tell apart (spokes, shoelaces) are within what they belong to.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from training.data import holding
from vidseg.metric.score import iou
from vidseg.notebook import run
from vidseg.types import Prompt

DRAWN = Path(__file__).with_suffix(".json")
KINDS = ("mask", "box", "click")


def main() -> None:
    """Prints each object's and each kind's mean J over the frames after the first."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    cli.add_argument("--data", type=holding("videos"), required=True, help="holds videos/")
    cli.add_argument("--out", type=Path, default=Path("runs/strangers"), help="for the runs' folders")
    args = cli.parse_args()
    drawn = json.loads(DRAWN.read_text(encoding="utf-8"))
    scores = {
        kind: {
            name: _score(each, kind, args.data, args.out / kind / name, args.overrides) for name, each in drawn.items()
        }
        for kind in KINDS
    }
    for kind, of in scores.items():
        each = "  ".join(f"{name} {j:.2f}" for name, j in of.items())
        print(f"{kind:6s}{np.mean(list(of.values())):.3f}   {each}")  # noqa: T201


def _score(drawn: dict[str, Any], kind: str, data: Path, folder: Path, overrides: list[str]) -> float:
    truth = {int(frame): coco.decode(rle).astype(bool) for frame, rle in drawn["frames"].items()}
    settings = [
        f"video={data / 'videos' / drawn['video']}", f"extract.stop={max(truth) + 1}", f"hydra.run.dir={folder}",
        "model=nano", "output=[rle]", "metric=[]", "tracker=none",
    ]  # fmt: skip
    run([*settings, *overrides], [_prompt(kind, truth[0], drawn["click"])])
    with (folder / "masks.jsonl").open(encoding="utf-8") as lines:
        found = {line["frame"]: line["objects"] for line in map(json.loads, lines) if line["frame"] in truth}
    later = [iou(_mask(found[frame], mask), mask) for frame, mask in truth.items() if frame]
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
