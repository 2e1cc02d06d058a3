"""Which jobs a sweep has, where each one goes, and which have been done before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from vidseg.errors import InputError
from vidseg.config.resolvers import sweep_group
from vidseg.record.summary import read_summary, score
from vidseg.sweep import record


@dataclass(frozen=True)
class Job:
    """One job: its number in this invocation, its folder's name in the sweep's, the user's overrides.

    ``skipped`` is one that finished in that folder before.
    """

    number: int
    folder: str
    overrides: tuple[str, ...]
    optimize: str | None
    skipped: bool

    def arguments(self) -> list[str]:
        """What the launcher gets: a resumed job goes back to its folder, whatever its number is now."""
        name = self.folder.replace("\\", "\\\\").replace("'", "\\'")
        return [*self.overrides, f"hydra.sweep.subdir='{name}'"]


def plan(config: DictConfig, loader: ConfigLoader, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """The jobs of a launch, numbered from ``first``.

    With ``resume`` a job whose configuration is that of a finished run in the sweep's folder is skipped; one whose
    configuration is that of another run there (failed, interrupted, killed) takes that run's folder; every other one
    gets a folder that isn't there yet. Raises InputError where there is nothing that could be resumed.
    """
    folder = Path(config.hydra.sweep.dir)
    resume = bool(config.resume)
    finished, unfinished = _earlier(folder) if resume else ({}, {})
    if resume and not (finished or unfinished or is_set(config, "hydra.sweep.dir")):
        raise InputError("resume: name the folder of the sweep to go on with, hydra.sweep.dir=runs/sweeps/DATE/TIME")
    taken = {path.name for path in folder.iterdir()} if resume and folder.is_dir() else set()
    jobs = []
    for number, given in enumerate(job_overrides, start=first):
        overrides = tuple(override for override in given if override.lstrip("+").split("=")[0] != "resume")
        composed = _composed(config, loader, overrides, number)
        key, name = _key(composed), _subfolder(composed)
        if name in taken:
            name = next(other for n in range(2, len(taken) + 3) if (other := f"{name}_{n}") not in taken)
        name = finished.get(key) or unfinished.pop(key, None) or name
        taken |= {name} if resume else set()
        jobs.append(Job(number, name, overrides, composed.optimize, key in finished))
    return jobs


def is_set(config: DictConfig, key: str) -> bool:
    """Whether the user gave a key of Hydra's on the command line."""
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    return any(override.lstrip("+").split("=")[0] == key for override in overrides)


def remember(config: DictConfig, jobs: Sequence[Job], anew: bool) -> None:
    """Writes the jobs down, after those of earlier launches of this invocation unless it begins ``anew``."""
    folder = Path(config.hydra.sweep.dir)
    entries = [] if anew else record.read(folder)["jobs"]
    entries += [
        {"number": job.number, "folder": job.folder, "overrides": list(job.overrides), "skipped": job.skipped}
        for job in jobs
    ]
    record.write(folder, config.tracker.get("group") or sweep_group(str(folder)), entries)


def returned(job: Job, folder: Path) -> JobReturn:
    """What a skipped job returns to its sweeper: the score of its summary."""
    done = JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED)
    try:
        done.return_value = score(read_summary(folder / job.folder) or {}, job.optimize)
    except InputError as error:
        done.status, done.return_value = JobStatus.FAILED, error
    return done


def _composed(config: DictConfig, loader: ConfigLoader, overrides: Sequence[str], number: int) -> DictConfig:
    composed = loader.load_sweep_config(config, list(overrides))
    with read_write(composed), open_dict(composed):
        composed.hydra.job.num = number
        composed.hydra.job.id = str(number)  # the launcher's own comes too late for a folder's name
    return composed


def _subfolder(composed: DictConfig) -> str:
    return str(composed.hydra.sweep.subdir)


def _key(config: DictConfig) -> str:
    """A configuration as text, but for what says nothing of the run: Hydra's settings, ``resume``, ``optimize``."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    return json.dumps({k: plain[k] for k in plain if k not in ("hydra", "resume", "optimize")}, sort_keys=True)


def _earlier(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The folders of a sweep's finished and other runs by their configuration."""
    finished: dict[str, str] = {}
    unfinished: dict[str, str] = {}
    for path in sorted(folder.glob("*/.hydra/config.yaml")):
        try:
            key = _key(OmegaConf.load(path))  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError, OmegaConfBaseException):
            continue  # cut off by whatever ended it, or not ours
        name = path.parent.parent.name
        done = (read_summary(folder / name) or {}).get("status") == "finished"
        (finished if done else unfinished)[key] = name
    return finished, unfinished
