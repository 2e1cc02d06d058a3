"""Two at once: runs, sweeps and resumes, started in the same second. Each has a folder of its own, or one refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.torture import command, verdict
from benchmarks.torture.command import Ended
from benchmarks.torture.kills import FRAMES, KEYS, SCENARIOS
from benchmarks.torture.materials import write_clip

RUN = (*KEYS, *SCENARIOS["one object"], "output=[rle,cutout,overlay]")
SWEEP = ("-m", *RUN, "model.memory_stride=1,3")


def run_pairs(folder: Path) -> Iterator[dict[str, Any]]:
    """Each kind of pair once."""
    folder.mkdir()
    parts: dict[str, Callable[[Path], list[str]]] = {
        "two runs": lambda here: _own_folders(here, RUN, "runs/*/*/summary.json", 2),
        "two sweeps": lambda here: _own_folders(here, SWEEP, "runs/sweeps/*/*/*/summary.json", 4),
        "two runs into one folder": lambda here: _one_refuses(here, (*RUN, "hydra.run.dir=run"), "run/summary.json", 1),
        "two sweeps into one folder": lambda here: _one_refuses(
            here, (*SWEEP, "hydra.sweep.dir=sweep"), "sweep/*/summary.json", 2
        ),
        "two resumes": _two_resumes,
        "two resumes of a sweep": _two_resumed_sweeps,
    }
    for name, part in parts.items():
        (here := folder / name.replace(" ", "_")).mkdir()
        write_clip(here / "clip.mp4", frames=FRAMES)
        yield {"name": name, "faults": part(here)}


def _two(folder: Path, words: tuple[str, ...]) -> list[Ended]:
    processes = [command.start(folder, *words) for _ in range(2)]
    return [command.wait(process) for process in processes]


def _own_folders(folder: Path, words: tuple[str, ...], pattern: str, runs: int) -> list[str]:
    faults = [fault for ended in _two(folder, words) for fault in ended.faults(0)]
    return faults + _finished(folder, pattern, runs)


def _one_refuses(folder: Path, words: tuple[str, ...], pattern: str, runs: int) -> list[str]:
    ended = sorted(_two(folder, words), key=lambda each: each.status)
    faults = ended[0].faults(0) + ended[1].faults(0, 1)
    if ended[1].status:
        faults += verdict.message_faults(ended[1].said.strip())
    return faults + _finished(folder, pattern, runs)


def _finished(folder: Path, pattern: str, runs: int) -> list[str]:
    """Faults of the runs whose summaries match ``pattern``, of which there are at least ``runs``."""
    found = sorted(path.parent for path in folder.glob(pattern))
    faults = [f"{run.relative_to(folder)}: {fault}" for run in found for fault in verdict.faults(run)]
    for run in found:
        if (status := json.loads((run / "summary.json").read_text())["status"]) != "finished":
            faults.append(f"{run.relative_to(folder)} is {status}")
        if len(verdict.read_lines(run / "masks.jsonl")) != FRAMES:
            faults.append(f"{run.relative_to(folder)}: masks.jsonl isn't that of one run")
    return faults if len(found) >= runs else [*faults, f"{len(found)} runs, not {runs}"]


def _killed_midway(folder: Path, words: tuple[str, ...], pattern: str) -> None:
    process = command.start(folder, *words)
    while process.poll() is None:
        if any(path.read_bytes().count(b"\n") >= FRAMES // 2 for path in folder.glob(pattern)):
            break
    command.kill(process)
    process.communicate()


def _two_resumes(folder: Path) -> list[str]:
    words = (*RUN, "hydra.run.dir=run")
    _killed_midway(folder, words, "run/masks.jsonl")
    return _one_refuses(folder, (*words, "resume=true"), "run/summary.json", 1)


def _two_resumed_sweeps(folder: Path) -> list[str]:
    words = (*SWEEP, "hydra.sweep.dir=sweep")
    _killed_midway(folder, words, "sweep/1*/masks.jsonl")
    return _one_refuses(folder, (*words, "resume=true"), "sweep/*/summary.json", 2)
