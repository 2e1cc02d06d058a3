"""What the page shows of one video and prompt: overlays, agreement, samples, and where the masks differ most."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tqdm import tqdm

from vidseg.compare.agreement import Agreement, measure_agreement
from vidseg.compare.groups import Group
from vidseg.compare.pictures import SAME_IOU, Disagreement, Strip, find_disagreements, make_strip, shrink_video
from vidseg.record.files import read_frames
from vidseg.record.masks import read_mask_lines
from vidseg.record.run import Run

CLIPS_BYTES = 5_500_000  # of all overlays together: 7.3 MB in base64, of a page that stays below 15
CLIP_BYTES = 1_000_000  # of one overlay


@dataclass(frozen=True)
class Gallery:
    """What the page shows of one video and one prompt: only masks of the same objects are compared.

    ``iou`` (with ``reference``) and ``j`` are by run and frame number, ``both_empty`` the frames on which neither the
    run nor the reference has an object; ``clips`` are MP4s. ``times_s`` are those of every frame that a clip shows, by
    its number. A clip's time zero is ``starts_s`` in the time of the video.
    """

    runs: Sequence[Run]
    reference: Run | None
    times_s: Mapping[int, float]
    iou: Mapping[Run, Mapping[int, float]]
    both_empty: Mapping[Run, Sequence[int]]
    j: Mapping[Run, Mapping[int, float]]
    clips: Mapping[Run, bytes]
    starts_s: Mapping[Run, float]
    strip: Strip
    disagreements: Sequence[Disagreement]

    @property
    def video(self) -> str:
        """Its name."""
        return self.runs[0].video

    @property
    def all_same(self) -> bool:
        """Whether there are masks to compare, and all are those of the reference."""
        values = [value for by_frame in self.iou.values() for value in by_frame.values()]
        return bool(values) and min(values) >= SAME_IOU


def make_gallery(
    runs: Sequence[Run], drawn: Sequence[Run], reference: Run | None, clips: Mapping[Run, bytes]
) -> Gallery:
    """The gallery of ``runs``, all of one video and prompt; samples and ``clips`` are of ``drawn`` alone.

    If ``reference`` is None or of another video or prompt, the first run with masks that counts is the reference.
    Without any ``drawn`` there are no pictures.
    """
    with_masks = [run for run in runs if run.masks is not None]
    found = _measure(with_masks, reference)
    if not found:
        counting = [run for run in with_masks if run.counts]
        reference = counting[0] if counting and len(with_masks) > 1 else None
        found = _measure(with_masks, reference)
    iou = {run: agreement.iou for run, agreement in found.items() if agreement.iou}
    clips = {run: clips[run] for run in drawn if run in clips}
    times_s, starts_s = _time_frames(list(clips) or with_masks[:1])
    return Gallery(
        runs=runs,
        reference=reference,
        times_s=times_s,
        iou=iou,
        both_empty={run: agreement.both_empty for run, agreement in found.items() if agreement.both_empty},
        j={run: scores for run in runs if (scores := _read_scores(run))},
        clips=clips,
        starts_s=starts_s,
        strip=make_strip(drawn),
        disagreements=find_disagreements(reference, iou) if reference is not None and drawn else [],
    )


def _measure(runs: Sequence[Run], reference: Run | None) -> dict[Run, Agreement]:
    if reference is None:
        return {}
    found = {run: measure_agreement(run, reference) for run in runs}
    return {run: agreement for run, agreement in found.items() if agreement.iou or agreement.both_empty}


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
        if values := [value for key, value in line.items() if key.removeprefix("metric/j_").isdigit()]:
            scores[line["frame"]] = fmean(values)
    return scores


def make_galleries(groups: Sequence[Group], reference: Run | None, pictures: int) -> Iterator[Gallery]:
    """A gallery of each video and prompt, in the order of ``groups``; the pictures are of the first runs of the first.

    Of the repetitions of a run one is shown.
    """
    shown: list[list[Run]] = []
    for group in groups:
        run = (*group.counting, *(run for run in group.runs if run.summary.get("frames")), None)[0]
        if run is None:
            continue
        alike = (runs for runs in shown if runs[0].same_video(run) and runs[0].same_prompt(run))
        if (runs := next(alike, None)) is None:
            shown.append([run])
        else:
            runs.append(run)
    drawn = [run for runs in shown for run in runs][: max(0, pictures)]
    budget = min(CLIP_BYTES, CLIPS_BYTES // max(len(drawn), 1))
    clips = {}
    for run in tqdm(drawn, "overlays", disable=None, leave=False, unit="run"):
        overlay = run.output("overlay", "overlay.mp4")
        if overlay is not None and (small := shrink_video(overlay, budget)) is not None:
            clips[run] = small
    for runs in tqdm(shown, "pictures", disable=None, leave=False, unit="video"):
        yield make_gallery(runs, [run for run in drawn if run in runs], reference, clips)
