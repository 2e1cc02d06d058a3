"""One job: check the configuration, build the parts, run them, and leave a record whatever happens."""

import errno
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from hydra.errors import CompactHydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from vidseg import config as configuration
from vidseg import prompt as prompting
from vidseg.errors import InputError
from vidseg.meter import Meter
from vidseg.runner import Parts, run
from vidseg.record.summary import Summary, score, versions
from vidseg.types import Metric, Output, Prompt, Segmenter, Tracker

log = logging.getLogger(__name__)


class JobFailed(CompactHydraException):
    """A job ended with an error; it is on the console, in the log and in summary.json already."""


def run_job(
    config: DictConfig, folder: Path, choices: Mapping[str, str], prompts: Sequence[Prompt] | None = None
) -> Summary:
    """Runs one configuration into ``folder``; ``prompts`` replace the configuration's.

    Whatever happens, summary.json, the log and the tracked run say so. Raises JobFailed after an error and
    KeyboardInterrupt after an interruption; both have left their record then.
    """
    meter = Meter()
    summary = Summary(model=choices["model"], versions=versions())
    job = _Job(config, folder, meter, summary)
    cause: BaseException | None = None
    try:
        summary.status = "finished" if job.run(prompts) else "interrupted"
    except KeyboardInterrupt:
        summary.status = "interrupted"
    except Exception as error:
        cause = error
        summary.error = _describe(error, folder)
        log.error(summary.error, exc_info=error)
    job.record()
    if cause is not None:
        traceback.clear_frames(
            cause.__traceback__
        )  # in a sweep Hydra keeps the error, and with it the model would stay
        raise JobFailed(summary.error) from cause
    log.info("%s: %s", summary.status, _outcome(summary, folder))
    if summary.status == "interrupted":
        raise KeyboardInterrupt
    return summary


class _Job:
    """The state of a job that its record needs after an error, too."""

    def __init__(self, config: DictConfig, folder: Path, meter: Meter, summary: Summary) -> None:
        self._config, self._folder, self._meter, self._summary = config, folder, meter, summary
        self._outputs: Mapping[str, Output] = {}
        self._tracker: Tracker | None = None
        self._provenance: dict[str, Any] = {"versions": summary.versions}

    def run(self, prompts: Sequence[Prompt] | None) -> bool:
        """From the configuration to the files; True if the video came to its end."""
        with self._meter.stage("build"):
            parts = self._prepare(prompts)
            self._outputs = parts.outputs
            segmenter = self._build()
            self._start_tracker(parts.tracker)
        finished = run(parts, segmenter, self._folder, self._meter)
        for metric in parts.metrics:
            self._summary.metrics |= metric.compute()
        self._summary.measure(self._meter)
        score(asdict(self._summary), self._config.optimize)  # a name that isn't there fails the run
        return finished

    def _prepare(self, prompts: Sequence[Prompt] | None) -> Parts:
        """Everything but the model, so that a mistake costs no time: it is found here or by Hydra."""
        from vidseg.output.samples import Samples
        from vidseg.tracker.guard import Guarded
        from vidseg.video import open_source
        from vidseg.video.selection import Selection

        config = self._config
        self._tracker = Guarded(_instantiate(config, "tracker"))  # first: what fails from here on is tracked as failed
        configuration.check(config)
        extract = config.extract
        source = open_source(config.video, extract.start, extract.stop, extract.step, extract.fps, config.sample.seed)
        chosen = tuple(prompts) if prompts is not None else _instantiate(config, "prompt")(source)
        prompting.check(source, chosen)
        self._provenance["video"] = dict(source.provenance())
        self._summary.objects = sorted({prompt.object_id for prompt in chosen})
        if config.preview:
            source = Selection(source, sorted({prompt.frame_index for prompt in chosen}))
        outputs = {} if config.preview else {name: _instantiate(config, "output", name) for name in config.output}
        metrics: list[Metric] = [_instantiate(config, "metric", name) for name in config.metric]
        for metric in metrics:
            metric.open(source, chosen)
        stride = 1 if config.preview else config.stride
        samples = Samples(self._folder, stride, chosen, len(source.frames))
        return Parts(source, chosen, outputs, metrics, samples, self._tracker)

    def _build(self) -> Segmenter:
        """The model; the only slow part of setting up."""
        segmenter: Segmenter = _instantiate(self._config, "model")
        _limit_threads(self._config.threads)
        self._summary.precision, self._summary.device = segmenter.precision, segmenter.device
        self._provenance |= {"model": dict(segmenter.provenance), "device": segmenter.device}
        log.info("%s on %s, %s", self._summary.model, segmenter.device, segmenter.precision)
        return segmenter

    def _start_tracker(self, tracker: Tracker) -> None:
        resolved = cast("dict[str, Any]", OmegaConf.to_container(self._config, resolve=True))
        choice = {"model_name": self._summary.model, "precision_resolved": self._summary.precision}
        self._summary.wandb = tracker.start({**resolved, **choice, "provenance": self._provenance}, self._folder)

    def record(self) -> None:
        """Writes summary.json and ends the tracked run; a run that failed early is tracked as well."""
        self._summary.find_outputs(self._outputs, self._folder)
        self._summary.measure(self._meter)
        if self._tracker is not None and self._summary.wandb is None:
            self._start_tracker(self._tracker)
        try:
            self._summary.write(self._folder)
        except OSError as error:
            log.error("summary.json can't be written: %s", error)
        if self._tracker is not None:
            self._tracker.finish(asdict(self._summary), self._folder)


def _instantiate(config: DictConfig, *path: str) -> Any:
    """Builds the part at ``path``; what its constructor raises comes out as it was raised."""
    node: Any = config
    for key in path:
        node = node[key]
    key = ".".join(path)
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if isinstance(cause, TypeError) and "argument" in str(cause):
            raise InputError(f"{key}: {cause}") from error
        if cause is None or isinstance(cause, ImportError | AttributeError):
            raise InputError(f"{key}: {str(error).splitlines()[0]}") from error
        if isinstance(cause, InputError) and path[0] == "output":  # an output doesn't know what it is called
            raise InputError(f"{key}.{cause}") from None
        raise cause from None


@lru_cache(maxsize=1)
def _threads_at_start() -> tuple[int, int | None]:
    import cv2

    torch = sys.modules.get("torch")
    return cv2.getNumThreads(), None if torch is None else torch.get_num_threads()


def _limit_threads(threads: int | None) -> None:
    """Sets the CPU threads of OpenCV, and of torch if the model brought it; None is what they had at the start."""
    import cv2

    opencv_default, torch_default = _threads_at_start()
    cv2.setNumThreads(opencv_default if threads is None else threads)
    if (torch := sys.modules.get("torch")) is not None:
        wanted = torch_default if threads is None else threads
        if wanted is not None:
            torch.set_num_threads(wanted)


def _describe(error: Exception, folder: Path) -> str:
    """One or two lines for a person."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space left on the device of {folder}: free some, or choose another place with hydra.run.dir="
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = text[:297] + "..."
    return f"{type(error).__name__}: {text} (the traceback is in {folder / 'vidseg.log'})"


def _outcome(summary: Summary, folder: Path) -> str:
    """The last line of a run: what it took and where the outputs are."""
    scores = "".join(f", {name} {value:.3f}" for name, value in summary.metrics.items() if "_" not in name)
    made = ", ".join(summary.outputs.values()) or "samples/"
    return f"{summary.frames} frames at {summary.fps:.1f} fps{scores}; {folder}/ has {made}"
