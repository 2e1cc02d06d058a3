"""The end of a sweep: sweep.json as the jobs' folders have it then, the comparison's table, and the tracker's own."""

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from vidseg.compare.sheet import write_table
from vidseg.compare.table import Table, tabulate
from vidseg.compare.text import render_table
from vidseg.console import is_terminal, write_out
from vidseg.record.run import Run, Scalar
from vidseg.record.summary import read_summary
from vidseg.sweep.plan import NAME, read_sweep, write_sweep, written


class Report:
    """The report of the sweep that begins now."""

    def __init__(self, config: DictConfig) -> None:
        self._config, self._folder = config, Path(config.hydra.sweep.dir)
        self._before = written(self._folder)

    def make(self, track: bool = True, strict: bool = False) -> None:
        """Writes sweep.json, prints the table and, with ``track``, gives it to the tracker; nothing without any job.

        With ``strict`` it raises JobFailed if a job didn't finish.
        """
        if written(self._folder) == self._before:
            return
        planned = read_sweep(self._folder)
        content = write_sweep(self._folder, planned["group"], planned["jobs"])
        table = tabulate_jobs(content["jobs"], self._folder)
        write_out(f"\n{describe(content, table, self._folder)}\n{write_table(table, self._folder)}\n")
        if track and not self._config.preview and any(job["frames"] for job in content["jobs"]):
            self._track(content["group"], rows(content["jobs"], table))
        if strict and any(job["status"] != "finished" for job in content["jobs"]):
            from vidseg.job import JobFailed

            raise JobFailed("a job didn't finish")

    def _track(self, group: str, table_rows: Sequence[Mapping[str, Any]]) -> None:
        from vidseg.tracker.guard import Guarded

        try:
            tracker = Guarded(instantiate(self._config.tracker, _convert_="all"))
        except Exception:
            return  # the jobs had the same error and printed it
        tracker.log_sweep(group, table_rows, self._folder)


def tabulate_jobs(jobs: Sequence[Mapping[str, Any]], folder: Path) -> Table:
    """The table of the jobs in ``folder``/sweep.json, in their order; runs are named by the number of their job."""
    runs = []
    for job in jobs:
        missing = {"status": "missing", "error": job.get("label") or " ".join(job["overrides"])}
        runs.append(Run(folder / job["folder"], str(job["number"]), read_summary(folder / job["folder"]) or missing))
    return tabulate(runs)


def describe(content: Mapping[str, Any], table: Table, folder: Path, width: int | None = None) -> str:
    """The content of ``folder``/sweep.json as text: the table, the errors, how many jobs ended how, how to go on.

    By default the table is as wide as the terminal, and whole where there is none.
    """
    terminal = is_terminal()
    width = width or (shutil.get_terminal_size().columns if terminal else 10_000)
    lines = [f"sweep {content['group']}", render_table(table, width, terminal and "NO_COLOR" not in os.environ), ""]
    counts = Counter(job["status"] for job in content["jobs"])
    states = ("finished", "failed", "interrupted", "missing")
    told = ", ".join(f"{counts[status]} {status}" for status in states if counts[status])
    if skipped := sum(job["skipped"] for job in content["jobs"]):
        told += f" ({skipped} skipped)"
    lines.append(f"{told or 'no jobs'}; {folder / NAME}")
    if counts["finished"] < len(content["jobs"]):
        where = shlex.quote(f"hydra.sweep.dir={folder}")
        lines.append(f"the same command with {where} resume=true runs what didn't finish")
    return "\n".join(lines)


def rows(jobs: Sequence[Mapping[str, Any]], table: Table) -> list[dict[str, Any]]:
    """The table for a tracker: a row for each job, with its middle sample as a path."""
    shown = [column.name for column in table.columns if not column.extra and column.name != "run"]
    columns = {name: _alike([row[name] for row in table.rows]) for name in shown}
    made = []
    for number, (job, run) in enumerate(zip(jobs, table.runs, strict=True)):
        samples = list(run.samples.values())
        cells = {"job": job["number"]} | {name: values[number] for name, values in columns.items()}
        cells |= {"status": run.summary["status"], "seconds": job["seconds"]}
        cells |= {"sample": samples[len(samples) // 2] if samples else None}
        made.append(cells | {"error": job["error"], "folder": job["folder"], "overrides": " ".join(job["overrides"])})
    return made


def _alike(values: Sequence[Scalar]) -> Sequence[Scalar]:
    """The values of one column, all numbers or all text: W&B wants one kind."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2 or kinds == {int, float}:
        return values
    return [None if value is None else str(value) for value in values]
