"""comparison.html: one file that needs neither the run folders nor a network."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from vidseg.compare.charts import Dot, colour_of, draw_frames, draw_memory, draw_speed, draw_stages, draw_times
from vidseg.compare.gallery import Gallery, make_galleries
from vidseg.compare.speed import UNKNOWN
from vidseg.compare.table import Table, label_runs, shorten
from vidseg.compare.text import average
from vidseg.compare.verdict import Verdict, judge, number
from vidseg.record.files import whole
from vidseg.record.run import Run

MOST_RUNS = 50  # in the charts
HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Names:
    """The labels and colours of runs: the runs of one configuration share a colour.

    ``labels`` are unique, ``series`` is the number of a run's colour, and ``legend`` the label of each number.
    """

    labels: Mapping[Run, str]
    series: Mapping[Run, int]
    legend: Sequence[str]


def write_page(table: Table, reference: Run | None, path: Path, pictures: int) -> None:
    """Writes the page. Its charts show the first MOST_RUNS runs of the table, its pictures the first ``pictures``."""
    table, verdict = judge(table)
    shown = replace(table, runs=table.runs[:MOST_RUNS], rows=table.rows[:MOST_RUNS])
    names = _name(shown, verdict)
    known = set(shown.runs)
    groups = [replace(group, runs=tuple(run for run in group.runs if run in known)) for group in verdict.groups]
    galleries = list(make_galleries(groups, reference, pictures))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    page = environment.get_template("page.html").render(
        table=table,
        means=average(table),
        shorten=shorten,
        number=number,
        unknown=UNKNOWN,
        videos=len({group.video for group in verdict.groups}),
        verdict=verdict.sentences,
        standings=verdict.standings,
        noise=verdict.noise if verdict.standings else None,
        names=names,
        colour_of=colour_of,
        charts={name: json.loads(figure.to_json()) for name, figure in _charts(shown, verdict, galleries, names)},
        galleries=list(_describe(galleries, shown, names)),
        notes=list(_notes(verdict, shown, galleries)),
        reference=reference,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        plotly=base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9)).decode("ascii"),
    )
    with whole(path) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")  # of a name in the C locale


def _name(table: Table, verdict: Verdict) -> _Names:
    """Names for the page; those of runs that can't be the best at anything say so."""
    ends = {
        run: " (found nothing)" if run.found_nothing else f" ({run.summary['status']})"
        for run in table.runs
        if not run.counts
    }
    labels = {run: label + ends.get(run, "") for run, label in zip(table.runs, label_runs(table), strict=True)}
    kinds = {run: group.label for group in verdict.groups for run in group.runs}
    legend = list(dict.fromkeys(kinds[run] for run in table.runs if run.summary.get("frames")))
    series = {run: legend.index(kinds[run]) for run in table.runs if kinds[run] in legend}
    return _Names(labels, series, legend)


def _charts(
    table: Table, verdict: Verdict, galleries: Sequence[Gallery], names: _Names
) -> Iterator[tuple[str, go.Figure]]:
    standings = verdict.standings[:MOST_RUNS]
    series = {label: n for n, label in enumerate(names.legend)}
    dots = [Dot(each, series[each.competitor.label]) for each in standings if each.competitor.label in series]
    scores = {each.competitor: each.mean for each in verdict.scores}
    scored = [replace(dot, score=scores[dot.standing.competitor]) for dot in dots if dot.standing.competitor in scores]
    if len(dots) > 1:
        yield "times", draw_times(dots)
    if table.quality is not None and len(scored) > 1:
        yield "speed", draw_speed(scored, table.quality.title)
    if galleries:
        yield "stages", draw_stages(table.runs, names.labels)
        yield "memory", draw_memory(table.runs, names.labels, names.series)
    for n, gallery in enumerate(galleries):
        if gallery.j:
            yield f"j-{n}", draw_frames(gallery.j, names.labels, names.series, "J")
        if gallery.iou:
            values = {
                run: dict(sorted({**iou, **dict.fromkeys(gallery.both_empty.get(run, ()))}.items()))
                for run, iou in gallery.iou.items()
            }
            yield f"iou-{n}", draw_frames(values, names.labels, names.series, "IoU")


def _describe(galleries: Sequence[Gallery], table: Table, names: _Names) -> Iterator[dict[str, Any]]:
    """What the template and the script need of each gallery."""
    titles = _titles(galleries, table)
    for gallery, title in zip(galleries, titles, strict=True):
        scores = gallery.j or gallery.iou
        empty = {} if gallery.j else gallery.both_empty
        clips = [
            {
                "start_s": round(gallery.starts_s[run], 4),
                "reference": run is gallery.reference and not gallery.j,
                "scores": [
                    "both empty" if frame in set(empty.get(run, ())) else scores.get(run, {}).get(frame)
                    for frame in gallery.times_s
                ],
                "mp4": base64.b64encode(clip).decode("ascii"),
            }
            for run, clip in gallery.clips.items()
        ]
        reference = gallery.reference
        yield {
            "gallery": gallery,
            "title": title,
            "reference": None if reference is None else names.labels.get(reference, reference.name),
            "empty": [f"{len(frames)} of {names.labels[run]}" for run, frames in gallery.both_empty.items()],
            "script": {
                "frames": list(gallery.times_s),
                "times_s": [round(time_s, 4) for time_s in gallery.times_s.values()],
                "score": "J" if gallery.j else "IoU",
                "clips": clips,
            },
        }


def _titles(galleries: Sequence[Gallery], table: Table) -> list[str]:
    """The name of each gallery's video; where it has several galleries, their prompts after it."""
    videos = [gallery.video.rstrip("/").rpartition("/")[2] for gallery in galleries]
    columns = [column for column in table.columns if column.name.split(".")[0] == "prompt" and not column.extra]
    prompts = label_runs(replace(table, columns=columns), video=False)
    by_run = dict(zip(table.runs, prompts, strict=True))
    titles = []
    for n, (gallery, video) in enumerate(zip(galleries, videos, strict=True)):
        prompt = by_run.get(gallery.runs[0]) or f"prompt {1 + videos[:n].count(video)}"
        titles.append(f"{video}, {prompt}" if videos.count(video) > 1 else video)
    return titles


def _notes(verdict: Verdict, shown: Table, galleries: Sequence[Gallery]) -> Iterator[str]:
    """What the page leaves out."""
    table = verdict.table
    if len(shown.runs) < len(table.runs):
        yield f"Charts show the first {len(shown.runs)} of {len(table.runs)} runs, in the table's order."
    drawable = sum(len(gallery.runs) for gallery in galleries)
    drawn = sum(len(gallery.strip.pictures) for gallery in galleries)
    if drawn < drawable:
        yield f"Pictures show {drawn} of {drawable} runs (--pictures says how many at most)."
    if any(len(group.runs) > 1 for group in verdict.groups):
        yield "Of runs of one computation, pictures and agreement show one."
