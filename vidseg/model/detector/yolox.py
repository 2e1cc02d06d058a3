"""YOLOX (Ge et al. 2021, arXiv 2107.08430) as its authors export it to ONNX, run by OpenCV's dnn on the CPU.

Letterbox, decoding and the score (objectness times class) are those of YOLOX' demo/ONNXRuntime. Non-maximum suppression
takes all classes together: one thing that looks like two classes is one detection.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.model.detector.coco import CLASSES
from vidseg.types import RGB, Detections
from vidseg.weights import digest, locate

STRIDES = (8, 16, 32)
GREY = 114  # of the letterbox


class YOLOX:
    """A detector of boxes: COCO's 80 classes.

    - ``checkpoint``: an ONNX file whose input is BGR, 0 to 255; see ``vidseg.weights.locate``.
    - ``size``: side of its square input in pixels.
    - ``confidence``: the lowest score of a detection, 0 to 1.
    - ``nms``: of two boxes with a larger IoU the one with the lower score is dropped, 0 to 1.

    Raises InputError, beginning with the parameter, for a value out of range, and for a file that is missing or isn't
    such a model.
    """

    device = "cpu"

    def __init__(self, checkpoint: str, size: int = 416, confidence: float = 0.3, nms: float = 0.45) -> None:
        for name, value in (("confidence", confidence), ("nms", nms)):
            if not 0 <= value <= 1:
                raise InputError(f"{name}: {value} is not a number from 0 to 1")
        if size < 32 or size % 32:
            raise InputError(
                f"size: {size} is not the side of YOLOX' input; a multiple of 32, as the file was exported"
            )
        self.classes: tuple[str, ...] | None = CLASSES
        self._size, self._confidence, self._nms = size, confidence, nms
        path = locate(checkpoint, "checkpoint", "an .onnx file, https://… or hf://OWNER/REPOSITORY/FILE")
        sha256 = digest(path, checkpoint, "checkpoint")
        self.provenance: Mapping[str, str] = {"checkpoint": checkpoint, "sha256": sha256}
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
            outputs = self._forward(np.zeros((size, size, 3), np.uint8)).shape
        except cv2.error as error:
            raise InputError(
                f"checkpoint: OpenCV can't run {path} on a picture of {size}x{size} (size={size}): it isn't a YOLOX "
                "that was exported to ONNX at this size"
            ) from error
        if outputs != (expected := (len(self._cells[1]), 5 + len(CLASSES))):
            raise InputError(
                f"checkpoint: {path} yields {outputs}, YOLOX with COCO's classes at size={size} {expected}"
            )

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3); boxes are clipped to it."""
        height, width = rgb_hw3.shape[:2]
        scale = min(self._size / height, self._size / width)
        inside = max(1, int(width * scale)), max(1, int(height * scale))
        square_hw3: RGB = np.full((self._size, self._size, 3), GREY, np.uint8)
        square_hw3[: inside[1], : inside[0]] = cv2.resize(rgb_hw3, inside, interpolation=cv2.INTER_LINEAR)
        outputs = self._forward(square_hw3)  # (cells, x y w h objectness, classes)
        cells_xy, strides = self._cells
        classes = outputs[:, 5:].argmax(1)
        scores = outputs[:, 4] * outputs[np.arange(len(outputs)), 5 + classes]
        sure = np.flatnonzero(scores >= self._confidence)
        centres_xy = (outputs[sure, :2] + cells_xy[sure]) * strides[sure]
        halves_xy = np.exp(outputs[sure, 2:4]) * strides[sure] / 2
        boxes = np.concatenate([centres_xy - halves_xy, centres_xy + halves_xy], 1) / scale
        kept = _suppressed(boxes, scores[sure], self._nms)
        boxes_xyxy = np.clip(boxes[kept], 0, (width, height, width, height)).astype(np.float32)
        names = tuple(CLASSES[number] for number in classes[sure][kept])
        return Detections(boxes_xyxy, scores[sure][kept].astype(np.float32), names)

    def _forward(self, square_hw3: RGB) -> NDArray[np.float32]:
        """The raw output (cells, 5 + classes) for a picture of the model's size."""
        self._net.setInput(cv2.dnn.blobFromImage(square_hw3, swapRB=True))
        found: NDArray[np.float32] = self._net.forward()[0]
        return found

    @cached_property
    def _cells(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Column and row (cells, 2), and stride (cells, 1), of every cell in the output's order."""
        corners, strides = [], []
        for stride in STRIDES:
            side = self._size // stride
            rows, columns = np.divmod(np.arange(side * side), side)
            corners.append(np.stack([columns, rows], 1))
            strides.append(np.full((side * side, 1), stride))
        return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _suppressed(boxes_xyxy: NDArray[Any], scores: NDArray[Any], iou: float) -> NDArray[np.intp]:
    """The rows of the boxes that non-maximum suppression keeps, by descending score."""
    boxes_xywh = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], 1)
    return np.array(cv2.dnn.NMSBoxes(boxes_xywh.tolist(), scores.tolist(), 0.0, iou), np.intp).reshape(-1)
