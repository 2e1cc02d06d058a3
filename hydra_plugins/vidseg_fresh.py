"""The launcher of sweeps unless another is chosen: one job after the other, each in a fresh process.

Imports that take time are inside the functions, see vidseg_sweep.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

log = logging.getLogger(__name__)


class FreshLauncher(Launcher):
    """Does what Hydra's basic launcher does, but for the processes. A job that kills its process fails alone."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Begins no process."""
        from vidseg.sweep.process import Processes

        self._context, self._config, self._processes = hydra_context, config, Processes()

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs the jobs. Raises KeyboardInterrupt once a job was interrupted and has finished its files."""
        setup_globals()
        hydra = self._config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        Path(str(hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        log.info("Launching %d jobs locally, each in a process of its own", len(job_overrides))
        returned = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            returned.append(self._run(config))
        return returned

    def _run(self, config: DictConfig) -> JobReturn:
        from vidseg.sweep.process import DiedError

        try:
            done: JobReturn = self._processes.call(_job, (config, self._context), _preloaded(config))
        except DiedError as died:
            from vidseg.sweep.death import told

            error = told(config, died.code)
            log.error("%s", error)
            done = JobReturn(list(config.hydra.overrides.task), status=JobStatus.FAILED)
            done.return_value = error
        return done


def _job(work: tuple[DictConfig, HydraContext]) -> JobReturn:
    """A job, in the process that is its own."""
    from vidseg.__main__ import run_one

    config, context = work
    setup_globals()
    JobRuntime.instance().set("name", config.hydra.job.name)
    keys: dict[str, Any] = {"job_dir_key": "hydra.sweep.dir", "job_subdir_key": "hydra.sweep.subdir"}
    done = run_job(run_one, config, hydra_context=context, **keys)
    if done.status == JobStatus.FAILED:
        done.return_value = _portable(done._return_value)
    return done


def _portable(error: Exception) -> Exception:
    """An error that another process can read, too."""
    from vidseg.errors import InputError
    from vidseg.job import JobFailed

    known = isinstance(error, InputError | JobFailed)
    return type(error)(str(error)) if known else JobFailed(f"{type(error).__name__}: {error}")


def _preloaded(config: DictConfig) -> list[str]:
    """The modules that the processes of such jobs begin with: what takes long, and no user's.

    A model that doesn't import torch gets a process without torch, so that its job is as small as alone. wandb is only
    imported (1.1 s): its service is a process of each job.
    """
    model = str(config.model.get("_target_")).rpartition(".")[0]
    modules = ["vidseg.__main__", "vidseg.job", "vidseg.output.video", "vidseg.output.samples"]
    modules += [model] if model.startswith("vidseg.model.") else []
    tracked = config.tracker.get("_target_") == "vidseg.tracker.wandb.WandbTracker" and not config.preview
    return [*modules, "wandb"] if tracked and config.tracker.mode != "disabled" else modules
