"""Several looks at a prompted frame, whose masks are averaged (with ``model.zoom``; docs/engine.md: What a box says).

What a small model makes of one look depends on chance. Each is mirrored, too (as Krizhevsky et al. test, NeurIPS 2012),
and a box says how close one can go.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from vidseg.model.box import agreement
from vidseg.model.encoder import Encoder, Features
from vidseg.model.engine import Pass
from vidseg.model.zoom import Box, View, Zoom
from vidseg.types import RGB, Logits, Prompt

_SHARES = (0.4, 0.8)  # of a window's longer side, what a box has
_PREFERENCE = 4  # for looks whose masks fit the box: the power of the IoU that they count by
_SURE = 8.0  # logits beyond it say no more; unclipped one look would overrule all others


class Looks:
    """At the picture ``rgb_hw3`` of the frame at ``position``, each in one of the passes that ``new_pass`` begins."""

    def __init__(self, position: int, rgb_hw3: RGB, encoder: Encoder, new_pass: Callable[[float | None], Pass]) -> None:
        self._position, self._encoder, self._new_pass = position, encoder, new_pass
        self._pictures = (rgb_hw3, np.ascontiguousarray(rgb_hw3[:, ::-1]))
        self._whole: dict[bool, Features] = {}  # of the whole picture, which all objects are looked for in

    def logits(self, prompts: Sequence[Prompt]) -> Logits:
        """Of the object that all of ``prompts`` are for, in their order: (h, w), as the looks have it on average."""
        last = prompts[-1]
        box: Box | None = None
        if last.box_xyxy is not None and last.points_xy is None:
            left, top, right, below = last.box_xyxy.tolist()
            box = (left, top, right, below)
        total_hw, weights = np.zeros(self._pictures[0].shape[:2], np.float32), 0.0
        for view in self._views(box):
            # What was said before the box may lie beyond a window around it
            said = prompts if view == self._views(None)[0] else [last]
            for mirrored in (False, True):
                logits_hw = self._logits(view, mirrored, said)
                weight = 1.0 if box is None else agreement(torch.from_numpy(logits_hw > 0), box) ** _PREFERENCE
                total_hw += weight * logits_hw
                weights += weight
        return total_hw / weights if weights else total_hw - _SURE

    def _views(self, box: Box | None) -> list[View]:
        """The whole picture, and windows around a box; not around a click, which up close gives a sleeve."""
        height, width, _ = self._pictures[0].shape
        closer = () if box is None else (Zoom(width, height, share).around(box) for share in _SHARES)
        return list(dict.fromkeys([View(0, 0, width, height), *closer]))

    def _logits(self, view: View, mirrored: bool, prompts: Sequence[Prompt]) -> Logits:
        pass_ = self._new_pass(None)
        width = pass_.zoom.whole.width
        if mirrored:
            view = replace(view, left=width - view.left - view.width)
            prompts = [_mirrored(prompt, width) for prompt in prompts]
        features = self._features(view, mirrored)
        pass_.condition(self._position, features, view, prompts)
        pass_.begin([(self._position, prompt) for prompt in prompts])
        low_res = pass_.step(self._position, features, view)
        masks = pass_.show(self._position, low_res, prompts[0].frame_index)
        logits_hw = masks.logits_nhw[0, :, ::-1] if mirrored else masks.logits_nhw[0]
        return logits_hw.clip(-_SURE, _SURE)

    def _features(self, view: View, mirrored: bool) -> Features:
        rgb_hw3 = self._pictures[mirrored]
        if (view.height, view.width) != rgb_hw3.shape[:2]:
            return self._encoder.features(rgb_hw3, view)
        if mirrored not in self._whole:
            self._whole[mirrored] = self._encoder.features(rgb_hw3, view)
        return self._whole[mirrored]


def _mirrored(prompt: Prompt, width: int) -> Prompt:
    """In the picture mirrored left to right: the centre of pixel 0 is that of pixel ``width`` - 1 there."""
    points_xy, box_xyxy, mask_hw = prompt.points_xy, prompt.box_xyxy, prompt.mask_hw
    if points_xy is not None:
        points_xy = np.stack([width - 1 - points_xy[:, 0], points_xy[:, 1]], 1)
    if box_xyxy is not None:
        left, top, right, below = box_xyxy
        box_xyxy = np.array([width - right, top, width - left, below], np.float32)
    return replace(
        prompt, points_xy=points_xy, box_xyxy=box_xyxy, mask_hw=None if mask_hw is None else mask_hw[:, ::-1]
    )
