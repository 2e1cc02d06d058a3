"""Run folders on disk: what was asked for (.hydra) and what came of it (summary.json and the other files).

Loads neither numpy nor OpenCV, and reads small files only: masks, frames and pictures are read by those who need them.
"""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from vidseg.errors import InputError
from vidseg.record.files import FRAMES, MASKS, read_lines
from vidseg.record.folder import PRIVATE
from vidseg.record.labels import Scalar as Scalar
from vidseg.record.labels import key_of
from vidseg.record.summary import NAME, read_summary

log = logging.getLogger(__name__)

LISTED = ("output", "metric")  # groups of which several choices are taken at once

IDENTITY = "run.json"  # in a run's private folder; see identity.py


@dataclass(frozen=True, eq=False)
class Run:
    """One run's folder; ``name`` is short and unique among the runs it was found with, ``summary`` is summary.json."""

    folder: Path
    name: str
    summary: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the run came to the end of its video."""
        return bool(self.summary["status"] == "finished")

    @cached_property
    def found_nothing(self) -> bool:
        """Whether the run came to the end of its video and no object was on any frame."""
        if not self.finished or not self.summary.get("frames"):
            return False
        # Most runs have an object on their first frame, so that one line is read.
        known = False
        for area in self._areas():
            if area:
                return False
            known = True
        metrics = self.summary.get("metrics") or {}
        absent = [metrics.get(f"absent_frames_{number}") for number in self.summary.get("objects") or ()]
        return known or (bool(absent) and all(frames == self.summary["frames"] for frames in absent))

    def _areas(self) -> Iterator[float]:
        """The areas of all masks in order: those of frames.jsonl, else of masks.jsonl, with a 0 after each frame."""
        found = False
        if (path := self.folder / FRAMES).is_file():
            for _, line in read_lines(path, "frame"):
                for key, value in line.items():
                    if key.startswith("mask/area_"):
                        found = True
                        yield float(value)
        if not found and self.masks is not None:  # frames.jsonl has no area either where no object was ever known
            for _, line in read_lines(self.masks, "frame", "objects"):
                yield from (float(thing.get("area", 0)) for thing in line["objects"])
                yield 0.0

    @property
    def counts(self) -> bool:
        """Whether the run can be the best at anything: it finished, and found something."""
        return self.finished and not self.found_nothing

    @cached_property
    def told(self) -> dict[str, Any]:
        """The configuration, with the content of files that it names and of the environment as the run found them."""
        path = self.folder / PRIVATE / IDENTITY
        try:
            identity = json.loads(path.read_bytes())["identity"] if path.is_file() else {}
        except (OSError, ValueError, KeyError, TypeError):
            identity = {}
        if not isinstance(identity, dict):
            return dict(self.config)
        items = self.config.items()
        found = [key for key, value in items if isinstance(identity.get(key), dict) or "${oc.env:" in str(value)]
        return self.config | {key: identity[key] for key in found if key in identity}

    @cached_property
    def choices(self) -> dict[str, str]:
        """The option that was chosen of each group of conf/: ``{"model": "sam", "model.detector": "yolo"}``."""
        # Only this part of hydra.yaml is parsed: the whole takes 3 ms.
        found = re.search(r"^    choices:\n((?:      .*\n?)+)", self._text("hydra.yaml"), re.MULTILINE)
        choices = (self._parse(found.group(1)) if found else None) or {}
        return {key_of(group): name for group, name in choices.items() if isinstance(name, str) and "/" not in group}

    @cached_property
    def config(self) -> dict[str, Scalar]:
        """The configuration by dotted key, with its interpolations as they stand, without what can't be read."""
        # Block by block: the runs of a sweep share most of them, and 1,000 runs take 1 s instead of 2.
        blocks = map(self._parse, re.split(r"^(?=[^\s-])", self._text("config.yaml"), flags=re.MULTILINE))
        return {key: value for block in blocks if isinstance(block, dict) for key, value in flatten("", block)}

    @cached_property
    def settings(self) -> dict[str, Scalar]:
        """The configuration and the choices together; where a group has several, they are ``"[cutout,overlay]"``."""
        told: dict[str, Scalar] = {"model": self.summary.get("model"), **self.config}
        for group in LISTED:
            if names := sorted({key.split(".")[1] for key in self.config if key.startswith(f"{group}.")}):
                told[group] = f"[{','.join(names)}]"
            elif group in told:  # {}
                told[group] = "[]"
        for key, value in self.config.items():
            group, _, last = key.rpartition(".")
            if last == "_target_" and "." not in group:  # where nobody recorded a choice its class's name is one
                told.setdefault(group, str(value).rpartition(".")[2])
        return told | self.choices

    @cached_property
    def overrides(self) -> tuple[str, ...]:
        """The keys and groups that the command line named, in its order, as one types them."""
        entries = self._parse(self._text("overrides.yaml")) or []
        return tuple(key_of(str(entry)) for entry in entries)

    def _text(self, name: str) -> str:
        path = self.folder / ".hydra" / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _parse(self, text: str) -> Any:
        try:
            return _load(text)
        except yaml.YAMLError as error:
            log.warning("%s can't be read: %s", self.folder / ".hydra", " ".join(str(error).split()))
            return None

    @cached_property
    def video(self) -> str:
        """The configuration's ``video``; for the built-in clip also its seed and shutter, if they aren't 0."""
        video = str(self.config.get("video", "?"))
        told = [f"{name} {value}" for name in ("seed", "shutter") if (value := self.config.get(f"sample.{name}", 0))]
        return ", ".join([video, *told]) if video == "sample" else video

    def same_video(self, other: "Run") -> bool:
        """Whether both runs segmented the same video, perhaps named from different folders: a/clip.mp4, clip.mp4.

        Copies of one file are the same video too, whatever their names: their content is in ``told``.
        """
        ours, theirs = self.told.get("video"), other.told.get("video")
        if isinstance(ours, dict) and "sha256" in ours and isinstance(theirs, dict) and "sha256" in theirs:
            return ours == theirs
        if "sample" in (self.config.get("video"), other.config.get("video")):
            return self.video == other.video
        shorter, longer = sorted((Path(self.video).parts, Path(other.video).parts), key=len)
        return longer[len(longer) - len(shorter) :] == shorter

    def same_prompt(self, other: "Run") -> bool:
        """Whether both runs were asked for the same objects, by the same prompts."""
        ours, theirs = (
            {key: value for key, value in run.told.items() if key.split(".")[0] == "prompt"} for run in (self, other)
        )
        return ours == theirs and (self.summary.get("objects") or []) == (other.summary.get("objects") or [])

    def output(self, name: str, usual: str) -> Path | None:
        """The file of an output by its name in summary.json, else the ``usual`` file; None if it isn't there."""
        path = self.folder / (self.summary.get("outputs") or {}).get(name, usual)
        return path if path.is_file() else None

    @property
    def masks(self) -> Path | None:
        """masks.jsonl, if it was written."""
        return self.output("rle", MASKS)

    @property
    def samples(self) -> dict[int, Path]:
        """The sample pictures by frame number."""
        found = sorted((self.folder / "samples").glob("frame_*.png"))
        return {int(path.stem.removeprefix("frame_")): path for path in found}


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """The runs at and below ``paths``, each once, in the order of their folders' names (2 before 10).

    A run is a folder with a summary.json. Warnings count those that are left out: summaries that can't be read, and
    run folders without one. Raises InputError for a path that isn't there, and if no run is found at all.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such folder")
        folders |= dict.fromkeys(Path(os.path.abspath(folder)) for folder in _run_folders(path))  # noqa: PTH100
    summaries = {folder: summary for folder in folders if (summary := read_summary(folder)) is not None}
    if not summaries:
        raise InputError(f"{', '.join(map(str, paths))}: no run is there (a run is a folder with a {NAME})")
    names = _names(sorted(summaries, key=_natural))
    return [Run(folder, name, summaries[folder]) for folder, name in names.items()]


def _run_folders(path: Path) -> Iterator[Path]:
    """The folders with a summary.json; a run's own folders (samples, masks) and W&B's are not searched."""
    without = 0
    for folder, names, files in os.walk(path.parent if path.is_file() else path, followlinks=True):
        if NAME in files or ".hydra" in names:
            names.clear()
            if NAME in files:
                yield Path(folder)
            else:
                without += 1
        else:
            names[:] = [name for name in names if name != "wandb"]
    if without:
        log.warning("%s: %d without %s (still running, or killed): left out", path, without, NAME)


@lru_cache(maxsize=10_000)
def _load(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # libyaml takes a tenth of the time


def flatten(prefix: str, node: Any) -> Iterator[tuple[str, Scalar]]:
    """The leaves of a configuration by dotted key; a list is one leaf, as JSON."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from flatten(f"{prefix}.{key}" if prefix else str(key), value)
    elif isinstance(node, dict | list):
        yield prefix, json.dumps(node, default=str)
    else:
        yield prefix, node if isinstance(node, str | int | float | bool | None) else str(node)


def _natural(folder: Path) -> list[tuple[int, int | str]]:
    """A sorting key that puts 2_… before 10_…."""
    pieces = re.split(r"(\d+)", str(folder))
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in pieces if piece]


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """A short name for each folder: its path below what all share, with a job's number alone for NUMBER_KEY=VALUE,…"""
    if len(folders) == 1:
        return {folders[0]: folders[0].name}
    shared = Path(os.path.commonpath(folders))
    paths = [folder.relative_to(shared) for folder in folders]
    short = ["/".join(re.sub(r"^(\d+)_.*=.*", r"\1", part) for part in path.parts) for path in paths]
    return dict(zip(folders, short if len(set(short)) == len(short) else map(str, paths), strict=True))
