"""The path that a user's text means, the user's home and cache folders, and files that many runs write."""

import logging
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

_TEMPORARY = "vidseg-home-"  # how the name of a home folder begins that find_home made


def exists(text: str | Path) -> bool:
    """Whether there is a file or folder of that name; False for a name that can't be one, such as one too long."""
    return os.path.exists(text)  # noqa: PTH110 (Path.exists raises OSError for a name that is too long)


def meant(text: str | Path) -> Path:
    """The path ``text``; if there is none, with the home folder for a leading ``~`` or ``~user``, where it is known."""
    return Path(text) if exists(text) else Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises)


def find_home() -> bool:
    """Sets HOME where it is missing: to the user's folder, or for a user without one to a folder for temporary files.

    W&B and the Hugging Face hub keep their caches there; without it they fail, or write into the working directory.
    Returns False if HOME is such a temporary folder, which no later run will find.
    """
    if os.name == "posix" and not os.environ.get("HOME"):
        os.environ.pop("HOME", None)
        home = os.path.expanduser("~")  # noqa: PTH111 (Path.home raises)
        if not os.path.isabs(home):  # noqa: PTH117 (text, "~" if there is none)
            home = tempfile.mkdtemp(prefix=_TEMPORARY)
            log.warning(
                "HOME isn't set and this user has no home folder: caches are in %s; set HOME to keep them", home
            )
        os.environ["HOME"] = home
    return not Path(os.environ.get("HOME", "")).name.startswith(_TEMPORARY)


def cache_folder() -> Path:
    """The user's cache folder of vidseg, as each system has it; on Linux XDG_CACHE_HOME moves it."""
    find_home()
    from platformdirs import user_cache_path

    return user_cache_path("vidseg", appauthor=False)


@contextmanager
def made_whole(path: Path) -> Generator[IO[bytes]]:
    """A new file to write, which gets the name ``path`` at the end of the block, or is removed if the block raises.

    Several processes may make the same file at once: the last one's stays. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
        os.replace(file.name, path)  # noqa: PTH105 (the name is a text)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise
