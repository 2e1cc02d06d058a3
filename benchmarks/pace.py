"""Where each millisecond of a run goes: `make bench-pace`.

    python -m benchmarks.pace [--sizes 720p,1080p,4k] [--frames 300] [--rounds 3] [--nano] [--beside CHECKOUT]

The default run (cutout, overlay, masks.jsonl, samples, W&B offline, default metrics with ground truth) of the built-in
clip as an H.264 file, with ``model=replay`` as a model that costs next to nothing; and with nano, beside nano without
outputs, metrics and samples. Every run is a process of its own. Prints frames a second of the loop, and
core-milliseconds a frame of every thread: the loop's less what the segmenter takes is the cost of handing over. Writes
benchmarks/results/pace_<machine>.json. ``--beside`` measures the vidseg of another checkout, in turn with this one.
Linux only (/proc).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vidseg
from benchmarks.machine import label, machine, median, save_result
from vidseg import runner
from vidseg.composite import PALETTE
from vidseg.record.files import JsonLines
from vidseg.record.label_maps import write_label_map
from vidseg.types import Frame, FrameMasks
from vidseg.video import open_source
from vidseg.video.encoder import Encoder

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
SETTINGS = {
    "default": "metric.davis_jf.truth={}/truth",
    "masks only": "output=[] metric=[] tracker.mode=disabled stride=1000000",
    "no samples": "metric.davis_jf.truth={}/truth tracker.mode=disabled stride=1000000",
}
ROOT = Path(__file__).parent.parent
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """Notes the processor time of all threads of this process, and of its child processes, a few times a second."""

    def __init__(self) -> None:
        super().__init__(name="watch", daemon=True)
        self.seconds: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        """Until the process ends."""
        while True:
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        """Reads /proc once."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        for task in Path("/proc/self/task").iterdir():
            self._note(names.get(int(task.name), "threads of libraries"), task)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                if (process / "stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                    self._note("process " + (process / "comm").read_text().strip(), process)

    def _note(self, name: str, task: Path) -> None:
        with suppress(OSError):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            self.seconds[name.removesuffix("_0"), int(task.name)] = _TICK_S * (int(fields[11]) + int(fields[12]))

    def by_name(self) -> dict[str, float]:
        """Seconds so far, by name."""
        total: dict[str, float] = defaultdict(float)
        for (name, _), seconds in self.seconds.items():
            total[name] += seconds
        return total


class Clock:
    """Seconds of the loop's thread, and of all threads, from a run's second frame to the end of its loop."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.began: dict[str, float] = {}
        self.wall_s = self.loop_s = self.segment_s = 0.0

    def timed(self, pairs: Generator[Any]) -> Generator[Any]:
        """The segmenter's pairs; runs in the loop's thread."""
        try:
            while True:
                before_s = time.thread_time()
                if (pair := next(pairs, None)) is None:
                    break
                if self.began:
                    self.segment_s += time.thread_time() - before_s
                else:
                    self.watch.look()
                    self.began = self.watch.by_name()
                    self.wall_s, self.loop_s = time.perf_counter(), time.thread_time()
                yield pair
        finally:
            self.loop_s = time.thread_time() - self.loop_s
            pairs.close()

    def stop(self) -> None:
        """At the end of the loop, when all threads are done with its frames, and are about to end."""
        self.watch.look()
        self.wall_s = time.perf_counter() - self.wall_s


def watched(words: list[str], folder: Path) -> dict[str, Any]:
    """Runs vidseg in this process. Core-milliseconds a frame by thread."""
    watch = Watch()
    clock = Clock(watch)
    segmented, finish = runner.segmented, runner._finish
    stopped: list[None] = []

    def finished(*arguments: Any) -> None:
        if not stopped:
            stopped.append(clock.stop())
        finish(*arguments)
        watch.look()  # the encoders' last frames

    runner.segmented = lambda *given, **more: clock.timed(segmented(*given, **more))  # type: ignore[assignment]
    runner._finish = finished
    watch.start()
    done = vidseg.run([*words, f"hydra.run.dir={folder}"])
    if not stopped:  # a run without outputs
        clock.stop()
    frames = done.summary["frames"] - 1
    threads = {name: 1e3 * (s - clock.began.get(name, 0.0)) / frames for name, s in watch.by_name().items()}
    del threads["watch"]
    core_ms = sum(threads.values())
    return {
        "fps": frames / clock.wall_s,
        "core_ms": core_ms,
        "busy": core_ms * frames / 1e3 / clock.wall_s / (os.cpu_count() or 1),
        "handing_over_ms": 1e3 * (clock.loop_s - clock.segment_s) / frames,
        "segment_ms": 1e3 * clock.segment_s / frames,
        "threads": {name: round(ms, 2) for name, ms in sorted(threads.items(), key=lambda e: -e[1]) if ms >= 0.05},
    }


def make_material(folder: Path, size: tuple[int, int], frames: int) -> None:
    """clip.mp4, its ground truth as label maps, and the skater's masks as a recorded run's."""
    from vidseg.record.masks import mask_line  # which an older checkout may not have

    source = open_source("sample")
    last = len(source.frames) - 1
    (folder / "truth").mkdir(parents=True)
    encoder = Encoder(folder / "clip.mp4", "h264", replace(source.info, width=size[0], height=size[1]))
    lines = JsonLines(folder / "masks.jsonl")
    for number in range(frames):
        index = last - abs(last - number % (2 * last))
        picture = cv2.resize(source[index].rgb_hw3, size, interpolation=cv2.INTER_LANCZOS4)
        time_s = number / float(source.info.fps)
        encoder.write(picture, time_s)
        labels_hw = cv2.resize(source.truth(index), size, interpolation=cv2.INTER_NEAREST)
        write_label_map(folder / "truth" / f"{number:05d}.png", labels_hw, PALETTE)
        logits_nhw = cv2.erode(np.where(labels_hw == 1, 1, -1).astype(np.float32), np.ones((3, 3)))[None]
        lines.write(mask_line(Frame(number, time_s, picture), FrameMasks(number, (1,), logits_nhw)))
    encoder.close()
    lines.close()


def commands(material: Path, size: str, settings: list[str], nano: bool) -> dict[str, list[str]]:
    """The command lines by name; nano's go to frame 120 at 720p only."""
    models = {"replay": ["model=replay", f"model.path={material}"]}
    if nano and size == "720p":
        models["nano"] = ["model=nano", "prompt=click", "prompt.points=[[782,301]]", "extract.stop=120"]
    return {
        f"{model}, {size}, {name}": [f"video={material / 'clip.mp4'}", *words, *SETTINGS[name].format(material).split()]
        for model, words in models.items()
        for name in settings
    }


def measure(words: list[str], folder: Path, checkout: Path) -> dict[str, Any]:
    """One run, by the vidseg of ``checkout``, in a process of its own."""
    command = [sys.executable, __file__, "--run", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(checkout)})
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(name: str, row: dict[str, Any]) -> None:
    """Prints a row."""
    print(
        f"\n{name}: {row['fps']:.1f} fps, {row['core_ms']:.1f} core-ms a frame, cores {row['busy']:.0%} busy; "
        f"the loop's thread: {row['segment_ms']:.2f} ms segmenting, {row['handing_over_ms']:.2f} ms handing over"
    )
    for thread, ms in row["threads"].items():
        print(f"  {thread:32}{ms:8.2f}", flush=True)


