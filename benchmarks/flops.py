"""How near a steady frame comes to what the machine can do: `make bench-flops`.

    python -m benchmarks.flops [--model tiny] [--image-size 1024] [--profile]

Counts the floating-point operations of one frame of upstream's predictor with all its memories (seven frames, 16 object
pointers), measures the rate of the machine's matrix products and the time of a steady frame of ours (SAM2.track between
two lengths), and prints upstream's operations / our time / that rate: 1 is upstream's arithmetic at the speed of the
machine's own products. ``--profile`` tells where our frame's time goes.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.clip import CONFIGS, clicks, make_checkpoint, make_clip, precision
from benchmarks.engine import segmentation
from benchmarks.machine import label, machine, median, save_result
from benchmarks.segmentation import Passes, Setting, decoded, ours, set_threads, upstream_predictor, upstream_state

_POINTERS = 16
# rows, inner, columns of products: square ones; queries by keys and scores by values of the memory attention at 1024
_SHAPES = [(2048,) * 3, (4096,) * 3, (4096, 256, 28736), (4096, 28736, 256), (65536, 96, 384), (4096, 1024, 4096)]
PARTS = {  # of a frame: where the time is taken. What another thread does meanwhile is marked.
    "image encoder": "sam2.modeling.backbones.image_encoder:ImageEncoder.forward",
    "memory attention": "sam2.modeling.memory_attention:MemoryAttention.forward",
    "mask decoder": "sam2.modeling.sam.mask_decoder:MaskDecoder.forward",
    "memory encoder": "sam2.modeling.memory_encoder:MemoryEncoder.forward",
    "upsampling": "sam2.sam2_video_predictor:SAM2VideoPredictor._get_orig_video_res_output",
    "resize (ahead, in a thread)": "vidseg.model.sam2.stages:Stages.resize",
}


def upstream_operations(setting: Setting) -> dict[str, float]:
    """GFLOP of one steady frame by module, and ``total``; a multiplication and an addition are two."""
    predictor = upstream_predictor(setting)
    size = setting.image_size
    images_n3hw = torch.rand(1, 3, size, size, device=setting.device).expand(_POINTERS + 1, -1, -1, -1)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), precision(setting.precision, setting.device).applied(torch.device(setting.device)):
        state = upstream_state(predictor, images_n3hw, 720, 1280)
        for prompt in clicks(setting.objects):
            predictor.add_new_points_or_box(state, 0, prompt.object_id, points=prompt.points_xy, labels=prompt.labels)
        for _ in predictor.propagate_in_video(state, max_frame_num_to_track=1):
            pass
        for outputs in state["output_dict_per_obj"].values():  # frame 1 stands for 2 to 15 too: counts are the same
            tracked = outputs["non_cond_frame_outputs"]
            tracked.update(dict.fromkeys(range(2, _POINTERS), tracked[1]))
        # On a CPU the counter overlooks fused attention; as matrix products it is counted everywhere
        with sdpa_kernel(SDPBackend.MATH), counter:
            for _ in predictor.propagate_in_video(state, start_frame_idx=_POINTERS, max_frame_num_to_track=0):
                pass
    modules = ("ImageEncoder", "MemoryAttention", "MaskDecoder", "MemoryEncoder")
    counts = {name: sum(counter.get_flop_counts().get(name, {}).values()) / 1e9 for name in modules}
    return {**counts, "total": counter.get_total_flops() / 1e9}


def matrix_rates(setting: Setting) -> dict[str, float]:
    """GFLOP/s of large matrix products, the best shape of each kind: torch.mm, and oneDNN's where there is one."""
    chosen = precision(setting.precision, setting.device)
    dtype = getattr(torch, chosen.autocast or "float32")
    rates: dict[str, float] = defaultdict(float)
    with torch.inference_mode(), chosen.applied(torch.device(setting.device)), torch.autocast("cpu", enabled=False):
        for rows, inner, columns in _SHAPES:
            x = torch.rand(rows, inner, device=setting.device, dtype=dtype)
            w = torch.rand(columns, inner, device=setting.device, dtype=dtype)
            products: dict[str, Callable[[], object]] = {"mm": lambda x=x, w=w: torch.mm(x, w.T)}  # type: ignore[misc]
            if setting.device == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
                packed = torch.ops.mkldnn._reorder_linear_weight(w, rows)
                products["onednn"] = lambda x=x, packed=packed: (  # type: ignore[misc]
                    torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
                )
            for name, product in products.items():
                product()
                seconds = statistics.median(_seconds(product, setting.device) for _ in range(7))
                rates[name] = max(rates[name], 2e-9 * rows * inner * columns / seconds)
    return dict(rates)


