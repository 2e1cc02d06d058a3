"""Tables of contenders: medians of their figures, and ratios of ours to theirs, round by round."""

from collections.abc import Collection, Mapping
from typing import Any

from benchmarks.machine import median, paired_ratio

Figures = dict[str, Any]  # numbers, and the name of the encoder

COLUMNS = {  # of a table: figure, heading, format
    "fps": ("seg. fps", "9.3f"),
    "fps_end_to_end": ("all fps", "9.3f"),
    "first_frame_ms": ("first ms", "9.0f"),
    "warm_up_s": ("warm-up s", "9.1f"),
    "peak_rss_mib": ("host MiB", "9.0f"),
    "peak_cuda_mib": ("GPU MiB", "9.0f"),
    "device_busy": ("busy", "9.2f"),
    "core_s": ("core s", "9.3f"),
}
RATIOS = ("fps", "fps_end_to_end", "first_frame_ms", "peak_rss_mib", "peak_cuda_mib")
THEIRS = ("article", "upstream", "upstream_vos")
PIPELINES = {  # and what of them runs on the device
    "article": "upstream",
    "command": "ours",
    "command_compiled": "ours_compiled",
    "command_h264": "ours",
    "command_h264_compiled": "ours_compiled",
}


def table(measured: Mapping[str, Mapping[int, Figures]], theirs: Collection[str] = THEIRS) -> dict[str, Any]:
    """Medians of contenders by round, and ratios of ours to theirs over the rounds that both have."""
    for whole, alone in PIPELINES.items():
        for number in measured.get(whole, {}).keys() & measured.get(alone, {}).keys():
            kernels, figures = measured[alone][number], measured[whole][number]
            if "kernel_ms" in kernels:  # the same, in a pipeline that does other things too
                figures["device_busy"] = kernels["kernel_ms"] * figures["fps_end_to_end"] / 1e3
    columns = {name: _columns(rounds.values()) for name, rounds in measured.items()}
    ratios = {
        f"{mine} / {their}": _ratios(measured[mine], measured[their])
        for mine in measured
        for their in measured
        if mine not in theirs and their in theirs
    }
    medians = {name: {key: median(values) for key, values in each.items()} for name, each in columns.items()}
    return {"medians": medians, "ratios": ratios, "runs": columns}


def _ratios(mine: Mapping[int, Figures], theirs: Mapping[int, Figures]) -> dict[str, dict[str, float]]:
    """By figure; nothing without a common round."""
    both = sorted(mine.keys() & theirs.keys())
    pair = [_columns([rounds[number] for number in both]) for rounds in (mine, theirs)] if both else [{}, {}]
    return {key: paired_ratio(pair[0][key], pair[1][key]) for key in RATIOS if key in pair[0] and key in pair[1]}


def _columns(runs: Collection[Figures]) -> dict[str, list[float]]:
    """The numbers that all runs have."""
    keys = [key for key in next(iter(runs)) if all(isinstance(run.get(key), int | float) for run in runs)]
    return {key: [float(f"{run[key]:.5g}") for run in runs] for key in keys}


def show(title: str, result: dict[str, Any]) -> None:
    """Prints the medians, and the ratios with their range."""
    columns = {key: each for key, each in COLUMNS.items() if any(key in row for row in result["medians"].values())}
    print(f"\n{title}\n{'':21}" + "".join(f"{heading:>10}" for heading, _ in columns.values()))
    for name, medians in result["medians"].items():
        cells = (f"{medians[key]:{form}}" if key in medians else "-" for key, (_, form) in columns.items())
        print(f"{name:21}" + "".join(f"{cell:>10}" for cell in cells))
    for pair, ratios in result["ratios"].items():
        texts = [
            f"{COLUMNS[key][0]} {ratio['median']:.3g} ({ratio['low']:.3g} to {ratio['high']:.3g})"
            for key, ratio in ratios.items()
        ]
        print(f"  {pair}: " + ", ".join(texts), flush=True)
