"""Replay: the recorded masks of an earlier run as a segmenter, so that a new background or codec needs no model."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidseg.record.masks import no_masks, open_masks
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)


class Replay:
    """The masks of a run's folder, of its masks.jsonl, or of a folder of label maps.

    A frame without a record gets empty masks, and a warning at the end. Raises InputError if there are no masks at
    ``path``, or (in ``track``) if they don't have the size of the video.
    """

    device = "cpu"
    precision = "fp32"
    own_objects = True  # prompts, if there are any, are only drawn

    def __init__(self, path: str | None) -> None:
        self._masks = open_masks(path, "model.path")
        self.provenance: Mapping[str, str] = {"replay": str(Path(str(path)).resolve())}

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Iterator[tuple[Frame, FrameMasks]]:
        """The source's frames, each with its recorded masks."""
        missing = 0
        for frame in source:
            masks = self._masks.frame_masks(frame.index, source.info)
            missing += masks is None
            yield frame, masks or no_masks(frame.index, self._masks.object_ids, source.info)
        if missing:
            log.warning("model.path: %d frames have no masks there; they are empty", missing)
