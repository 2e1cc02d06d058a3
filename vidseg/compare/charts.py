"""The page's charts, as Plotly figures.

A trace has the number of its run's colour in ``meta``, by which the page hides it. The colours of text, grid and
background are set by the page, for its light and its dark scheme.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from vidseg.compare.speed import Standing
from vidseg.record.run import Run

COLOURS = (
    "#3b82f6", "#f97316", "#10b981", "#e11d48", "#8b5cf6", "#d99a00", "#06a6c4", "#ec4899", "#6a9f1b", "#8a7f78",
)  # fmt: skip
"""They differ on white and on near black; neighbours in this order also do for most colour-blind people."""
STAGES = {"extract": "#94a3b8", "segment": "#6366f1", "composite": "#38bdf8", "log": "#f0abfc"}
MOST_POINTS = 2000  # of a line; a longer one shows the lowest of every few frames
ROW, SQUARE = 36, 380  # heights in pixels: of a row with its label, and of charts that stand side by side
THICK, BELOW = 0.36, 0.02  # of a bar, and how far it begins below the middle of its row, in rows


def colour_of(series: int) -> str:
    """The colour of a series, for CSS: ten chosen ones, then hues a golden angle apart."""
    return COLOURS[series] if series < len(COLOURS) else f"hsl({series * 137.5 % 360:.0f} 60% 52%)"


@dataclass(frozen=True)
class Dot:
    """A competitor in a chart: where it stands in speed, the number of its colour, and its score, if it has one."""

    standing: Standing
    series: int
    score: float | None = None


def draw_times(dots: Sequence[Dot]) -> go.Figure:
    """A row for each competitor: milliseconds a frame and their interval."""
    figure = _figure("milliseconds a frame, and the 95% interval", None, height=_height(len(dots)))
    labels = [dot.standing.competitor.label for dot in dots]
    for label, dot in zip(labels, dots, strict=True):
        ms = dot.standing.ms
        figure.add_scatter(
            y=[label], x=[ms.value], mode="markers", name=label, meta=dot.series,
            marker={"size": 11, "color": colour_of(dot.series)}, error_x=_bar(ms.value, ms.low, ms.high, dot.series),
            hovertemplate=f"%{{x:.4g}} ms, {ms.low:.4g} to {ms.high:.4g}",
        )  # fmt: skip
    return _label_rows(figure, labels)


def draw_speed(dots: Sequence[Dot], quality: str) -> go.Figure:
    """Speed against quality, and a line along the Pareto front: the dots that no other beats in both."""
    fps = {dot: 1e3 / dot.standing.ms.value for dot in dots}
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (-fps[dot], -(dot.score or 0))):
        if not front or (dot.score or 0) > (front[-1].score or 0):
            front.append(dot)
    figure = _figure("frames per second", quality, height=SQUARE)
    figure.update_xaxes(rangemode="tozero")
    if len(front) > 1:
        line = {"color": "rgba(128,128,128,0.6)", "dash": "dot", "width": 1.5}
        x, y = [fps[dot] for dot in front], [dot.score for dot in front]
        figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")
    for dot in dots:
        ms = dot.standing.ms
        figure.add_scatter(
            x=[fps[dot]], y=[dot.score], mode="markers", name=dot.standing.competitor.label, meta=dot.series,
            marker={"size": 13, "color": colour_of(dot.series), "line": {"width": 1, "color": "white"}},
            error_x=_bar(fps[dot], 1e3 / ms.high, 1e3 / ms.low, dot.series),
            hovertemplate=f"%{{x:.3g}} fps, {quality} %{{y:.4f}}",
        )  # fmt: skip
    return figure


def _bar(value: float, low: float, high: float, series: int) -> dict[str, Any]:
    """An interval as Plotly's error bar."""
    sides = {"array": [high - value], "arrayminus": [value - low]}
    return {"type": "data", "symmetric": False, "thickness": 2, "width": 5, "color": colour_of(series), **sides}


def draw_stages(runs: Sequence[Run], labels: Mapping[Run, str]) -> go.Figure:
    """A bar for each run: milliseconds a frame in each stage of the main loop, stacked."""
    runs = [run for run in runs if run.summary.get("frames") and run.summary.get("seconds")]
    figure = _figure("milliseconds a frame", None, height=_height(len(runs)))
    for stage, colour in STAGES.items():
        figure.add_bar(
            y=[labels[run] for run in runs],
            x=[1e3 * run.summary["seconds"].get(stage, 0.0) / run.summary["frames"] for run in runs],
            orientation="h", name=stage, marker_color=colour, hovertemplate="%{x:.1f} ms", width=THICK, offset=BELOW,
        )  # fmt: skip
    _label_rows(figure, [labels[run] for run in runs])
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    return figure.update_layout(barmode="stack", showlegend=True, legend=legend, hovermode="y unified")


