"""kill -9 at random points, also while resuming; then the run is resumed, and is what an unbroken one is."""

import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.torture import command, verdict
from benchmarks.torture.materials import write_clip, write_materials

FRAMES = 40
KEYS = (
    "video=clip.mp4", "model=nano", "model.image_size=128", "threads=1", "stride=7", "checkpoint.every=4",
    "tracker=none", "metric=[mask_stats]", command.ALL,
)  # fmt: skip
SCENARIOS: dict[str, tuple[str, ...]] = {
    "one object": ("prompt=click", "prompt.points=[[8,14]]"),
    "two objects, four prompts": ("prompt=file", "prompt.path=materials/prompts.yaml"),
    "both ways": ("prompt=box", "prompt.box=[20,6,36,22]", "prompt.frame=20", "propagate=both"),
}
VARIES = re.compile(r"time/|memory/")


def run_kills(folder: Path, kills: int, seed: int) -> Iterator[dict[str, Any]]:
    """``kills`` runs, the scenarios in turn."""
    folder.mkdir()
    write_clip(folder / "clip.mp4", frames=FRAMES)
    write_materials(folder / "materials")
    rng, unbroken = Random(seed), {}
    for number, (name, keys) in enumerate(SCENARIOS.items()):
        whole = folder / f"whole-{number}"
        ended = command.run(folder, *KEYS, *keys, f"hydra.run.dir={whole}")
        found = ended.faults(0) + verdict.faults(whole)
        if not found and not _summary(whole)["metrics"].get("mean_area"):
            found = ["no frame has a mask, so that all would be identical"]
        if found:
            yield {"name": f"unbroken: {name}", "faults": found}
            return
        unbroken[name] = (whole, ended.seconds)
    for number in range(kills):
        name = list(SCENARIOS)[number % len(SCENARIOS)]
        whole, seconds = unbroken[name]
        run = folder / f"run-{number}"
        words = (*KEYS, *SCENARIOS[name], f"hydra.run.dir={run}")
        points = [_kill(folder, run, words, seconds, rng)]
        while rng.random() < 0.3:
            points.append(_kill(folder, run, (*words, "resume=true"), seconds, rng))
        ended = command.run(folder, *words, "resume=true")
        faults = ended.faults(0) or list(differences(run, whole))
        yield {"name": f"kill {number}: {name}, killed at {', '.join(points)}", "faults": faults}
        if not faults:
            shutil.rmtree(run)


def _kill(folder: Path, run: Path, words: tuple[str, ...], seconds: float, rng: Random) -> str:
    """Starts the command and kills it, after a random time or as soon as masks.jsonl has a random number of lines."""
    lines = rng.randint(min(_count(run / "masks.jsonl") + 1, FRAMES), FRAMES)
    delay_s = rng.uniform(0.2, seconds) if rng.random() < 0.4 else seconds + 60
    process, began = command.start(folder, *words), time.monotonic()
    while process.poll() is None and time.monotonic() - began < delay_s:
        if delay_s > seconds and _count(run / "masks.jsonl") >= lines:
            break
        time.sleep(0.002)
    command.kill(process)
    said, _ = process.communicate()
    ended = "" if process.returncode < 0 else f" (it had ended with {process.returncode}: {said[-200:]})"
    return f"{_count(run / 'masks.jsonl')} lines, {time.monotonic() - began:.1f} s{ended}"


def _count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def differences(run: Path, whole: Path) -> Iterator[str]:
    """What is wrong with a resumed run, and how it differs from one that was never stopped."""
    yield from verdict.faults(run)
    for path in (whole / "masks.jsonl", *sorted(whole.glob("masks/*")), *sorted(whole.glob("frames/*"))):
        other = run / path.relative_to(whole)
        if not other.exists() or other.read_bytes() != path.read_bytes():
            yield f"{path.relative_to(whole)} differs from the unbroken run's"
    here, there = _summary(run), _summary(whole)
    for key in ("status", "frames", "objects", "outputs"):
        if here[key] != there[key]:
            yield f"summary.json: {key} is {here[key]}, unbroken {there[key]}"
    for name in here["metrics"].keys() | there["metrics"].keys():  # masks.jsonl has scores to four decimals
        mine, theirs = (each["metrics"].get(name, math.nan) for each in (here, there))
        if not math.isclose(mine, theirs, abs_tol=1e-4):
            yield f"summary.json: {name} is {mine}, unbroken {theirs}"
    names = [sorted(path.name for path in folder.glob("samples/*")) for folder in (run, whole)]
    if names[0] != names[1]:
        yield f"samples: {names[0]}, unbroken {names[1]}"
    for mine, theirs in zip(*(_measured(folder / "frames.jsonl") for folder in (run, whole)), strict=True):
        if mine != theirs:
            yield f"frames.jsonl: {mine}, unbroken {theirs}"
            return


def _summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return content


def _measured(path: Path) -> list[dict[str, Any]]:
    """The lines of frames.jsonl without times and memory, which vary."""
    return [{key: value for key, value in line.items() if not VARIES.match(key)} for line in verdict.read_lines(path)]
