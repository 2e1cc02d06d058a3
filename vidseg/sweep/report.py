"""The end of a sweep: sweep.json as the jobs' folders have it now, the table, the tracker's page of it."""

import shutil
import sys
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from vidseg.sweep import record
from vidseg.sweep.table import describe, rows


class Report:
    """What is said at the end of the sweep that begins now; nothing, if it ends before it has any jobs."""

    def __init__(self, config: DictConfig) -> None:
        self._config, self._folder = config, Path(config.hydra.sweep.dir)
        self._before = record.written(self._folder)

    def make(self, track: bool = True, strict: bool = False) -> None:
        """Writes and prints what became of the jobs. ``strict`` raises JobFailed where one didn't finish."""
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
            return  # the jobs met the same mistake, and said so
        tracker.log_sweep(content["group"], rows(content["jobs"], self._folder), self._folder)
