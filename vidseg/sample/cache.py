"""Drawn frames of the built-in clip in the user's cache folder: a file a frame, written when it is first drawn.

A file is the picture as it is in memory, then the label map as runs of equal labels, then three numbers. Reading one
takes 1.1 ms of a core and its label map 0.4 ms, where drawing takes 100 ms; a clip takes 500 MB. No lossless codec is
quick enough: film grain and crowd have 113 MB of information in a clip (FFV1, without the grain, 90 ms a frame), and
the quickest, MagicYUV, takes 9 ms for 156 MB. A frame that can't be read or kept is drawn, as if there were no cache.
A frame's alpha, if somebody asked for it, is another file, compressed: 40 kB.
"""

import errno
import hashlib
import logging
import shutil
import struct
import time
import zlib
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.paths import cache_folder, find_home, made_whole
from vidseg.sample.paint import HEIGHT, WIDTH
from vidseg.types import RGB

log = logging.getLogger(__name__)

CLIPS = 4  # the folder holds at most so many clips: 2 GB
SPARE = 2**31  # bytes that stay free on the disk; below that nothing is kept
_PAGE = 512  # numbers of 8 bytes in a page of memory or disk
_SIZE = HEIGHT * WIDTH * 3
_END = struct.Struct("<3I")  # the number of runs, the sum of the picture, the sum of the runs
_OLD_S = 3600.0  # after so long a file without its final name is a killed run's


class FrameCache:
    """The frames of the clip of one ``seed`` and ``shutter``. Threads and processes may use the same files at once.

    What was drawn by other code (``version``) is in another folder, which is removed when this one is made.
    """

    def __init__(self, seed: int, shutter: float = 0.0) -> None:
        self._clip = f"seed{seed}" + (f"-shutter{shutter:g}" if shutter else "")
        self._keeps = True  # until something can't be written
        self._is_clean = False  # whether what is old was removed

    @cached_property
    def folder(self) -> Path | None:
        """Where the frames are; None for a user whose home folder is gone after the run."""
        if not find_home():
            return None
        return cache_folder() / "clip" / f"{self._clip}-{version()}"

    def picture(self, index: int) -> RGB | None:
        """The picture (720, 1280, 3) of frame ``index``; None if it isn't there or is damaged."""
        if (data := self._read(index, 0)) is None:
            return None
        picture, end = data[:_SIZE], data[_SIZE:].tobytes()[-_END.size :]
        if len(end) == _END.size and _END.unpack(end)[1] == _sum_pages(picture):
            return picture.reshape(HEIGHT, WIDTH, 3)
        self._remove(index)
        return None

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The label map (720, 1280) of frame ``index``; None if it isn't there or is damaged."""
        if (data := self._read(index, _SIZE)) is None:
            return None
        runs, end = data[: -_END.size], data.tobytes()[-_END.size :]
        if len(end) == _END.size and _END.unpack(end)[::2] == (len(runs) // 5, zlib.crc32(runs.tobytes())):
            lengths, labels = np.split(runs, [len(runs) // 5 * 4])
            return np.repeat(labels, lengths.view("<u4")).reshape(HEIGHT, WIDTH)
        self._remove(index)
        return None

    def alpha(self, index: int) -> NDArray[np.uint8] | None:
        """The alpha (2, 720, 1280) of frame ``index``; None if it isn't there or is damaged."""
        if self.folder is None:
            return None
        path = self.folder / _name(index, "alpha")
        try:
            found = np.frombuffer(zlib.decompress(path.read_bytes()), np.uint8)
            return found.reshape(2, HEIGHT, WIDTH).copy()
        except OSError:
            return None
        except (zlib.error, ValueError):
            self._remove(index, "alpha")
            return None

    def keep_alpha(self, index: int, alpha_nhw: NDArray[np.uint8]) -> None:
        """Writes the alpha of frame ``index``, as ``keep`` does."""
        self._write(_name(index, "alpha"), zlib.compress(alpha_nhw.tobytes(), 1))

    def keep(self, index: int, picture: RGB, labels_hw: NDArray[np.uint8]) -> None:
        """Writes frame ``index``, unless that has failed before or too little space is free."""
        labels = labels_hw.reshape(-1)
        starts = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1])
        runs = np.diff(starts, append=labels.size).astype("<u4").tobytes() + labels[starts].tobytes()
        end = _END.pack(len(starts), _sum_pages(picture.reshape(-1)), zlib.crc32(runs))
        self._write(_name(index), picture.data, runs, end)

    def _write(self, name: str, *parts: bytes | memoryview) -> None:
        if not self._keeps or self.folder is None:
            return
        try:
            self._make_room(self.folder)
            with made_whole(self.folder / name) as file:
                for part in parts:
                    file.write(part)
        except OSError as error:
            self._keeps = False
            log.info("sample: drawn frames are not kept: %s", error)

    def _read(self, index: int, offset: int) -> NDArray[np.uint8] | None:
        """The frame's file from byte ``offset`` on, None if there is none."""
        try:
            return None if self.folder is None else np.fromfile(self.folder / _name(index), np.uint8, offset=offset)
        except OSError:
            return None
        except ValueError:  # it ends before the offset
            return np.empty(0, np.uint8)

    def _remove(self, index: int, kind: str = "frame") -> None:
        """Removes a damaged file, so that its frame is drawn and kept again."""
        if self.folder is not None:
            log.debug("sample: %s is damaged; frame %d is drawn", self.folder / _name(index, kind), index)
            with suppress(OSError):
                (self.folder / _name(index, kind)).unlink()

    def _make_room(self, folder: Path) -> None:
        """Makes the folder, once without what is old. Raises OSError if that fails or too little space is free."""
        new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < SPARE:
            raise OSError(errno.ENOSPC, f"less than {SPARE / 1e9:.1f} GB are free", str(folder))
        if not self._is_clean:
            self._is_clean = True
            with suppress(OSError):  # another process may have removed it before
                self._clean(folder, new)

    def _clean(self, folder: Path, new: bool) -> None:
        """Removes what killed runs left, and, for a ``new`` clip, older ones."""
        for part in folder.glob(".*.part"):
            if _age_s(part) > _OLD_S:
                part.unlink()
        if new:
            log.info("sample: frames are drawn once and kept in %s, 0.5 GB a clip", folder)
            others = sorted((each for each in folder.parent.glob("seed*") if each != folder), key=_age_s)
            stale = [each for each in others if each.name.rpartition("-")[0] == self._clip]
            for other in stale + [each for each in others if each not in stale][CLIPS - 1 :]:
                shutil.rmtree(other, ignore_errors=True)


@cache
def version() -> str:
    """A text that is another one where pixels, truth or files may be others: it hashes the code of this package, the
    versions of NumPy and OpenCV, and the CPU's instructions (without AVX-512 one value of some frames differs by 1)."""
    found = hashlib.sha256(f"{np.__version__} {cv2.__version__} {cv2.getCPUFeaturesLine()}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py*")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _name(index: int, kind: str = "frame") -> str:
    return f"{index:03}.{kind}"


def _age_s(path: Path) -> float:
    """Seconds since a file was written, or a frame was added to a clip's folder."""
    return time.time() - path.stat().st_mtime


def _sum_pages(picture: NDArray[np.uint8]) -> int:
    """A checksum of a picture's bytes, of the sums of its pages; 0.35 ms, where CRC-32 of all bytes takes 1.9 ms."""
    return zlib.crc32(picture.view("<u8").reshape(-1, _PAGE).sum(axis=1))
