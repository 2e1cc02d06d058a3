"""Scores of alpha: its errors against true alpha, and its flicker, which needs none."""

import logging
from collections.abc import Sequence
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.flow import Flow, Grey, enlarged, shrink
from vidseg.metric import alpha_errors
from vidseg.metric.alpha_errors import Alpha
from vidseg.metric.score import Begun
from vidseg.record.alpha_maps import AlphaMaps
from vidseg.types import Frame, FrameMasks, Prompt, Source

NO_TRUTH = "metric.matting: no true alpha, so only alpha_flicker; metric.matting.truth=FOLDER names a folder of it"
LONG_SIDE = 640  # pixels of the pictures between which flow is estimated


class Matting:
    """``sad``, ``mse``, ``gradient``, ``connectivity`` and ``dtssd`` of all objects together; see ``alpha_errors``.

    ``truth`` is a folder of alpha, see ``vidseg.record.alpha_maps``. Without it the built-in clip's own is used, of the
    objects that the run follows; any other video has no such scores. ``alpha_flicker`` is 1 less the sum of minima over
    the sum of maxima of alpha and the frame before's, moved along the optical flow between the pictures. Frames count
    from the first one with an object on, those without true alpha for ``alpha_flicker`` only. Over the run each is the
    mean of the frames. The alpha of masks that have none is 0 or 1.
    """

    def __init__(self, truth: str | None = None) -> None:
        self._maps = None if truth is None else AlphaMaps(truth, "metric.matting.truth")
        self.notes: Sequence[tuple[int, str]] = ()

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run."""
        self._source, self._begun = source, Begun(prompts)
        self._own = None if self._maps is not None else getattr(source, "alpha", None)
        self._scores: dict[str, list[float]] = {}
        self._flow = Flow()
        self._before: tuple[Grey, Alpha, Alpha | None] | None = None  # the small picture, alpha and its truth
        if self._maps is None and self._own is None:
            self.notes = ((logging.INFO, NO_TRUTH),)

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """The scores of one frame."""
        present = dict(zip(masks.object_ids, masks.areas, strict=True))
        if not any(self._begun(frame.index, number, area > 0) for number, area in present.items()):
            return {}
        given_hw = cv2.multiply(masks.union_hw, 255) if masks.alpha is None else masks.alpha.alpha_hw
        alpha_hw, true_hw = _shares(given_hw), self._truth(frame.index, masks.object_ids)
        grey_hw = np.asarray(shrink(cv2.cvtColor(frame.rgb_hw3, cv2.COLOR_RGB2GRAY), LONG_SIDE), np.uint8)
        values = {} if true_hw is None else self._errors(alpha_hw, true_hw)
        if self._before is not None:
            values["alpha_flicker"] = self._flicker(grey_hw, alpha_hw, *self._before[:2])
        self._before = grey_hw, alpha_hw, true_hw
        for name, value in values.items():
            self._scores.setdefault(name, []).append(value)
        return values

    def compute(self) -> dict[str, float]:
        """The means over the frames."""
        return {name: fmean(values) for name, values in self._scores.items()}

    def _errors(self, alpha_hw: Alpha, true_hw: Alpha) -> dict[str, float]:
        values = {
            "sad": alpha_errors.sad(alpha_hw, true_hw),
            "mse": alpha_errors.mse(alpha_hw, true_hw),
            "gradient": alpha_errors.gradient(alpha_hw, true_hw),
            "connectivity": alpha_errors.connectivity(alpha_hw, true_hw),
        }
        if self._before is not None and self._before[2] is not None:
            values["dtssd"] = alpha_errors.dtssd(alpha_hw, self._before[1], true_hw, self._before[2])
        return values

    def _flicker(self, grey_hw: Grey, alpha_hw: Alpha, before_hw: Grey, alpha_before_hw: Alpha) -> float:
        origin_xy = enlarged(self._flow.origin_xy(grey_hw, before_hw), alpha_hw.shape, LONG_SIDE)
        moved_hw = cv2.remap(alpha_before_hw, origin_xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        most = float(np.maximum(moved_hw, alpha_hw).sum(dtype=np.float64))
        return 1 - float(np.minimum(moved_hw, alpha_hw).sum(dtype=np.float64)) / most if most else 0.0

    def _truth(self, index: int, object_ids: Sequence[int]) -> Alpha | None:
        """The true alpha (h, w) of a frame; None if it has none."""
        if self._maps is not None:
            found = self._maps.read(index, self._source.info)
            return None if found is None else _shares(found)
        if self._own is None:
            return None
        own_nhw = self._own(index)
        rows = [number - 1 for number in object_ids if 1 <= number <= len(own_nhw)]
        own_hw = own_nhw[rows].sum(axis=0, dtype=np.float32) / 255
        size = self._source.info.width, self._source.info.height
        return np.asarray(
            own_hw if own_hw.shape[::-1] == size else cv2.resize(own_hw, size, interpolation=cv2.INTER_AREA)
        )


def _shares(alpha_hw: NDArray[np.uint8]) -> Alpha:
    return np.asarray(alpha_hw.astype(np.float32) / 255)
