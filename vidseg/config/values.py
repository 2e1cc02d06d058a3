"""A value that names a file or folder is that path, whatever Hydra's grammar makes of its brackets, commas or blanks.

So is a text in words.

The arguments are changed before Hydra reads them: such a value is quoted.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Quote, QuotedString
from hydra.errors import HydraException

from vidseg.paths import exists, meant

PATHS = re.compile(r"video|prompt\.(path|root)|model\.(path|checkpoint|config)|metric\.\w+\.(truth|root|reference)")
"""Keys whose value is a path of the user's."""

TEXTS = re.compile(r"prompt\.text")
"""Keys whose value is a text in any language, with commas and blanks."""

FOLDERS = re.compile(r"hydra\.(run|sweep)\.dir|tracker\.dir")
"""Keys whose value is a path that the run may make, and that may hold ``${now:…}``."""

WORDS = {"video": "sample", "model.checkpoint": "random"}
"""What isn't a path, even if there is a file of that name: ./sample is the file."""

CHOICES = re.compile(r"(?:prompt|model)\.(detector)")
"""Keys whose value is a choice of another group, which Hydra writes as detector@prompt.detector=NAME."""

HASH = "@sha256:"  # model.checkpoint=FILE@sha256:…
UNREADABLE = object()


def split(argument: str) -> tuple[str, str, str]:
    """``("+key=", "key", "value")`` of +key=value; three empty texts for an argument without a value."""
    match = re.fullmatch(r"(\+{0,2}([\w$][\w.@/$-]*)=)(.*)", argument, re.DOTALL)
    return (match[1], match[2], match[3]) if match else ("", "", "")


def name_groups(arguments: Sequence[str]) -> list[str]:
    """The arguments, with ``prompt.detector=NAME`` as Hydra writes the choice of a group at a key of another one."""
    return [_name_group(argument) for argument in arguments]


def _name_group(argument: str) -> str:
    start, key, text = split(argument)
    match = CHOICES.fullmatch(key)
    if match is None or not text or text == "null" or text.startswith(("{", "$")):  # a value, not a name
        return argument
    return f"{start.removesuffix(f'{key}=')}{match[1]}@{key}={text}"


def quote_paths(arguments: Sequence[str], sweeping: bool = False) -> list[str]:
    """The arguments, with each value quoted that names a path and that Hydra would read as anything else.

    In a sweep several values are separated by commas, which may be in a name too: a value that exists as a whole is
    one path. Where it doesn't, but every part of it does, each of these is one.
    """
    return [_quote_path(argument, sweeping) for argument in arguments]


def _quote_path(argument: str, sweeping: bool) -> str:
    start, key, text = split(argument)
    if FOLDERS.fullmatch(key):
        return start + (literal(text) if exists(text) else _folder(text))
    if not text or WORDS.get(key) == text:
        return argument
    if TEXTS.fullmatch(key):
        return start + (",".join(map(_text, text.split(","))) if sweeping and text[0] not in "['\"" else _text(text))
    if _is_there(text):
        return start + literal(text) if _is_path(key, text) else argument
    if not PATHS.fullmatch(key):
        return argument
    if sweeping and (values := pieces(text, lambda value: WORDS.get(key) == value or _is_there(value))):
        return start + ",".join(map(literal, values))
    return start + literal(text) if isinstance(read(text), bool | int | float) else argument


def _is_there(text: str) -> bool:
    file = text.partition(HASH)[0]
    return bool(text) and (exists(meant(text)) or (bool(file) and exists(meant(file))))


def _is_path(key: str, text: str) -> bool:
    """Whether an existing path is meant: not if any other key has a value that Hydra can read."""
    if PATHS.fullmatch(key):
        return True
    value = read(text)
    return value is UNREADABLE or (key.startswith("metric.") and not isinstance(value, bool | int | float | None))


def _text(text: str) -> str:
    """Words for Hydra's grammar: as they are if Hydra reads them so, or the user quoted or listed them; else quoted."""
    as_it_is = text == "null" or text.startswith(("[", "'", '"', "$")) or read(text) == text
    return text if as_it_is else quoted(text.strip(), interpolate=True)


def _folder(text: str) -> str:
    """A folder to make: as it is if Hydra reads it so, or the user quoted it; else quoted, with its interpolations."""
    value = read(text)
    is_text = isinstance(value, str) and (value == text or "\\" in text or text.startswith(("'", '"')))
    return text if is_text else quoted(text, interpolate=True)


def pieces(text: str, known: Callable[[str], bool]) -> list[str]:
    """The parts of ``text`` between commas such that each of them is ``known``; none if there are no such parts."""
    if known(text):
        return [text]
    for match in re.finditer(",", text):
        head, rest = text[: match.start()], text[match.end() :]
        if known(head) and (others := pieces(rest, known)):
            return [head, *others]
    return []


def read(text: str) -> Any:
    """What Hydra makes of a value; UNREADABLE if it can't be parsed."""
    try:
        return OverridesParser.create().parse_override(f"value={text}").value()
    except HydraException:
        return UNREADABLE


def texts(value: Any) -> list[str]:
    """The values of a sweep, or the one value, as the configuration will have them."""
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    read = [item.text if isinstance(item, QuotedString) else str(item) for item in values]
    return [re.sub(r"(\\*)\1\\\$\{", r"\1${", text) for text in read]


def literal(path: str) -> str:
    """A path for Hydra's grammar: as it is if Hydra reads it so, else quoted."""
    name, mark, digest = path.partition(HASH)
    path = f"{meant(name)}{mark}{digest}" if name.startswith("~") else path
    if path == "???":  # OmegaConf's mark of a missing value
        path = "./???"
    return path if read(path) == path and "${" not in path else quoted(path)


def quoted(text: str, mark: Quote = Quote.single, interpolate: bool = False) -> str:
    """Any text, quoted for Hydra's grammar. ``${`` is a part of the text, unless ``interpolate``."""
    if not interpolate:
        text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # OmegaConf halves the backslashes in front of it
    return QuotedString(text, mark).with_quotes()
