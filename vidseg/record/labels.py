"""What a run is called among others: KEY=VALUE of the keys that tell them apart, ``model=tiny,video=libby``.

Tables, pages, sheets, the folders of a sweep and trackers all take their names from here, so a run has one name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Scalar = str | int | float | bool | None

_SUFFIX = re.compile(
    r"\.(3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|webm|wmv|y4m|bmp|gif|heic|jpe?g|png|tiff?|webp)$", re.I
)


def key_of(override: str) -> str:
    """A key as one types it: ``model.detector`` of Hydra's ``detector@model.detector``, ``seed`` of ``+seed=1``."""
    return override.partition("=")[0].lstrip("+~").rpartition("@")[2]


def word(value: Scalar) -> str:
    """A value as one types it: ``null``, ``true``, and a list without blanks and quotes, ``[[20,30]]``."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value)
    return re.sub(r'(?<=[,:]) |"', "", text) if text[:1] in ("[", "{") else text


def shorten_paths(key: str, values: Iterable[Scalar]) -> dict[str, str]:
    """Those of a key's ``values`` that are paths, and as much of each as tells it from the others.

    That is the file's name, with as many of its parents as it takes: ``a/clip.mp4`` and ``b/clip.mp4``. A video loses
    its suffix, too, unless two differ in that alone. The path of a class is shortened likewise.
    """
    texts = sorted({value for value in values if isinstance(value, str)})
    if key.endswith("_target_"):
        tails = _tails(texts, ".")
    elif key == "video":
        tails = _tails(texts, "/")
        stems = {path: _SUFFIX.sub("", tail) for path, tail in tails.items()}
        tails = stems if len(set(stems.values())) == len(tails) else tails
    else:
        tails = _tails([text for text in texts if "/" in text and _names_a_file(key, text)], "/")
    return {path: tail for path, tail in tails.items() if tail != path}


def _names_a_file(key: str, value: str) -> bool:
    """Not words to look for, such as prompt.text=cat/dog, and no list of anything."""
    return not key.endswith(".text") and value[:1] not in ("[", "{")


def _tails(paths: Sequence[str], mark: str) -> dict[str, str]:
    """The fewest last parts of each path that no other one ends in; all of it, if another one ends in that."""
    parts = {path: path.rstrip(mark).split(mark) for path in paths}
    tails: dict[str, str] = {}
    for count in range(1, max(map(len, parts.values()), default=0)):
        ends = {path: mark.join(words[-count:]) for path, words in parts.items()}
        times = Counter(ends.values())
        tails |= {path: ends[path] for path in paths if path not in tails and times[ends[path]] == 1}
    return {path: tails.get(path, path) for path in paths}


def label(cells: Mapping[str, str]) -> str:
    """The name of a run by the values of the keys that tell it apart, in their order."""
    return ",".join(f"{key}={value}" for key, value in cells.items())
