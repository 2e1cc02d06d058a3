"""comparison.html: one file that needs neither the run folders nor a network."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from tqdm import tqdm

from vidseg.compare.charts import colour_of, draw_frames, draw_memory, draw_speed, draw_stages
from vidseg.compare.clips import shrink_video
from vidseg.compare.gallery import Gallery, make_gallery
from vidseg.compare.table import Table, label_runs, shorten
from vidseg.compare.text import average, summarise
from vidseg.record.files import whole
from vidseg.record.run import Run

CLIPS_BYTES = 5_500_000  # of all overlays together: 7.3 MB in base64, of a page that stays below 15
CLIP_BYTES = 1_000_000  # of one overlay
MOST_RUNS = 50  # in the charts
HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Names:
    """The labels and colours of runs: the runs of one configuration on several videos share a colour.

    ``labels`` are unique; ``short`` ones leave out the video where that is clear. ``series`` is the number of a run's
    colour, and ``legend`` the label of each number.
    """

    labels: Mapping[Run, str]
    short: Mapping[Run, str]
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
        part.write_text(page, encoding="utf-8")


def _name(table: Table) -> _Names:
    several = len({run.video for run in table.runs}) > 1
    labels = dict(zip(table.runs, label_runs(table), strict=True))
    kinds = dict(zip(table.runs, label_runs(table, video=False), strict=True)) if several else labels
    legend = list(dict.fromkeys(kind for run, kind in kinds.items() if run.summary.get("frames")))
    series = {run: legend.index(kind) for run, kind in kinds.items() if kind in legend}
    count = Counter((run.video, kind) for run, kind in kinds.items())
    short = {run: kind if kind and count[run.video, kind] == 1 else labels[run] for run, kind in kinds.items()}
    return _Names(labels, short, series, [kind or "every run" for kind in legend])


def _galleries(table: Table, reference: Run | None, pictures: int) -> Iterator[Gallery]:
    """A gallery of each video, in the table's order; the pictures are of the first runs of the first videos."""
    groups: dict[str, list[Run]] = {}
    for run in table.runs:
        if run.summary.get("frames"):
            groups.setdefault(run.video, []).append(run)
    drawn = [run for runs in groups.values() for run in runs][: max(0, pictures)]
    clips = _shrink_overlays(drawn)
    for runs in tqdm(groups.values(), "pictures", disable=None, leave=False, unit="video"):
        yield make_gallery(runs, [run for run in drawn if run in runs], reference, clips)


def _shrink_overlays(runs: Sequence[Run]) -> dict[Run, bytes]:
    """The overlays that there are as small MP4s, together within CLIPS_BYTES."""
    budget = min(CLIP_BYTES, CLIPS_BYTES // max(len(runs), 1))
    clips = {}
    for run in tqdm(runs, "overlays", disable=None, leave=False, unit="run"):
        overlay = run.output("overlay", "overlay.mp4")
        if overlay is not None and (small := shrink_video(overlay, budget)) is not None:
            clips[run] = small
    return clips


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
            yield f"j-{n}", draw_frames(gallery.j, names.short, names.series, "J")
        if gallery.iou:
            yield f"iou-{n}", draw_frames(gallery.iou, names.short, names.series, "IoU")


def _describe(gallery: Gallery, names: _Names) -> dict[str, Any]:
    """What the template and the script need of a gallery."""
    scores = gallery.j or gallery.iou
    clips = []
    for run, clip in gallery.clips.items():
        by_frame = scores.get(run, {})
        clips.append(
            {
                "start_s": round(gallery.starts_s[run], 4),
                "reference": run is gallery.reference and not gallery.j,
                "scores": [round(by_frame[n], 4) if n in by_frame else None for n in gallery.times_s],
                "mp4": base64.b64encode(clip).decode("ascii"),
            }
        )
    return {
        "gallery": gallery,
        "video": gallery.video.rstrip("/").rpartition("/")[2],
        "reference": None if gallery.reference is None else names.short.get(gallery.reference, gallery.reference.name),
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
