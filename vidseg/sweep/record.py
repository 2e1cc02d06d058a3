"""sweep.json: every job of a sweep with its status and figures, as the summaries in the jobs' folders have them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidseg.record.summary import read_summary

NAME = "sweep.json"


def read(folder: Path) -> dict[str, Any]:
    """The content of folder/sweep.json."""
    content: dict[str, Any] = json.loads((folder / NAME).read_text(encoding="utf-8"))
    return content


def written(folder: Path) -> int | None:
    """When folder/sweep.json was written, in nanoseconds; None if it isn't there."""
    try:
        return (folder / NAME).stat().st_mtime_ns
    except OSError:
        return None


def write(folder: Path, group: str | None, jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Writes folder/sweep.json through a temporary file, with what the jobs' folders say now; returns its content.

    ``jobs`` have ``number``, ``folder``, ``overrides`` and ``skipped``. A job without a summary.json is ``missing``: it
    hasn't begun, is still running, or was killed.
    """
    content = {"group": group, "jobs": [_entry(folder, job) for job in jobs]}
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{NAME}.part"
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.rename(folder / NAME)
    return content


def _entry(folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    summary = read_summary(folder / job["folder"]) or {}
    return {
        "number": job["number"],
        "folder": job["folder"],
        "overrides": list(job["overrides"]),
        "status": summary.get("status", "missing"),
        "error": summary.get("error"),
        "skipped": job["skipped"],
        "seconds": (summary.get("seconds") or {}).get("total"),
        "frames": summary.get("frames"),
        "fps": summary.get("fps"),
        "peak_rss_mib": summary.get("peak_rss_mib"),
        "peak_cuda_mib": summary.get("peak_cuda_mib"),
        "metrics": summary.get("metrics") or {},
        "wandb": summary.get("wandb"),
    }
