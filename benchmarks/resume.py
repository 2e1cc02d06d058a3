"""What it costs a run that it can go on after a stop: `make bench-resume`.

    python -m benchmarks.resume [--frames 240] [--rounds 5]

tiny (random weights) at 256x256 and nano segment the built-in clip, which is encoded first, in turn with checkpoints
and without any; both write masks.jsonl. Prints and writes benchmarks/results/resume_<machine>.json: the share of the
time after the model was built that went into checkpoints, and the ratios, pair by pair, of wall-clock and CPU time.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import vidseg
from benchmarks.clip import make_clip
from benchmarks.machine import label, machine, median, paired_ratio, save_result
from vidseg.record import progress
from vidseg.record.checkpoints import FileCheckpoints

SETTINGS = {
    "tiny at 256": ("model=tiny", "model.checkpoint=random", "model.image_size=256"),
    "nano": ("model=nano",),
}
NEVER = 10**9


class Timed(FileCheckpoints):
    """Adds up the seconds and the number of checkpoints."""

    seconds, count = 0.0, 0

    def _write(self, *arguments: Any) -> None:
        began = time.perf_counter()
        super()._write(*arguments)
        Timed.seconds, Timed.count = Timed.seconds + time.perf_counter() - began, Timed.count + 1


def measure(video: Path, setting: tuple[str, ...], every: int | None, folder: Path) -> dict[str, float]:
    """Wall-clock and CPU seconds of a run's loop, the share of its checkpoints, and how many there were."""
    Timed.seconds, Timed.count = 0.0, 0
    keys = (f"video={video}", "output=[]", "metric=[]", "tracker=none", "stride=1000", f"hydra.run.dir={folder}")
    prompt = ("prompt=click", "prompt.points=[[782,301]]")
    began_s = time.process_time()
    summary = vidseg.run([*keys, *prompt, *setting, f"checkpoint.every={every or 'null'}"]).summary
    seconds = summary["seconds"]["total"] - summary["seconds"]["build"]
    cpu_s = time.process_time() - began_s  # with building the model, which is the same for both
    return {"wall_s": seconds, "cpu_s": cpu_s, "share": Timed.seconds / seconds, "checkpoints": Timed.count}


def main() -> None:
    """Measures all settings in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    progress.FileCheckpoints = Timed  # type: ignore[misc]
    print(label(machine()))
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        video = Path(temporary) / "clip.mp4"
        make_clip(video, args.frames)
        for name, setting in SETTINGS.items():
            runs: dict[int | None, list[dict[str, float]]] = {None: [], NEVER: []}
            for number in range(args.rounds):
                for every, measured in runs.items():
                    folder = Path(temporary) / f"{name[:4]}_{every}_{number}"
                    measured.append(measure(video, setting, every, folder))
            figures = {key: [[run[key] for run in measured] for measured in runs.values()] for key in runs[None][0]}
            results[name] = {
                **{key: median(figures[key][0]) for key in ("share", "checkpoints")},
                **{key: paired_ratio(*figures[key]) for key in ("wall_s", "cpu_s")},
            }
            print(name, json.dumps(results[name]))
    print(save_result("resume", {"frames": args.frames, "rounds": args.rounds, "results": results}))


if __name__ == "__main__":
    main()
