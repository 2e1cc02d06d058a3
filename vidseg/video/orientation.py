"""Which way up a picture is shown, by its display matrix (ISO/IEC 14496-12, 8.3.2; FFmpeg's libavutil/display.h)."""

from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray


class Orientation(NamedTuple):
    """One of the eight ways to show a picture: rows and columns change places first, then it is mirrored."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def upright(self, rgb_hw3: NDArray[Any]) -> NDArray[Any]:
        """The picture as it is shown; quarter turns change width and height."""
        shown = rgb_hw3.swapaxes(0, 1) if self.transposed else rgb_hw3
        return np.ascontiguousarray(shown[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1])

    def stored(self, rgb_hw3: NDArray[Any]) -> NDArray[Any]:
        """What ``upright`` makes a shown picture of."""
        flipped = rgb_hw3[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return np.ascontiguousarray(flipped.swapaxes(0, 1) if self.transposed else flipped)


def orientation_of(image: av.VideoFrame) -> Orientation:
    """By the display matrix of a decoded picture: the nearest of the eight, as FFmpeg and players turn pictures."""
    if "DISPLAYMATRIX" not in image.side_data:
        return Orientation()
    # A pixel at (x, y) is shown at (a x + c y, b x + d y), moved into the picture
    a, b, _, c, d = np.frombuffer(image.side_data["DISPLAYMATRIX"], np.int32)[:5].tolist()
    transposed = abs(b) > abs(a)
    return Orientation(transposed, (b if transposed else d) < 0, (c if transposed else a) < 0)
