"""The end of a sweep: sweep.json as the jobs' folders have it then, a table of the jobs, and the tracker's own."""

import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os.path import commonprefix
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from vidseg.console.table import TextColumn, render, shorten
from vidseg.sweep import record

Jobs = Sequence[Mapping[str, Any]]  # those of sweep.json


class Report:
    """The report of the sweep that begins now."""

    def __init__(self, config: DictConfig) -> None:
        self._config, self._folder = config, Path(config.hydra.sweep.dir)
        self._before = record.written(self._folder)

    def make(self, track: bool = True, strict: bool = False) -> None:
        """Writes sweep.json, prints the table and, with ``track``, gives it to the tracker.

        Does nothing if the sweep ended before it had any jobs. With ``strict`` it raises JobFailed if one of them
        didn't finish.
        """
        if record.written(self._folder) == self._before:
            return
        planned = record.read(self._folder)
        content = record.write(self._folder, planned["group"], planned["jobs"])
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
        sys.stdout.write(f"\n{describe(content, self._folder, width)}\n")
        sys.stdout.flush()
        if track:
            self._track(content)
        if strict and any(job["status"] != "finished" for job in content["jobs"]):
            from vidseg.job import JobFailed

            raise JobFailed("a job didn't finish")

    def _track(self, content: dict[str, Any]) -> None:
        from vidseg.tracker.guard import Guarded

        try:
            tracker = Guarded(instantiate(self._config.tracker, _convert_="all"))
        except Exception:
            return  # the jobs had the same error and printed it
        tracker.log_sweep(content["group"], rows(content["jobs"], self._folder), self._folder)


def describe(content: Mapping[str, Any], folder: Path, width: int) -> str:
    """The content of ``folder``/sweep.json as text: a table of at most ``width`` characters, errors, how to go on."""
    jobs = content["jobs"]
    table, _ = render(_columns(jobs), width)
    lines = [f"sweep {content['group']}", table[0], "─" * max(map(len, table)), *table[1:]]
    lines += [f"job {job['number']} {job['status']}: {job['error']}" for job in jobs if job["error"]]
    counts = Counter(job["status"] for job in jobs)
    states = ("finished", "failed", "interrupted", "missing")
    told = ", ".join(f"{counts[status]} {status}" for status in states if counts[status])
    lines.append(f"{told or 'no jobs'}; {folder / record.NAME}")
    if counts["finished"] < len(jobs):
        lines.append(f"the same command with hydra.sweep.dir={folder} resume=true runs what didn't finish")
    return "\n".join(lines)


def rows(jobs: Jobs, folder: Path) -> list[dict[str, Any]]:
    """The table for a tracker: a row a job, with its middle sample as a path. ``folder`` is the sweep's."""
    settings, names = _differing(jobs), _scores(jobs)
    figures = ("status", "fps", "frames", "seconds", "peak_rss_mib", "peak_cuda_mib")
    made = []
    for row, job in enumerate(jobs):
        samples = sorted((folder / job["folder"] / "samples").glob("*.png"))
        cells: dict[str, Any] = {"job": job["number"]}
        cells |= {key: values[row] for key, values in settings.items()}
        cells |= {name: job[name] for name in figures} | {name: job["metrics"].get(name) for name in names}
        cells |= {"sample": samples[len(samples) // 2] if samples else None, "error": job["error"]}
        made.append({**cells, "folder": job["folder"], "overrides": " ".join(job["overrides"])})
    return made


def _columns(jobs: Jobs) -> list[TextColumn]:
    cells = {"job": [str(job["number"]) for job in jobs]}
    cells |= {key: _short(list(map(str, values))) for key, values in _differing(jobs).items()}
    cells["status"] = [f"{job['status']}{', before' if job['skipped'] else ''}" for job in jobs]
    for name, key, digits in (("frames", "frames", 0), ("fps", "fps", 1), ("MiB", "peak_rss_mib", 0)):
        cells[name] = [_number(job[key], digits) for job in jobs]
    if any(job["peak_cuda_mib"] is not None for job in jobs):
        cells["GPU MiB"] = [_number(job["peak_cuda_mib"], 0) for job in jobs]
    for name in _scores(jobs):
        values = [job["metrics"].get(name) for job in jobs]
        cells[name] = [_number(value, 3 if value is None or abs(value) < 100 else 0) for value in values]
    return [
        TextColumn(name, texts, right=all(re.fullmatch(r"-?[\d.]*", text) for text in texts))
        for name, texts in cells.items()
    ]


def _differing(jobs: Jobs) -> dict[str, list[Any]]:
    """The overrides that differ between jobs, a value for each job by key ("" where a job has none).

    Values are without quotes, and numbers if all of a key are (W&B plots those).
    """
    given = [dict(override.lstrip("+").split("=", 1) for override in job["overrides"]) for job in jobs]
    columns: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for overrides in given for key in overrides):
        texts = [overrides.get(key, "") for overrides in given]
        if len(set(texts)) > 1:
            values = [_plain(text) for text in texts]
            columns[key] = [str(value) for value in values] if any(isinstance(v, str) for v in values) else values
    return columns


def _plain(text: str) -> str | int | float:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text[1:-1].replace("\\'", "'") if re.fullmatch(r"'.*'", text) else text


def _scores(jobs: Jobs) -> list[str]:
    """The names of the jobs' metrics, without those of single objects (``j_1``)."""
    return [name for name in dict.fromkeys(n for job in jobs for n in job["metrics"]) if not re.search(r"_\d+$", name)]


def _short(texts: Sequence[str]) -> list[str]:
    """A column's texts, paths without the folders that all share."""
    shared = commonprefix(texts)  # noqa: RUF071 (cut at a slash here; commonpath refuses absolute beside relative paths)
    return [shorten(text[shared.rfind("/") + 1 :]) for text in texts]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
