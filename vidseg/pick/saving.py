"""The prompts as files that a run reads, and the command to type for it.

``prompts.yaml`` is for ``prompt=file``; ``conf/prompt/NAME.yaml`` is a choice, ``prompt=NAME``. Masks are PNGs in a
folder beside the file, named after it.
"""

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vidseg import config as configuration
from vidseg.config.values import split
from vidseg.coordinates import shown
from vidseg.errors import InputError
from vidseg.paths import made_whole
from vidseg.pick.document import Document
from vidseg.pick.draft import Draft
from vidseg.types import Source

_OWN = re.compile(r"prompt([.@].*)?|extract\.(start|stop)|detector@prompt.*")
"""Keys that the saved prompts, and the marks, replace."""


class ExistsError(InputError):
    """There is such a file, and the user wasn't asked."""


@dataclass(frozen=True)
class Place:
    """Where prompts may be saved: files in ``folder``, choices in ``conf``/prompt. ``name`` is the file to offer."""

    folder: Path
    conf: Path
    name: str = "prompts.yaml"

    def save(self, draft: Draft, source: Source, name: Any, group: Any, overwrite: bool) -> tuple[Path, list[str]]:
        """Writes the draft to the file ``name`` or to the choice ``group``; returns its path and the words of a run.

        Raises InputError for a name that is none and for a draft that no run would take, ExistsError for a file that
        is there unless ``overwrite`` is true.
        """
        document = draft.document
        _check(document)
        choice = group is not None
        path = self._choice(group) if choice else self._file(name)
        if path.exists() and not overwrite:
            raise ExistsError(f"{path} exists already: overwrite it?")
        if choice and path.resolve().parent == Path(configuration.folder(), "prompt").resolve() and _is_ours(path):
            raise InputError(f"{group}: vidseg has a prompt of that name; choose another")
        content: dict[str, Any] = {"prompts": _entries(document, draft, path, absolute=choice)}
        head = f"# {source.name}; made by python -m vidseg.pick\n"
        if choice:
            content = {"_target_": "vidseg.prompt.listed", "_partial_": True, **content}
        with made_whole(path) as file:
            file.write(
                (head + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)).encode()
            )
        if not choice:
            return path, ["prompt=file", f"prompt.path={path}", *_marks(document)]
        inside = self.conf.resolve() == Path(configuration.folder()).resolve()
        return path, [*([] if inside else ["--config-dir", str(self.conf)]), f"prompt={group}", *_marks(document)]

    def _file(self, name: Any) -> Path:
        if not isinstance(name, str) or not re.fullmatch(r"[^\W_][\w .-]{0,80}\.(yaml|yml)", name):
            raise InputError(f"{shown(name)}: the name of a file in {self.folder.resolve()}, such as prompts.yaml")
        return self.folder / name

    def _choice(self, name: Any) -> Path:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", name):
            raise InputError(f"{shown(name)}: a name of letters, digits, - and _, such as skater, for prompt=skater")
        return self.conf / "prompt" / f"{name}.yaml"


def command(overrides: Sequence[str], words: Sequence[str]) -> list[str]:
    """The arguments of ``python -m vidseg`` for saved prompts: the picker's own, with ``words`` for its prompt."""
    replaced = {split(word)[1] for word in words}
    flags = [word for word in words if not split(word)[0]] or [word for word in overrides if not split(word)[0]]
    kept = [
        word
        for word in overrides
        if (key := split(word)[1]) and (not _OWN.fullmatch(key) or (key.startswith("extract.") and key not in replaced))
    ]
    return [*flags, *kept, *(word for word in words if split(word)[0])]


def typed(words: Sequence[str]) -> str:
    """The whole command, as it is typed in a shell."""
    return shlex.join(["python", "-m", "vidseg", *words])


def _check(document: Document) -> None:
    """Raises InputError for a document without prompts, and for one with a prompt outside its marks."""
    if not document["prompts"]:
        raise InputError("there is nothing to save yet: click on an object")
    first, last = document["in"], document["out"]
    for entry in document["prompts"]:
        frame = entry["frame"]
        if (first is not None and frame < first) or (last is not None and frame > last):
            raise InputError(
                f"frame {frame} has a prompt outside the in and out marks: move the mark, or clear the prompt"
            )


def _marks(document: Document) -> list[str]:
    first, last = document["in"], document["out"]
    return [
        *([] if first is None else [f"extract.start={first}"]),
        *([] if last is None else [f"extract.stop={last + 1}"]),
    ]


def _entries(document: Document, draft: Draft, path: Path, absolute: bool) -> list[dict[str, Any]]:
    """The entries of a prompt file, by frame and object; writes their masks, whose paths are ``absolute`` or not."""
    about = {each["id"]: each for each in document["objects"]}
    entries = []
    for entry in sorted(document["prompts"], key=lambda each: (each["frame"], each["object"])):
        listed = {**entry}
        listed |= {key: value for key in ("name", "until") if (value := about[entry["object"]][key]) is not None}
        if "mask" in entry:
            image = _write_mask(draft, entry, path)
            listed["mask"] = str(image.resolve()) if absolute else f"{image.parent.name}/{image.name}"
        entries.append(listed)
    return entries


def _write_mask(draft: Draft, entry: Mapping[str, Any], path: Path) -> Path:
    """Copies a mask into the folder beside the file ``path``; returns where it is."""
    image = path.with_name(f"{path.stem}_masks") / f"frame_{entry['frame']:05d}_object_{entry['object']}.png"
    draft.read_mask(entry["mask"])  # that it is there
    image.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(draft.folder / "masks" / f"{entry['mask']}.png", image)
    return image


def _is_ours(path: Path) -> bool:
    """Whether a choice came with vidseg, rather than from the picker."""
    return path.exists() and "made by python -m vidseg.pick" not in path.read_text("utf-8")


class _Dumper(yaml.SafeDumper):
    """Entries and lists of numbers on a line each, as people write them."""


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style="frame" in value)


def _sequence(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    is_entries = bool(value) and isinstance(value[0], dict)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=not is_entries)


_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(list, _sequence)
