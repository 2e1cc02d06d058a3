"""The folder of a run or a sweep is its own: it is made exclusively, and locked while somebody writes there.

In it, ``.vidseg`` holds what only vidseg reads. The kernel frees the lock when its process ends, however it ends.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

from vidseg.errors import InputError

PRIVATE, LOCK = ".vidseg", "lock"


def reserve(folder: Path, key: str) -> Path:
    """Makes ``folder``, or the first of ``folder``_1, ``folder``_2, … that isn't there; returns the one it made.

    Nobody else gets the same one, in no process and on no machine of the file system. Raises InputError, naming
    ``key``, if it can't be made.
    """
    with writing(folder, key):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for number in count():
            own = folder.with_name(f"{folder.name}_{number}") if number else folder
            try:
                own.mkdir()
            except FileExistsError:
                continue
            return own
    raise AssertionError("unreachable")


def lock(folder: Path, key: str) -> AbstractContextManager[object]:
    """Locks ``folder``, which is made if it isn't there: ``with lock(…):`` holds the lock until the block ends.

    Raises InputError, naming ``key``, if the folder can't be written, and if another run, of this process or not, holds
    the lock.
    """
    from filelock import FileLock, Timeout  # takes 60 ms

    make(folder, key)
    make(folder / PRIVATE, key)
    with writing(folder, key):
        try:
            return FileLock(folder / PRIVATE / LOCK, thread_local=False).acquire(timeout=0)
        except Timeout as error:
            wait = f"wait until it ends, or choose another folder with {key}=FOLDER"
            raise InputError(f"{key}: another run is writing into {folder}; {wait}") from error


def make(folder: Path, key: str) -> None:
    """Makes ``folder`` if it isn't there. Raises InputError, naming ``key``, if nothing can be written into it."""
    with writing(folder, key):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextmanager
def writing(folder: Path, key: str) -> Iterator[None]:
    """Within the block an OSError becomes an InputError that names the path and ``key``."""
    try:
        yield
    except OSError as error:
        path, reason = error.filename or folder, (error.strerror or str(error)).lower()
        raise InputError(
            f"{key}: {path} can't be written: {reason}; choose another folder with {key}=FOLDER"
        ) from error
