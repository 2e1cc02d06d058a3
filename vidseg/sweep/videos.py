"""A sweep over many videos: ``video=@list.txt`` and ``video='clips/*.mp4'`` become a list of values for Hydra.

The command line is changed before Hydra reads it, because Hydra's grammar has neither.
"""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from vidseg.config.values import UNREADABLE, literal, name_groups, pieces, quote_paths, read, split, texts
from vidseg.errors import InputError
from vidseg.paths import exists, meant

MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")


def spread(arguments: Sequence[str]) -> list[str]:
    """The command line's arguments, with a list or a pattern of videos replaced by its paths, paths quoted, and
    ``prompt.detector=NAME`` as Hydra writes it.

    Raises InputError if a list is missing or empty, if a pattern matches nothing, or if there is one without -m.
    """
    sweeping = any(argument.lstrip("+") in MULTIRUN for argument in arguments)
    spread_out = [_spread(argument, sweeping) for argument in name_groups(arguments)]
    return quote_paths(spread_out, sweeping)


def _spread(argument: str, sweeping: bool) -> str:
    start, key, text = split(argument)
    values = _values(text) if key == "video" else []
    if not any(map(_is_many, values)):
        return argument
    if not sweeping:
        word = next(filter(_is_many, values))
        kind = "a list" if word.startswith("@") else "a pattern"
        raise InputError(f"video: {word} is {kind} of videos; add -m to run a job for each")
    paths = [path for value in values for path in (_paths(value) if _is_many(value) else [value])]
    return start + ",".join(map(literal, dict.fromkeys(paths)))


def _values(text: str) -> list[str]:
    """The values that ``text`` has: by what there is, or else as Hydra reads it; one value if Hydra can't."""
    if values := pieces(text, _is_known):
        return values
    value = read(text)
    return [text] if value is UNREADABLE else texts(value)


def _is_known(value: str) -> bool:
    """Whether a value is the clip, or there is such a file, list, or match of a pattern."""
    if value == "sample" or exists(meant(value)):
        return True
    return exists(meant(value[1:])) if value.startswith("@") else has_magic(value) and bool(_matching(value))


def _is_many(value: str) -> bool:
    return (value.startswith("@") or has_magic(value)) and not exists(meant(value))


def _paths(value: str) -> list[str]:
    if value.startswith("@"):
        return _listed(meant(value[1:]))
    if not (found := _matching(value)):
        raise InputError(f"video: nothing matches {value} (from {Path.cwd()})")
    return found


def _matching(pattern: str) -> list[str]:
    return sorted(glob(str(meant(pattern)), recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)


def _listed(file: Path) -> list[str]:
    """The paths in a list file: one a line, relative to the file's folder; blank lines and those with # are skipped."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"video: can't read the list {file}: {reason}") from error
    paths = [str(file.parent / meant(line)) for line in lines if line and not line.startswith("#")]
    if not paths:
        raise InputError(f"video: the list {file} is empty; it has one path a line, relative to its folder")
    return paths
