"""Replay: the recorded masks of an earlier run as a segmenter, so that a new background or codec needs no model."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vidseg.record.masks import open_masks
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)

LOGIT = 10.0  # inside a mask, -10 outside: a record says only in or out


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
        ids = tuple(sorted(self._masks.object_ids))
        missing = 0
        for frame in source:
            masks, scores = self._masks.read(frame.index, source.info)
            missing += masks is None
            logits = np.full((len(ids), *frame.rgb_hw3.shape[:2]), -LOGIT, np.float32)
            for object_id, mask_hw in (masks or {}).items():
                logits[ids.index(object_id)][mask_hw] = LOGIT
            yield frame, FrameMasks(frame.index, ids, logits, tuple(scores.get(i) for i in ids))
        if missing:
            log.warning("model.path: %d frames have no masks there; they are empty", missing)
