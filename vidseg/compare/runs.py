"""Runs as they lie on disk: what was asked for (.hydra) and what came of it (summary.json).

Only small files are read here; masks, frames and pictures are opened by those who need them.
"""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from vidseg.errors import InputError

log = logging.getLogger(__name__)

Scalar = str | int | float | bool | None
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's needs a tenth of the time


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder.

    ``name`` is short and unique among the runs it was found with: the job's number in a sweep, else its path from
    what they share. ``choices`` are Hydra's, by group (``{"model": "nano"}``); ``config`` is the configuration
    flattened to dotted keys, interpolations unresolved; ``overrides`` the keys that were named on the command line;
    ``summary`` is summary.json as it is.
    """

    folder: Path
    name: str
    summary: Mapping[str, Any]
    choices: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Scalar] = field(default_factory=dict)
    overrides: frozenset[str] = frozenset()

    @property
    def finished(self) -> bool:
        """Whether the video came to its end."""
        return bool(self.summary["status"] == "finished")

    @property
    def metrics(self) -> Mapping[str, float]:
        """The scores."""
        return self.summary.get("metrics") or {}

    @cached_property
    def video(self) -> str:
        """What was segmented: the configuration's ``video``, for the built-in clip with its seed if it isn't 0."""
        video = str(self.config.get("video", "?"))
        seed = self.config.get("sample.seed", 0)
        return f"sample, seed {seed}" if video == "sample" and seed else video

    def output(self, name: str, usual: str) -> Path | None:
        """The file of an output, by its name in summary.json; ``usual`` is looked for where there is no record."""
        path = self.folder / (self.summary.get("outputs") or {}).get(name, usual)
        return path if path.is_file() else None

    @property
    def masks(self) -> Path | None:
        """masks.jsonl, if it was written."""
        return self.output("rle", "masks.jsonl")

    @property
    def samples(self) -> dict[int, Path]:
        """The sample pictures by frame number."""
        found = sorted((self.folder / "samples").glob("frame_*.png"))
        return {int(path.stem.removeprefix("frame_")): path for path in found}


def same_video(one: Run, other: Run) -> bool:
    """Whether two runs segmented the same video, perhaps named from different folders: a/clip.mp4, clip.mp4."""
    if "sample" in (one.config.get("video"), other.config.get("video")):
        return one.video == other.video
    shorter, longer = sorted((Path(one.video).parts, Path(other.video).parts), key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """The runs at and below ``paths``, each once, in the order of their folders' names (2 before 10).

    A run is a folder with summary.json. One that can't be read is named in a warning and left out, and so are folders
    of runs that have left none. Raises InputError for a path that isn't there, or where no run is found at all.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such folder")
        folders |= dict.fromkeys(Path(os.path.abspath(folder)) for folder in _run_folders(path))  # noqa: PTH100
    summaries = {folder: summary for folder in folders if (summary := _read_summary(folder)) is not None}
    if not summaries:
        raise InputError(f"{', '.join(map(str, paths))}: no run is there (a run is a folder with a summary.json)")
    ordered = sorted(summaries, key=_natural)
    names = _names(ordered)
    return [_read_run(folder, names[folder], summaries[folder]) for folder in ordered]


def _run_folders(path: Path) -> Iterator[Path]:
    """Folders with summary.json; what lies below one (samples, masks) isn't looked through, nor are W&B's."""
    if path.is_file():
        path = path.parent
    without = 0
    for folder, names, files in os.walk(path, followlinks=True):
        if "summary.json" in files:
            names.clear()
            yield Path(folder)
        elif ".hydra" in names:
            names.clear()
            without += 1
        else:
            names[:] = [name for name in names if name != "wandb"]
    if without:
        log.warning("%s: %d without summary.json (still running, or killed): left out", path, without)


def _read_summary(folder: Path) -> dict[str, Any] | None:
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        log.warning("%s can't be read (%s): left out", path, error)
        return None
    if not isinstance(summary, dict) or not isinstance(summary.get("status"), str):
        log.warning("%s is not the summary of a run: left out", path)
        return None
    return summary


def _read_run(folder: Path, name: str, summary: Mapping[str, Any]) -> Run:
    hydra = folder / ".hydra"
    try:
        config = _read_config(hydra / "config.yaml")
        choices = _read_choices(hydra / "hydra.yaml")
        overrides = _parse(_text(hydra / "overrides.yaml")) or []
    except yaml.YAMLError as error:
        log.warning("%s can't be read (%s): compared without its configuration", hydra, " ".join(str(error).split()))
        return Run(folder, name, summary)
    keys = (str(entry).partition("=")[0].lstrip("+~").partition("@")[0] for entry in overrides)
    return Run(folder, name, summary, choices, config, frozenset(keys))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _read_config(path: Path) -> dict[str, Scalar]:
    """The configuration, flattened. The runs of a sweep share most of its text, so each part is parsed once."""
    flat: dict[str, Scalar] = {}
    for part in re.split(r"^(?=\w)", _text(path), flags=re.MULTILINE):  # one top-level key and what is below it
        flat |= _flattened(part)
    return flat


@lru_cache(maxsize=4096)
def _flattened(text: str) -> dict[str, Scalar]:
    parsed = _parse(text)
    return dict(_leaves("", parsed)) if isinstance(parsed, dict) else {}


def _leaves(prefix: str, node: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), value)
    elif isinstance(node, dict | list):
        yield prefix, json.dumps(node, default=str)
    else:
        yield prefix, node if isinstance(node, str | int | float | bool | None) else str(node)


def _read_choices(path: Path) -> dict[str, str]:
    """Which option of each group was composed. Only that part of hydra.yaml is parsed: the whole takes 10 ms a run."""
    found = re.search(r"^    choices:\n((?:      .*\n?)+)", _text(path), re.MULTILINE)
    choices = _parse(found.group(1)) if found else {}
    return {group: choice for group, choice in choices.items() if isinstance(choice, str) and "/" not in group}


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=Loader)


def _natural(folder: Path) -> list[tuple[int, int | str]]:
    """A key by which 2_… comes before 10_…."""
    pieces = re.split(r"(\d+)", str(folder))
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in pieces if piece]


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    if len(folders) == 1:
        return {folders[0]: folders[0].name}
    shared = Path(os.path.commonpath(folders))
    whole = {folder: folder.relative_to(shared) for folder in folders}
    short = {
        folder: "/".join(re.sub(r"^(\d+)_.*=.*", r"\1", part) for part in path.parts) for folder, path in whole.items()
    }
    return short if len(set(short.values())) == len(short) else {folder: str(path) for folder, path in whole.items()}