def draw_memory(runs: Sequence[Run], labels: Mapping[Run, str], series: Mapping[Run, int]) -> go.Figure:
    """Bars of each run's peak memory: of the process, and of the GPU if a run used one."""
    runs = [run for run in runs if run.summary.get("frames")]
    gpu = any(run.summary.get("peak_cuda_mib") for run in runs)
    kinds = {"host ": "peak_rss_mib", "GPU ": "peak_cuda_mib"} if gpu else {"": "peak_rss_mib"}
    figure = _figure("peak memory in MiB", None, height=max(SQUARE, _height(len(runs))))
    thick = THICK / len(kinds)
    bars = [(run, kind, mib) for kind, name in kinds.items() for run in runs if (mib := run.summary.get(name))]
    for run, kind, mib in bars:
        figure.add_bar(
            y=[labels[run]], x=[mib], orientation="h", name=labels[run], meta=series[run],
            width=thick, offset=BELOW + thick * list(kinds).index(kind),
            marker={"color": colour_of(series[run]), "opacity": 0.45 if kind == "host " else 1},
            text=f"{kind}{mib:,.0f}", textposition="outside", cliponaxis=False, hoverinfo="skip",
        )  # fmt: skip
    figure.update_xaxes(range=[0, 1.2 * max((mib for _, _, mib in bars), default=0)])  # space for the numbers
    return _label_rows(figure, [labels[run] for run in runs]).update_layout(barmode="overlay")


def draw_frames(
    values: Mapping[Run, Mapping[int, float | None]], labels: Mapping[Run, str], series: Mapping[Run, int], name: str
) -> go.Figure:
    """A line for each run over the frames, with a gap where there is no value."""
    figure = _figure("frame", name, height=320)
    figure.update_yaxes(autorangeoptions={"clipmin": -0.02, "clipmax": 1.02})  # scores are in 0..1
    for run, points in values.items():
        x, y = _thinned(points)
        figure.add_scatter(
            x=x, y=y, mode="lines", name=labels[run], meta=series[run], hovertemplate="%{y:.4f}",
            line={"width": 2.5, "color": colour_of(series[run])},
        )  # fmt: skip
    return figure.update_layout(hovermode="x unified" if len(values) <= 12 else "closest")


def _thinned(points: Mapping[int, float | None]) -> tuple[list[int], list[float | None]]:
    frames, every = list(points), -(-len(points) // MOST_POINTS)
    lowest = [
        min(frames[n : n + every], key=lambda frame: math.inf if (value := points[frame]) is None else value)
        for n in range(0, len(frames), every or 1)
    ]
    return lowest, [None if (value := points[frame]) is None else round(value, 4) for frame in lowest]


def _label_rows(figure: go.Figure, labels: Sequence[str]) -> go.Figure:
    """Writes the labels of rows above them, where they take nothing from the chart's width; the page shortens them."""
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yref": "y", "yanchor": "bottom", "showarrow": False}
    for label in labels:
        figure.add_annotation(text="", name=label, y=label, yshift=1, font_size=12, **place)
    figure.update_yaxes(showticklabels=False, range=[len(labels) - 0.4, -0.6], autorange=False, automargin=False)
    return figure.update_layout(margin_l=8)


def _figure(x_title: str, y_title: str | None, height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none", height=height, showlegend=False, margin={"l": 56, "r": 16, "t": 28, "b": 44},
        font={"family": "system-ui, sans-serif", "size": 13}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", bargap=0.3, hoverlabel={"namelength": -1}, dragmode="zoom",
    )  # fmt: skip
    figure.update_xaxes(title={"text": x_title, "standoff": 8, "font_size": 13}, zeroline=False, automargin=True)
    figure.update_yaxes(zeroline=False, automargin=True)
    if y_title is not None:  # above the axis, where its text is horizontal
        place = {"x": 0, "xref": "paper", "xanchor": "right", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 6}
        figure.add_annotation(text=y_title, showarrow=False, **place)
    else:  # rows
        figure.update_yaxes(type="category", showgrid=False)
        figure.update_xaxes(rangemode="tozero")
    return figure


def _height(bars: int) -> int:
    return 100 + max(2, bars) * ROW
