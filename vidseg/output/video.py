"""A rendered video: one writer for cutout, overlay and transparency; they differ in render function and codec."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_method
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.types import Frame, FrameMasks, Source
from vidseg.video.encoder import Encoder, check_codec

Render = Callable[[Frame, FrameMasks], NDArray[np.uint8]]


class VideoOutput:
    """Encodes ``render(frame, masks, **options)`` for every frame.

    ``render`` is the dotted name of a function in vidseg.composite (or the user's own) that returns (h, w, 3) RGB, or
    (h, w, 4) RGBA for a codec with alpha; the other keys are its options. Raises InputError for options, a codec or a
    quality that can't be, before anything is written.
    """

    def __init__(self, path: str, codec: str, quality: float | None, render: str, **options: Any) -> None:
        self.path = path
        self._codec, self._quality = codec, quality
        self._render: Render = partial(get_method(render), **options)
        row, _ = check_codec(codec, path, quality)
        try:
            trial = self._render(
                Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8)), FrameMasks(0, (), np.zeros((0, 2, 2), np.float32))
            )
        except TypeError as error:
            raise InputError(f"render: {error}") from error
        if trial.shape[2] == 4 and not row.alpha:
            raise InputError(f"codec: {codec} has no alpha, which {render} draws; prores4444 and vp9_alpha have")
        self._encoder: Encoder | None = None

    def open(self, folder: Path, source: Source) -> None:
        """Starts the encoder."""
        self._encoder = Encoder(
            folder / self.path,
            self._codec,
            source.info,
            quality=self._quality,
            audio=source.audio,
            offset_s=source.offset_s,
        )

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Renders and queues one frame."""
        assert self._encoder is not None
        self._encoder.write(self._render(frame, masks), frame.time_s)

    def close(self) -> None:
        """Finishes the file under its final name."""
        assert self._encoder is not None
        self._encoder.close()

    def abort(self) -> None:
        """Removes the unfinished file."""
        if self._encoder is not None:
            self._encoder.abort()
