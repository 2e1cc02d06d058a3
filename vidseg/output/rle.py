"""masks.jsonl: every object's mask on every frame as COCO RLE, one line a frame as it is finished."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from pycocotools import mask as coco

from vidseg.types import Frame, FrameMasks, Mask, Source


def encode(mask_hw: Mask) -> dict[str, Any]:
    """COCO RLE of a mask as JSON holds it: {"size": [h, w], "counts": text}."""
    rle = coco.encode(np.asfortranarray(mask_hw, np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


class MaskLines:
    """Writes {"frame", "time_s", "objects": [{"id", "rle", "area", "score"}]} a frame.

    Each line is flushed whole, so the file can be followed while the run goes on and keeps what was computed when it
    ends early; a line that could not be written whole is cut off again.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._whole = 0

    def open(self, folder: Path, source: Source) -> None:
        """Starts an empty file."""
        self._file = (folder / self.path).open("w", encoding="ascii")

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Appends one line."""
        assert self._file is not None
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
        line = json.dumps({"frame": frame.index, "time_s": round(frame.time_s, 6), "objects": objects})
        self._file.write(line + "\n")
        self._file.flush()
        self._whole += len(line) + 1

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()

    def abort(self) -> None:
        """Cuts off a line that is not whole."""
        if self._file is None:
            return
        with suppress(OSError):  # the rest of a line that found no space
            self._file.close()
        with suppress(OSError):
            if self._whole:
                os.truncate(self._file.name, self._whole)
            else:
                Path(self._file.name).unlink()
