"""Label maps that the official scorer scored, too: metric/official.json has its numbers. All drawn in integers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]  # (h, w) of object ids; 255 is void


def synthetic() -> list[tuple[Labels, Labels]]:
    """Ground truth and masks of 23 frames of 170x120 with three discs.

    Object 1 is scored well, loses a bite and leaves the picture; object 2 is lost half-way; object 3 is often missed,
    and sometimes neither there nor found. Void lies around object 1, where masks must not reach.
    """
    random = np.random.RandomState(11)  # its numbers are frozen
    rows, columns = np.ogrid[:120, :170]

    def disc(x: int, y: int, radius: int) -> NDArray[np.bool_]:
        return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)

    frames = []
    for t in range(23):
        truth, found = np.zeros((2, 120, 170), np.uint8)
        jitter = random.randint(-3, 4, (3, 2))
        truth[disc(90 + 5 * t, 40, 27)] = 255
        truth[disc(90 + 5 * t, 40, 24)] = 1
        truth[disc(20, 60 + t, 12)] = 2
        found[disc(90 + 5 * t + jitter[0, 0], 40 + jitter[0, 1], 25)] = 1
        found[30:50, 80 + 5 * t : 86 + 5 * t] = 0
        if t < 12:
            found[disc(20 + 2 * jitter[1, 0], 58 + t + jitter[1, 1], 11)] = 2
        if t % 7 < 5:
            truth[disc(60, 118, 15)] = 3  # cut by the picture's edge
        if t % 3:
            found[disc(60 + 3 * jitter[2, 0], 117 + jitter[2, 1], 13)] = 3
        frames.append((truth, found))
    return frames


def lagging(truth: Callable[[int], Labels], count: int) -> list[Labels]:
    """Masks as a poor model might have them: the ground truth (0 and 255) of three frames before, in part."""
    masks = []
    for t in range(count):
        mask = (truth(max(0, t - 3)) > 0).astype(np.uint8)
        mask[:, (37 * t) % 854 : (37 * t) % 854 + 60] = 0
        mask[200:210, 11 * t : 11 * t + 90] = 1
        masks.append(mask)
    return masks
