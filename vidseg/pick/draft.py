"""The draft: every state that a document had, on the disk, so that a reload or a stopped server loses nothing.

runs/pick/<video>-<hash>/draft.json   the states, the number of the present one, and which edit it came from
runs/pick/<video>-<hash>/masks/       masks that were painted, PNG, named by their content
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.paths import made_whole
from vidseg.pick.document import Document, empty
from vidseg.types import Mask

_MOST = 500  # states; a document of 20 prompts has 2 kB


class StaleError(InputError):
    """Somebody else has edited the document since."""


class Draft:
    """The states of one video's document in ``folder``. ``revision`` grows with every edit, undo and redo."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._file = folder, folder / "draft.json"
        self._states: list[Document] = [empty()]
        self._at = self.revision = 0
        self._read()

    @property
    def document(self) -> Document:
        """The present state."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state."""
        return self._at + 1 < len(self._states)

    def edit(self, revision: int | None, document: Document) -> None:
        """Makes ``document`` the present state. Raises StaleError unless ``revision`` is the present one, or None."""
        self._check(revision)
        if document != self.document:
            self._states = [*self._states[: self._at + 1], document][-_MOST:]
            self._at = len(self._states) - 1
            self._write()

    def move(self, revision: int | None, by: int) -> None:
        """Undoes (-1) or redoes (1). Raises StaleError as ``edit`` does; does nothing where there is no such state."""
        self._check(revision)
        if 0 <= self._at + by < len(self._states):
            self._at += by
            self._write()

    def keep_mask(self, mask_hw: Mask) -> str:
        """Stores a mask; returns its name."""
        png = cv2.imencode(".png", mask_hw.astype(np.uint8) * 255)[1].tobytes()
        name = hashlib.sha256(png).hexdigest()[:16]
        if not self._mask(name).exists():
            with made_whole(self._mask(name)) as file:
                file.write(png)
        return name

    def read_mask(self, name: str) -> Mask:
        """The mask (h, w) of a name. Raises InputError if there is none."""
        if re.fullmatch(r"[0-9a-f]{16}", name) and (path := self._mask(name)).exists():
            pixels: NDArray[Any] | None = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
            if pixels is not None:
                return pixels > 0
        raise InputError(f"mask: there is no {name[:40]!r} in {self.folder}")

    def _mask(self, name: str) -> Path:
        return self.folder / "masks" / f"{name}.png"

    def _check(self, revision: int | None) -> None:
        if revision is not None and revision != self.revision:
            raise StaleError("the prompts were changed in another window; they are shown as they are now")

    def _read(self) -> None:
        try:
            content = json.loads(self._file.read_text("utf-8"))
            states, at, revision = content["states"], int(content["at"]), int(content["revision"])
            if 0 <= at < len(states):
                self._states, self._at, self.revision = states, at, revision
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self._file} can't be read: {error}; remove it to begin anew") from error

    def _write(self) -> None:
        self.revision += 1
        content = {"at": self._at, "revision": self.revision, "states": self._states}
        with made_whole(self._file) as file:
            file.write(json.dumps(content).encode())


def folder_of(video: str) -> Path:
    """Where the draft of a video is, relative to the working directory."""
    path = Path(video)
    identity = video if video == "sample" else str(path.resolve())
    name = re.sub(r"[^\w-]+", "_", path.stem)[:40] or "video"
    return Path("runs", "pick", f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}")
