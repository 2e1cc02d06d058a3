"""What all mattes have in common: the mask is cleaned, alpha comes from it, is smoothed over time, grown and feathered.

A matte is a subclass with one method, ``alpha``.
"""

import math
from dataclasses import replace
from numbers import Real
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.matte import shape
from vidseg.matte.foreground import REACH, estimate_foreground
from vidseg.matte.smooth import Smoothing
from vidseg.types import Alpha, Frame, FrameMasks

MOST_PX = 256  # of grow, feather and border: more is a mistake


class Matting:
    """A ``vidseg.types.Matte`` for one run: it remembers the frame before.

    - ``grow``: pixels by which alpha grows, below 0 shrinks; fractions are between two whole numbers.
    - ``feather``: pixels over which its edge is blurred: four standard deviations of a Gaussian.
    - ``specks``: the area in pixels below which parts of the mask go and holes are filled.
    - ``border``: pixels; a mask that is as near to the picture's edge goes on to it.
    - ``smooth``: 0 to 0.95, see ``vidseg.matte.smooth``.
    - ``foreground``: whether the background's colours are taken out, see ``vidseg.matte.foreground``.

    Raises InputError, naming the key, for a value out of range.
    """

    def __init__(
        self,
        *,
        grow: float = 0,
        feather: float = 0,
        specks: int = 0,
        border: int = 0,
        smooth: float = 0,
        foreground: bool = True,
    ) -> None:
        self._grow = within("grow", grow, -MOST_PX, MOST_PX)
        self._feather = within("feather", feather, 0, MOST_PX)
        self._specks = within("specks", specks, 0, math.inf, whole=True)
        self._border = within("border", border, 0, MOST_PX, whole=True)
        self._smoothing = Smoothing(within("smooth", smooth, 0, 0.95)) if smooth else None
        if not isinstance(foreground, bool):
            raise InputError(f"matte.foreground: {foreground!r} is not true or false")
        self._foreground = foreground

    @property
    def shapes(self) -> bool:
        """Whether a key changes the mask or its alpha."""
        return any((self._grow, self._feather, self._specks, self._border, self._smoothing))

    def for_outputs(self, alpha: bool) -> Self | None:
        """The matte for a run in which an output has an ``alpha`` channel, or none has; None: nothing is to be done."""
        return self

    def refine(self, frame: Frame, masks: FrameMasks) -> Alpha:
        """The alpha of one frame; frames come in the order of the video."""
        mask_hw = shape.cleaned(masks.union_hw, int(self._specks), int(self._border))
        alpha_hw = self.alpha(frame, masks, mask_hw)
        if self._smoothing is not None:
            alpha_hw = self._smoothing(frame.rgb_hw3, alpha_hw)
        reach = max(REACH, math.ceil(max(self._grow, 0) + self._feather))
        colours, deep = None, None
        if self._foreground:
            colours = estimate_foreground(frame.rgb_hw3, alpha_hw, reach)
            if frame.deep is not None:
                deep = replace(frame.deep, rgb_hw3=estimate_foreground(frame.deep.rgb_hw3, alpha_hw, reach))
        return Alpha(shape.feathered(shape.grown(alpha_hw, self._grow), self._feather), colours, deep)

    def alpha(self, frame: Frame, masks: FrameMasks, mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Alpha, uint8 (h, w), 0 to 255. ``mask_hw`` is 1 in the cleaned union of ``masks``; not to be written to."""
        raise NotImplementedError


def within(key: str, value: object, low: float, high: float, whole: bool = False) -> float:
    """The value of ``matte.<key>``. Raises InputError unless it is a number from ``low`` to ``high``."""
    kind = int if whole else Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= float(value) <= high:
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        raise InputError(f"matte.{key}: {value!r} is not a {'whole ' if whole else ''}number {limits}")
    return float(value)
