"""A skater in one frame: its picture, its shadow on the ice and its reflection in it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.sample.canvas import RGBA
from vidseg.types import RGB

SHADOW_SLANT = (0.62, 0.20)  # the shadow of a point falls so many times its height to the right, and away


@dataclass(frozen=True, slots=True)
class Sprite:
    """A skater in one frame. Its methods draw into a picture (h, w, 3) in place."""

    label: int  # its object id
    rgba: RGBA  # its picture
    corner: tuple[int, int]  # where the picture's upper left corner lies in the frame, (x, y)
    ground: float  # the frame's row of the ice below its hips

    def draw(self, picture: RGB) -> None:
        """Draws the skater."""
        _lay(picture, self.rgba, self.corner)

    def cast_shadow(self, picture: RGB) -> None:
        """Darkens the ice by the silhouette, laid down away from the light and blurred."""
        foot = self.ground - self.corner[1]  # the row of the skater's picture that touches the ice
        right, away = SHADOW_SLANT
        size = self.rgba.shape[1] + int(right * foot) + 24, int(away * foot) + 40
        base = int(away * foot) + 16  # the row of the shadow's picture that touches the ice
        matrix = np.array([[1.0, -right, right * foot], [0.0, away, base - away * foot]])
        shadow = cv2.warpAffine(np.ascontiguousarray(self.rgba[..., 3]), matrix, size, flags=cv2.INTER_AREA)
        shadow = cv2.GaussianBlur(shadow, (0, 0), 4.0)
        window, piece = overlap(picture, shadow, (self.corner[0], round(self.ground) - base))
        if window.size:
            cool = cv2.merge([255 - cv2.multiply(piece, (k,)) for k in (0.44, 0.39, 0.30)])  # the sky lights it blue
            window[:] = cv2.multiply(window, cool, None, 1 / 255)

    def mirror(self, picture: RGB) -> None:
        """Adds the faint reflection."""
        foot = round(self.ground) - self.corner[1]
        flipped = np.ascontiguousarray(self.rgba[max(foot - 150, 0) : foot][::-1])
        fade = (0.30 * np.linspace(1, 0, len(flipped), dtype=np.float32) ** 1.3)[:, None, None]
        blurred = cv2.GaussianBlur(flipped, (3, 9), 0)
        _lay(picture, (blurred * fade).astype(np.uint8), (self.corner[0], round(self.ground)))


def overlap(
    frame: NDArray[np.uint8], piece: NDArray[np.uint8], corner: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Views of ``frame`` and ``piece`` where they overlap, with the corner of ``piece`` at ``corner`` (x, y)."""
    x, y = corner
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + piece.shape[1], frame.shape[1]), min(y + piece.shape[0], frame.shape[0])
    x1, y1 = max(x1, x0), max(y1, y0)
    return frame[y0:y1, x0:x1], piece[y0 - y : y1 - y, x0 - x : x1 - x]


def _lay(picture: RGB, rgba: RGBA, corner: tuple[int, int]) -> None:
    """Lays a premultiplied picture over another one."""
    window, piece = overlap(picture, rgba, corner)
    if window.size:
        through = cv2.merge([255 - piece[..., 3]] * 3)
        window[:] = cv2.add(cv2.multiply(window, through, None, 1 / 255), np.ascontiguousarray(piece[..., :3]))
