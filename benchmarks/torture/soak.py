"""Ten hours of video with flat memory, killed and resumed in the ninth hour: `make soak`, or

    python -m benchmarks.torture.soak [--fps 1] [--hours 10]

The built-in clip, small, is looped to a file of ten hours with a frame a second; nano follows the skater through it.
Writes benchmarks/results/soak.json. Exit status 1 if anything is wrong.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2

from benchmarks.machine import RESULTS, machine
from benchmarks.torture import command, verdict
from vidseg.video import open_source

WIDTH, HEIGHT = 128, 72
FLAT_MIB = 16
"""How much more memory the hours after the second may take than it: caches of the allocator, not frames."""


def write_video(path: Path, fps: Fraction, hours: float) -> tuple[int, list[list[float]]]:
    """Writes the built-in clip again and again, encoded once; returns the number of frames and the prompted points."""
    source = open_source("sample")
    (prompt, *_) = source.prompts
    assert prompt.points_xy is not None
    points = prompt.points_xy * [WIDTH / source.info.width, HEIGHT / source.info.height]
    total, done = round(hours * 3600 * fps), 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", fps, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        packets = [packet for frame in source for packet in stream.encode(_small(frame.rgb_hw3))] + stream.encode()
        content = [(bytes(packet), packet.is_keyframe) for packet in packets]
        while done < total:
            data, key = content[done % len(content)]
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, 1 / fps, key
            packet.pts = packet.dts = done
            container.mux(packet)
            done += 1
    return total, points.round(1).tolist()


def _small(rgb_hw3: Any) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(cv2.resize(rgb_hw3, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), "rgb24")


def soak(folder: Path, fps: Fraction, hours: float) -> dict[str, Any]:
    """Runs, kills in the ninth tenth, and resumes; returns the memory of each hour and what is wrong."""
    frames, points = write_video(folder / "hours.mp4", fps, hours)
    words: tuple[str, ...] = (
        "video=hours.mp4",
        "prompt=click",
        f"prompt.points={json.dumps(points)}",
        "model=nano",
        "threads=1",
    )
    words += ("model.image_size=128", "hydra.run.dir=run", "output=[cutout]", "stride=1000")
    run, began = folder / "run", time.monotonic()
    process = command.start(folder, *words)
    while process.poll() is None and _count(run / "masks.jsonl") < frames * 0.85:
        time.sleep(2)
    command.kill(process)
    said, _ = process.communicate()
    killed_at = _count(run / "masks.jsonl")
    print(f"killed at frame {killed_at} of {frames} after {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    before = list(_by_hour(run / "frames.jsonl", fps))
    ended = command.run(folder, *words, "resume=true", limit_s=24 * 3600)
    faults = [] if process.returncode == -9 else [f"it ended before it was killed: {said[-1000:]}"]
    faults += ended.faults(0) + verdict.faults(run, ("cutout",))
    after = list(_by_hour(run / "frames.jsonl", fps))[len(before) - 1 :]
    summary = json.loads((run / "summary.json").read_text())
    if summary["frames"] != frames:
        faults.append(f"{summary['frames']} frames, not {frames}")
    if not summary["metrics"].get("mean_area"):
        faults.append("no frame has a mask")
    if (growth := max(before[2:] or before) - before[1]) > FLAT_MIB:
        faults.append(f"memory grew by {growth:.0f} MiB")
    if summary["peak_rss_mib"] > max(before) + 2 * FLAT_MIB:
        faults.append(f"the resumed run took {summary['peak_rss_mib']} MiB, the first {max(before):.0f}")
    return {
        "hours": hours, "frames": frames, "killed_at_frame": killed_at, "rss_mib_by_hour": before,
        "rss_mib_by_hour_resumed": after, "peak_rss_mib_resumed": summary["peak_rss_mib"],
        "metrics": summary["metrics"], "minutes": round((time.monotonic() - began) / 60, 1), "wrong": faults,
    }  # fmt: skip


def _count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _by_hour(path: Path, fps: Fraction) -> Iterator[float]:
    """The median memory of each hour of the video in MiB; a line that a kill cut off is left out."""
    memory = [json.loads(line)["memory/rss_mib"] for line in path.read_text().splitlines() if line.endswith("}")]
    hour = round(3600 * fps)
    for start in range(0, len(memory), hour):
        yield round(median(memory[start : start + hour]), 1)


def main() -> int:
    """Soaks, prints and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fps", type=Fraction, default=Fraction(1), help="frames a second of the video (default: 1)")
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--report", type=Path, default=RESULTS / "soak.json")
    args = parser.parse_args()
    report = {"machine": machine(), **soak(Path(tempfile.mkdtemp(prefix="soak-")), args.fps, args.hours)}
    args.report.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
