"""What the page shows of one video: its runs' agreement frame by frame, overlays, samples, and worst frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vidseg.compare.agreement import Agreement, measure_agreement
from vidseg.compare.pictures import Disagreement, Strip, find_disagreements, make_strip
from vidseg.record.jsonl import read_frames
from vidseg.record.masks import read_mask_lines
from vidseg.record.run import Run


@dataclass(frozen=True)
class Gallery:
    """``iou`` (with ``reference``) and ``j`` are by run and frame number; ``clips`` are MP4s.

    ``times_s`` are those of every frame that a clip shows, by its number. A clip's time zero is ``starts_s`` in the
    time of the video.
    """

    video: str
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
    """The gallery of ``runs``, which all have the same video; samples and ``clips`` are of ``drawn`` alone.

    If ``reference`` is None or of another video, the first run with masks is the reference. Without any ``drawn``
    there are no pictures.
    """
    with_masks = [run for run in runs if run.masks is not None]
    agreements = _measure(with_masks, reference)
    if not agreements:
        reference = with_masks[0] if len(with_masks) > 1 else None
        agreements = _measure(with_masks, reference)
    clips = {run: clips[run] for run in drawn if run in clips}
    times_s, starts_s = _time_frames(list(clips) or with_masks[:1])
    return Gallery(
        video=runs[0].video,
        reference=reference,
        times_s=times_s,
        iou={run: agreement.iou for run, agreement in agreements.items()},
        j={run: scores for run in runs if (scores := _read_scores(run))},
        clips=clips,
        starts_s=starts_s,
        strip=make_strip(drawn),
        disagreements=find_disagreements(reference, agreements) if reference is not None and drawn else [],
    )


def _measure(runs: Sequence[Run], reference: Run | None) -> dict[Run, Agreement]:
    measured = {} if reference is None else {run: measure_agreement(run, reference) for run in runs}
    return {run: agreement for run, agreement in measured.items() if agreement.iou}


def _time_frames(runs: Sequence[Run]) -> tuple[dict[int, float], dict[Run, float]]:
    """The time of every frame of ``runs`` in seconds, by its number, and the time that each run's videos call zero.

    That is 0 if the run has frame 0, else the time of its first frame.
    """
    times_s: dict[int, float] = {}
    starts_s: dict[Run, float] = {}
    for run in runs:
        lines = read_frames(run.folder) if run.masks is None else read_mask_lines(run.masks)
        ours = {line["frame"]: float(line["time_s"]) for line in lines}
        first = min(ours, default=0)
        starts_s[run] = ours[first] if first else 0.0
        times_s |= ours
    return dict(sorted(times_s.items())), starts_s


def _read_scores(run: Run) -> dict[int, float]:
    """J by frame, the mean over objects, if the run was scored: the ``metric/j_<id>`` of frames.jsonl."""
    scores: dict[int, float] = {}
    for line in read_frames(run.folder):
        values = [value for key, value in line.items() if key.removeprefix("metric/j_").isdigit()]
        if values:
            scores[line["frame"]] = fmean(values)
    return scores
