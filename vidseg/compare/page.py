"""comparison.html: one file that needs neither the run folders nor a network."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from tqdm import tqdm

from vidseg.compare.agreement import measure_agreement
from vidseg.compare.charts import colour_of, draw_frames, draw_memory, draw_speed, draw_stages
from vidseg.compare.pictures import Disagreement, Strip, find_disagreements, make_strip, shrink_video
from vidseg.compare.table import Table, label_runs, shorten
from vidseg.compare.text import average, summarise
from vidseg.record.files import read_frames, whole
from vidseg.record.masks import read_mask_lines
from vidseg.record.run import Run

CLIPS_BYTES = 5_500_000  # of all overlays together: 7.3 MB in base64, of a page that stays below 15
CLIP_BYTES = 1_000_000  # of one overlay
MOST_RUNS = 50  # in the charts
HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Names:
    """The labels and colours of runs: the runs of one configuration on several videos share a colour.

    ``labels`` are unique, ``series`` is the number of a run's colour, and ``legend`` the label of each number.
    """

    labels: Mapping[Run, str]
    series: Mapping[Run, int]
    legend: Sequence[str]


def write_page(table: Table, reference: Run | None, path: Path, pictures: int) -> None:
    """Writes the page. Its charts show the first MOST_RUNS runs of the table, its pictures the first ``pictures``."""
    shown = Table(table.runs[:MOST_RUNS], table.columns, table.rows[:MOST_RUNS])
    names = _name(shown)
    means = average(table)
    galleries = list(_galleries(shown, reference, pictures))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    page = environment.get_template("page.html").render(
        table=table,
        means=means,
        shorten=shorten,
        videos=len({run.video for run in table.runs}),
        verdict=summarise(table),
        names=names,
        colour_of=colour_of,
        charts={name: json.loads(figure.to_json()) for name, figure in _charts(shown, means, galleries, names)},
        galleries=[_describe(gallery, names) for gallery in galleries],
        notes=list(_notes(table, shown, galleries)),
        reference=reference,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        plotly=base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9)).decode("ascii"),
    )
    with whole(path) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")  # of a name in the C locale


def _name(table: Table) -> _Names:
    several = len({run.video for run in table.runs}) > 1
    labels = dict(zip(table.runs, label_runs(table), strict=True))
    kinds = dict(zip(table.runs, label_runs(table, video=False), strict=True)) if several else labels
    legend = list(dict.fromkeys(kind for run, kind in kinds.items() if run.summary.get("frames")))
    series = {run: legend.index(kind) for run, kind in kinds.items() if kind in legend}
    return _Names(labels, series, [kind or "every run" for kind in legend])


@dataclass(frozen=True)
class Gallery:
    """What the page shows of one video.

    ``iou`` (with ``reference``) and ``j`` are by run and frame number; ``clips`` are MP4s. ``times_s`` are those of
    every frame that a clip shows, by its number. A clip's time zero is ``starts_s`` in the time of the video.
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
    iou = _measure(with_masks, reference)
    if not iou:
        reference = with_masks[0] if len(with_masks) > 1 else None
        iou = _measure(with_masks, reference)
    clips = {run: clips[run] for run in drawn if run in clips}
    times_s, starts_s = _time_frames(list(clips) or with_masks[:1])
    return Gallery(
        video=runs[0].video,
        reference=reference,
        times_s=times_s,
        iou=iou,
        j={run: scores for run in runs if (scores := _read_scores(run))},
        clips=clips,
        starts_s=starts_s,
        strip=make_strip(drawn),
        disagreements=find_disagreements(reference, iou) if reference is not None and drawn else [],
    )


def _measure(runs: Sequence[Run], reference: Run | None) -> dict[Run, Mapping[int, float]]:
    return {run: iou for run in runs if reference is not None and (iou := measure_agreement(run, reference).iou)}


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


def _galleries(table: Table, reference: Run | None, pictures: int) -> Iterator[Gallery]:
    """A gallery of each video, in the table's order; the pictures are of the first runs of the first videos."""
    groups: dict[str, list[Run]] = {}
    for run in table.runs:
        if run.summary.get("frames"):
            groups.setdefault(run.video, []).append(run)
    drawn = [run for runs in groups.values() for run in runs][: max(0, pictures)]
    budget = min(CLIP_BYTES, CLIPS_BYTES // max(len(drawn), 1))
    clips = {}
    for run in tqdm(drawn, "overlays", disable=None, leave=False, unit="run"):
        overlay = run.output("overlay", "overlay.mp4")
        if overlay is not None and (small := shrink_video(overlay, budget)) is not None:
            clips[run] = small
    for runs in tqdm(groups.values(), "pictures", disable=None, leave=False, unit="video"):
        yield make_gallery(runs, [run for run in drawn if run in runs], reference, clips)


def _charts(
    table: Table, means: Table | None, galleries: Sequence[Gallery], names: _Names
) -> Iterator[tuple[str, go.Figure]]:
    dots = means or table  # over several videos a dot is a configuration
    if dots.quality is not None and len(dots.numbers(dots.quality)) > 1:
        series = [names.series.get(run, 0) for run in dots.runs]
        yield "speed", draw_speed(dots, [names.legend[n] for n in series], series, dots.quality)
    if galleries:
        yield "stages", draw_stages(table.runs, names.labels)
        yield "memory", draw_memory(table.runs, names.labels, names.series)
    for n, gallery in enumerate(galleries):
        if gallery.j:
            yield f"j-{n}", draw_frames(gallery.j, names.labels, names.series, "J")
        if gallery.iou:
            yield f"iou-{n}", draw_frames(gallery.iou, names.labels, names.series, "IoU")


def _describe(gallery: Gallery, names: _Names) -> dict[str, Any]:
    """What the template and the script need of a gallery."""
    scores = gallery.j or gallery.iou
    clips = [
        {
            "start_s": round(gallery.starts_s[run], 4),
            "reference": run is gallery.reference and not gallery.j,
            "scores": [scores.get(run, {}).get(frame) for frame in gallery.times_s],
            "mp4": base64.b64encode(clip).decode("ascii"),
        }
        for run, clip in gallery.clips.items()
    ]
    return {
        "gallery": gallery,
        "video": gallery.video.rstrip("/").rpartition("/")[2],
        "reference": None if gallery.reference is None else names.labels.get(gallery.reference, gallery.reference.name),
        "script": {
            "frames": list(gallery.times_s),
            "times_s": [round(time_s, 4) for time_s in gallery.times_s.values()],
            "score": "J" if gallery.j else "IoU",
            "clips": clips,
        },
    }


def _notes(table: Table, shown: Table, galleries: Sequence[Gallery]) -> Iterator[str]:
    """What the page leaves out."""
    if len(shown.runs) < len(table.runs):
        yield f"Charts show the first {len(shown.runs)} of {len(table.runs)} runs, in the table's order."
    drawable = sum(bool(run.summary.get("frames")) for run in shown.runs)
    drawn = sum(len(gallery.strip.pictures) for gallery in galleries)
    if drawn < drawable:
        yield f"Pictures show {drawn} of {drawable} runs (--pictures says how many at most)."
