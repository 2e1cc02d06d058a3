"""What networks put out, as ``Detections``: inside the picture, the surest first, one of each thing.

Also the checks of the parameters that all detectors have.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.types import Detections


def check_share(name: str, value: float) -> None:
    """Raises InputError if the parameter ``name`` isn't a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise InputError(f"{name}: {value} is not a number from 0 to 1")


def detections(
    size_hw: tuple[int, int], boxes_xyxy: NDArray[Any], scores: NDArray[Any], names: Sequence[str],
    masks_nhw: NDArray[Any] | None, confidence: float, nms: float,
) -> Detections:  # fmt: skip
    """The detections with a score from ``confidence`` on, in a picture of ``size_hw``.

    Of two boxes with an IoU above ``nms`` only the surer one stays, whatever the names: a thing that looks like two
    classes is one thing. Boxes (n, 4) in pixels are clipped to the picture; one that lies outside it, or isn't finite,
    is left out. ``masks_nhw`` are of the picture's size.
    """
    height, width = size_hw
    limits = np.array([width, height, width, height], np.float32)
    boxes = np.clip(np.nan_to_num(np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)), 0, limits)
    scores = np.asarray(scores, np.float32)
    there = np.isfinite(boxes_xyxy).all(-1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    rows = np.flatnonzero(there & (scores >= confidence))
    boxes_xywh = np.concatenate([boxes[rows, :2], boxes[rows, 2:] - boxes[rows, :2]], 1)
    kept = cv2.dnn.NMSBoxes(boxes_xywh.tolist(), scores[rows].tolist(), 0.0, nms)
    rows = rows[np.array(kept, np.intp).reshape(-1)]
    masks = None if masks_nhw is None else np.ascontiguousarray(masks_nhw[rows], dtype=bool)
    return Detections(boxes[rows], scores[rows], tuple(names[row] for row in rows.tolist()), masks)
