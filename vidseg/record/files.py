"""Files that are there whole or not at all, and images by the number in their names."""

import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.errors import InputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, to write to. It is renamed to ``path`` if the block ends without an error."""
    part = path.with_name(f".{path.name}.part")
    yield part
    part.replace(path)


def numbered(folder: Path, suffixes: Container[str], key: str) -> dict[int, Path]:
    """The files with one of ``suffixes`` (lower case) by the last number in their names, ascending; no hidden ones.

    00012.jpg, frame_12.png and "img-012 (copy).PNG" are 12. Raises InputError, naming ``key``, if the folder can't be
    read or two files have the same number.
    """
    try:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith("."))
    except PermissionError as error:
        raise InputError(f"{key}: {folder} can't be read: permission denied") from error
    found: dict[int, Path] = {}
    for file in files:
        if match := re.search(r"(\d+)\D*$", file.stem):
            other = found.setdefault(int(match[1]), file)
            if other != file:
                names = f"{other.name} and {file.name}"
                raise InputError(f"{key}: {folder}: {names} have the same number; keep one kind of image")
    return dict(sorted(found.items()))
