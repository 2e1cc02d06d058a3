"""A source whose frames have another size. Knows nothing about where they come from."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.prefetch import prefetch
from vidseg.scaling import Size, scaled
from vidseg.types import Deep, Frame, Source, VideoInfo

LARGEST_SCALE = 4
SMALLEST = 16
"""Pixels a side: of less no model makes anything."""


def check_scale(scale: float | None, height: int | None) -> None:
    """Raises InputError for values of ``extract.scale`` and ``extract.height`` that fit no video."""
    if scale is not None and height is not None:
        raise InputError(f"extract.height: {height} and extract.scale: {scale}; give one of them")
    if scale is not None and (isinstance(scale, bool) or not 0 < scale <= LARGEST_SCALE):
        raise InputError(f"extract.scale: {scale} is no factor; more than 0 (0.5 halves width and height), up to 4")
    if height is not None and (isinstance(height, bool) or height < SMALLEST):
        raise InputError(f"extract.height: {height} is no number of lines; {SMALLEST} or more")


def scaled_size(info: VideoInfo, scale: float | None, height: int | None) -> Size | None:
    """Width and height of the frames; None: as they are. A width is even, and so is a height by ``scale``, because
    4:2:0 video has even sizes only. Raises InputError for values that fit no video, or not this one."""
    check_scale(scale, height)
    if height is not None:
        factor, lines = height / info.height, height
    elif scale is not None:
        factor, lines = scale, round(info.height * scale / 2) * 2
    else:
        return None
    columns = round(info.width * factor / 2) * 2
    if min(columns, lines) < SMALLEST or factor > LARGEST_SCALE:
        key = f"extract.scale: {scale}" if height is None else f"extract.height: {height}"
        limits = f"at least {SMALLEST} pixels a side, and {LARGEST_SCALE} times the source at most"
        raise InputError(f"{key} makes {columns}x{lines} pixels of {info.width}x{info.height}; {limits}")
    return None if (columns, lines) == (info.width, info.height) else (columns, lines)


class Scaled:
    """``source`` with all frames, their deep pictures, ground truth and prompts at ``size`` (width, height).

    Pictures are averaged where they shrink (OpenCV's INTER_AREA) and cubic where they grow; label maps stay labels. All
    else is the source's own. ``info.source_size`` is the source's.
    """

    def __init__(self, source: Source, size: Size) -> None:
        self._source, self._size = source, size
        info = source.info
        before = (info.width, info.height)
        self.info: VideoInfo = replace(info, width=size[0], height=size[1], source_size=before)
        self.prompts = tuple(scaled(prompt, before, size) for prompt in source.prompts)
        self._kernel = cv2.INTER_AREA if size[1] < info.height else cv2.INTER_CUBIC

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Generator[Frame]:
        return prefetch(self._each(self._source.__iter__), depth=1)

    def backwards(self, position: int) -> Generator[Frame]:
        """As the source's."""
        return prefetch(self._each(lambda: self._source.backwards(position)), depth=1)

    def onward(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``frames`` to the last."""
        begin = getattr(self._source, "onward", None)
        if begin is None:
            return (self[number] for number in self._source.frames[position:])
        return prefetch(self._each(lambda: begin(position)), depth=1)

    def __getitem__(self, index: int) -> Frame:
        return self._frame(self._source[index])

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The source's, of the nearest pixels."""
        labels_hw = self._source.truth(index)
        if labels_hw is None:
            return None
        return np.asarray(cv2.resize(labels_hw, self._size, interpolation=cv2.INTER_NEAREST_EXACT))

    def provenance(self) -> Mapping[str, str]:
        """The source's, and the size."""
        return {**self._source.provenance(), "scaled_to": f"{self._size[0]}x{self._size[1]}"}

    def _each(self, begin: Callable[[], Generator[Frame]]) -> Iterator[Frame]:
        with closing(begin()) as frames:
            yield from map(self._frame, frames)

    def _frame(self, frame: Frame) -> Frame:
        deep = frame.deep and Deep(self._resized(frame.deep.rgb_hw3), frame.deep.colour)
        return replace(frame, rgb_hw3=self._resized(frame.rgb_hw3), deep=deep, coded=None)

    def _resized(self, picture: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cv2.resize(picture, self._size, interpolation=self._kernel))
