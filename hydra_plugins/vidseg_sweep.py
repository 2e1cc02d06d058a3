"""A sweeper and a launcher that wrap the user's own, so that every sweep is recorded and can be resumed.

Hydra's callbacks alone can't record a sweep: they aren't called for jobs in other processes, nor at the end of a sweep
that fails, and they can't skip a job. Hydra accepts plugins from this namespace only. It imports every module here
whenever it starts, so imports that take time are inside the functions.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write


class Recording(Callback):
    """Makes the folder of a run or a sweep its own, and replaces the user's ``hydra.sweeper`` by a RecordingSweeper
    around it (``hydra.callbacks`` in config.yaml).

    Hydra turns exceptions here into warnings, except for SystemExit, whose text is printed.
    """

    def __init__(self, label: str | None = None) -> None:
        self._held = ExitStack()  # the label is for ${sweep_name:}, and needs a place in Hydra's settings

    def __reduce__(self) -> Any:
        return Recording, ()  # launchers send it to the processes of jobs, which hold locks of their own

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra calls this before it writes anything into the run's folder."""
        with _ending():
            from vidseg.config.claim import claim_run

            self._held.enter_context(claim_run(config.hydra, config.resume, config.repeat))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra calls this before it makes the sweeper."""
        with _ending():
            from vidseg.sweep.plan import claim_sweep

            self._held.enter_context(claim_sweep(config))
        with read_write(config):
            config.hydra.sweeper = _wrapped("Sweeper", config.hydra.sweeper)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Frees the folder. Where Hydra doesn't get to it, the end of the process does."""
        self._held.close()

    on_multirun_end = on_run_end


class RecordingSweeper(Sweeper):
    """Runs the user's ``sweeper``, then writes sweep.json and prints a table, also if the sweep fails.

    Raises JobFailed if a job didn't finish, even if the sweeper accepts that.
    """

    def __init__(self, sweeper: DictConfig) -> None:
        self._configured = sweeper

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Makes the user's sweeper, with a RecordingLauncher around the user's launcher."""
        self._config = _replaced(config, "sweeper", _directed(self._configured, config))
        launcher = _wrapped("Launcher", self._config.hydra.launcher)
        self._sweeper = Plugins.instance().instantiate_sweeper(
            hydra_context=hydra_context,
            task_function=task_function,
            config=_replaced(self._config, "launcher", launcher),
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Runs all jobs."""
        from vidseg.sweep.report import Report

        report = Report(self._config)
        try:
            returned = self._sweeper.sweep(arguments)
        except KeyboardInterrupt:
            report.make(track=False)  # the tracker may take a while, and the user wants to end
            raise
        except Exception:
            report.make()
            raise
        report.make(strict=True)
        return returned


class RecordingLauncher(Launcher):
    """Writes the jobs into sweep.json, then gives the user's ``launcher`` those that ``resume=true`` doesn't skip."""

    def __init__(self, launcher: DictConfig) -> None:
        self._configured = launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Makes the user's launcher."""
        self._context = hydra_context
        self._config = _replaced(config, "launcher", self._configured)
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=self._config
        )

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs the jobs; a skipped one returns the score in its summary. The first repetition that failed counts."""
        from vidseg.record.folder import lock
        from vidseg.sweep.plan import halting, one_by_one, plan, remember, repeated, returned

        loader = self._context.config_loader
        times = self._config.repeat
        first = initial_job_idx * times
        jobs = plan(self._config, loader, repeated(job_overrides, times), first)
        folder = Path(self._config.hydra.sweep.dir)
        running = [job for job in jobs if not job.skipped]
        for job in running:  # the jobs of a launcher that was killed may still run, on a cluster
            if (folder / job.folder).is_dir():
                with lock(folder / job.folder, "hydra.sweep.dir"):
                    pass
        remember(self._config, jobs, anew=initial_job_idx == 0)
        for job in running:
            (folder / job.folder / "summary.json").unlink(missing_ok=True)  # left by an earlier attempt
        with nullcontext() if one_by_one(self._config.hydra) else halting(folder):
            arguments = [job.arguments() for job in running]
            launched = iter(self._launcher.launch(arguments, first) if running else ())
            done = [returned(job, folder) if job.skipped else next(launched) for job in jobs]
        return [_worst(done[number :: len(job_overrides)]) for number in range(len(job_overrides))]


def _worst(repetitions: Sequence[JobReturn]) -> JobReturn:
    return next((done for done in repetitions if done.status == JobStatus.FAILED), repetitions[0])


@contextmanager
def _ending() -> Iterator[None]:
    """An InputError in the block ends the program with its message."""
    from vidseg.errors import InputError

    try:
        yield
    except InputError as error:
        raise SystemExit(str(error)) from error


def _wrapped(kind: str, node: DictConfig) -> dict[str, Any]:
    """The configuration of a RecordingSweeper or RecordingLauncher around the one that ``node`` configures."""
    target = f"hydra_plugins.vidseg_sweep.Recording{kind}"
    return {"_target_": target, "_recursive_": False, kind.lower(): node}


def _directed(sweeper: DictConfig, config: DictConfig) -> DictConfig:
    """A sweeper with a direction (Optuna) gets that of ``optimize``: minimize after a leading minus, else maximize.

    Raises InputError if there is no ``optimize``, or a ``repeat``. The user's own ``hydra.sweeper.direction`` wins.
    """
    if "direction" not in sweeper:
        return sweeper
    from vidseg.errors import InputError
    from vidseg.sweep.plan import is_set

    if config.repeat > 1:
        raise InputError(f"repeat: {config.repeat}; a search has trials of its own: leave it out")
    if not config.optimize:
        raise InputError("optimize: missing; name a score of the run, such as optimize=j_and_f or optimize=-fps")
    if not is_set(config, "hydra.sweeper.direction"):
        with read_write(sweeper):
            sweeper.direction = "minimize" if config.optimize.startswith("-") else "maximize"
    return sweeper


def _replaced(config: DictConfig, key: str, node: Any) -> DictConfig:
    """A copy of the configuration with another ``hydra.<key>``."""
    _ = config.hydra.sweep.dir  # resolves ${now:…} here, once for all copies
    config = deepcopy(config)
    with read_write(config), open_dict(config):
        config.hydra[key] = node
    return config
