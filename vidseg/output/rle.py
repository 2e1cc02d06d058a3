"""masks.jsonl: every object's mask on every frame as COCO RLE, one line a frame as it is finished."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from vidseg.record.jsonl import JsonLines
from vidseg.types import Frame, FrameMasks, Mask, Source


def encode(mask_hw: Mask) -> dict[str, Any]:
    """COCO RLE of a mask as JSON holds it: {"size": [h, w], "counts": text}."""
    rle = coco.encode(np.asfortranarray(mask_hw, np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


class MaskLines:
    """Writes {"frame", "time_s", "objects": [{"id", "rle", "area", "score"}]} a frame.

    The file can be followed while the run goes on, and keeps what was computed when it ends early.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lines: JsonLines | None = None

    def open(self, folder: Path, source: Source) -> None:
        """Starts an empty file."""
        self._lines = JsonLines(folder / self.path)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Appends one line."""
        assert self._lines is not None
        scores = masks.scores or (None,) * len(masks.object_ids)
        objects = [
            {
                "id": object_id,
                "rle": encode(mask_hw),
                "area": int(np.count_nonzero(mask_hw)),
                "score": None if score is None else round(score, 4),
            }
            for object_id, mask_hw, score in zip(masks.object_ids, masks.masks_nhw, scores, strict=True)
        ]
        self._lines.write({"frame": frame.index, "time_s": round(frame.time_s, 6), "objects": objects})

    def close(self) -> None:
        """Ends the file."""
        if self._lines is not None:
            self._lines.close()

    def abort(self) -> None:
        """Ends the file, too: its lines are whole."""
        with suppress(OSError):
            self.close()
