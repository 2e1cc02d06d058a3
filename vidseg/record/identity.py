"""What a run is: its configuration, and the contents of the files that it names. Such runs have the same masks.

An identity is a value for each dotted key. The value of a key that names a file or a folder is its content: the SHA-256
of a small file, size and time of a large one, names, sizes and times of what is in a folder.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.prompt_file import entries
from vidseg.record.files import whole
from vidseg.record.folder import PRIVATE
from vidseg.record.run import IDENTITY, flatten

Identity = dict[str, Any]

NAME = IDENTITY

WITHOUT_MASKS = ("matte", "output", "metric", "tracker", "stride", "optimize", "resume", "repeat", "checkpoint")
"""Keys and groups that change no mask."""
NOT_THE_RUNS = ("hydra", "resume", "optimize", "checkpoint")  # how a run is made, not what it is
WITHOUT_FILES = ("output", "tracker")
_READ = ("video", "prompt", "model", "metric")  # whose values may name files
_SMALL = 16 * 2**20


def identify(config: DictConfig) -> Identity:
    """The identity of the run that a configuration describes; values stand as they are, interpolations too."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    identity: Identity = dict(flatten("", {key: plain[key] for key in plain if key not in NOT_THE_RUNS}))
    if identity.get("repeat") == 1:  # as if there were no repetitions: a sweep can be resumed with more of them
        del identity["repeat"]
    if identity.get("sample.shutter") == 0:  # as if there were none: runs of before have none
        del identity["sample.shutter"]
    for key, value in identity.items():
        if not isinstance(value, str) or key.split(".")[0] in WITHOUT_FILES:
            continue
        if "${oc.env:" in value:  # another run's environment may differ; the number of a sweep's job isn't the run's
            identity[key] = value = str(OmegaConf.select(config, key))
        if key.split(".")[0] in _READ and (path := _path(config, key, value)) is not None:
            identity[key] = _content(path)
    return identity


def remember(folder: Path, what: Mapping[str, Any]) -> None:
    """Writes what the run in ``folder`` is, its ``identity`` and more, so that it is known again."""
    path = folder / PRIVATE / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path, durable=True) as part:
        part.write_text(json.dumps(what, indent=1, default=str) + "\n", encoding="utf-8")


def recall(folder: Path) -> dict[str, Any] | None:
    """What ``remember`` wrote; None if there is nothing that can be read."""
    try:
        content = json.loads((folder / PRIVATE / NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("identity"), dict) else None


def difference(now: Identity, then: Identity) -> str | None:
    """The first key that changes masks and isn't the same; None if there is none."""
    keys = [key for key in now | then if key.split(".")[0] not in WITHOUT_MASKS]
    return next((key for key in keys if now.get(key, ...) != then.get(key, ...)), None)


def check_same(now: Identity, then: Identity, folder: Path) -> None:
    """Raises InputError, with the key, if the run in ``folder`` was told anything else that changes masks."""
    if (key := difference(now, then)) is not None:
        name = key.removesuffix("._target_")
        change = _change(now.get(key), then.get(key))
        raise InputError(f"{name}: {change} in {folder}, and changes masks; start anew in another folder")


def _change(now: Any, then: Any) -> str:
    """What a key is and was, as the beginning of a sentence."""
    if isinstance(now, dict) and isinstance(then, dict):
        return "the file has changed since the run"
    return f"{now} isn't {then}, as it was for the run"


def _path(config: DictConfig, key: str, value: str) -> Path | None:
    """The file or folder that the value of a key names, if it is there."""
    try:
        value = str(OmegaConf.select(config, key)) if "${" in value else value
        if (key, value) == ("video", "sample"):
            return None
        path = meant(value.partition("@sha256:")[0])
        if key.endswith(".root"):  # only the folder of this video counts
            video = meant(str(config.video))
            path = next((path / name for name in (video.name, video.stem) if (path / name).is_dir()), path)
        return path if path.exists() else None
    except (OmegaConfBaseException, OSError, ValueError):  # no value, no path
        return None


def _content(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = (entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_file())
        entries = sorted((entry.name, *_stamp(entry)) for entry in files)
        return {"sha256_of_names_sizes_and_times": hashlib.sha256(repr(entries).encode()).hexdigest()}
    size, modified_ns = _stamp(path)
    if size > _SMALL:
        return {"bytes": size, "modified_ns": modified_ns}
    content = {"sha256": _digest(path.absolute(), size, modified_ns)}
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        content |= {mask: _digest(image.absolute(), *_stamp(image)) for mask, image in _masks(path)}
    return content


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=10_000)  # the jobs of a sweep read the same files
def _digest(path: Path, size: int, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _masks(prompts: Path) -> Iterator[tuple[str, Path]]:
    """The masks that a prompt file names, and where they are; none if it is something else."""
    try:
        for entry in entries(prompts):
            image = prompts.parent / meant(str(entry.get("mask")))
            if "mask" in entry and image.is_file():
                yield str(entry["mask"]), image
    except (TypeError, AttributeError, OSError, ValueError):  # InputError is a ValueError
        return
