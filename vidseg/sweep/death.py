"""What is left of a job whose process was killed, or crashed: its record says so."""

import signal
from pathlib import Path

from omegaconf import DictConfig

from vidseg.job import JobFailed
from vidseg.record.summary import Summary, read_summary, versions

CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")


def told(config: DictConfig, code: int) -> JobFailed:
    """The error of a job whose process ended with ``code`` instead of a result. It is in the job's summary.json, too.

    A job that had written its summary keeps it. ``config`` is the job's, with Hydra's.
    """
    folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
    error = describe(code)
    if folder.is_dir() and read_summary(folder) is None:
        model = config.hydra.runtime.choices["model"]
        Summary(model=model, versions=versions(), error=error, repeat=config.repeat).write(folder)
    return JobFailed(error)


def describe(code: int) -> str:
    """How a process ended, in one line: ``code`` is its exit status, or minus the number of a signal."""
    if code >= 0:
        return f"its process ended with exit status {code}, in the middle of the job"
    name = signal.Signals(-code).name if -code in [*signal.Signals] else f"signal {-code}"
    if name == "SIGKILL":
        return "killed by SIGKILL: out of memory (choose a smaller model or model.image_size), or by somebody's kill"
    return f"crashed with {name}, in native code" if name in CRASHES else f"killed by {name}"
