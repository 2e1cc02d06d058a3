"""The page's charts, as Plotly figures.

A trace has the number of its run's colour in ``meta``, by which the page hides it. The colours of text, grid and
background are set by the page, for its light and its dark scheme.
"""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from vidseg.compare.table import Column, Table
from vidseg.record.run import Run

COLOURS = (
    "#3b82f6", "#f97316", "#10b981", "#e11d48", "#8b5cf6", "#d99a00", "#06a6c4", "#ec4899", "#6a9f1b", "#8a7f78",
)  # fmt: skip
"""They differ on white and on near black; neighbours in this order also do for most colour-blind people."""
STAGES = {"extract": "#94a3b8", "segment": "#6366f1", "composite": "#38bdf8", "log": "#f0abfc"}
MOST_POINTS = 2000  # of a line; a longer one shows the lowest of every few frames
# Heights in pixels: of a bar with its gap among up to 16 and among more, and of charts that stand side by side.
ROW, SLIM, SQUARE = 30, 18, 380


def colour_of(series: int) -> str:
    """The colour of a series, for CSS: ten chosen ones, then hues a golden angle apart."""
    return COLOURS[series] if series < len(COLOURS) else f"hsl({series * 137.5 % 360:.0f} 60% 52%)"


def draw_speed(table: Table, labels: Sequence[str], series: Sequence[int], quality: Column) -> go.Figure:
    """Speed against quality, and a line along the Pareto front: the runs that no other beats in both."""
    fps, scores = table.numbers(table.column("fps")), table.numbers(quality)
    rows = [row for row in scores if row in fps]
    front: list[int] = []
    for row in sorted(rows, key=lambda row: (-fps[row], -scores[row])):
        if not front or scores[row] > scores[front[-1]]:
            front.append(row)
    figure = _figure("frames per second", quality.title, height=SQUARE)
    figure.update_xaxes(rangemode="tozero")
    if len(front) > 1:
        line = {"color": "rgba(128,128,128,0.6)", "dash": "dot", "width": 1.5}
        x, y = [fps[row] for row in front], [scores[row] for row in front]
        figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")
    for row in rows:
        figure.add_scatter(
            x=[fps[row]], y=[scores[row]], mode="markers", name=labels[row], meta=series[row],
            marker={"size": 13, "color": colour_of(series[row]), "line": {"width": 1, "color": "white"}},
            hovertemplate=f"%{{x:.3g}} fps, {quality.title} %{{y:.4f}}",
        )  # fmt: skip
    return figure


def draw_stages(runs: Sequence[Run], labels: Mapping[Run, str]) -> go.Figure:
    """A bar for each run: milliseconds a frame in each stage of the main loop, stacked."""
    runs = [run for run in runs if run.summary.get("frames") and run.summary.get("seconds")]
    figure = _figure("milliseconds a frame", None, height=_height(len(runs)))
    for stage, colour in STAGES.items():
        figure.add_bar(
            y=[labels[run] for run in runs],
            x=[1e3 * run.summary["seconds"].get(stage, 0.0) / run.summary["frames"] for run in runs],
            orientation="h", name=stage, marker_color=colour, hovertemplate="%{x:.1f} ms",
        )  # fmt: skip
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    return figure.update_layout(barmode="stack", showlegend=True, legend=legend, hovermode="y unified")


def draw_memory(runs: Sequence[Run], labels: Mapping[Run, str], series: Mapping[Run, int]) -> go.Figure:
    """Bars of each run's peak memory: of the process, and of the GPU if a run used one."""
    runs = [run for run in runs if run.summary.get("frames")]
    gpu = any(run.summary.get("peak_cuda_mib") for run in runs)
    kinds = {"host ": "peak_rss_mib", "GPU ": "peak_cuda_mib"} if gpu else {"": "peak_rss_mib"}
    figure = _figure("peak memory in MiB", None, height=max(SQUARE, _height(len(runs) * len(kinds))))
    bars = [(run, kind, mib) for kind, name in kinds.items() for run in runs if (mib := run.summary.get(name))]
    for run, kind, mib in bars:
        figure.add_bar(
            y=[labels[run]], x=[mib], orientation="h", name=labels[run], meta=series[run], offsetgroup=kind,
            marker={"color": colour_of(series[run]), "opacity": 0.45 if kind == "host " else 1},
            text=f"{kind}{mib:,.0f}", textposition="outside", cliponaxis=False, hoverinfo="skip",
        )  # fmt: skip
    figure.update_xaxes(range=[0, 1.2 * max((mib for _, _, mib in bars), default=0)])  # space for the numbers
    return figure.update_layout(barmode="group")


def draw_frames(
    values: Mapping[Run, Mapping[int, float]], labels: Mapping[Run, str], series: Mapping[Run, int], name: str
) -> go.Figure:
    """A line for each run over the frames."""
    figure = _figure("frame", name, height=320)
    for run, points in values.items():
        x, y = _thinned(points)
        figure.add_scatter(
            x=x, y=y, mode="lines", name=labels[run], meta=series[run], hovertemplate="%{y:.4f}",
            line={"width": 2.5, "color": colour_of(series[run])},
        )  # fmt: skip
    return figure.update_layout(hovermode="x unified" if len(values) <= 12 else "closest")


def _thinned(points: Mapping[int, float]) -> tuple[list[int], list[float]]:
    frames, every = list(points), -(-len(points) // MOST_POINTS)
    lowest = [min(frames[n : n + every], key=points.__getitem__) for n in range(0, len(frames), every or 1)]
    return lowest, [round(points[frame], 4) for frame in lowest]


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
    else:  # bars: the first run on top
        figure.update_yaxes(autorange="reversed", showgrid=False)
        figure.update_xaxes(rangemode="tozero")
    return figure


def _height(bars: int) -> int:
    return 100 + max(2, bars) * (ROW if bars <= 16 else SLIM)
