"""Peak memory against the length of the video: `python benchmarks/memory.py --frames 200,2000`.

Tracks one object with SAM 2 (random weights) through a clip that is drawn frame by frame, each length in a process of
its own; prints a table and writes JSON. The peak is the process's own high-water mark (VmHWM, so Linux only).
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from vidseg.model.sam2 import SAM2
from vidseg.types import Frame, Prompt, VideoInfo


class Drawn:
    """A red square on noise, moving to the right; every frame is drawn when it is asked for."""

    name = "drawn"
    audio: Path | None = None
    offset_s = 0.0
    prompts: tuple[Prompt, ...] = ()

    def __init__(self, num_frames: int, height: int, width: int) -> None:
        self.frames: Sequence[int] = range(num_frames)
        self.info = VideoInfo(width, height, Fraction(25), num_frames, Fraction(1, 25))
        self._background_hw3 = np.random.default_rng(0).integers(0, 128, (height, width, 3), dtype=np.uint8)

    def __iter__(self) -> Generator[Frame]:
        for index in self.frames:
            yield self[index]

    def __getitem__(self, index: int) -> Frame:
        rgb_hw3 = self._background_hw3.copy()
        x = index % (self.info.width - 60)
        rgb_hw3[40:100, x : x + 60] = (220, 40, 40)
        return Frame(index, index / 25, rgb_hw3)

    def truth(self, index: int) -> None:
        """It has none."""

    def provenance(self) -> dict[str, str]:
        """Nothing to record."""
        return {}


def measure(num_frames: int, image_size: int, config: str) -> dict[str, float]:
    """Tracks through one clip in this process: its peak memory and its rate."""
    segmenter = SAM2(config, "random", "cpu", {"name": "fp32"}, seed=2, image_size=image_size)
    prompt = Prompt(0, 1, points_xy=np.array([[30, 70]], np.float32), labels=np.array([1], np.int32))
    start = time.perf_counter()
    area = 0.0
    for _, masks in segmenter.track(Drawn(num_frames, 180, 320), [prompt]):
        area += float(masks.masks_nhw.mean())
    seconds = time.perf_counter() - start
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "frames": num_frames,
        "peak_rss_mib": round(int(status["VmHWM"].split()[0]) / 1024, 1),
        "fps": round(num_frames / seconds, 2),
        "mean_mask_area": round(area / num_frames, 4),
    }


def main() -> None:
    """Measures each length in a process of its own, the shortest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="200,2000", help="lengths of the clip, comma-separated (default: 200,2000)")
    parser.add_argument("--image-size", type=int, default=256, help="side of the model's input (default: 256)")
    parser.add_argument("--config", default="configs/sam2.1/sam2.1_hiera_t.yaml", help="a config of the package sam2")
    parser.add_argument("--json", type=Path, default=Path("memory.json"), help="where to write (default: memory.json)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(measure(arguments.one, arguments.image_size, arguments.config)))
        return
    rows = []
    print(f"{'frames':>8} {'peak MiB':>10} {'against the first':>18} {'fps':>7}")
    for num_frames in sorted(int(number) for number in arguments.frames.split(",")):
        options = ["--image-size", str(arguments.image_size), "--config", arguments.config]
        command = [sys.executable, __file__, "--one", str(num_frames), *options]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rows.append(row)
        change = row["peak_rss_mib"] / rows[0]["peak_rss_mib"] - 1
        print(f"{row['frames']:>8} {row['peak_rss_mib']:>10} {change:>17.2%} {row['fps']:>8}", flush=True)
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    setup = {"config": arguments.config, "image_size": arguments.image_size, "torch": torch.__version__, **machine}
    arguments.json.write_text(json.dumps({**setup, "runs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
