"""Single frames of another source, for a look at the prompts before the long run."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.types import Frame, Prompt, Source
from vidseg.video.backwards import one_by_one


class Selection:
    """The frames of ``source`` with the given numbers, each read by seeking."""

    def __init__(self, source: Source, frames: Sequence[int]) -> None:
        self._source = source
        self.name = source.name
        self.info = source.info
        self.frames = frames
        self.audio: Path | None = None
        self.offset_s = 0.0
        self.prompts: tuple[Prompt, ...] = source.prompts

    def __iter__(self) -> Generator[Frame]:
        """The frames in order."""
        for index in self.frames:
            yield self._source[index]

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return one_by_one(self, position)

    def __getitem__(self, index: int) -> Frame:
        """The frame of that number in the source."""
        return self._source[index]

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The source's own."""
        return self._source.truth(index)

    def provenance(self) -> Mapping[str, str]:
        """The source's own."""
        return self._source.provenance()
