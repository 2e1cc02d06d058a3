"""frames.jsonl: the numbers that are logged of each frame (times, memory, mask areas, scores), one line a frame."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidseg.record.jsonl import JsonLines, read_lines

NAME = "frames.jsonl"


class FrameLines(JsonLines):
    """Writes ``{"frame": …, "time_s": …, "time/segment_ms": …, …}`` into ``folder``/frames.jsonl."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / NAME)

    def add(self, frame_index: int, time_s: float, values: Mapping[str, float]) -> None:
        """Appends the line of one frame; ``values`` are named as in W&B."""
        self.write({"frame": frame_index, "time_s": round(time_s, 6), **values})


def read_frames(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of ``folder``/frames.jsonl, in order; none if the run has no such file."""
    if (folder / NAME).is_file():
        yield from (line for _, line in read_lines(folder / NAME, "frame", "time_s"))
