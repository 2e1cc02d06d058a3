"""Segmentation alone, one contender in this process: frames in memory, masks back on the host, nothing kept of them.

    python -m benchmarks.segmentation upstream '{"model": "tiny", "clip": "clip.mp4", "checkpoint": "tiny.pt"}'

``upstream`` is SAM2VideoPredictor's propagate_in_video on a state whose frames are loaded, resized and normalised
already; ``ours`` still has that to do. A pass that doesn't count comes first, then one over ``short`` and one over
``long`` frames: what lies between the two is steady. Prints one JSON object.
"""

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.clip import CONFIGS, Indexed, Loaded, build_upstream, clicks, precision, precision_config
from vidseg.meter import peak_cuda_mib, peak_rss_mib, reset_peaks

Passes = Callable[[int], Iterator[None]]
"""Given a number of frames, one pass over as many: a step a frame, its masks on the host."""

_PROFILED = 16  # frames: upstream's 16 objects have a million kernels in 48, which take a minute to read
_WARM_UP = 3  # frames; where something is compiled or tuned to the shapes that come, as many as in the longest pass


@dataclass(frozen=True)
class Setting:
    """One row of a table."""

    model: str = "tiny"
    objects: int = 1
    image_size: int = 256
    precision: str = "fp32"
    device: str = "cpu"
    threads: int | None = None
    short: int = 9
    long: int = 33
    clip: str = ""
    checkpoint: str | None = None  # None: drawn from seed 0

    def __str__(self) -> str:
        objects = "1 object" if self.objects == 1 else f"{self.objects} objects"
        return f"{self.model}, {objects}, {self.image_size}x{self.image_size}, {self.precision}, {self.device}"

    def json(self) -> str:
        """As the command line of a process takes it."""
        return json.dumps(asdict(self))


def upstream(setting: Setting, source: Indexed, vos_optimized: bool = False) -> Passes:
    """The package's predictor as its own builder makes it, every object of ``source.prompts``."""
    predictor = upstream_predictor(setting, vos_optimized)
    images_n3hw = load(source, setting.image_size).to(setting.device)
    height, width, prompts = source.info.height, source.info.width, source.prompts

    def run(length: int) -> Iterator[None]:
        with torch.inference_mode(), precision(setting.precision, setting.device).applied(torch.device(setting.device)):
            state = upstream_state(predictor, images_n3hw[:length], height, width)
            for prompt in prompts:
                predictor.add_new_points_or_box(
                    state, prompt.frame_index, prompt.object_id, points=prompt.points_xy, labels=prompt.labels
                )
            for _, _, logits_n1hw in predictor.propagate_in_video(state):
                (logits_n1hw > 0).cpu().numpy()
                yield

    return run


def upstream_predictor(setting: Setting, vos_optimized: bool = False) -> Any:
    """SAM2VideoPredictor, or its compiled sister."""
    warnings.filterwarnings("ignore", message="cannot import name '_C'")  # it fills no holes then
    return build_upstream(
        setting.model,
        setting.checkpoint,
        device=setting.device,
        hydra_overrides_extra=[f"++model.image_size={setting.image_size}"],
        vos_optimized=vos_optimized,
    )


def upstream_state(predictor: Any, images_n3hw: Tensor, height: int, width: int) -> dict[str, Any]:
    """Its inference state of frames that were loaded before."""
    loaded = (images_n3hw, height, width)
    with patch("sam2.sam2_video_predictor.load_video_frames", return_value=loaded):
        return dict(predictor.init_state(video_path=""))


