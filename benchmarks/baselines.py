"""J and the cost of models on DAVIS sequences, each from the box around the first mask.

python -m benchmarks.baselines --data FOLDER nano "sam model.encoder=encoder.onnx model.decoder=sam.onnx" [MODEL ...]

A MODEL is a name, and more keys of python -m vidseg for it. FOLDER/davis has JPEGImages/480p and Annotations/480p. J is
the mean over all frames after the first. Two costs a frame: seconds of the clock in the segmenter, which other programs
on the machine make longer, and seconds of all cores together (of the whole run, its start too), which they hardly do.
The table is printed, and kept as benchmarks/results/baselines_<machine>.json after every sequence; what that file has
of the same MODELs is not measured again.
"""

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, result_path, save_result
from benchmarks.strangers import Stranger, of_davis, score

Scores = dict[str, dict[str, dict[str, Any]]]  # by MODEL, sequence and number


def main() -> None:
    """Runs every model on every sequence."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("models", nargs="+", metavar="MODEL")
    cli.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="holds davis/")
    cli.add_argument("--sequences", metavar="NAME,...", help="not all of them")
    cli.add_argument("--out", type=Path, default=Path("runs/baselines"), help="where the runs' folders go")
    args = cli.parse_args()
    davis = args.data / "davis"
    there = sorted(path.name for path in (davis / "Annotations/480p").iterdir())
    names = args.sequences.split(",") if args.sequences else there
    scores = earlier(args.models)
    for name, stranger in of_davis(davis, names).items():
        for model in args.models:
            chosen, *overrides = model.split()
            if name in scores[model]:
                continue
            folder = args.out / re.sub(r"[^\w.]+", "_", model) / name
            scores[model][name] = measured(stranger, folder, [f"model={chosen}", *overrides])
            print(f"{name:20s}{line(scores[model][name])}   {model}", flush=True)
        save_result("baselines", {"models": args.models, "scores": scores, "mean": means(scores)})
    for model, mean in means(scores).items():
        print(f"{'mean':20s}{line(mean)}   {model}")


def earlier(models: list[str]) -> Scores:
    """What was measured before of these models; nothing if it was others."""
    path = result_path("baselines", machine())
    result = json.loads(path.read_text()) if path.is_file() else {}
    if result.get("models") == models:
        return dict(result["scores"])
    return {model: {} for model in models}


def measured(stranger: Stranger, folder: Path, overrides: list[str]) -> dict[str, Any]:
    """One run: J, seconds of the clock and of all cores a frame, and the number of frames."""
    begin = time.process_time()
    j = score(stranger, "box", folder, overrides)
    core_s = time.process_time() - begin
    summary = json.loads((folder / "summary.json").read_text())
    frames = summary["frames"]
    seconds = {"segment_s": summary["seconds"]["segment"] / frames, "core_s": core_s / frames}
    return {"j": round(j, 4), **{name: float(f"{value:.3g}") for name, value in seconds.items()}, "frames": frames}


def means(scores: Scores) -> dict[str, dict[str, float]]:
    """Over the sequences; the costs are of a frame."""
    found = {}
    for model, each in scores.items():
        weights = [one["frames"] for one in each.values()]
        costs = {name: float(np.average([one[name] for one in each.values()], weights=weights)) for name in COSTS}
        found[model] = {"j": round(float(np.mean([one["j"] for one in each.values()])), 4), **costs}
    return found


COSTS = ("segment_s", "core_s")


def line(one: dict[str, Any]) -> str:
    """A row of the table."""
    return f"J {one['j']:.3f}   {one['segment_s']:.3f} s a frame, {one['core_s']:.3f} s of all cores"


if __name__ == "__main__":
    main()
