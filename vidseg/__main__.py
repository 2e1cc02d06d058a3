"""The command: Hydra composes the configuration, run_job() runs it. ``--help`` loads neither torch nor wandb."""

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from omegaconf import DictConfig

from vidseg import config as configuration
from vidseg.config.overrides import explain
from vidseg.config.words import check_words
from vidseg.console import open_streams
from vidseg.errors import InputError
from vidseg.sweep.videos import spread

configuration.register()


def run_one(config: DictConfig) -> float | None:
    """Runs one job, alone or in a sweep. Returns the score that ``optimize`` names."""
    settings = HydraConfig.get()
    from vidseg.job import JobFailed, run_job
    from vidseg.record.folder import lock
    from vidseg.record.summary import score
    from vidseg.sweep.plan import is_halted, one_by_one

    if settings.mode == RunMode.MULTIRUN and is_halted(Path(settings.sweep.dir)):
        raise JobFailed("interrupted before it began")
    folder, here = Path(settings.runtime.output_dir), Path.cwd()
    own = lock(folder, "hydra.sweep.dir") if settings.mode == RunMode.MULTIRUN else nullcontext()
    try:
        shown = folder.relative_to(here) if folder.is_relative_to(here) else folder  # messages have this path
        with own:
            summary = run_job(config, shown, settings.runtime.choices)
    except KeyboardInterrupt:
        if one_by_one(settings):
            raise
        raise JobFailed("interrupted") from None  # in a process of its own: the other jobs go on
    return score(asdict(summary), config.optimize)


job = hydra.main(version_base="1.3", config_path=configuration.folder(), config_name="config")(run_one)


def main() -> None:
    """Runs the command. Exit status: 0, 1 after an error (HYDRA_FULL_ERROR=1 shows its traceback), 130 after Ctrl-C."""
    with_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    if not with_traceback:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors outside a job, too, instead of printing tracebacks
        JobReturn.return_value = property(_value, JobReturn.return_value.fset)  # type: ignore[assignment, attr-defined]
    try:
        open_streams()
        # For --help Hydra copies all launchers' configurations 60 times, half of its time; the store copies anyway
        ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]
        check_words(sys.argv[1:])
        sys.argv[1:] = spread(sys.argv[1:])
        job()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if with_traceback:
            raise
        sys.exit(1 if type(error).__name__ == "JobFailed" else _message(error))


def _value(done: JobReturn) -> Any:
    """Hydra's JobReturn.return_value, without printing the job's overrides: the error is on the console already."""
    if done.status == JobStatus.FAILED:
        raise done._return_value
    assert done.status == JobStatus.COMPLETED
    return done._return_value


def _message(error: Exception) -> str:
    """The error in one line, or in two if they are Hydra's."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; choose a folder for the run with hydra.run.dir="
    return explain(error)


if __name__ == "__main__":
    main()
