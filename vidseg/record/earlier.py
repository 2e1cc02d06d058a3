"""An earlier run in a run's folder: which files are its own, and how the new run takes their place.

Files that vidseg didn't write are neither removed nor overwritten. Which ones it wrote is known from summary.json and
from the manifest, ``.vidseg/files.json``, which a run writes before its first file: also a run that was killed.

An earlier run's configuration and log, which are overwritten before the new configuration is checked, are set aside
until then, and put back if the new run doesn't begin.
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.record.checkpoints import remove as remove_checkpoints
from vidseg.record.files import FOUND, FOUND_MASKS, FRAMES, MASKS, whole
from vidseg.record.folder import LOCK, PRIVATE
from vidseg.record.identity import NAME as IDENTITY
from vidseg.record.summary import NAME, read_summary

MANIFEST, ASIDE = "files.json", "earlier"  # in .vidseg
FIXED = (NAME, "samples", "contact_sheet.png", FOUND, FOUND_MASKS, FRAMES, MASKS)  # what every run may write
LOG = "vidseg.log"
TAKEN = (*FIXED[:-1], LOG, ".hydra", PRIVATE)  # no output may have one of these names
SUFFIXES = (".png", ".jpg", ".json", ".txt")  # of what is in samples/ and folders of outputs
PICTURE = re.compile(r"((frame|found|ruler)_)?\d{5,}")
LOOK = re.compile(r"found_\d{5,}\.png")  # what a detector saw; a run that goes on looks at later frames only


def check(folder: Path, outputs: Mapping[str, str], reads: Mapping[str, Any], folders: Iterable[str] = ()) -> None:
    """Checks that a run may begin in ``folder``; changes nothing.

    ``outputs`` are the outputs' paths, relative to the folder, by their keys (``output.cutout.path``), ``reads`` all
    values of the configuration that may be paths, by theirs; ``folders`` are to be runs in it. Raises InputError,
    naming the key, if two outputs have one path, if a path can't be written or is taken by what vidseg didn't write,
    and if the run reads a file of the earlier run that it would remove.
    """
    listed = _listed(folder)
    own = {_absolute(folder / name) for name in listed}
    keys: dict[Path, str] = {}
    for key, name in outputs.items():
        path = _absolute(folder / name)
        if path in [_absolute(folder / each) for each in TAKEN]:
            raise InputError(f"{key}: {name} is a file of the run's own record; choose another path")
        if (other := keys.setdefault(path, key)) != key:
            raise InputError(f"{key}: {name} is the path of {other}, too; give each its own")
        parent = next(parent for parent in path.parents if parent.exists())
        if not os.access(parent, os.W_OK | os.X_OK) or not parent.is_dir():
            raise InputError(f"{key}: {name} can't be written into {parent}; choose another path")
    for path, key in ({_absolute(folder / name): "hydra.run.dir" for name in (*FIXED, *folders)} | keys).items():
        if path not in own and _holds_something(path):
            what = "another folder" if key == "hydra.run.dir" else "another path"
            raise InputError(f"{key}: {path} is there already, and vidseg didn't write it; choose {what}, or move it")
    removed = [path.resolve() for path in _files(folder, listed)]
    for key, value in reads.items():
        if isinstance(value, str) and (hit := _reads(folder, value, removed)) is not None:
            raise InputError(f"{key}: the run reads {value}, and would replace {hit}; choose another hydra.run.dir")


def begin(folder: Path, outputs: Iterable[str], pictures: Iterable[str] = (), keep: Collection[str] = ()) -> None:
    """Removes what an earlier run left in ``folder``, and writes the manifest of the run that begins there.

    ``outputs`` are the files and folders that it writes, also those in folders. ``pictures`` are the names, without
    suffixes, that it gives to files in folders, where they aren't numbers of five digits. A run that goes on with the
    earlier one says what to ``keep`` of its files.
    """
    listed = _listed(folder)
    kept = [name for name in listed if any(str(path) in keep for path in (Path(name), *Path(name).parents))]
    names = list(dict.fromkeys([*FIXED, *outputs, *keep, *kept]))
    private = folder / PRIVATE
    private.mkdir(parents=True, exist_ok=True)
    stems = list(dict.fromkeys([*pictures, *_manifest(folder, "pictures")]))
    _write_manifest(folder, [*names, *listed], stems)
    removed = [name for name in listed if name not in kept]
    if not keep:  # first what would have the rest taken for a run that can go on
        (private / IDENTITY).unlink(missing_ok=True)
        remove_checkpoints(folder)
    for path in list(_files(folder, removed)):
        if not (keep and LOOK.fullmatch(path.name)):
            path.unlink(missing_ok=True)
    _remove_empty(folder, removed)
    if keep:
        _join_logs(folder)
    for path in private.iterdir():
        if path.name not in (LOCK, MANIFEST) and (path.is_dir() or not keep):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    _write_manifest(folder, names, pictures if not keep else stems)


def _remove_empty(folder: Path, names: Iterable[str]) -> None:
    """Removes the folders among the ``names`` that are empty; of runs, whose files are gone, also what is private."""
    for path in sorted(_inside(folder, names), reverse=True):  # what is in a folder comes before it
        if _is_run(path):
            listed = [*FIXED, *_manifest(path, "files")]
            shutil.rmtree(path / PRIVATE, ignore_errors=True)
            _remove_empty(path, listed)
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def _is_run(path: Path) -> bool:
    """Whether it is a run's own folder: of one photograph, in the folder of the run over all."""
    return path.is_dir() and not path.is_symlink() and ((path / PRIVATE).is_dir() or (path / NAME).is_file())


