"""Words of the command line that aren't KEY=VALUE though such a thing was meant: the error has it whole, to be copied.

A shell splits a value at its blanks (``prompt.box=[1, 2, 3, 4]``), and other programs take ``--key value``.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import fields

from vidseg.config import Config
from vidseg.config.values import split
from vidseg.errors import InputError

# Hydra's own, also shortened (--multi), as argparse takes them
FLAGS = (
    "help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion", "config-path",
    "config-name", "config-dir", "experimental-rerun", "info",
)  # fmt: skip


def check_words(words: Sequence[str]) -> None:
    """Raises InputError for a list that the shell has split, and for a key that is written as a flag."""
    for at, word in enumerate(words):
        if split(word)[0] and (whole := _whole(words[at:])) != word:
            raise InputError(f"{word}: the shell splits a value at its blanks; in quotes it is one: {_quoted(whole)}")
    if meant := dict(_as_flags(words)):
        keys = " ".join(map(_quoted, meant.values()))
        raise InputError(f"{next(iter(meant))}: keys are KEY=VALUE, without dashes: {keys}")
    for word in words:
        name = word[2:].partition("=")[0]
        if word.startswith("--") and not any(flag.startswith(name) for flag in FLAGS):
            raise InputError(f"{word}: there is no such flag; keys are KEY=VALUE, and --help lists them")


def _as_flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words that are keys written as flags, each with the KEY=VALUE that was meant."""
    known = {entry.name: entry.type for entry in fields(Config)}
    for at, word in enumerate(words):
        name, equals, _ = word.removeprefix("--").partition("=")
        key = name.replace("-", "_")
        if not word.startswith("--") or (kind := known.get(key.partition(".")[0])) is None:
            continue
        if equals:
            yield word, f"{key}={_whole(words[at:]).partition('=')[2]}"
        elif (rest := words[at + 1 :]) and not _is_another(rest[0]):
            yield word, f"{key}={_whole(rest)}"
        else:
            yield word, f"{key}={'true' if kind is bool else 'VALUE'}"


def _whole(words: Sequence[str]) -> str:
    """The first word, with those after it that close its brackets or go on after its comma; alone if none do."""
    whole = words[0]
    for word in words[1:]:
        if not _goes_on(whole) or _is_another(word):
            break
        whole = f"{whole} {word}"
    return words[0] if _goes_on(whole) else whole


def _goes_on(text: str) -> bool:
    """Whether brackets are open at the end of a text, or a comma is there."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    opened = sum(map(bare.count, "[{(")) - sum(map(bare.count, "]})"))
    return opened > 0 or (opened == 0 and bare.endswith(","))


def _is_another(word: str) -> bool:
    """Whether a word is KEY=VALUE or a flag, and not a part of a value; -3 is no flag."""
    return bool(split(word)[0]) or bool(re.match(r"-[^\d.]", word))


def _quoted(word: str) -> str:
    """A word as it is typed in a shell."""
    return word if re.fullmatch(r"[\w.,:/@%+=-]+", word) else shlex.quote(word)  # shlex quotes every =
