"""Classes of a user: a segmenter that moves a square, so that a whole run takes less than a second, and broken ones."""

import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np

from vidseg.prefetch import prefetch
from vidseg.types import Frame, FrameMasks


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


class Ahead(Square):
    """Reads its frames in another thread."""

    def track(self, source, prompts):
        return prefetch(super().track(source, prompts), depth=1)


class BringsTorch(Square):
    """Imports torch, as models do, in a process that hasn't; notes its number of threads while it tracks."""

    torch, threads = None, None  # the module, and what was noted

    def __init__(self, **keys):
        super().__init__(**keys)
        sys.modules["torch"] = self.torch

    def track(self, source, prompts):
        BringsTorch.threads = self.torch.get_num_threads()
        yield from super().track(source, prompts)


class Suicidal(Square):
    """A segmenter whose process the system kills, as it does where memory runs out, unless it is SPARED."""

    def track(self, source, prompts):
        if "SPARED" not in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().track(source, prompts)


class Terminated(Square):
    """A segmenter whose process gets SIGTERM while it segments frame ``fail_at``."""

    def track(self, source, prompts):
        at, self.fail_at = self.fail_at, None
        for frame, masks in super().track(source, prompts):
            if frame.index == at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield frame, masks


class Broken(Square):
    """A segmenter that breaks a rule of vidseg.types; ``mistake`` is one of MISTAKES."""

    def __init__(self, mistake):
        super().__init__()
        self.mistake = mistake

    def track(self, source, prompts):
        return MISTAKES[self.mistake](list(super().track(source, prompts)))


def _masks(change):
    return lambda pairs: ((frame, FrameMasks(*change(frame.index, masks.logits_nhw))) for frame, masks in pairs)


def _smaller(frame):
    return replace(frame, rgb_hw3=frame.rgb_hw3[::2])


MISTAKES = {
    "none": lambda pairs: pairs,  # a list instead of a generator is allowed
    "too few": lambda pairs: pairs[:3],
    "too many": lambda pairs: [*pairs, pairs[-1]],
    "one twice": lambda pairs: [pairs[0], *pairs],
    "every second": lambda pairs: pairs[::2],
    "reversed": lambda pairs: pairs[::-1],
    "None": lambda pairs: None,
    "no masks": lambda pairs: [frame for frame, _ in pairs],
    "arrays": lambda pairs: [(frame, masks.masks_nhw) for frame, masks in pairs],
    "shifted": _masks(lambda index, logits: (index + 1, (1,), logits)),
    "bool": _masks(lambda index, logits: (index, (1,), logits > 0)),
    "small masks": _masks(lambda index, logits: (index, (1,), logits[:, ::2])),
    "small frames": lambda pairs: [(_smaller(frame), masks) for frame, masks in pairs],
    "id 7": _masks(lambda index, logits: (index, (7,), logits)),
    "descending": _masks(lambda index, logits: (index, (2, 1), np.concatenate([logits, logits]))),
    "grey frame": lambda pairs: [(Frame(0, 0.0, frame.rgb_hw3[..., 0]), masks) for frame, masks in pairs],
}


class NoDevice:
    precision, provenance = "fp32", {}

    def __init__(self, mistake):
        pass

    def track(self, source, prompts):
        raise AssertionError("is not called")


class NoAbort:
    path = "failing.txt"

    def open(self, folder, source):
        self.file = (folder / self.path).open("w")

    def write(self, frame, masks):
        self.file.write("a line")

    def close(self):
        self.file.close()


class NoPath(NoAbort):
    path = property()

    def abort(self):
        self.file.close()


class NumberedPath(NoPath):
    path = 7


class Failing(NoPath):
    """An output that raises on its third frame, or on that one of ``fail_at`` (from 1)."""

    path = "failing.txt"

    def __init__(self, fail_at=3):
        self.fail_at = fail_at

    def open(self, folder, source):
        self.count = 0

    def write(self, frame, masks):
        self.count += 1
        if self.count == self.fail_at:
            raise OSError(5, "Input/output error", "failing.txt")

    def close(self):
        raise OSError(5, "Input/output error", "failing.txt")

    def abort(self):
        pass


class Told:
    """A metric that returns ``update`` for every frame and ``compute`` for the run."""

    def __init__(self, update=None, compute=None):
        self.values = {"update": {} if update is None else update, "compute": {} if compute is None else compute}

    def open(self, source, prompts):
        pass

    def update(self, frame, masks):
        return self.values["update"]

    def compute(self):
        return self.values["compute"]


class NoCompute:
    def __init__(self, update=None, compute=None):
        pass

    def open(self, source, prompts):
        pass

    def update(self, frame, masks):
        return {}


def first_object(frame, masks, level=255):
    """A render of the first object in white, which needs one."""
    return np.repeat(masks.masks_nhw[0][..., None] * np.uint8(level), 3, axis=2)


def floats(frame, masks):
    return first_object(frame, masks) / 255


def flat(frame, masks):
    return first_object(frame, masks)[..., 0]


def flat_later(frame, masks):
    return first_object(frame, masks) if frame.index < 2 else flat(frame, masks)


def nothing(frame, masks):
    """Draws into the frame, perhaps, and forgets to return it."""


def dividing(frame, masks):
    return first_object(frame, masks, level=255 // (1 // 2))


def boxes(source, **keys):
    """Prompts, as somebody may imagine them."""
    return [[1, 2, 3, 4]]


def nothing_said(source, **keys):
    """Prompts that were not returned."""
