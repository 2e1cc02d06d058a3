"""Prompt files as text: the entries of a YAML or JSON file, as they stand there. Knows nothing about videos."""

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from vidseg.coordinates import shown
from vidseg.errors import InputError

KEYS = ("frame", "object", "points", "labels", "box", "mask", "name", "until", "joins", "image")  # of an entry
_FORM = "prompts: [{frame: 0, object: 1, points: [[x, y]]}]"
_LARGEST = 64 << 20  # bytes; a longer file is something else, such as a video


def entries(path: str | Path) -> list[Any]:
    """The list in a prompt file. Raises InputError, beginning with ``prompt.path``, if there is none."""
    try:
        if (size := Path(path).stat().st_size) > _LARGEST:
            raise InputError(f"prompt.path: {path} is no prompt file: it has {size >> 20} MiB")
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"prompt.path: can't read {path}: {error.strerror}") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        content = _content(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = " ".join(str(error).split())
        raise InputError(f"prompt.path: {path} is not YAML: {where[:300]}") from error
    found = content.get("prompts") if isinstance(content, Mapping) else None
    if not isinstance(found, list) or not found:
        raise InputError(f"prompt.path: {path} has no prompts; it needs a list: {_FORM}")
    if others := [key for key in content if key != "prompts"]:
        raise InputError(f"prompt.path: {path} has the key {shown(others[0])}; beside prompts there is none: {_FORM}")
    return found


def _content(text: str) -> Any:
    if text.lstrip().startswith("{"):  # YAML knows neither JSON's tabs nor its 1e3
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError:
            pass  # {prompts: [...]} is YAML
    return yaml.load(text, _Loader)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} is there twice")
        found[key] = value
    return found


class _Loader(yaml.SafeLoader):
    """YAML in which a key is there once, and in which 010 is ten and not eight."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        if not re.fullmatch(r"[-+]?[0-9]+", node.value):
            raise yaml.MarkedYAMLError(problem=f"{node.value[:40]} is no decimal number", problem_mark=node.start_mark)
        return int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_decimal)
