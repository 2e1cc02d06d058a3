"""Prompts drawn from masks, as a user would give them."""

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

Points = dict[str, Tensor]  # sam2's: point_coords (N, P, 2) in pixels, point_labels (N, P)


def first(kind: str, masks: NDArray[np.uint8], rng: Generator) -> Points:
    """Sparse prompts for ``masks`` (N, H, W): "click" (one), "clicks" (three, some negative) or "box"."""
    points, labels = [], []
    for mask in masks:
        if kind == "box":
            x, y, w, h = cv2.boundingRect(mask)
            box = np.array([[x, y], [x + w, y + h]], np.float32)
            points.append(box + rng.normal(size=(2, 2)) * np.minimum(0.04 * np.array([w, h]), 8))
            labels.append([2, 3])
            continue
        at, label = [_inside(mask, rng)], [1]
        if kind == "clicks":
            near = cv2.dilate(mask, np.ones((41, 41), np.uint8)) - mask
            for _ in range(2):
                positive = rng.random() < 0.5 or not near.any()
                at.append(_inside(mask, rng) if positive else _any(near, rng))
                label.append(int(positive))
        points.append(np.array(at, np.float32))
        labels.append(label)
    return _points(np.stack(points), labels)


def correction(predicted: NDArray[np.bool_], masks: NDArray[np.uint8], rng: Generator) -> Points:
    """One click for each mask where ``predicted`` (N, H, W) is most wrong; inside the object where it is right."""
    points, labels = [], []
    for guess, mask in zip(predicted, masks, strict=True):
        missed, extra = (mask > 0) & ~guess, guess & (mask == 0)
        positive = missed.sum() >= extra.sum()
        wrong = (missed if positive else extra).astype(np.uint8)
        if not wrong.any():
            wrong, positive = (mask, True) if mask.any() else (1 - mask, False)
        points.append([_inside(wrong, rng)])
        labels.append([int(positive)])
    return _points(np.array(points, np.float32), labels)


def both(a: Points, b: Points) -> Points:
    """All the points of the two, on the same frame."""
    return {key: torch.cat([a[key], b[key]], 1) for key in a}


def _points(at: NDArray, labels: list[list[int]]) -> Points:
    return {
        "point_coords": torch.from_numpy(at).float(),
        "point_labels": torch.tensor(labels, dtype=torch.int32),
    }


def _inside(mask: NDArray[np.uint8], rng: Generator) -> tuple[int, int]:
    """A pixel of the mask, half of the time one that is deep inside."""
    if rng.random() < 0.5:
        return _any(mask, rng)
    x, y, w, h = cv2.boundingRect(mask)
    mask = mask[y : y + h, x : x + w]
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    column, row = _any((depth >= (0.6 + 0.4 * rng.random()) * depth.max()).astype(np.uint8) & mask, rng)
    return x + column, y + row


def _any(mask: NDArray[np.uint8], rng: Generator) -> tuple[int, int]:
    found = cv2.findNonZero(mask).reshape(-1, 2)
    x, y = found[rng.integers(len(found))]
    return int(x), int(y)
