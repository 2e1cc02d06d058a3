"""One job, of a video or of a folder of photographs: run it, and leave a record however it ends."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.errors import CompactHydraException
from omegaconf import DictConfig

from vidseg.job.ending import carry_out, outcome
from vidseg.job.opening import make_matte as make_matte
from vidseg.job.opening import open_video as open_video
from vidseg.job.photos import PhotosJob
from vidseg.job.video import limited as limited
from vidseg.meter import Meter, keep_pages
from vidseg.record import earlier
from vidseg.record.summary import Summary, versions
from vidseg.types import Prompt

log = logging.getLogger(__name__)


class JobFailed(CompactHydraException):
    """A job ended with an error, which is on the console, in the log and in summary.json already."""


def run_job(
    config: DictConfig, folder: Path, choices: Mapping[str, str], prompts: Sequence[Prompt] | None = None
) -> Summary:
    """Runs one configuration into ``folder``; returns the content of summary.json.

    ``choices`` are the names that were chosen in each group (``{"model": "nano", …}``). ``prompts`` replace those of
    the configuration. Raises JobFailed after an error and KeyboardInterrupt after an interruption; by then
    summary.json, the log and the tracked run are written.
    """
    keep_pages()
    summary = Summary(model=choices["model"], versions=versions(), repeat=config.repeat)
    job = PhotosJob(config, folder, Meter(), summary)
    cause = carry_out(job, prompts, folder)
    if job.before is not None:
        earlier.put_back(folder)
        log.info("resume: the run in %s finished before, with all that is asked for", folder)
        return job.before
    if cause is not None:
        raise JobFailed(summary.error) from cause
    log.info("%s: %s", summary.status, outcome(summary, folder))
    if summary.status == "interrupted":
        raise KeyboardInterrupt
    return summary
