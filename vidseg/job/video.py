"""A job of one video: check the configuration, build its parts, run them, and record the run however it ends."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vidseg import config as configuration
from vidseg.contract import build, check_scores
from vidseg.errors import InputError
from vidseg.job.opening import make_matte, open_video
from vidseg.job.ruler import ruled_frame, show
from vidseg.meter import Meter
from vidseg.prompt.missing import MissingPromptError
from vidseg.record import checkpoints, earlier
from vidseg.record.found import read_found
from vidseg.record.identity import identify, remember
from vidseg.record.progress import Progress, Recorded, Resumed, check_alike, digest, find_resumed
from vidseg.record.run import flatten
from vidseg.record.summary import Summary, score
from vidseg.runner import run
from vidseg.scaling import scaled
from vidseg.tracker.guard import Guarded, NoTracker
from vidseg.types import Metric, Output, Prompt, Segmenter, names_of
from vidseg.work import Parts, Told, log_notes

log = logging.getLogger(__name__)


class VideoJob:
    """One video. It keeps what its record needs, also after an error."""

    def __init__(self, config: DictConfig, folder: Path, meter: Meter, summary: Summary) -> None:
        self._config, self._folder, self._meter, self.summary = config, folder, meter, summary
        self.before: Summary | None = None  # of the run that was to be resumed, if nothing is left to do
        self._outputs: Mapping[str, Output] = {}
        self._kept: Mapping[str, str] = {}  # outputs of the run that is resumed, by name
        self._tracker: Guarded | None = None
        self._told: Told | None = None
        self._begun = False  # from then on the folder's files are this run's
        self._known: dict[str, Any] = {}  # what it is, for those that resume it
        self._provenance: dict[str, Any] = {"versions": summary.versions}

    def run(self, prompts: Sequence[Prompt] | None) -> bool:
        """Does everything from the configuration to the output files. Returns False if the user interrupted."""
        with self._meter.stage("build"):
            try:
                parts = self._prepare(prompts)
            except MissingPromptError as missing:
                if not self._config.preview:
                    raise
                return self._show_ruler(missing)
            identity = identify(self._config)
            resumed = find_resumed(self._folder, identity, parts.prompts) if self._config.resume else None
            if resumed is not None and resumed.nothing_left(self._folder):
                self.before = Summary.of(resumed.summary)
                return True
            self._known = {"identity": identity, "prompts": digest(parts.prompts)}
            segmenter = self._begin(parts, resumed)
        if resumed is not None and resumed.complete:
            parts = replace(parts, tracked=None)  # what is given out is recorded
        progress = Progress(self._folder, self._config.checkpoint.every, resumed)
        with limited(self._config.threads):
            finished = run(parts, segmenter, self._folder, self._meter, progress)
        for metric in parts.metrics:
            self.summary.metrics |= check_scores(metric, "compute", metric.compute())
        self.summary.measure(self._meter)
        score(asdict(self.summary), self._config.optimize)  # fails the run if there is no such score
        return finished

    def _show_ruler(self, missing: MissingPromptError) -> bool:
        """Shows a frame to find coordinates on; that is all this run does."""
        frame = ruled_frame(missing)
        earlier.check(self._folder, {}, self._reads())
        earlier.begin(self._folder, (), missing.source.info.file_stems or ())
        self._begun, self._known = True, {"identity": identify(self._config), "prompts": None}
        show(missing.source, frame, self._folder)
        return True

    def _begin(self, parts: Parts, resumed: Resumed | None) -> Segmenter:
        """Builds the segmenter, makes the folder this run's, and begins its record, or goes on with those resumed."""
        paths = {f"output.{name}.path": output.path for name, output in self._outputs.items()}
        earlier.check(self._folder, paths, self._reads())
        if resumed is not None and resumed.complete:
            self._kept = resumed.outputs
            self._told = None  # the objects are those that the run found then
            self.summary.objects = resumed.summary.get("objects", [])
            self.summary.names = resumed.summary.get("names", {})
            segmenter: Segmenter = Recorded(resumed)
        else:
            segmenter = self._make_segmenter()
            if resumed is not None:
                check_alike(resumed, segmenter, self._folder)
        self._introduce(segmenter)
        stems = parts.source.info.file_stems or ()
        inside = [f"{output.path}/{name}" for output in self._outputs.values() for name in getattr(output, "files", ())]
        earlier.begin(self._folder, [*paths.values(), *inside], stems, () if resumed is None else resumed.kept)
        self._begun = True
        self._known |= {"device": segmenter.device, "precision": segmenter.precision, "wandb": None, "ended": None}
        if resumed is not None:
            self._known |= {"wandb": resumed.known.get("wandb"), "ended": resumed.ended}
            info = parts.source.info
            size = (info.width, info.height)
            found = (scaled(prompt, info.source_size or size, size) for prompt in read_found(self._folder))
            parts.samples.go_on([prompt for prompt in found if resumed.covers(prompt.frame_index)])
        remember(self._folder, self._known)
        if self._tracker is not None and self._known["wandb"] is not None:
            self._tracker.resume(self._known["wandb"])
        self._expect_record()
        return segmenter

    def _prepare(self, prompts: Sequence[Prompt] | None) -> Parts:
        """Builds and checks all but the model, which takes long, so that the user hears of a mistake at once."""
        from vidseg.output.samples import Samples

        config = self._config
        self._tracker = self._make_tracker()
        told = open_video(config, prompts)
        source, chosen = told.source, told.prompts
        self._provenance["video"] = dict(source.provenance())
        self._provenance |= {} if told.detector is None else {"detector": dict(told.detector)}
        self._told = told
        self._outputs = {} if config.preview else {name: build(config, "output", name) for name in config.output}
        for name, output in self._outputs.items():
            if expect := getattr(output, "expect", None):
                expect(told.classes)
            if check := getattr(output, "check", None):
                try:
                    check(source, chosen)
                except InputError as error:
                    raise InputError(f"output.{name}.{error}") from error
        if source.info.depth is not None and any(getattr(output, "deep", False) for output in self._outputs.values()):
            deep_source: Any = source
            deep_source.carry_depth()
        metrics: list[Metric] = [build(config, "metric", name) for name in config.metric]
        for metric in metrics:
            metric.open(source, chosen)
            self._note(getattr(metric, "notes", ()))
        stride = 1 if config.preview else config.stride
        found = (told.finder, told.looks, source.info.source_size)
        samples = Samples(self._folder, stride, chosen, len(source.frames), *found)
        if told.tracked is not None:
            log.info("preview: tracking %d frames, from the first prompt to the last", told.steps)
        done = (self._outputs, metrics, samples, self._tracker)
        matte = make_matte(config, alpha=any(getattr(output, "alpha", False) for output in self._outputs.values()))
        parts = Parts(source, chosen, *done, matte=matte, note=self._note)
        return replace(parts, finder=told.finder, tracked=told.tracked)

    def _note(self, notes: Sequence[tuple[int, str]]) -> None:
        """Logs and keeps what the run lacks, and points that weren't obeyed: levels of logging, and texts."""
        log_notes(notes)
        self.summary.notes += [text for _, text in notes]

    def _make_tracker(self) -> Guarded:
        """The tracker of the configuration, or none in a preview."""
        tracker = self._tracker or Guarded(build(self._config, "tracker"))
        return Guarded(NoTracker()) if self._config.preview else tracker

    def _make_segmenter(self) -> Segmenter:
        segmenter: Segmenter = build(self._config, "model")
        return segmenter

    def _introduce(self, segmenter: Segmenter) -> None:
        """Notes what segments."""
        self.summary.precision, self.summary.device = segmenter.precision, segmenter.device
        self._provenance |= {"model": dict(segmenter.provenance), "device": segmenter.device}
        log.info("%s on %s, %s", self.summary.model, segmenter.device, segmenter.precision)

    def _reads(self) -> dict[str, Any]:
        """The values of the configuration by key, without those that only name what is written."""
        values = configuration.resolved(self._config)
        return dict(flatten("", {key: value for key, value in values.items() if key not in ("output", "tracker")}))

    def _expect_record(self) -> None:
        """Tells the tracker what the run is. The record begins with the first frame, or never."""
        choice = {"model_name": self.summary.model, "precision_resolved": self.summary.precision}
        config = {**configuration.resolved(self._config), **choice, "provenance": self._provenance}
        if self._tracker is not None:
            self._tracker.expect(config, self._folder, self._note_record)

    def _note_record(self, record: dict[str, Any] | None) -> None:
        self.summary.wandb = record
        if record is not None:
            self._known["wandb"] = record
            remember(self._folder, self._known)

    def record(self) -> None:
        """Writes summary.json and ends the tracked run, if the job has one.

        A job that failed before it began leaves an earlier run in its folder as it was, its summary.json too.
        """
        if self._told is not None:
            found = self._told.prompts_so_far
            self.summary.objects = sorted({prompt.object_id for prompt in found})
            self.summary.names = {str(number): name for number, name in sorted(names_of(found).items())}
        self.summary.find_outputs(self._outputs if self._begun else {}, self._folder, self._kept)
        self.summary.measure(self._meter)
        if self._tracker is not None and self.summary.frames:
            self._tracker.begin()  # of a run that went on, with no frame left to log
        try:
            if self._begun or not earlier.put_back(self._folder):
                self.summary.write(self._folder)
        except OSError as error:
            log.error("summary.json can't be written: %s", error)
        if self._tracker is not None:
            self._tracker.finish(asdict(self.summary), self._folder)

    def end(self) -> None:
        """Once all else is on the disk: a run that came to its end says so, and needs no checkpoints any more."""
        if self.summary.status == "finished":
            ended = {"frames": self.summary.frames, "outputs": self.summary.outputs}
            remember(self._folder, {**self._known, "ended": ended})
            checkpoints.remove(self._folder)


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Sets the CPU threads of OpenCV and torch within the block, then as they were; None changes nothing.

    Entered when the model is built: until then torch may not be imported.
    """
    if threads is None:
        yield
        return
    import cv2

    switches: list[tuple[Callable[[], int], Callable[[int], None]]] = [(cv2.getNumThreads, cv2.setNumThreads)]
    if (torch := sys.modules.get("torch")) is not None:
        switches.append((torch.get_num_threads, torch.set_num_threads))
    with ExitStack() as stack:
        for count, switch in switches:
            stack.callback(switch, count())
            switch(threads)
        yield