def set_aside(folder: Path) -> None:
    """Moves the configuration and the log of an earlier run out of the way, if there is such a run."""
    aside, begun = folder / PRIVATE / ASIDE, folder / PRIVATE / f"{ASIDE}.begun"
    if aside.exists() or not _holds_run(folder):  # set aside by an attempt that was killed before it began
        return
    begun.mkdir(parents=True, exist_ok=True)
    for name in (".hydra", LOG):
        if not (begun / name).exists():  # an attempt was killed here
            with suppress(FileNotFoundError):
                (folder / name).rename(begun / name)
    begun.rename(aside)


def put_back(folder: Path) -> bool:
    """Puts the earlier run's configuration and log back, with this attempt's log at its end. False if there is none."""
    aside = folder / PRIVATE / ASIDE
    if not aside.exists():
        return False
    if (aside / ".hydra").exists():
        shutil.rmtree(folder / ".hydra", ignore_errors=True)
        (aside / ".hydra").rename(folder / ".hydra")
    _join_logs(folder)
    shutil.rmtree(aside)
    return True


def _join_logs(folder: Path) -> None:
    """Puts the log that was set aside before the one of now."""
    before, log = folder / PRIVATE / ASIDE / LOG, folder / LOG
    if before.exists() and log.exists():
        log.write_bytes(before.read_bytes() + log.read_bytes())  # in place: it is open
    elif before.exists():  # nothing was logged yet
        before.rename(log)


def _holds_run(folder: Path) -> bool:
    """Whether a run began there, so that something may have been computed."""
    return (folder / PRIVATE / MANIFEST).is_file() or bool((read_summary(folder) or {}).get("frames"))


def _listed(folder: Path) -> list[str]:
    """The paths that an earlier run may have written, relative to the folder; none without such a run."""
    summary = read_summary(folder)
    if not _holds_run(folder):
        return [] if summary is None else [NAME]  # of a run that failed before it began
    outputs = (summary or {}).get("outputs")
    named = outputs.values() if isinstance(outputs, dict) else ()
    return list(dict.fromkeys(map(str, [*FIXED, *named, *_manifest(folder, "files")])))


def _manifest(folder: Path, key: str) -> list[str]:
    """What the manifest in ``folder`` has under "files" or "pictures"; nothing if it can't be read."""
    try:
        content = json.loads((folder / PRIVATE / MANIFEST).read_bytes())
        return [str(name) for name in content[key]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write_manifest(folder: Path, names: Iterable[str], pictures: Iterable[str]) -> None:
    content = {"files": list(dict.fromkeys(names)), "pictures": list(pictures)}
    with whole(folder / PRIVATE / MANIFEST, durable=True) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _files(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files in ``folder`` that belong to the ``names``: of a folder the run's pictures, and unfinished files."""
    stems = set(_manifest(folder, "pictures"))
    for path in _inside(folder, names):
        if _is_run(path):
            yield from _files(path, _listed(path))
        elif path.is_dir() and not path.is_symlink():
            for each in sorted(path.iterdir()):
                stem, dot, suffix = each.name.removeprefix(".").removesuffix(".part").rpartition(".")
                named = f"{dot}{suffix}" in SUFFIXES and (PICTURE.fullmatch(stem) or stem in stems)
                if each.is_file() and named:
                    yield each
        elif path.is_file() or path.is_symlink():
            yield path
        if (part := path.with_name(f".{path.name}.part")).is_file():
            yield part


def _inside(folder: Path, names: Iterable[str]) -> list[Path]:
    """The paths of those ``names`` that are in ``folder``: not above it, nor elsewhere, nor behind a link."""
    root = folder.resolve()
    paths = [folder / name for name in names]
    return [path for path in paths if path.parent.resolve().is_relative_to(root) and path.resolve() != root]


def _reads(folder: Path, value: str, removed: Iterable[Path]) -> Path | None:
    """The first file in ``removed`` that is the path ``value`` or, for one that isn't around ``folder``, in it."""
    try:
        path = meant(value).resolve()
        inside = bool(value) and path.is_relative_to(folder.resolve()) and path.exists()
    except (OSError, ValueError):  # any text: too long for a path, with a null byte
        return None
    return next((each for each in removed if each.is_relative_to(path)), None) if inside else None


def _holds_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.is_file()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow the last link)
