"""What the page shows of one video: its runs' masks frame by frame, their overlays, samples and disagreements."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vidseg.compare.agreement import Agreement, measure_agreement, read_masks
from vidseg.compare.pictures import Disagreement, Strip, find_disagreements, make_strip
from vidseg.compare.runs import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gallery:
    """Everything by run; ``times_s`` are those of the frames, by number, that any of the overlays shows.

    ``clips`` are small MP4s whose time zero is ``starts_s`` of the video.
    """

    video: str
    runs: Sequence[Run]
    reference: Run | None
    times_s: Mapping[int, float]
    iou: Mapping[Run, Mapping[int, float]]
    j: Mapping[Run, Mapping[int, float]]
    clips: Mapping[Run, bytes]
    starts_s: Mapping[Run, float]
    strip: Strip
    disagreements: Sequence[Disagreement]


def make_gallery(
    runs: Sequence[Run], drawn: Sequence[Run], reference: Run | None, clips: Mapping[Run, bytes]
) -> Gallery:
    """The gallery of ``runs``, which all have the same video; samples and ``clips`` are of ``drawn`` only.

    Where ``reference`` is None, or of another video, it is the first of the runs that has masks.
    Where ``drawn`` is empty there are no pictures at all.
    """
    with_masks = [run for run in runs if run.masks is not None]
    measured = {} if reference is None else _measure(with_masks, reference)
    if not any(agreement.iou for agreement in measured.values()):
        reference = with_masks[0] if len(with_masks) > 1 else None
        measured = {} if reference is None else _measure(with_masks, reference)
    agreements = {run: agreement for run, agreement in measured.items() if agreement.iou}
    clips = {run: clips[run] for run in drawn if run in clips}
    times_s, starts_s = _time(list(clips) or with_masks[:1])
    return Gallery(
        video=runs[0].video,
        runs=runs,
        reference=reference,
        times_s=times_s,
        iou={run: agreement.iou for run, agreement in agreements.items()},
        j={run: scores for run in runs if (scores := _read_scores(run))},
        clips=clips,
        starts_s=starts_s,
        strip=make_strip(drawn),
        disagreements=find_disagreements(reference, agreements) if reference is not None and drawn else [],
    )


def _measure(runs: Sequence[Run], reference: Run) -> dict[Run, Agreement]:
    return {run: measure_agreement(run, reference) for run in runs}


def _time(runs: Sequence[Run]) -> tuple[dict[int, float], dict[Run, float]]:
    """The time of every frame that ``runs`` have, and the time that each run's videos call zero.

    A video begins at zero with frame 0, with the run's first frame where that is a later one.
    """
    times_s: dict[int, float] = {}
    starts_s: dict[Run, float] = {}
    for run in runs:
        ours = dict(_frame_times(run))
        first = min(ours, default=0)
        starts_s[run] = ours[first] if first else 0.0
        times_s |= ours
    return dict(sorted(times_s.items())), starts_s


def _frame_times(run: Run) -> Iterator[tuple[int, float]]:
    if run.masks is not None:
        yield from ((line["frame"], float(line["time_s"])) for line in read_masks(run.masks))
    else:
        yield from ((line["frame"], float(line["time_s"])) for line in _read_frames(run))


def _read_scores(run: Run) -> dict[int, float]:
    """J by frame, the mean over objects, where the run was scored: the ``metric/j_<id>`` of frames.jsonl."""
    scores: dict[int, float] = {}
    for line in _read_frames(run):
        values = [value for key, value in line.items() if key.removeprefix("metric/j_").isdigit()]
        if values:
            scores[line["frame"]] = fmean(values)
    return scores


def _read_frames(run: Run) -> Iterator[dict[str, Any]]:
    """The lines of frames.jsonl, {"frame", "time_s", "metric/j_1", …}; none in runs that left no such file."""
    path = run.folder / "frames.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as file:
        for text in file:
            try:
                line = json.loads(text)
                line["frame"], line["time_s"]
            except (ValueError, KeyError, TypeError):
                log.warning("%s has a line that isn't whole: it ends there", path)
                return
            yield line
