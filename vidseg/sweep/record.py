"""The files in a sweep's folder: sweep.json, the jobs with their status and figures; .halt, while a Ctrl-C ends them.

An interrupted launcher would kill its workers in the middle of a file. The jobs, which may be on other machines, learn
of the Ctrl-C from .halt: running jobs finish their files, and no other job begins.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidseg.console import interruptible
from vidseg.record.files import whole
from vidseg.record.summary import read_summary

NAME, HALT = "sweep.json", ".halt"
FIGURES = ("frames", "fps", "peak_rss_mib", "peak_cuda_mib", "wandb")


def read(folder: Path) -> dict[str, Any]:
    """The content of folder/sweep.json: ``group`` and ``jobs``."""
    content: dict[str, Any] = json.loads((folder / NAME).read_bytes())
    return content


def written(folder: Path) -> int | None:
    """When folder/sweep.json was written, in nanoseconds; None if it isn't there."""
    path = folder / NAME
    return path.stat().st_mtime_ns if path.exists() else None


def write(folder: Path, group: str | None, jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Writes folder/sweep.json with what the jobs' folders say now; returns its content.

    ``jobs`` have ``number``, ``folder``, ``overrides`` and ``skipped``. A job without a summary.json is ``missing``: it
    hasn't begun, is still running, or was killed.
    """
    content = {"group": group, "jobs": [_entry(folder, job) for job in jobs]}
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / NAME) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return content


def _entry(folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    summary = read_summary(folder / job["folder"]) or {}
    entry = {key: job[key] for key in ("number", "folder", "overrides", "skipped")}
    entry |= {"status": summary.get("status", "missing"), "error": summary.get("error")}
    entry |= {"seconds": (summary.get("seconds") or {}).get("total"), "metrics": summary.get("metrics") or {}}
    return entry | {name: summary.get(name) for name in FIGURES}


@contextmanager
def halting(folder: Path) -> Iterator[None]:
    """Within the block Ctrl-C halts the sweep in ``folder``, and the end of the block raises KeyboardInterrupt."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / HALT
    mark.unlink(missing_ok=True)  # left by a sweep that was killed
    with interruptible("no more jobs begin, those that run come to an end", mark.touch) as interruption:
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)
            if interruption.requested:  # in place of the launcher's error about its lost jobs
                raise KeyboardInterrupt


def is_halted(folder: Path) -> bool:
    """Whether the sweep in ``folder`` was halted, so that no job may begin."""
    return (folder / HALT).exists()
