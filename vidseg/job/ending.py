"""How a job ends: its record, whatever happens in it, and the last line on the console."""

import errno
import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from vidseg.errors import InputError
from vidseg.record.summary import Summary
from vidseg.types import Prompt

log = logging.getLogger(__name__)


class Job(Protocol):
    """What ``carry_out`` needs of a job."""

    summary: Summary
    before: Summary | None  # of the run that was to be resumed, if nothing is left to do

    def run(self, prompts: Sequence[Prompt] | None) -> bool: ...  # noqa: D102
    def record(self) -> None: ...  # noqa: D102
    def end(self) -> None: ...  # noqa: D102


def log_error(message: str, error: Exception) -> None:
    """One line on the console; the log has the traceback."""
    log.error(message, exc_info=error)


def carry_out(
    job: Job, prompts: Sequence[Prompt] | None, folder: Path, tell: Callable[[str, Exception], None] = log_error
) -> Exception | None:
    """Runs a job and records it, however it ends. Returns the error, or None.

    ``tell`` is called with an error and its text, for the log in ``folder``. ``job.summary`` has the status afterwards;
    ``job.before``, if there is one, is a run's that needed nothing more.
    """
    cause: Exception | None = None
    try:
        job.summary.status = "finished" if job.run(prompts) else "interrupted"
    except KeyboardInterrupt:
        job.summary.status = "interrupted"
    except Exception as error:
        cause = error
        job.summary.error = describe(error, folder)
        tell(job.summary.error, error)
    if job.before is None:
        job.record()
        job.end()
    if cause is not None:
        traceback.clear_frames(cause.__traceback__)  # in a sweep Hydra keeps the error, and with it the model's memory
    return cause


def describe(error: Exception, folder: Path) -> str:
    """The error in one or two lines."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space left on the device of {folder}: free some, or choose another place with hydra.run.dir="
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "out of memory: choose a smaller model or model.image_size, or prompt fewer objects at a time"
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else f"{text[:297]}..."
    return f"{type(error).__name__}: {text} (the traceback is in {folder / 'vidseg.log'})"


def outcome(summary: Summary, folder: Path) -> str:
    """The last line on the console: frames, speed, scores of the whole run, and the outputs."""
    scores = "".join(f", {name} {value:.3f}" for name, value in summary.metrics.items() if "_" not in name)
    if (photos := summary.photos) is not None:
        failed = ", ".join(each["photo"] for each in photos["each"] if each["status"] == "failed")
        count = f"{photos['finished']} photographs at {summary.fps:.1f} a second{scores}"
        return f"{count}; {folder}/ has a folder for each" + (
            f"; {photos['failed']} failed: {failed}" if failed else ""
        )
    made = ", ".join(summary.outputs.values()) or "samples/"
    if not summary.frames:
        return f"nothing was segmented; {folder}/ has {made}"
    frames = f"{summary.frames} frame{'s' * (summary.frames != 1)}"
    return f"{frames} at {summary.fps:.1f} fps{scores}; {folder}/ has {made}"
