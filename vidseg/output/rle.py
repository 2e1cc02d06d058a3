"""masks.jsonl as an output of the run; what a line holds is vidseg.record.masks'."""

from contextlib import suppress
from pathlib import Path

from vidseg.record import masks as record
from vidseg.types import Frame, FrameMasks, Source


class MaskLines:
    """Writes one line a frame into ``path``. The file can be followed while the run goes on."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lines: record.MaskLines | None = None

    def open(self, folder: Path, source: Source) -> None:
        """Starts an empty file."""
        self._lines = record.MaskLines(folder / self.path)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Appends the line of one frame."""
        assert self._lines is not None
        self._lines.add(frame, masks)

    def close(self) -> None:
        """Closes the file."""
        if self._lines is not None:
            self._lines.close()

    def abort(self) -> None:
        """Closes the file as well: every line in it is complete."""
        with suppress(OSError):
            self.close()
