"""A folder of photographs: each is a job of its own in a folder of its own, with one model and one tracked run."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import DictConfig, open_dict, read_write

from vidseg import config as configuration
from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.job.album import find_photos
from vidseg.job.ending import carry_out, log_error
from vidseg.job.video import VideoJob
from vidseg.meter import Meter
from vidseg.prompt.detected import one_detector
from vidseg.record import earlier
from vidseg.record.identity import check_same, identify, recall, remember
from vidseg.record.summary import Summary, read_summary, score
from vidseg.tracker.guard import Guarded, NoTracker
from vidseg.types import Frame, FrameMasks, Prompt, Segmenter

log = logging.getLogger(__name__)

SAME_MISTAKES = 3
"""So many photographs at the beginning that fail with the same words end the run: the mistake isn't theirs."""


class PhotosJob(VideoJob):
    """Each photograph of a folder, if the video is one; else that one video.

    A photograph that fails is named in the log and in the summary, and the others go on; the run fails if all do.
    """

    def __init__(self, config: DictConfig, folder: Path, meter: Meter, summary: Summary) -> None:
        super().__init__(config, folder, meter, summary)
        self._segmenter: Segmenter | None = None
        self._fatal: Exception | None = None
        self._earlier: Mapping[str, Any] = {}  # the summary of the run that is resumed

    def run(self, prompts: Sequence[Prompt] | None) -> bool:
        """Does everything from the configuration to the output files. Returns False if the user interrupted."""
        with self._meter.stage("build"):
            self._tracker = self._make_tracker()
            configuration.check(self._config)
            photos = find_photos(self._config, prompts is None)
            if photos:
                self._begin_folder(photos)
        return self._run_each(photos, prompts) if photos else super().run(prompts)

    def shared_segmenter(self) -> Segmenter:
        """The segmenter of all photographs, built for the first of them."""
        if self._segmenter is None:
            try:
                self._segmenter = self._make_segmenter()
            except Exception as error:
                self._fatal = error
                raise
            self._introduce(self._segmenter)
            self._known |= {"device": self._segmenter.device, "precision": self._segmenter.precision}
            remember(self._folder, self._known)
            self._expect_record()
        return self._segmenter

    def log_photo(self, number: int, values: Mapping[str, float]) -> None:
        """Logs the numbers of a photograph as those of a frame."""
        if self._tracker is not None:
            self._tracker.log(number, {**values, "frame": number})

    def log_sample(self, number: int, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Logs the picture of a photograph as that of a frame."""
        if self._tracker is not None:
            own = [replace(prompt, frame_index=number) for prompt in prompts]
            self._tracker.log_sample(replace(frame, index=number), replace(masks, frame_index=number), own)

    def _begin_folder(self, photos: Mapping[str, Path]) -> None:
        """Makes the folder this run's, or goes on in it."""
        self._provenance["video"] = {"path": str(self._config.video), "num_photos": str(len(photos))}
        identity = identify(self._config)
        then = recall(self._folder) if self._config.resume else None
        if then is not None:  # each photograph is compared by itself
            check_same({**identity, "video": None}, {**then["identity"], "video": None}, self._folder)
            self._earlier = read_summary(self._folder) or {}
        earlier.check(self._folder, {}, self._reads(), photos)
        earlier.begin(self._folder, photos, keep=() if then is None else list(photos))
        self._begun = True
        self._known = {"identity": identity, "prompts": None, "wandb": (then or {}).get("wandb"), "ended": None}
        remember(self._folder, self._known)
        if self._tracker is not None and self._known["wandb"] is not None:
            self._tracker.resume(self._known["wandb"])

    def _run_each(self, photos: Mapping[str, Path], prompts: Sequence[Prompt] | None) -> bool:
        results: list[Summary] = []
        untouched = 0
        with one_detector(), progress(len(photos), unit="photo") as bar:
            for number, (name, path) in enumerate(photos.items()):
                job = _PhotoJob(self, number, self._folder / name, photo_config(self._config, path), self.summary)
                cause = carry_out(job, prompts, self._folder, partial(self._tell, path.name))
                results.append(job.before or job.summary)
                untouched += job.before is not None
                self._count(path, job)
                if job.summary.status == "interrupted":
                    return False
                if cause is not None and (cause is self._fatal or _is_no_photo_s(results)):
                    raise cause
                bar.update()
        done = [summary for summary in results if summary.error is None]
        if not done:
            raise InputError(
                f"video: none of the {len(results)} photographs in {self._config.video} could be segmented"
            )
        if untouched == len(results) and self._earlier.get("status") == "finished":
            self.before = Summary.of(self._earlier)
            self.before.write(self._folder)
            return True
        self.summary.metrics = _means(done)
        self.summary.measure(self._meter)
        score(asdict(self.summary), self._config.optimize)
        return True

    def _tell(self, photo: str, text: str, error: Exception) -> None:
        if error is not self._fatal:
            log_error(f"{photo}: {text}", error)

    def _count(self, path: Path, job: "_PhotoJob") -> None:
        """Adds a photograph to the summary."""
        summary, of_all = job.before or job.summary, self.summary
        if of_all.photos is None:
            of_all.photos = {"finished": 0, "failed": 0, "each": []}
        entry: dict[str, Any] = {"photo": path.name, "folder": job.folder.name}
        entry |= {"status": summary.status, "error": summary.error}
        entry |= {"objects": summary.objects, "names": summary.names, "seconds": summary.seconds.get("total", 0.0)}
        of_all.photos["each"].append(entry)
        if summary.status in of_all.photos:
            of_all.photos[summary.status] += 1
        self._meter.frames += summary.status == "finished"
        self._meter.before += job.before is not None
        of_all.notes += [note for note in summary.notes if note not in of_all.notes]  # of those that ``before`` had
        for stage, seconds in job.summary.seconds.items():
            if stage in self._meter.seconds:
                self._meter.seconds[stage] += seconds
        of_all.peak_rss_mib = max(of_all.peak_rss_mib, job.summary.peak_rss_mib)
        if job.summary.peak_cuda_mib is not None:
            of_all.peak_cuda_mib = max(of_all.peak_cuda_mib or 0.0, job.summary.peak_cuda_mib)


class _PhotoJob(VideoJob):
    """One photograph of several: its model and its tracked run are those of ``whole``."""

    def __init__(self, whole: PhotosJob, number: int, folder: Path, config: DictConfig, of_all: Summary) -> None:
        super().__init__(config, folder, Meter(), Summary(model=of_all.model, versions=of_all.versions))
        self._whole, self._number, self.folder = whole, number, folder
        folder.mkdir(exist_ok=True)

    def _make_tracker(self) -> Guarded:
        return Guarded(_Step(self._whole, self._number))

    def _note(self, notes: Sequence[tuple[int, str]]) -> None:
        """Says what all photographs lack with the first of them, and by its name what one lacks."""
        self.summary.notes += [text for _, text in notes]
        self._whole._note([note for note in notes if note[1] not in self._whole.summary.notes])

    def _make_segmenter(self) -> Segmenter:
        return self._whole.shared_segmenter()

    def _introduce(self, segmenter: Segmenter) -> None:
        self.summary.precision, self.summary.device = segmenter.precision, segmenter.device


class _Step(NoTracker):
    """The tracker of one photograph: a step of the run over all."""

    def __init__(self, whole: PhotosJob, number: int) -> None:
        self._whole, self._number = whole, number

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._whole.log_photo(self._number, values)

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        self._whole.log_sample(self._number, frame, masks, prompts)


def photo_config(config: DictConfig, path: Path) -> DictConfig:
    """The configuration of a run of one photograph."""
    own = deepcopy(config)
    with read_write(own), open_dict(own):
        own.video, own.optimize = str(path), None
        own.extract.start = own.extract.stop = own.extract.photos = None
        own.extract.step = 1
    return own


def _is_no_photo_s(results: Sequence[Summary]) -> bool:
    """Whether all have failed so far, with the same words, and are enough to call it a mistake of the run."""
    return len(results) == SAME_MISTAKES and len({summary.error for summary in results}) == 1


def _means(summaries: Sequence[Summary]) -> dict[str, float]:
    """The mean of each metric over those that have it, without those of single objects: each photograph has others."""
    values = defaultdict[str, list[float]](list)
    for summary in summaries:
        for name, value in summary.metrics.items():
            if not name.rpartition("_")[2].isdigit():
                values[name].append(value)
    return {name: fmean(each) for name, each in values.items()}
