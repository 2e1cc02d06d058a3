"""The article's sequential notebook and vidseg on the same clip and weights: ratios of time and memory.

    python -m benchmarks.against_article [--frames 48] [--image-size 256] [--runs 5] [--threads N]

Both run as processes of their own, in turn, after one uncounted pair; medians count. Time is what each needs from the
video to the finished AVI, without building the model; memory is the peak of the whole process. Weights are random
(seed 0): speed and memory are real, the masks are not.
"""

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The machine's name for a result: processor, cores, versions."""
    from vidseg.summary import versions

    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    import os

    name = found.group(1) if found else platform.processor() or platform.machine()
    return {"processor": name, "cores": os.cpu_count(), "versions": versions()}


def save_result(name: str, result: dict[str, Any]) -> Path:
    """Writes benchmarks/results/<name>_<processor>_<cores>.json."""
    about = machine()
    slug = re.sub(r"\W+", "_", f"{about['processor']} {about['cores']} cores").strip("_").lower()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}_{slug}.json"
    path.write_text(json.dumps({"machine": about, **result}, indent=2) + "\n")
    return path


def make_clip(path: Path, frames: int) -> None:
    """The built-in clip's first frames as an H.264 file."""
    from vidseg.video import open_source
    from vidseg.video.encoder import Encoder

    source = open_source("sample", None, frames, 1, None, 0)
    encoder = Encoder(path, "h264", source.info)
    for frame in source:
        encoder.write(frame.rgb_hw3, frame.time_s)
    encoder.close()


def make_checkpoint(path: Path) -> None:
    """SAM 2.1 tiny with weights drawn from seed 0."""
    import torch
    from sam2.build_sam import build_sam2_video_predictor

    torch.manual_seed(0)
    model = build_sam2_video_predictor("configs/sam2.1/sam2.1_hiera_t.yaml", None, device="cpu")
    torch.save({"model": model.state_dict()}, path)


def article(folder: Path, number: int, args: argparse.Namespace) -> dict[str, Any]:
    """One run of the notebook."""
    command = [sys.executable, "-m", "benchmarks.article", str(folder / "clip.mp4")]
    command += ["--checkpoint", str(folder / "tiny.pt"), "--image-size", str(args.image_size)]
    command += ["--folder", str(folder / f"article{number}")]
    if args.threads:
        command += ["--threads", str(args.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def ours(folder: Path, number: int, args: argparse.Namespace) -> dict[str, Any]:
    """One run of vidseg with the notebook's output."""
    out = folder / f"vidseg{number}"
    command = [sys.executable, "-m", "vidseg", f"hydra.run.dir={out}", f"video={folder / 'clip.mp4'}"]
    command += ["model=tiny", f"model.checkpoint={folder / 'tiny.pt'}", f"model.image_size={args.image_size}"]
    command += ["prompt=skater", "output=[cutout_avi]", "tracker=none", "precision=fp32", "stride=1000000"]
    if args.threads:
        command += [f"threads={args.threads}"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads((out / "summary.json").read_text()))


def main() -> None:
    """Runs both in turn, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_clip(folder / "clip.mp4", args.frames)
        make_checkpoint(folder / "tiny.pt")
        pairs = [(article(folder, n, args), ours(folder, n, args)) for n in range(args.runs + 1)][1:]
    table: dict[str, Any] = {}
    for key in ("fps", "peak_rss_mib"):
        theirs, mine = ([float(run[key]) for run in side] for side in zip(*pairs, strict=True))
        ratios = [b / a for a, b in zip(theirs, mine, strict=True)]
        table[key] = {"article": theirs, "vidseg": mine, "ratio": round(statistics.median(ratios), 3)}
        low, high = min(ratios), max(ratios)
        print(
            f"{key:>14}: article {statistics.median(theirs):8.2f}   vidseg {statistics.median(mine):8.2f}   "
            f"vidseg/article {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
        )
    print(save_result("against_article", {"settings": vars(args), "figures": table}))


if __name__ == "__main__":
    main()
