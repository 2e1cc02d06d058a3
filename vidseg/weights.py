"""Files of weights: a path, a file in the package, one on the Hugging Face hub, or one at a URL.

What is fetched is kept, in the hub's own cache or in the user's cache folder. Messages name the ``key`` that the user
gave the file as. Knows nothing about models.
"""

import errno
import hashlib
import http.client
import logging
import re
import shutil
import urllib.request
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidseg.errors import InputError
from vidseg.paths import cache_folder, find_home, made_whole, meant

log = logging.getLogger(__name__)

_HASH = "@sha256:"
_TIMEOUT_S = 10.0  # to connect; the hub's own client tries for 23 s where there is no network
_CHOICES = "a .pt or .safetensors file, hf://OWNER/REPOSITORY/FILE or random"
_HUB = re.compile(r"hf://(?P<repository>[^/]+/[^/]+)/(?P<file>.+)")


def locate(name: str, key: str, choices: str = _CHOICES) -> Path:
    """The file that ``name`` means: hf://OWNER/REPOSITORY/FILE, https://…, ``pkg://FILE`` in the package, or a path.

    Any of them may end in ``@sha256:`` and the file's hash. What is fetched from a URL is kept in ``downloads()``.
    Raises InputError if there is no such file and none can be fetched; it says the ``choices``.
    """
    name = name.partition(_HASH)[0]
    if match := _HUB.fullmatch(name):
        return _from_hub(match["repository"], match["file"], key)
    if name.startswith("https://"):
        return _from_url(name, key)
    in_package = name.startswith("pkg://")
    path = Path(str(files("vidseg") / name.removeprefix("pkg://"))) if in_package else meant(name)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"{key}: {name} {what}; give {choices}")
    return path


def locate_all(checkpoint: str, files: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """The folder of a checkpoint as transformers saves it, fetched if need be, and its provenance.

    ``checkpoint`` is hf://OWNER/REPOSITORY or a folder; ``files`` are those that are needed. Raises InputError.
    """
    if not checkpoint.startswith("hf://"):
        folder = meant(checkpoint)
        if not (folder / "model.safetensors").is_file():
            raise InputError(
                f"checkpoint: {checkpoint} is no folder with config.json and model.safetensors; give one, "
                "hf://OWNER/REPOSITORY or random"
            )
        path = folder / "model.safetensors"
    else:
        repository = checkpoint.rstrip("/")
        try:
            found = {name: locate(f"{repository}/{name}", "checkpoint") for name in files}
        except InputError as error:
            first = str(error).splitlines()[0]
            raise InputError(
                f"{first}\n`hf download {repository.removeprefix('hf://')}` fetches all files of it; or give a folder "
                "that holds them"
            ) from error
        path = found["model.safetensors"]
    return path.parent, {"checkpoint": checkpoint, "sha256": digest(path, checkpoint, "checkpoint")}


def digest(path: Path, name: str, key: str) -> str:
    """The SHA-256 of the file that ``name`` means. Raises InputError if ``name`` ends in another."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = name.partition(_HASH)[2]
    if wanted and found != wanted.lower():
        raise InputError(f"{key}: {path} has the SHA-256 {found[:12]}…, not {wanted[:12]}…: damaged, or another file")
    return found


def _from_hub(repository: str, file: str, key: str) -> Path:
    find_home()
    from huggingface_hub import constants, get_session, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    name = f"{key}: hf://{repository}/{file}"
    try:
        return Path(hf_hub_download(repository, file, local_files_only=True))  # weights don't change: no network
    except LocalEntryNotFoundError:
        pass
    except ValueError as error:
        raise InputError(f"{name}: {_first_line(error)}") from error
    try:
        get_session().head(hf_hub_url(repository, file), timeout=_TIMEOUT_S)
    except Exception as error:  # whichever HTTP client the hub's package uses, any failure means that it isn't reached
        cache = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} can't be reached"
        hint = f"`hf download {repository} {file}`; or give the file itself: {key}=/path/to/{Path(file).name}"
        raise InputError(f"{name} is not in the cache ({cache}) and {why}. With a network, run\n{hint}") from error
    try:
        return Path(hf_hub_download(repository, file))
    except RepositoryNotFoundError as error:
        raise InputError(f"{name}: there is no public repository {repository} on the hub") from error
    except EntryNotFoundError as error:
        raise InputError(f"{name}: the repository {repository} has no file {file}") from error
    except Exception as error:
        why = f"the download failed: {_first_line(error)}\nRun again: it resumes"
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            why = f"no space left in {constants.HF_HUB_CACHE}; make room or set HF_HOME"
        raise InputError(f"{name}: {why}") from error


def downloads() -> Path:
    """The folder for files that were fetched from URLs: in the user's cache folder, as each system has it."""
    return cache_folder() / "weights"


def _from_url(url: str, key: str) -> Path:
    """The file at ``url``, fetched unless it was before. It gets its name when it is whole."""
    path = downloads() / Path(unquote(urlsplit(url).path)).name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # also for who puts the file there by hand
        log.info("%s: fetching %s", key, url)
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, made_whole(path) as file:
            shutil.copyfileobj(answer, file)
            expected = answer.headers.get("Content-Length")
            if expected is not None and file.tell() != int(expected):
                raise http.client.IncompleteRead(b"", int(expected) - file.tell())
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise InputError(
                f"{key}: {url}: no space left in {path.parent}; make room or set XDG_CACHE_HOME"
            ) from error
        raise InputError(
            f"{key}: {url} can't be fetched: {_first_line(error)}\n"
            f"Fetch it where there is a network, and put it there: {path}"
        ) from error
    return path


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
