"""The command: Hydra composes the configuration, run_job() runs it. Light: `--help` loads neither torch nor wandb."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from vidseg import config as configuration
from vidseg.errors import InputError
from vidseg.config.overrides import explain
from vidseg.sweep.videos import spread

configuration.register()


@hydra.main(version_base="1.3", config_path=configuration.folder(), config_name="config")
def job(config: DictConfig) -> float | None:
    """One job of a run or a sweep; returns the score that ``optimize`` names."""
    settings = HydraConfig.get()
    if config.resume and settings.mode == RunMode.RUN:
        raise InputError("resume: a single run starts anew; resume=true is for sweeps (-m)")
    from vidseg.job import JobFailed, run_job
    from vidseg.record.summary import score
    from vidseg.sweep.halt import is_halted

    if settings.mode == RunMode.MULTIRUN and is_halted(Path(settings.sweep.dir)):
        raise JobFailed("interrupted before it began")
    try:
        summary = run_job(config, _relative(settings.runtime.output_dir), settings.runtime.choices)
    except KeyboardInterrupt:
        if settings.runtime.choices["hydra/launcher"] == "basic":
            raise
        raise JobFailed("interrupted") from None  # in a process of its own it ends this job, not its neighbours
    return score(asdict(summary), config.optimize)


def _relative(folder: str) -> Path:
    """The path as a person would write it from here."""
    path = Path(folder)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> None:
    """Runs the command. Exit status 0, 1 after an error, 130 after Ctrl-C."""
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # Hydra prints a traceback of its own for what happens outside the job (a run folder that can't be made, say)
    # unless it is told to hand exceptions through.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        sys.argv[1:] = spread(sys.argv[1:])
        job()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if wants_traceback:
            raise
        sys.exit(1 if type(error).__name__ == "JobFailed" else _message(error))


def _message(error: Exception) -> str:
    """One line, or two of Hydra's own."""
    if isinstance(error, CompactHydraException):
        return explain(error)
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; choose a folder for the run with hydra.run.dir="
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
