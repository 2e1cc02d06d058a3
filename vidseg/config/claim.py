"""Which folder a run or a sweep writes into: a new one, or the one that the user named."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from vidseg.config.values import quoted
from vidseg.errors import InputError
from vidseg.record import folder
from vidseg.record.earlier import set_aside


def claim(hydra: DictConfig, kind: str) -> AbstractContextManager[object]:
    """Makes and locks the folder of a ``kind``, "run" or "sweep", before anything is written there; returns the lock.

    A folder that is named by the time (``${now:…}``) is always a new one: ``hydra``, Hydra's settings, then have its
    name, also for the jobs that are composed later. Raises InputError as ``vidseg.record.folder.lock`` does.
    """
    key, path = f"hydra.{kind}.dir", Path(hydra[kind].dir)
    if is_dated(hydra, kind):
        path = folder.reserve(path, key)
        with read_write(hydra), open_dict(hydra):
            hydra[kind].dir = str(path)
            hydra.overrides.hydra.append(f"{key}={quoted(str(path))}")
    return folder.lock(path, key)


def claim_run(hydra: DictConfig, resume: bool, repeat: int) -> AbstractContextManager[object]:
    """``claim`` for a run, whose folder may hold an earlier one.

    Raises InputError if there is none to ``resume``, and if it is to ``repeat``.
    """
    if repeat > 1:
        raise InputError(f"repeat: {repeat}; a sweep's jobs are repeated: add -m, or leave it out")
    if resume and is_dated(hydra, "run"):
        raise InputError("resume: name the folder of the run to go on with, hydra.run.dir=runs/DATE/TIME")
    held = claim(hydra, "run")
    path = Path(hydra.run.dir)
    with folder.writing(path, "hydra.run.dir"):
        set_aside(path)
    return held


def is_dated(hydra: DictConfig, kind: str) -> bool:
    """Whether the folder of a "run" or a "sweep" is named by the time, and so by nobody."""
    settings: Any = OmegaConf.to_container(hydra[kind], resolve=False)
    return "${now:" in str(settings["dir"])
