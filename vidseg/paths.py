"""The path that a user's text means, and the home folder that other packages ask for."""

import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def exists(text: str | Path) -> bool:
    """Whether there is a file or folder of that name; False for a name that can't be one, such as one too long."""
    return os.path.exists(text)  # noqa: PTH110 (Path.exists raises OSError for a name that is too long)


def meant(text: str | Path) -> Path:
    """The path ``text``; if there is none, with the home folder for a leading ``~`` or ``~user``, where it is known."""
    return Path(text) if exists(text) else Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises)


def find_home() -> None:
    """Sets HOME where it is missing: to the user's folder, or for a user without one to a folder for temporary files.

    W&B and the Hugging Face hub keep their caches there; without it they fail, or write into the working directory.
    """
    if os.environ.get("HOME") or os.name != "posix":
        return
    os.environ.pop("HOME", None)
    home = os.path.expanduser("~")  # noqa: PTH111 (Path.home raises)
    if not os.path.isabs(home):  # noqa: PTH117 (text, "~" if there is none)
        home = tempfile.mkdtemp(prefix="vidseg-home-")
        log.warning("HOME isn't set and this user has no home folder: caches are in %s; set HOME to keep them", home)
    os.environ["HOME"] = home
