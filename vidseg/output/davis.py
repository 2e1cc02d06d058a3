"""Label maps in the folders that benchmarks have, and the ZIP that their servers take.

DAVIS, MOSE and YouTube-VOS name them ``<folder>/<video>/00000.png`` after their frames. In the ZIP of a submission to
DAVIS and MOSE the videos' folders are at the top; YouTube-VOS' server wants them in a folder ``Annotations``, and isn't
served by it.
"""

import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from filelock import FileLock

from vidseg.composite import PALETTE, label_map
from vidseg.errors import InputError
from vidseg.output.spool import video_name
from vidseg.paths import meant
from vidseg.record.files import whole
from vidseg.record.label_maps import write_label_map
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)


class Davis:
    """The folder ``path``, and in it ``folder``/<video>/00000.png; see ``vidseg.output.files.MaskImages``.

    ``submission`` is a ZIP to which the video is added when its run ends; it may hold others, of other runs, and be
    added to by several at a time. ``files`` are the folders in ``path``.
    """

    files: Sequence[str] = ()

    def __init__(self, path: str, folder: str, submission: str | None) -> None:
        self.path = path
        self._parents = PurePosixPath(folder)
        if not folder.strip("/. ") or self._parents.is_absolute() or ".." in self._parents.parts:
            raise InputError(f"folder: {folder} is no folder in {path}; give Annotations/480p, or Annotations")
        self._submission = None if submission is None else meant(submission)

    def check(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Finds out what the folders will be called. Raises InputError if the video can't be added to the ZIP."""
        parents = [*reversed(self._parents.parents), self._parents]
        self.files = (*map(str, parents[1:]), str(self._parents / video_name(source)))
        if (archive := self._submission) is None:
            return
        if not archive.parent.is_dir():
            raise InputError(f"submission: there is no folder {archive.parent} to write {archive.name} into; make it")
        if archive.exists() and not zipfile.is_zipfile(archive):
            raise InputError(f"submission: {archive} is there and is no ZIP; choose another name")
        if (taken := len(source.frames)) != (total := source.info.num_frames) and total is not None:
            raise InputError(f"submission: {taken} of {total} frames are taken; leave out extract.start, stop and step")

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folders."""
        self._info, self._name, self._missing = source.info, video_name(source), len(source.frames)
        self._folder = folder / self.path / self._parents / self._name
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the label map of one frame."""
        path = self._folder / f"{self._info.file_stem(frame.index)}.png"
        write_label_map(path, label_map(masks), PALETTE, "output.davis")
        self._missing -= 1

    def close(self) -> None:
        """Adds the video to the submission, if all its frames are there."""
        if self._submission is not None and self._missing:
            log.warning("output.davis.submission: the run of %s ended early: it is not added", self._name)
        elif self._submission is not None:
            with FileLock(self._submission.with_name(f".{self._submission.name}.lock")):
                _add(self._submission, self._name, self._folder)

    def abort(self) -> None:
        """Does nothing: a file that couldn't be written is removed by then."""


def _add(archive: Path, video: str, folder: Path) -> None:
    """Puts a folder's PNGs into a ZIP as ``video``/*.png, in place of those it may have of that video."""
    with whole(archive) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as new:  # PNGs don't shrink any more
        if archive.exists():
            with zipfile.ZipFile(archive) as old:
                for entry in old.infolist():
                    if not entry.filename.startswith(f"{video}/"):
                        new.writestr(entry, old.read(entry))
        for image in sorted(folder.glob("*.png")):
            new.write(image, f"{video}/{image.name}")
