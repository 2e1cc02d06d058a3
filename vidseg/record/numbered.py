"""The images of a folder, by the last number in each name: 00012.jpg, frame_12.png and "img-012 (copy).PNG" are 12."""

import re
from collections.abc import Container
from pathlib import Path

from vidseg.errors import InputError

_NUMBER = re.compile(r"(\d+)\D*$")


def numbered(folder: Path, suffixes: Container[str], key: str) -> dict[int, Path]:
    """The files with one of ``suffixes`` (lower case), in ascending order of their numbers; hidden ones are left out.

    Raises InputError, naming ``key``, if the folder can't be read or two files have the same number.
    """
    try:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith("."))
    except PermissionError as error:
        raise InputError(f"{key}: {folder} can't be read: permission denied") from error
    found: dict[int, Path] = {}
    for file in files:
        if match := _NUMBER.search(file.stem):
            other = found.setdefault(int(match[1]), file)
            if other != file:
                raise InputError(
                    f"{key}: {folder}: {other.name} and {file.name} have the same number; keep one kind of image"
                )
    return dict(sorted(found.items()))
