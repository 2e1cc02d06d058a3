"""The one fake: a segmenter that moves a square, so that the whole pipeline runs in seconds."""

import os
import signal
import time

import numpy as np

from vidseg.types import FrameMasks


class Square:
    """A square of 40 pixels that moves 2 pixels a frame, ``shift`` pixels to the right of conftest.picture's.

    ``fail_at`` makes it raise on that frame; ``pause_s`` is slept through on each frame.
    """

    device, precision = "cpu", "fp32"

    def __init__(self, fail_at=None, shift=0, pause_s=0):
        self.provenance, self.fail_at, self.shift, self.pause_s = {}, fail_at, shift, pause_s

    def track(self, source, prompts):
        ids = tuple(sorted({prompt.object_id for prompt in prompts}))
        for frame in source:
            if frame.index == self.fail_at:
                raise RuntimeError("the square fell over")
            time.sleep(self.pause_s)
            left = 2 * frame.index + self.shift
            logits = np.full((len(ids), *frame.rgb_hw3.shape[:2]), -5, np.float32)
            for row, object_id in enumerate(ids):
                logits[row, 50 * object_id - 40 : 50 * object_id, left : left + 40] = 5
            yield frame, FrameMasks(frame.index, ids, logits, (0.9,) * len(ids))


class Failing:
    """An output that raises on its third frame."""

    path = "failing.txt"

    def open(self, folder, source):
        self.count = 0

    def write(self, frame, masks):
        self.count += 1
        if self.count == 3:
            raise OSError(5, "Input/output error", "failing.txt")

    def close(self):
        raise OSError(5, "Input/output error", "failing.txt")

    def abort(self):
        pass


class Suicidal(Square):
    """A segmenter whose process the system kills, as it does where memory runs out."""

    def track(self, source, prompts):
        os.kill(os.getpid(), signal.SIGKILL)
        yield from super().track(source, prompts)
