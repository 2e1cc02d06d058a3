"""Which jobs a sweep has and which an earlier attempt finished; and the files in its folder: sweep.json, .halt.

An interrupted launcher would kill its workers in the middle of a file. The jobs, which may be on other machines, learn
of a Ctrl-C from .halt: running jobs finish their files, and no other job begins.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from vidseg.config import check_repeat
from vidseg.config.claim import claim, is_dated
from vidseg.config.resolvers import stem, sweep_group
from vidseg.config.values import quoted
from vidseg.console import interruptible
from vidseg.errors import InputError
from vidseg.record.files import whole
from vidseg.record.identity import NOT_THE_RUNS, Identity, identify, recall
from vidseg.record.labels import key_of
from vidseg.record.summary import read_summary, score
from vidseg.sweep.labels import label_jobs

NAME, HALT = "sweep.json", ".halt"
FIGURES = ("frames", "fps", "peak_rss_mib", "peak_cuda_mib", "wandb")


@dataclass(frozen=True)
class Job:
    """One job: its number in this command, what it is called, the name of its folder in the sweep's, its overrides.

    ``repeat`` is the number of its repetition, from 1. A ``skipped`` job doesn't run: an earlier attempt finished it in
    that folder. A ``begun`` one goes on where an earlier attempt stopped.
    """

    number: int
    label: str
    folder: str
    overrides: tuple[str, ...]
    optimize: str | None
    repeat: int
    skipped: bool
    begun: bool

    def arguments(self) -> list[str]:
        """The overrides for the launcher, with the folder: a resumed job keeps it, whatever its number is now."""
        on = ["resume=true"] if self.begun else []
        called = f"hydra.callbacks.sweep.label={quoted(self.label)}"  # for the tracker, which knows one job only
        return [*self.overrides, *on, f"hydra.sweep.subdir={quoted(self.folder)}", called]


def claim_sweep(config: DictConfig) -> AbstractContextManager[object]:
    """Makes the sweep's folder its own until the context ends (see ``claim``), or goes on in it with ``resume``.

    Raises InputError if another sweep is in it, or none that can be resumed, and for a ``repeat`` below 1.
    """
    folder = Path(config.hydra.sweep.dir)
    check_repeat(config)
    if is_dated(config.hydra, "sweep"):
        if config.resume:
            raise InputError(
                "resume: name the folder of the sweep to go on with, hydra.sweep.dir=runs/sweeps/DATE/TIME"
            )
    elif not config.resume and (folder / NAME).exists():
        what = "resume=true goes on with it, another hydra.sweep.dir begins a new one"
        raise InputError(f"hydra.sweep.dir: {folder} holds a sweep already; {what}")
    return claim(config.hydra, "sweep")


def repeated(job_overrides: Sequence[Sequence[str]], times: int) -> Sequence[Sequence[str]]:
    """The jobs so many times, all once and then again: what the machine does meanwhile is spread over all jobs.

    ``repeat`` of a job is then the number of the repetition.
    """
    if times == 1:
        return job_overrides
    bare = [[override for override in given if key_of(override) != "repeat"] for given in job_overrides]
    return [[*given, f"repeat={number}"] for number in range(1, times + 1) for given in bare]


def plan(config: DictConfig, loader: ConfigLoader, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
    """The jobs of one launch, numbered from ``first``.

    With ``resume`` a job is skipped if a run in the sweep's folder has its configuration, read files of the same
    content, and finished. If that run failed, was interrupted or was killed, the job goes on in its folder. Every other
    job gets a folder that no job has.
    """
    folder = Path(config.hydra.sweep.dir)
    resume = bool(config.resume)
    finished, unfinished = _earlier(folder) if resume else ({}, {})
    taken = {path.name for path in folder.iterdir()} if (resume or first) and folder.is_dir() else set()
    jobs = []
    submitted: set[tuple[str, str]] = set()
    labels = label_jobs(config, job_overrides)
    for number, (called, given) in enumerate(zip(labels, job_overrides, strict=True), start=first):
        overrides = tuple(override for override in given if key_of(override) != "resume")
        composed = loader.load_sweep_config(config, list(overrides))
        with read_write(composed), open_dict(composed):
            composed.hydra.job.num = number
            composed.hydra.job.id = str(number)  # the launcher sets its own later than the folder needs it
            composed.hydra.job.override_dirname = called  # Hydra's has every override, by the alphabet
        _check_submissions(composed, submitted)
        name = str(composed.hydra.sweep.subdir)
        if name in taken:
            name = next(other for n in range(2, len(taken) + 3) if (other := f"{name}_{n}") not in taken)
        keys = (_key(identify(composed)), _plain_key(composed)) if resume else ()
        done = next((finished[key] for key in keys if key in finished), None)
        begun = next((unfinished.pop(key) for key in keys if key in unfinished), None) if done is None else None
        name = done or begun or name
        taken.add(name)
        own = (composed.optimize, composed.repeat)
        jobs.append(Job(number, called, name, overrides, *own, skipped=done is not None, begun=begun is not None))
    return jobs


def _check_submissions(composed: DictConfig, submitted: set[tuple[str, str]]) -> None:
    """Raises InputError if an output adds to a ZIP a video that an earlier job adds, which it would replace.

    ``submitted`` has the sweep's videos so far, by ZIP and name.
    """
    outputs: Any = OmegaConf.to_container(composed.output, resolve=False) if composed.output else {}
    for name, keys in outputs.items():
        archive = keys.get("submission") if isinstance(keys, dict) else None
        if archive is None or "${" in str(archive):  # one for each model, or whatever the value says
            continue
        video = stem(str(composed.video))
        if (str(archive), video) in submitted:
            raise InputError(
                f"output.{name}.submission: two jobs of the sweep add {video} to {archive}, where one replaces "
                f"the other\nGive each model a ZIP of its own, 'output.{name}.submission="
                "results_${hydra:runtime.choices.model}.zip'"
            )
        submitted.add((str(archive), video))


def one_by_one(settings: Any) -> bool:
    """Whether the launcher in Hydra's ``settings`` runs one job at a time, to which Ctrl-C is passed."""
    return settings.runtime.choices["hydra/launcher"] in ("basic", "fresh")