def load(source: Indexed, size: int) -> Tensor:
    """Every frame as sam2's load_video_frames makes it, float32 (frames, 3, size, size)."""
    mean_c, std_c = (np.array(values, np.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    images_n3hw = torch.empty(len(source.frames), 3, size, size)
    for number, frame in enumerate(source):
        resized_hw3 = np.asarray(Image.fromarray(frame.rgb_hw3).resize((size, size))) / np.float32(255)
        images_n3hw[number] = torch.from_numpy((resized_hw3 - mean_c) / std_c).permute(2, 0, 1)
    return images_n3hw


def ours(setting: Setting, source: Indexed, **options: Any) -> Passes:
    """``track`` of vidseg's segmenter."""
    from vidseg.model.build import sam2

    segmenter = sam2(
        CONFIGS[setting.model],
        setting.checkpoint or "random",
        setting.device,
        precision_config(setting.precision),
        seed=0,
        image_size=setting.image_size,
        **options,
    )

    def run(length: int) -> Iterator[None]:
        for _ in segmenter.track(source.first(length), source.prompts):
            yield

    return run


CONTENDERS: dict[str, Callable[[Setting, Indexed], Passes]] = {
    "upstream": upstream,
    "upstream_vos": partial(upstream, vos_optimized=True),
    "ours": ours,
    "ours_exact": partial(ours, exact=True),
    "ours_compiled": partial(ours, compile=True),
    "ours_int8": partial(ours, quantize="int8"),
}


def decoded(setting: Setting) -> Loaded:
    """The clip's first frames, as many as the longest pass needs."""
    from vidseg.video import open_source

    return Loaded(open_source(setting.clip, stop=setting.long), clicks(setting.objects))


def measure(contender: str, setting: Setting) -> dict[str, float]:
    """What the contender takes and holds."""
    set_threads(setting.threads)
    cuda = setting.device.startswith("cuda")
    run = CONTENDERS[contender](setting, decoded(setting))
    reset_peaks()  # of what building and loading took beside
    compiles = cuda or contender.endswith("compiled")
    warm_up_s = _timed(run(setting.long if compiles else _WARM_UP), cuda)[0]
    (short_s, short_cpu_s, _), (long_s, long_cpu_s, first_s) = (
        _timed(run(length), cuda) for length in (setting.short, setting.long)
    )
    steady, wall_s = setting.long - setting.short, long_s - short_s
    figures = {"fps": steady / wall_s, "first_frame_ms": 1e3 * first_s, "warm_up_s": warm_up_s}
    figures["peak_rss_mib"] = peak_rss_mib()
    if cuda:
        figures["peak_cuda_mib"] = peak_cuda_mib() or 0.0
        figures["kernel_ms"] = _kernel_ms(run, setting)
        figures["device_busy"] = figures["kernel_ms"] * figures["fps"] / 1e3
    else:
        figures["device_busy"] = (long_cpu_s - short_cpu_s) / (wall_s * torch.get_num_threads())
    return figures


def set_threads(threads: int | None) -> None:
    """Of torch and OpenCV; None leaves it to them."""
    if threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


def _timed(steps: Iterator[None], cuda: bool) -> tuple[float, float, float]:
    """Seconds of a pass: of the clock, of the processor, until the first frame."""
    synchronize = torch.cuda.synchronize if cuda else nullcontext
    synchronize()
    began, cpu_began = time.perf_counter(), time.process_time()
    next(steps)
    first_s = time.perf_counter() - began
    for _ in steps:
        pass
    synchronize()
    return time.perf_counter() - began, time.process_time() - cpu_began, first_s


def _kernel_ms(run: Passes, setting: Setting) -> float:
    """Milliseconds of a frame after ``short`` in which at least one kernel or copy ran on the GPU."""
    from torch.profiler import ProfilerActivity, profile

    profiler: Any = profile(activities=[ProfilerActivity.CUDA])
    profiled = min(_PROFILED, setting.long - setting.short)
    for number, _ in enumerate(run(setting.long), start=1):
        if number == setting.short:
            torch.cuda.synchronize()
            profiler.start()
        if number == setting.short + profiled:
            break
    torch.cuda.synchronize()
    profiler.stop()
    events = [event for event in profiler.events() if event.device_type.name == "CUDA" and not event.is_user_annotation]
    ranges = [event.time_range for event in events]
    busy_us = end_us = 0.0
    for each in sorted(ranges, key=lambda each: float(each.start)):
        busy_us += max(0.0, each.end - max(each.start, end_us))
        end_us = max(end_us, each.end)
    return busy_us / 1e3 / profiled


def main() -> None:
    """Measures one contender."""
    logging.disable(logging.WARNING)
    figures = measure(sys.argv[1], Setting(**json.loads(sys.argv[2])))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
