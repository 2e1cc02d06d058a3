"""H.264 presets by their quality at equal size: `make bench-encoders`.

    python -m benchmarks.encoders [--video clip.mp4 --masks RUN] [--frames 60] [--presets superfast,veryfast,faster]

Encodes the cutout and the overlay of a video (the built-in clip with its ground truth, or a file with the masks of a
run) with every preset of x264, at the CRF whose file is closest in size to that of our own settings. Prints, and
writes into benchmarks/results/encoders_<machine>.json, core-milliseconds and kilobytes a frame, PSNR, and SSIM (Wang et
al., 2004), both of luma.
"""

import argparse
import io
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import label, machine, save_result
from vidseg.composite import cutout, overlay
from vidseg.record.masks import open_masks
from vidseg.types import Frame, FrameMasks
from vidseg.video import open_source
from vidseg.video.codec import CODECS
from vidseg.video.ycbcr import to_ycbcr

H264 = CODECS["h264"]
RENDERS = {"cutout": cutout, "overlay": overlay}
STEPS = (8, 4, 2, 1, 0.5, 0.25)  # of CRF: a quarter changes the size by 3%


def pairs(video: str, masks: str | None) -> Iterator[tuple[Frame, FrameMasks]]:
    """The frames of a video with their masks."""
    source, record = open_source(video), None if masks is None else open_masks(masks, "--masks")
    for frame in source:
        if record is not None:
            found = record.frame_masks(frame.index, source.info)
        else:
            found = FrameMasks(
                frame.index, (1,), np.where(source.truth(frame.index) == 1, 1, -1)[None].astype(np.float32)
            )
        if found is not None:
            yield frame, found


def luma(image: av.VideoFrame) -> NDArray[np.float32]:
    """The luma of a picture (h, w)."""
    plane = image.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].astype(np.float32)


def ssim(one_hw: NDArray[np.float32], other_hw: NDArray[np.float32]) -> float:
    """Structural similarity: Gaussian windows of 11 pixels, constants of 8-bit pictures."""

    def mean(values_hw: NDArray[np.float32]) -> Any:
        return cv2.GaussianBlur(values_hw, (11, 11), 1.5)

    a, b = mean(one_hw), mean(other_hw)
    variances, both = mean(one_hw**2) - a * a + mean(other_hw**2) - b * b, mean(one_hw * other_hw) - a * b
    return float(
        ((2 * a * b + 6.5025) * (2 * both + 58.5225) / ((a * a + b * b + 6.5025) * (variances + 58.5225))).mean()
    )


def encoded(images: list[av.VideoFrame], options: Mapping[str, str]) -> dict[str, float]:
    """The figures of one encoding."""
    file, size = io.BytesIO(), 0
    began_s = time.process_time()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(H264.encoder, rate=30, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = images[0].width, images[0].height, H264.pix_fmt
        stream.codec_context.thread_type, stream.codec_context.thread_count = "AUTO", 0
        for number, image in enumerate([*images, None]):
            if image is not None:
                image.pts = number
            for packet in stream.encode(image):
                size += packet.size
                container.mux(packet)
    core_ms = 1e3 * (time.process_time() - began_s) / len(images)
    file.seek(0)
    with av.open(file) as container:
        found = [(luma(a), luma(b)) for a, b in zip(images, container.decode(video=0), strict=True)]
    error = float(np.mean([np.mean((a - b) ** 2) for a, b in found]))
    similarity = float(np.mean([ssim(a, b) for a, b in found[::5]]))
    figures = {
        "core_ms": core_ms,
        "kb": size / len(images) / 1e3,
        "psnr": 10 * np.log10(255**2 / error),
        "ssim": similarity,
    }
    return {key: float(f"{value:.5g}") for key, value in figures.items()}


def at_size(images: list[av.VideoFrame], preset: str, kb: float) -> dict[str, float]:
    """A preset's figures at the CRF whose size is closest to ``kb`` a frame."""
    tried: dict[float, dict[str, float]] = {}
    crf = 20.0
    for step in STEPS:
        tried[crf] = encoded(images, {"preset": preset, "crf": f"{crf:g}"})
        crf += step if tried[crf]["kb"] > kb else -step
        crf = min(max(crf, 1.0), 50.0)
    best = min(tried, key=lambda each: abs(tried[each]["kb"] - kb))
    return {"crf": best, **tried[best]}


def main() -> None:
    """Encodes everything in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", default="sample")
    parser.add_argument("--masks", help="a run's folder, for a video of one's own")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--presets", default="ultrafast,superfast,veryfast,faster,fast")
    args = parser.parse_args()
    print(label(machine()))
    rows: dict[str, Any] = {}
    for name, render in RENDERS.items():
        frames = islice(pairs(args.video, args.masks), args.frames)
        images = [to_ycbcr(render(frame, masks), 1, "yuv420p") for frame, masks in frames]
        ours = encoded(images, H264.options_for(None))
        print(f"{name:8} {'ours':10} {ours}", flush=True)
        rows[name] = {"ours": {**H264.options_for(None), **ours}}
        for preset in args.presets.split(","):
            rows[name][preset] = at_size(images, preset, ours["kb"])
            print(f"{name:8} {preset:10} {rows[name][preset]}", flush=True)
    print(save_result("encoders", {"video": args.video, "frames": args.frames, "rows": rows}))


if __name__ == "__main__":
    main()
