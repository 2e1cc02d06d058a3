"""sweep.json: every job of a sweep, with the status and the figures in its folder's summary.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidseg.record.summary import read_summary
from vidseg.record.whole import whole

NAME = "sweep.json"
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