def _seconds(action: Callable[[], object], device: str) -> float:
    _synchronize(device)
    began = time.perf_counter()
    action()
    _synchronize(device)
    return time.perf_counter() - began


def _synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def show_profile(setting: Setting) -> dict[str, float]:
    """Prints where a steady frame's time goes, by part and by operator; returns milliseconds a frame by part."""
    run, steady = ours(setting, decoded(setting)), setting.long - setting.short
    with _timed_parts(setting.device) as seconds:
        frame_s = _steady(run, setting, seconds.clear) / steady
    parts = {name: 1e3 * seconds[name] / steady for name in PARTS if name in seconds}
    parts["everything else"] = 1e3 * frame_s - sum(ms for name, ms in parts.items() if "thread" not in name)
    print(f"\n{'part':28} {'ms a frame':>10} {'share':>6}")
    for name, ms in [*parts.items(), ("frame", 1e3 * frame_s)]:
        print(f"{name:28} {ms:10.1f} {ms / frame_s / 1e3:6.1%}")
    cuda = setting.device != "cpu"
    profiler: Any = torch_profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU])
    _steady(run, setting, profiler.start)
    profiler.stop()
    by = "self_device_time_total" if cuda else "self_cpu_time_total"
    print(f"\n{steady} frames, by operator")
    print(profiler.key_averages().table(sort_by=by, row_limit=15, max_name_column_width=44))
    return {name: median([ms]) for name, ms in parts.items()}


def _steady(run: Passes, setting: Setting, begin: Callable[[], object]) -> float:
    """Seconds from frame ``short`` to the end of a pass; calls ``begin`` when they start."""
    began = 0.0
    for number, _ in enumerate(run(setting.long), start=1):
        if number == setting.short:
            _synchronize(setting.device)
            begin()
            began = time.perf_counter()
    _synchronize(setting.device)
    return time.perf_counter() - began


@contextmanager
def _timed_parts(device: str) -> Iterator[dict[str, float]]:
    """While it lasts, the seconds spent in every one of PARTS add up."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            _synchronize(device)
            began = time.perf_counter()
            result = function(*args, **kwargs)
            _synchronize(device)
            seconds[name] += time.perf_counter() - began
            return result

        return wrapper

    with ExitStack() as stack:
        for name, target in PARTS.items():
            owner, _, attribute = target.rpartition(".")
            stack.enter_context(patch.object(resolve_name(owner), attribute, timed(name, resolve_name(target))))
        yield seconds


def main() -> None:
    """Prints operations, rate, time and their ratio; writes benchmarks/results/flops_<machine>.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", choices=CONFIGS)
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=1024)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--short", type=int, default=9)
    parser.add_argument("--long", type=int, default=15)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="where the time of our frame goes")
    args = parser.parse_args()
    set_threads(args.threads)
    setting = Setting(**{key: value for key, value in vars(args).items() if key not in ("runs", "profile")})
    print(f"{label(machine(args.device))}: {setting}")
    operations = upstream_operations(setting)
    print("upstream's frame: " + ", ".join(f"{name} {value:.1f}" for name, value in operations.items()) + " GFLOP")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        setting = replace(setting, clip=str(folder / "clip.mp4"), checkpoint=str(folder / "weights.pt"))
        make_clip(Path(setting.clip), args.long)
        make_checkpoint(folder / "weights.pt", args.model)
        rates, frame_s = [matrix_rates(setting)], []
        for _ in range(args.runs):
            frame_s.append(1 / segmentation("ours", setting, folder)["fps"])
        rates.append(matrix_rates(setting))
        parts = show_profile(setting) if args.profile else {}
    best = {name: max(rate[name] for rate in rates) for name in rates[0]}
    took_s, rate = median(frame_s), max(best.values())
    ratio = operations["total"] / took_s / rate
    print("matrix products:  " + ", ".join(f"{name} {value:.1f}" for name, value in best.items()) + " GFLOP/s")
    print(f"our frame:        {took_s:.3f} s ({min(frame_s):.3f} to {max(frame_s):.3f})")
    print(f"upstream's operations / our time / the rate of products: {ratio:.3f}")
    result = {"setting": str(setting), "upstream_gflop": operations, "matrix_gflop_per_s": best, "frame_s": frame_s}
    print(save_result("flops", {**result, "ratio": round(ratio, 4), "frame_parts_ms": parts}, args.device))


if __name__ == "__main__":
    main()
