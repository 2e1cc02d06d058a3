"""What tests of a segmenter that was stopped share: checkpoints in memory, and the rest of a video."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sources import ArraySource


class EveryFrame:
    """Checkpoints in memory, after every frame; -1 are those before the first, in their order."""

    def __init__(self, folder: Path, saved: bytes | None = None) -> None:
        self._folder, self.saved = folder, saved
        self.after: dict[int, bytes] = {}
        self.before: list[bytes] = []

    def wanted(self) -> bool:
        return True

    def offer(self, frame_index: int | None, save: Callable[[], bytes]) -> None:
        if frame_index is None:
            self.before.append(save())
        else:
            self.after[frame_index] = save()

    def file(self, name: str) -> Path:
        return self._folder / name


class Rest(ArraySource):
    """Iteration begins after a frame."""

    def __init__(self, clip_nhw3: Any, after: int) -> None:
        super().__init__(clip_nhw3)
        self._after = after

    def __iter__(self) -> Any:
        return (frame for frame in super().__iter__() if frame.index > self._after)


def check_same(found: dict[int, Any], whole: dict[int, Any], first: int) -> None:
    assert [*found] == [*whole][first:]
    for index, masks in found.items():
        assert np.array_equal(masks.logits_nhw, whole[index].logits_nhw), index
        assert masks.object_ids == whole[index].object_ids
        assert masks.scores == whole[index].scores
