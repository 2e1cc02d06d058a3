"""What is made of clicks and boxes on a prompted frame: several looks at it, whose mask logits are averaged.

What a small model makes of one look depends on chance. So it looks at the mirrored picture, too (as Krizhevsky et al.
do in testing, NeurIPS 2012), and around a box at windows that show the object larger. docs/nano.md: What a box says.
Several points are all obeyed (``clicks``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidseg.console import progress
from vidseg.model.nano.clicks import CELLS, obeying
from vidseg.model.nano.predictor import NanoPredictor
from vidseg.model.nano.window import Box, Window, agreement, bounding_box, mirrored_prompt
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.one_pass import Pass
from vidseg.model.sam2.view import Views
from vidseg.types import RGB, Logits, Mask, Prompt, Source

_SHARES = (0.4, 0.8)  # of a window's longer side, that a box has
_PREFERENCE = 4  # the power of the IoU with the box by which a look's mask counts
_DEVIATION = 58.0  # ImageNet's, of a colour of 0 to 255
_SURE = 8.0  # logits are clipped there: unclipped, one look would overrule all others


class FirstLooks:
    """At the picture ``rgb_hw3`` of the frame at ``position``, each in a pass of its own."""

    def __init__(self, engine: Engine, source: Source, position: int, rgb_hw3: RGB) -> None:
        self._engine, self._source, self._position = engine, source, position
        self._pictures = (rgb_hw3, np.ascontiguousarray(rgb_hw3[:, ::-1]))
        self._whole = Window.whole(source.info.width, source.info.height)

    def masks(self, prompts: Mapping[int, Sequence[Prompt]]) -> dict[int, Mask]:
        """The masks (h, w) of objects by id, from their prompts; without overlap if the model's are to have none."""
        logits = {}
        with progress(len(prompts), "first looks", "object") as bar:
            for object_id, own in prompts.items():
                logits[object_id] = self.logits(own)
                bar.update()
        if not self._engine.options.non_overlap_masks or not logits:
            return {object_id: logits_hw > 0 for object_id, logits_hw in logits.items()}
        best_hw = np.argmax([*logits.values()], 0)
        return {object_id: (logits_hw > 0) & (best_hw == n) for n, (object_id, logits_hw) in enumerate(logits.items())}

    def logits(self, prompts: Sequence[Prompt]) -> Logits:
        """Of the object that all of ``prompts`` are for, in their order: (h, w), the mean of the looks.

        The looks at a box are weighted by how well the bounding boxes of their masks agree with it.
        """
        box: Box | None = None
        if prompts[-1].box_xyxy is not None and prompts[-1].points_xy is None:
            left, top, right, below = prompts[-1].box_xyxy.tolist()
            box = (left, top, right, below)
        # Windows around a box, not around a click: up close a sleeve is an object
        around = () if box is None else (self._whole.around(box, share) for share in _SHARES)
        total_hw, weights = np.zeros(self._pictures[0].shape[:2], np.float32), 0.0
        for view in dict.fromkeys([self._whole, *around]):
            given = prompts if view == self._whole else prompts[-1:]  # earlier points may lie outside the window
            for mirrored in (False, True):
                logits_hw = self._logits(view, mirrored, given)
                weight = 1.0 if box is None else agreement(torch.from_numpy(logits_hw > 0), box) ** _PREFERENCE
                total_hw += weight * logits_hw
                weights += weight
        logits_hw = total_hw / weights if weights else total_hw - _SURE
        points_xy, labels = prompts[-1].points_xy, prompts[-1].labels
        if points_xy is None or labels is None or len(labels) == 1:  # nothing beside one point says what the object is
            return logits_hw
        predictor = self._engine.predictor
        obeys = isinstance(predictor, NanoPredictor) and predictor.obey_points
        return self._obeying(logits_hw, points_xy, labels) if obeys else logits_hw

    def _obeying(self, logits_hw: Logits, points_xy: NDArray[np.float32], labels: NDArray[np.int32]) -> Logits:
        """The logits (h, w) as all points say: changed in a window around mask and points, in the model's cells."""
        x, y = np.rint(points_xy).astype(int).T
        shown_hw = logits_hw > 0
        shown_hw[y, x] = True
        box = bounding_box(torch.from_numpy(shown_hw))
        assert box is not None
        view, cells = self._whole.around(box, _SHARES[1]), (CELLS, CELLS)
        colours_hw3 = cv2.resize(view.look(self._pictures[0]), cells, interpolation=cv2.INTER_AREA) / _DEVIATION
        cells_xy = (points_xy - (view.left, view.top)) * (CELLS / view.width, CELLS / view.height)
        before_hw = cv2.resize(logits_hw[view.part], cells, interpolation=cv2.INTER_AREA)
        column, row = cells_xy.astype(int).clip(0, CELLS - 1).T
        before_hw[row, column] = logits_hw[y, x]  # the points' own pixels, not the means around them
        change_hw = obeying(before_hw, colours_hw3.astype(np.float32), cells_xy, labels) - before_hw
        logits_hw[view.part] += cv2.resize(change_hw, (view.width, view.height), interpolation=cv2.INTER_LINEAR)
        return logits_hw

    def _logits(self, view: Window, mirrored: bool, prompts: Sequence[Prompt]) -> Logits:
        pass_ = Pass(self._engine, self._source, Views(self._engine, self._source, {}))
        if mirrored:
            view = replace(view, left=self._whole.width - view.left - view.width)
            prompts = [mirrored_prompt(prompt, self._whole.width) for prompt in prompts]
        whole = view == self._whole
        features = self._features_of_whole[mirrored] if whole else self._engine.features(self._pictures[mirrored], view)
        low_res = pass_.decode(self._position, features, view, prompts)
        masks = pass_.show(self._position, low_res, prompts[0].frame_index)
        logits_hw = masks.logits_nhw[0, :, ::-1] if mirrored else masks.logits_nhw[0]
        return logits_hw.clip(-_SURE, _SURE)

    @cached_property
    def _features_of_whole(self) -> list[Features]:
        """Of the picture and of its mirror image, in which all objects are looked for."""
        return [self._engine.features(rgb_hw3, self._whole) for rgb_hw3 in self._pictures]
