"""Single frames of a source: ``preview=true`` looks at the prompted frames alone."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.types import Frame, Prompt, Source


class Selection:
    """The frames of ``source`` with the given numbers, each read by seeking; without sound."""

    def __init__(self, source: Source, frames: Sequence[int]) -> None:
        self._source = source
        self.name = source.name
        self.info = source.info
        self.frames = frames
        self.audio: Path | None = None
        self.offset_s = 0.0
        self.prompts: tuple[Prompt, ...] = source.prompts

    def __iter__(self) -> Generator[Frame]:
        return (self[index] for index in self.frames)

    def backwards(self, position: int) -> Generator[Frame]:
        """From the frame at ``position`` of ``self.frames`` to the first."""
        return (self[self.frames[n]] for n in range(position, -1, -1))

    def __getitem__(self, index: int) -> Frame:
        return self._source[index]

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The source's ground truth."""
        return self._source.truth(index)

    def provenance(self) -> Mapping[str, str]:
        """The source's provenance."""
        return self._source.provenance()
