"""Replay: the masks of an earlier run as a segmenter, so that a new background or codec costs no new segmentation."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vidseg.record.masks import open_masks
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)

CERTAIN = 10.0  # the logit of a replayed pixel; a recorded mask holds no doubt


class Replay:
    """Masks from masks.jsonl (a run's folder or the file) or from a folder of label PNGs.

    Frames without a record get empty masks and a warning. Raises InputError for a path without masks, or with masks
    of another size than the video.
    """

    device = "cpu"
    precision = "fp32"

    def __init__(self, path: str | None) -> None:
        self._masks = open_masks(path, "model.path")
        self.provenance: Mapping[str, str] = {"replay": str(Path(str(path)).resolve())}

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Iterator[tuple[Frame, FrameMasks]]:
        """One pair a frame; prompts are only drawn."""
        ids = tuple(sorted(self._masks.object_ids))
        missing = 0
        for frame in source:
            masks, scores = self._masks.read(frame.index, source.info)
            missing += masks is None
            logits = np.full((len(ids), *frame.rgb_hw3.shape[:2]), -CERTAIN, np.float32)
            for object_id, mask_hw in (masks or {}).items():
                logits[ids.index(object_id)][mask_hw] = CERTAIN
            yield frame, FrameMasks(frame.index, ids, logits, tuple(scores.get(i) for i in ids))
        if missing:
            log.warning("model.path: %d frames have no masks there; they are empty", missing)
