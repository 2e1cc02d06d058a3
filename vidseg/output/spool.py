"""What the outputs that are one file of annotations share: a temporary file, and the names of objects and images.

Lists that come first in a file, such as the classes, are complete only when the run ends. Until then the entries are in
a temporary file without a name, which is gone with the process however that ends.
"""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

import numpy as np

from vidseg.errors import InputError
from vidseg.record.files import whole
from vidseg.types import FrameMasks, Mask, Source, VideoInfo

UNNAMED = "object"  # the class of an object without a name


class Classes(dict[str, int]):
    """Numbers of classes by name, from ``first`` on: those that are ``known``, then others as they are seen."""

    def __init__(self, first: int, known: Sequence[str] = ()) -> None:
        super().__init__()
        self._first = first
        for name in known:
            self.number(name)

    def number(self, name: str) -> int:
        """The number of a class."""
        return self.setdefault(name, self._first + len(self))


class Numbering:
    """What outputs that number classes share: ``classes`` of the configuration come first, then those of the prompts.

    So one class has one number in all videos and photographs of a command. Raises InputError for what are no names.
    """

    def __init__(self, classes: Sequence[str] | None) -> None:
        given = [classes] if isinstance(classes, str) else list(classes or ())
        if not all(isinstance(name, str) and name.strip() for name in given) or len(set(given)) < len(given):
            raise InputError(f"classes: {given} is no list of names, each once, such as [person,dog]")
        self._given, self.known = given, given

    def expect(self, classes: Sequence[str]) -> None:
        """Takes the names that objects may have."""
        self.known = [*self._given, *classes]


def class_names(masks: FrameMasks) -> list[str]:
    """The class of each object on a frame: its name, or UNNAMED."""
    return [UNNAMED if name is None else name for name in masks.names or (None,) * len(masks.object_ids)]


def image_name(info: VideoInfo, index: int, suffix: str) -> str:
    """The name of a frame's image: that of its file, or for a video file its number with ``suffix``."""
    return f"{index:05d}{suffix}" if info.file_names is None else info.file_names[index]


def image_stem(info: VideoInfo, index: int) -> str:
    """The name of a frame's image without its suffix."""
    return f"{index:05d}" if info.file_names is None else Path(info.file_names[index]).stem


def video_name(source: Source) -> str:
    """What benchmarks call a video: the name of its folder of frames, or of its file without the suffix."""
    is_file = source.info.file_names is None or source.info.still
    return Path(source.name).stem if is_file else source.name


def runs(mask_hw: Mask) -> list[int]:
    """The lengths of a mask's runs row by row, of background first: 0 if the mask begins at once."""
    flat = np.concatenate(([False], mask_hw.ravel(), [not mask_hw[-1, -1]]))
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(ends, prepend=0)]


class Spooled:
    """One file at ``path``, made of a spool when the run ends: whole, or not at all."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._spool: IO[bytes] | None = None

    def open(self, folder: Path, source: Source) -> None:
        """Begins the spool, in the run's folder."""
        self._file, self._source, self._info = folder / self.path, source, source.info
        self._spool = tempfile.TemporaryFile(dir=self._file.parent)  # noqa: SIM115 (closed in close and abort)

    def close(self) -> None:
        """Writes the file."""
        with whole(self._file) as part, part.open("w", encoding="utf-8", newline="\n") as file:
            self._finish(file)
        self.abort()

    def abort(self) -> None:
        """Gives the spool back."""
        if self._spool is not None:
            with suppress(OSError):
                self._spool.close()

    def _finish(self, file: TextIO) -> None:
        """Writes the content of the finished file."""
        raise NotImplementedError

    def _add(self, text: str) -> None:
        assert self._spool is not None
        self._spool.write(text.encode())

    def _copy(self, file: TextIO) -> None:
        """Copies the spool into the file, from its beginning."""
        assert self._spool is not None
        self._spool.seek(0)
        for line in self._spool:
            file.write(line.decode())
