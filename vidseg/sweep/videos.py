"""A sweep over many videos: ``video=@list.txt`` and ``video='clips/*.mp4'`` become a list of values for Hydra.

The command line is changed before Hydra reads it, because Hydra's grammar has neither.
"""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException

from vidseg.config.overrides import quoted
from vidseg.errors import InputError

KEY = "video="
MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")


def spread(arguments: Sequence[str]) -> list[str]:
    """The command line's arguments, with a list or a pattern of videos replaced by its paths, quoted for Hydra.

    Raises InputError if a list is missing or empty, if a pattern matches nothing, or if there is one without -m.
    """
    sweeping = any(argument in MULTIRUN for argument in arguments)
    return [_spread(argument, sweeping) if argument.startswith(KEY) else argument for argument in arguments]


def _spread(argument: str, sweeping: bool) -> str:
    values = _values(argument)
    if not any(map(_is_many, values)):
        return argument
    if not sweeping:
        word = next(filter(_is_many, values))
        kind = "a list" if word.startswith("@") else "a pattern"
        raise InputError(f"video: {word} is {kind} of videos; add -m to run a job for each")
    paths = [path for value in values for path in (_paths(value) if _is_many(value) else [value])]
    return KEY + ",".join(map(quoted, dict.fromkeys(paths)))


def _values(argument: str) -> list[str]:
    """The values of the argument, which is one value if it names files as it is, or if Hydra can't parse it."""
    whole = argument.removeprefix(KEY)
    if (whole.startswith("@") and Path(whole[1:]).is_file()) or (has_magic(whole) and _matching(whole)):
        return [whole]
    try:
        value = OverridesParser.create().parse_override(argument).value()
    except HydraException:
        return [whole]
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    return [item.text if isinstance(item, QuotedString) else str(item) for item in values]


def _is_many(value: str) -> bool:
    return value.startswith("@") or (has_magic(value) and not Path(value).expanduser().exists())


def _paths(value: str) -> list[str]:
    if value.startswith("@"):
        return _listed(Path(value[1:]).expanduser())
    if not (found := _matching(value)):
        raise InputError(f"video: nothing matches {value} (from {Path.cwd()})")
    return found


def _matching(pattern: str) -> list[str]:
    expanded = str(Path(pattern).expanduser())
    return sorted(glob(expanded, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)


def _listed(file: Path) -> list[str]:
    """The paths in a list file: one a line, relative to the file's folder; blank lines and those with # are skipped."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"video: can't read the list {file}: {reason}") from error
    paths = [str(file.parent / Path(line).expanduser()) for line in lines if line and not line.startswith("#")]
    if not paths:
        raise InputError(f"video: the list {file} is empty; it has one path a line, relative to its folder")
    return paths
