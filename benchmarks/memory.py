"""Peak memory against the length of the video: `make bench-memory`.

    python -m benchmarks.memory [--frames 200,1000,5000] [--objects 1,3] [--propagate forward,both]

SAM 2 (random weights) follows squares through a clip that is drawn frame by frame, each length in a process of its own;
``both`` has its prompts in the middle, and runs both ways from there. Beside it stands upstream's predictor at lengths
where that is still cheap. Prints a table, writes benchmarks/results/memory_<machine>.json and draws docs/memory.png
(pip install '.[bench]'), both with what was measured on the machine before. The peak is the process's own
high-water mark from the first frame on (VmHWM, so Linux only).
"""

import argparse
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clip import CONFIGS, Indexed, click
from benchmarks.machine import label, machine, result_path, save_result
from benchmarks.segmentation import Setting, ours, set_threads, upstream
from vidseg.meter import peak_rss_mib, reset_peaks
from vidseg.types import Frame

PLOT = Path(__file__).parent.parent / "docs" / "memory.png"
_SIDE = 40
_COLOURS = ((220, 40, 40), (40, 200, 60), (60, 90, 230), (230, 210, 50))


class Drawn(Indexed):
    """Squares on noise, moving to the right; every frame is drawn when it is asked for. One click each on a frame."""

    name = "drawn"

    def __init__(
        self, num_frames: int, height: int = 180, width: int = 320, objects: int = 1, prompt_frame: int = 0
    ) -> None:
        if not 1 <= objects <= len(_COLOURS):
            raise ValueError(f"{objects} squares: 1 to {len(_COLOURS)} have a colour")
        self._background_hw3 = np.random.default_rng(0).integers(0, 128, (height, width, 3), dtype=np.uint8)
        self._tops = [(2 * number + 1) * height // (2 * objects) - _SIDE // 2 for number in range(objects)]
        x = prompt_frame % (width - _SIDE)
        middles = [(x + _SIDE // 2, top + _SIDE // 2) for top in self._tops]
        prompts = tuple(click(prompt_frame, number, *middle) for number, middle in enumerate(middles, start=1))
        super().__init__(num_frames, height, width, prompts)

    def __getitem__(self, index: int) -> Frame:
        rgb_hw3 = self._background_hw3.copy()
        x = index % (self.info.width - _SIDE)
        for top, colour in zip(self._tops, _COLOURS, strict=False):
            rgb_hw3[top : top + _SIDE, x : x + _SIDE] = colour
        return Frame(index, index / 25, rgb_hw3)


def measure(who: str, propagate: str, frames: int, setting: Setting) -> dict[str, Any]:
    """Goes through one clip in this process: its peak memory and its rate."""
    set_threads(setting.threads)
    source = Drawn(frames, objects=setting.objects, prompt_frame=frames // 2 if propagate == "both" else 0)
    passes = upstream(setting, source) if who == "upstream" else ours(setting, source, propagate=propagate)
    reset_peaks()  # of building, which takes more than a short pass does
    began, done = time.perf_counter(), sum(1 for _ in passes(frames))
    fps = round(done / (time.perf_counter() - began), 2)
    return {
        "who": who, "objects": setting.objects, "propagate": propagate, "frames": done,
        "peak_rss_mib": round(peak_rss_mib(), 1), "fps": fps,
    }  # fmt: skip


def draw(settings: Mapping[str, Sequence[dict[str, Any]]], title: str, path: Path) -> None:
    """Peaks against lengths: a panel for each setting, in it a line for each of ours and of upstream's."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot: matplotlib is missing (pip install '.[bench]')")
        return
    figure = Figure(figsize=(5.6 * len(settings), 4.2), dpi=150, layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axes, (name, rows) in zip(figure.subplots(1, len(settings), squeeze=False)[0], settings.items(), strict=True):
        _draw_panel(axes, name, rows)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
    print(path)


def _draw_panel(axes: Any, name: str, rows: Iterable[dict[str, Any]]) -> None:
    lines: dict[tuple[str, int, str], list[tuple[int, float]]] = {}
    for row in rows:
        line = lines.setdefault((row["who"], row["objects"], row["propagate"]), [])
        line.append((row["frames"], row["peak_rss_mib"]))
    shades = {"upstream": ("#c44e52", "#e39a7b", "#7a2f33"), "vidseg": ("#2a5d9f", "#57a773", "#16324f")}
    counts = sorted({objects for _, objects, _ in lines})
    for (who, objects, propagate), line in lines.items():
        lengths, peaks = zip(*sorted(line), strict=True)
        label = f"{who}, {objects} object{'s' * (objects > 1)}" + (", both ways" if propagate == "both" else "")
        if who == "upstream" and len(lengths) > 1:
            label += f": {(peaks[-1] - peaks[0]) / (lengths[-1] - lengths[0]):.2f} MiB a frame"
        look, face = ("s--", "white") if propagate == "both" else ("o-", None)
        axes.plot(lengths, peaks, look, color=shades[who][counts.index(objects) % 3], mfc=face, ms=6, label=label)
    ticks = sorted({length for line in lines.values() for length, _ in line})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 1.1 * max(peak for line in lines.values() for _, peak in line))
    axes.set_xlabel("frames of the video (logarithmic)")
    axes.set_ylabel("peak memory of the process, MiB")
    axes.set_title(name, fontsize=9)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="lower right")


def main() -> None:
    """Measures each length in a process of its own, the shortest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="200,1000,5000", help="lengths of the clip (default: 200,1000,5000)")
    parser.add_argument("--upstream-frames", default="50,100,200", help="upstream's (default: 50,100,200)")
    parser.add_argument("--objects", default="1,3", help="how many squares (default: 1,3)")
    parser.add_argument("--propagate", default="forward,both", help="(default: forward,both)")
    parser.add_argument("--model", default="tiny", choices=CONFIGS)
    parser.add_argument("--image-size", type=int, default=256, help="side of the model's input (default: 256)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", type=Path, default=PLOT, help="where to draw (default: docs/memory.png)")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # what measure() takes
    args = parser.parse_args()
    if args.one is not None:
        logging.disable(logging.WARNING)
        who, propagate, frames, setting = args.one
        print(json.dumps(measure(who, propagate, int(frames), Setting(**json.loads(setting)))))
        return
    rows: list[dict[str, Any]] = []
    name = f"{args.model}, {args.image_size}x{args.image_size}, fp32, cpu"
    path = result_path("memory", machine())  # what was measured here before stays in it
    settings = json.loads(path.read_text())["settings"] if path.exists() else {}
    print(f"{name}; {label(machine())}")
    print(f"{'':10} {'objects':>7} {'propagate':>9} {'frames':>7} {'MiB':>8} {'of the first':>12} {'fps':>7}")
    lengths = {"upstream": args.upstream_frames, "vidseg": args.frames}
    for who, ways in (("upstream", ["forward"]), ("vidseg", args.propagate.split(","))):
        for objects, way in [(int(objects), way) for objects in args.objects.split(",") for way in ways]:
            setting = Setting(args.model, objects, args.image_size, threads=args.threads)
            first_mib = 0.0
            for frames in sorted(map(int, filter(None, lengths[who].split(",")))):
                command = [sys.executable, "-m", "benchmarks.memory", "--one", who, way, str(frames), setting.json()]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                rows.append(row := json.loads(done.stdout.splitlines()[-1]))
                first_mib = first_mib or row["peak_rss_mib"]
                growth = f"{row['peak_rss_mib']:>8} {row['peak_rss_mib'] / first_mib - 1:>+12.1%}"
                print(f"{who:10} {objects:>7} {way:>9} {frames:>7} {growth} {row['fps']:>7}", flush=True)
    settings[name] = [row for row in settings.get(name, []) if not any(map(partial(_is_same, row), rows))] + rows
    print(save_result("memory", {"settings": settings}))
    draw(settings, f"SAM 2.1, {label(machine())}", args.plot)


def _is_same(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(row[key] == other[key] for key in ("who", "objects", "propagate", "frames"))


if __name__ == "__main__":
    main()
