"""A disk that fills up at points spread over a run: a small tmpfs, which takes the right to mount one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.torture import command, verdict
from benchmarks.torture.kills import differences
from benchmarks.torture.materials import write_clip


@contextmanager
def disk(folder: Path, size_kib: int) -> Iterator[Path]:
    """An empty disk of ``size_kib`` at ``folder``. Raises PermissionError where mounting isn't allowed."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise PermissionError(mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def run_disks(folder: Path, points: int = 10) -> Iterator[dict[str, Any]]:
    """Lets a run fill the disk at ``points`` points, makes room, and resumes it."""
    folder.mkdir()
    keys: tuple[str, ...] = (
        "video=clip.mp4",
        "prompt=click",
        "prompt.points=[[8,14]]",
        "model=nano",
        "model.image_size=128",
        "threads=1",
    )
    keys += ("tracker=none", "stride=3", command.ALL)
    write_clip(folder / "clip.mp4", frames=48)
    whole = command.run(folder, *keys, "hydra.run.dir=whole")
    if found := whole.faults(0) + verdict.faults(folder / "whole"):
        yield {"name": "a disk with room", "faults": found}
        return
    needed_kib = int(subprocess.run(["du", "-sk", folder / "whole"], capture_output=True, check=True).stdout.split()[0])
    for point in range(1, points + 1):
        size_kib = int(needed_kib * (point / (points + 1)) ** 2)  # more of them early, where everything is opened
        try:
            with disk(folder / "disk", size_kib):
                result = _fill(folder, keys, size_kib)
                subprocess.run(["mount", "-o", f"remount,size={2 * needed_kib}k", folder / "disk"], check=True)
                result["faults"] += _resume(folder, keys)
        except PermissionError as error:
            yield {"name": "disks", "skipped": str(error), "faults": []}
            return
        yield {"name": f"disk full after {size_kib} of {needed_kib} KiB", **result}


def _fill(folder: Path, keys: tuple[str, ...], size_kib: int) -> dict[str, Any]:
    run = folder / "disk" / "run"
    ended = command.run(folder, *keys, f"hydra.run.dir={run}")
    wrong = ended.faults(1)
    if "no space left" not in ended.said.lower():
        wrong.append(f"it doesn't say that the disk is full: {ended.said[-1000:]}")
    if (run / "summary.json").exists():
        wrong += verdict.faults(run)
    else:
        wrong += [f"left over: {part.relative_to(run)}" for part in run.rglob("*.part")]
    if wrong:
        shutil.copytree(run, folder / f"kept-{size_kib}")
    return {"faults": wrong, "frames": _lines(run / "masks.jsonl")}


def _resume(folder: Path, keys: tuple[str, ...]) -> list[str]:
    """The same command with room and resume=true; the run is then what an unbroken one is."""
    run = folder / "disk" / "run"
    ended = command.run(folder, *keys, f"hydra.run.dir={run}", "resume=true")
    return ended.faults(0) or list(differences(run, folder / "whole"))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