def is_set(config: DictConfig, key: str) -> bool:
    """Whether the command line sets a key of Hydra's."""
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    return any(key_of(override) == key for override in overrides)


def remember(config: DictConfig, jobs: Sequence[Job], anew: bool) -> None:
    """Writes sweep.json: the jobs of this command's earlier launches, unless it begins ``anew``, and these."""
    folder = Path(config.hydra.sweep.dir)
    earlier = [] if anew else read_sweep(folder)["jobs"]
    group = config.tracker.get("group") or sweep_group(str(folder))
    write_sweep(folder, group, [*earlier, *map(asdict, jobs)])


def returned(job: Job, folder: Path) -> JobReturn:
    """What the sweeper gets of a skipped job: the score in its summary."""
    done = JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED)
    try:
        done.return_value = score(read_summary(folder / job.folder) or {}, job.optimize)
    except InputError as error:
        done.status, done.return_value = JobStatus.FAILED, error
    return done


def _key(identity: Identity) -> str:
    """An identity as text."""
    return json.dumps(identity, sort_keys=True, default=str)


def _plain_key(config: DictConfig) -> str:
    """A configuration as text, for runs that ended before they said what they are, as by a mistake in it."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    without = NOT_THE_RUNS if plain.get("repeat") != 1 else (*NOT_THE_RUNS, "repeat")
    return json.dumps({k: plain[k] for k in plain if k not in without}, sort_keys=True)


def _earlier(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The names of a sweep's folders by what their runs are: of finished runs, and of the others."""
    finished: dict[str, str] = {}
    unfinished: dict[str, str] = {}
    for path in sorted(folder.glob("*/.hydra/config.yaml")):
        name = path.parent.parent.name
        try:
            known = recall(folder / name)
            key = _plain_key(OmegaConf.load(path)) if known is None else _key(known["identity"])  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError, OmegaConfBaseException):
            continue  # cut off when the run was killed, or not a configuration of vidseg
        done = (read_summary(folder / name) or {}).get("status") == "finished"
        (finished if done else unfinished)[key] = name
    return finished, unfinished


def read_sweep(folder: Path) -> dict[str, Any]:
    """The content of folder/sweep.json: ``group`` and ``jobs``."""
    return dict(json.loads((folder / NAME).read_bytes()))


def written(folder: Path) -> int | None:
    """When folder/sweep.json was written, in nanoseconds; None if it isn't there."""
    path = folder / NAME
    return path.stat().st_mtime_ns if path.exists() else None


def write_sweep(folder: Path, group: str | None, jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Writes folder/sweep.json with what the jobs' folders say now; returns its content.

    ``jobs`` have ``number``, ``label``, ``folder``, ``overrides``, ``repeat`` and ``skipped``. A job without a
    summary.json is ``missing``: it hasn't begun, is still running, or was killed.
    """
    content = {"group": group, "jobs": [_entry(folder, job) for job in jobs]}
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / NAME) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return content


def _entry(folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    summary = read_summary(folder / job["folder"]) or {}
    entry = {key: job.get(key) for key in ("number", "label", "folder", "overrides", "repeat", "skipped")}
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