def main() -> None:
    """Measures all settings in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="720p,1080p,4k")
    parser.add_argument("--frames", type=int, default=300, help="at 720p; fewer of larger ones (default: 300)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--nano", action="store_true", help="measure nano too, which takes minutes")
    parser.add_argument("--beside", type=Path, help="another checkout of vidseg")
    parser.add_argument("--material", type=Path, help="folder in which the clips are kept for the next time")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(watched(args.run[1:], Path(args.run[0]))))
        return
    print(label(machine()))
    checkouts = {"": ROOT} if args.beside is None else {", beside": args.beside.resolve(), "": ROOT}
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        kept = args.material or Path(temporary)
        for size in args.sizes.split(","):
            width, height = SIZES[size]
            frames = max(60, args.frames * 1280 * 720 // (width * height))
            material = kept / f"{size}_{frames}"
            if not material.is_dir():
                make_material(material, (width, height), frames)
            settings = commands(material, size, args.settings.split(","), args.nano)
            runs: dict[str, list[dict[str, Any]]] = {name + which: [] for name in settings for which in checkouts}
            for number in range(args.rounds):
                for name, keys in settings.items():
                    for which, checkout in checkouts.items():
                        folder = Path(temporary) / f"{size}_{number}_{list(runs).index(name + which)}"
                        runs[name + which].append(measure([*keys, f"tracker.dir={temporary}"], folder, checkout))
            for name, each in runs.items():
                rows[name] = {key: median([run[key] for run in each]) for key in each[0] if key != "threads"}
                middle = sorted(each, key=lambda run: float(run["fps"]))[len(each) // 2]
                rows[name] |= {"threads": middle["threads"], "frames": frames, "rounds": args.rounds}
                show(name, rows[name])
            path = save_result("pace", {"rows": rows})
    print(path)


if __name__ == "__main__":
    main()
