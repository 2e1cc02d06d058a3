"""Drawn masks for the formats of other tools, and each output that writes one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sources import ArraySource, moving_squares

from vidseg.output.coco import Coco, YouTubeVis
from vidseg.output.cvat import Cvat
from vidseg.output.davis import Davis
from vidseg.output.labelled import LabelMe, YoloSeg
from vidseg.output.mots import Mots
from vidseg.types import FrameMasks, Output

FRAMES, HEIGHT, WIDTH = 6, 120, 200
NAMES = {1: "person", 2: None, 5: "person"}


def masks(index: int) -> FrameMasks:
    """Object 1 has a hole; object 2, without a name, covers it in part, is in two parts, and is absent on frame 2;
    object 5 comes with frame 3."""
    ids = (1, 2) if index < 3 else (1, 2, 5)
    logits_nhw = np.full((len(ids), HEIGHT, WIDTH), -1, np.float32)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    apart = (rows - 40) ** 2 + (columns - 45 - 3 * index) ** 2
    logits_nhw[0][(apart < 900) & (apart > 90)] = 2
    if index != 2:
        logits_nhw[1, 35:75, 50 + 2 * index : 90 + 2 * index] = 3
        logits_nhw[1, 100:103, 3:9] = 3
    if index >= 3:
        logits_nhw[2, 60:100, 115 + 2 * index : 150 + 2 * index] = 1
    return FrameMasks(index, ids, logits_nhw, None, tuple(NAMES[each] for each in ids))


def areas(top: bool = False) -> dict[tuple[int, int], int]:
    """The area of each object on each frame that it is on, by frame and id; ``top``: where no other is on it."""
    found = {}
    for index in range(FRAMES):
        drawn = masks(index)
        best_hw = drawn.logits_nhw.argmax(0)
        for row, (object_id, mask_hw) in enumerate(zip(drawn.object_ids, drawn.masks_nhw, strict=True)):
            seen_hw: NDArray[np.bool_] = mask_hw & (best_hw == row) if top else mask_hw
            if seen_hw.any():
                found[index, object_id] = int(seen_hw.sum())
    return found


def outputs() -> list[Output]:
    """Every output for other tools, with what its YAML has."""
    return [
        Coco("coco.json", ".jpg"),
        YouTubeVis("youtube_vis.json", ".jpg"),
        YoloSeg("yolo_seg", True),
        LabelMe("labelme", True),
        Mots("mots.txt", {"car": 1, "pedestrian": 2, "person": 2}),
        Cvat("cvat.xml", ".jpg"),
        Davis("davis", "Annotations/480p", None),
    ]


def write(folder: Path, parts: Sequence[Output]) -> None:
    """Writes all frames."""
    source = ArraySource(moving_squares(FRAMES))
    for part in parts:
        if hasattr(part, "check"):
            part.check(source, ())
        part.open(folder, source)
    for frame in source:
        for part in parts:
            part.write(frame, masks(frame.index))
    for part in parts:
        part.close()
