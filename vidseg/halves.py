"""Parts of pictures at half the resolution: pixels are averaged in the same fours on every frame."""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import Box

T = TypeVar("T", bound=np.generic)


def even(box: Box) -> Box:
    """The box from an even row and column on. Its size may be odd."""
    rows, columns = (slice(side.start // 2 * 2, side.stop) for side in box)
    return rows, columns


def padded(part: NDArray[T]) -> NDArray[T]:
    """A copy of a part of a picture, its last row and column repeated if their number is odd."""
    down, right = (side % 2 for side in part.shape[:2])
    return np.asarray(cv2.copyMakeBorder(part, 0, down, 0, right, cv2.BORDER_REPLICATE), part.dtype)


def half(picture: NDArray[Any]) -> NDArray[np.float32]:
    """A picture of even height and width at half of them, float32."""
    size = picture.shape[1] // 2, picture.shape[0] // 2
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def in_half(at: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """The flat indices of pixels of a picture of an even ``width`` in that of half the size."""
    rows, columns = np.divmod(at, width)
    return np.asarray(rows // 2 * (width // 2) + columns // 2)
