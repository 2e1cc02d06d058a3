"""comparison.html: one page that needs nothing else, neither the run folders nor a network."""

import base64
import gzip
import json
import logging
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
from vidseg.compare.columns import Table
from vidseg.compare.gallery import Gallery, make_gallery
from vidseg.compare.labels import label_runs, shorten
from vidseg.compare.means import average
from vidseg.compare.runs import Run
from vidseg.compare.verdict import summarise

log = logging.getLogger(__name__)

CLIP_BYTES = 5_500_000  # of all overlays together: 7.3 MB in base64, of a page that stays below 15
LARGEST_CLIP = 1_000_000
MOST_RUNS = 50  # in the charts
HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Names:
    """What runs are called and which colour they have: runs of one configuration on several videos share it.

    ``labels`` are unique; ``short`` says what ran, where it is clear on which video.
    """

    labels: Mapping[Run, str]
    short: Mapping[Run, str]
    series: Mapping[Run, int]
    legend: Sequence[str]


def write_page(table: Table, reference: Run | None, path: Path, pictures: int) -> None:
    """Writes the page, whole or not at all. Charts show the table's first MOST_RUNS runs, pictures ``pictures``."""
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
        charts=dict(_charts(shown, means, galleries, names)),
        galleries=[_describe(gallery, names) for gallery in galleries],
        notes=list(_notes(table, shown, galleries)),
        reference=reference,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        plotly=base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9)).decode("ascii"),
    )
    part = path.with_name(f".{path.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)


def _name(table: Table) -> _Names:
    several = len({run.video for run in table.runs}) > 1
    labels = dict(zip(table.runs, label_runs(table), strict=True))
    kinds = label_runs(table, video=False) if several else list(labels.values())
    legend = list(dict.fromkeys(kind for run, kind in zip(table.runs, kinds, strict=True) if run.summary.get("frames")))
    series = {run: legend.index(kind) for run, kind in zip(table.runs, kinds, strict=True) if kind in legend}
    twins = Counter((run.video, kind) for run, kind in zip(table.runs, kinds, strict=True))
    short = {
        run: kind if twins[run.video, kind] == 1 and kind else labels[run]
        for run, kind in zip(table.runs, kinds, strict=True)
    }
    return _Names(labels, short, series, [kind or "every run" for kind in legend])


def _galleries(table: Table, reference: Run | None, pictures: int) -> Iterator[Gallery]:
    """One for each video, in the table's order; the pictures are of the first runs of the first videos."""
    groups: dict[str, list[Run]] = {}
    for run in table.runs:
        if run.summary.get("frames"):
            groups.setdefault(run.video, []).append(run)
    drawn = [run for runs in groups.values() for run in runs][:pictures]
    clips = _shrink_overlays(drawn)
    for runs in tqdm(groups.values(), "pictures", disable=None, leave=False, unit="video"):
        yield make_gallery(runs, [run for run in drawn if run in runs], reference, clips)


def _shrink_overlays(runs: Sequence[Run]) -> dict[Run, bytes]:
    """Small MP4s of the overlays that there are; together they keep the page's budget."""
    budget = min(LARGEST_CLIP, CLIP_BYTES // max(len(runs), 1))
    clips = {}
    for run in tqdm(runs, "overlays", disable=None, leave=False, unit="run"):
        overlay = run.output("overlay", "overlay.mp4")
        if overlay is not None and (small := shrink_video(overlay, budget)) is not None:
            clips[run] = small
    return clips


def _charts(
    table: Table, means: Table | None, galleries: Sequence[Gallery], names: _Names
) -> Iterator[tuple[str, dict[str, Any]]]:
    labels = [names.labels[run] for run in table.runs]
    series = [names.series.get(run, 0) for run in table.runs]
    dots = table if means is None else means  # over several videos a dot is a configuration
    if dots.quality is not None and len(dots.numbers(dots.quality)) > 1:
        colours = [names.series.get(run, 0) for run in dots.runs]
        yield "speed", _plain(draw_speed(dots, [names.legend[n] for n in colours], colours, dots.quality))
    if galleries:
        yield "stages", _plain(draw_stages(table, labels))
        yield "memory", _plain(draw_memory(table, labels, series))
    for n, gallery in enumerate(galleries):
        if gallery.j:
            yield f"j-{n}", _plain(draw_frames(gallery.j, names.short, names.series, "J"))
        if gallery.iou:
            yield f"iou-{n}", _plain(draw_frames(gallery.iou, names.short, names.series, "IoU"))


def _plain(figure: go.Figure) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(figure.to_json())
    return plain


def _describe(gallery: Gallery, names: _Names) -> dict[str, Any]:
    """What template and script need of a gallery."""
    frames = list(gallery.times_s)
    scores = gallery.j or gallery.iou
    return {
        "gallery": gallery,
        "video": gallery.video.rstrip("/").rpartition("/")[2],
        "reference": None if gallery.reference is None else names.short.get(gallery.reference, gallery.reference.name),
        "script": {
            "frames": frames,
            "times_s": [round(gallery.times_s[frame], 4) for frame in frames],
            "score": "J" if gallery.j else "IoU",
            "clips": [
                {
                    "start_s": round(gallery.starts_s[run], 4),
                    "reference": run is gallery.reference and not gallery.j,
                    "scores": [_rounded(scores.get(run, {}).get(frame)) for frame in frames],
                    "mp4": base64.b64encode(clip).decode("ascii"),
                }
                for run, clip in gallery.clips.items()
            ],
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _notes(table: Table, shown: Table, galleries: Sequence[Gallery]) -> Iterator[str]:
    """What the page leaves out."""
    if len(shown.runs) < len(table.runs):
        yield f"Charts show the first {len(shown.runs)} of {len(table.runs)} runs, in the table's order."
    drawable = sum(bool(run.summary.get("frames")) for run in shown.runs)
    drawn = sum(len(gallery.strip.pictures) for gallery in galleries)
    if drawn < drawable:
        yield f"Pictures show {drawn} of {drawable} runs (--pictures says how many at most)."
