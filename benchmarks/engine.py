"""Speed and memory of SAM 2 in vidseg, beside upstream's predictors and the article's pipeline: `make bench`.

    python -m benchmarks.engine [--models tiny,large] [--objects 1,8] [--image-size 256] [--precision fp32]

Every contender has the same 720p clip, seeded random weights (speed and memory are real, the masks are not), precision
and threads, and is a process of its own. They run in turn, the first round doesn't count, medians do; a ratio is the
median over the rounds of ours / theirs, with the lowest and the highest.

    article        the notebook vidseg grew out of, told as one script (benchmarks/article.py), end to end
    upstream       SAM2VideoPredictor alone on a state that is loaded already (benchmarks/segmentation.py)
    upstream_vos   the same with vos_optimized: every module compiled with max-autotune; CUDA only
    ours           SAM2.track alone, frames in memory; ours_exact, ours_compiled and ours_int8 are its options
    command        python -m vidseg output=[cutout_avi] metric=[] tracker=none, end to end (the notebook scores
                   and tracks nothing either); command_compiled, _exact and _int8; command_h264 has output=[cutout]

Rates are taken between two lengths, so that start-up cancels and every frame that counts has all its memories. The
first frame's latency of `article` holds the extraction of the short clip, since nothing overlaps there. `busy` is the
share of the time in which the device worked: kernels on a GPU, else processor time over all threads.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.clip import CONFIGS, make_checkpoint, make_clip, make_prompts
from benchmarks.machine import label, machine, result_path, save_result
from benchmarks.segmentation import Setting
from benchmarks.tables import Figures, show, table


def segmentation(contender: str, setting: Setting, folder: Path) -> Figures:
    """A contender without the rest of the pipeline."""
    return dict(_json_of([sys.executable, "-m", "benchmarks.segmentation", contender, setting.json()]))


def article(setting: Setting, folder: Path) -> Figures:
    """The notebook, on the short clip and on the long one."""
    runs = []
    for length in (setting.short, setting.long):
        command = [sys.executable, "-m", "benchmarks.article", str(folder / f"{length}.mp4")]
        command += ["--config", CONFIGS[setting.model], "--checkpoint", str(setting.checkpoint)]
        command += ["--image-size", str(setting.image_size), "--objects", str(setting.objects)]
        command += ["--precision", setting.precision, "--device", setting.device, "--threads", str(setting.threads)]
        with tempfile.TemporaryDirectory(dir=folder) as out:
            runs.append(_json_of([*command, "--folder", out]))
    first_frame_ms = 1e3 * runs[0]["seconds"]["first_frame"]
    return {"first_frame_ms": first_frame_ms} | _between(setting, *runs)


def command(setting: Setting, folder: Path, *options: str, output: str = "cutout_avi") -> Figures:
    """The command with one output, the notebook's, on the short clip and on the long one."""
    runs = []
    for length in (setting.short, setting.long):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            words = [f"hydra.run.dir={out}", f"video={folder / f'{length}.mp4'}", f"model={setting.model}"]
            words += [f"model.checkpoint={setting.checkpoint}", f"model.image_size={setting.image_size}", *options]
            words += ["prompt=file", f"prompt.path={folder / f'{setting.objects}.yaml'}", f"output=[{output}]"]
            words += ["metric=[]", "tracker=none", "stride=1000000", f"precision={setting.precision}"]
            words += [f"device={setting.device}", f"threads={setting.threads}"]
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            _output_of([sys.executable, "-m", "vidseg", *words])
            wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            run = json.loads((Path(out) / "summary.json").read_text())
            fell_back = "can't be opened here" in (Path(out) / "vidseg.log").read_text()
        run["seconds"]["total"] -= run["seconds"]["build"]
        run["seconds"]["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        run["start_up_s"] = wall_s - run["seconds"]["total"]
        runs.append(run)
    figures: Figures = {"warm_up_s": runs[1]["start_up_s"]} | _between(setting, *runs)
    return figures | ({"encoder": "libx264" if fell_back else "NVENC"} if output == "cutout" else {})


def command_h264(setting: Setting, folder: Path, *options: str) -> Figures:
    """The command with a cutout in H.264, by the GPU's encoder where there is one."""
    return command(setting, folder, "output.cutout.codec=h264_nvenc", *options, output="cutout")


CONTENDERS: dict[str, Callable[[Setting, Path], Figures]] = {
    "article": article,
    "upstream": partial(segmentation, "upstream"),
    "upstream_vos": partial(segmentation, "upstream_vos"),
    "ours": partial(segmentation, "ours"),
    "ours_exact": partial(segmentation, "ours_exact"),
    "ours_compiled": partial(segmentation, "ours_compiled"),
    "ours_int8": partial(segmentation, "ours_int8"),
    "command": command,
    "command_exact": lambda setting, folder: command(setting, folder, "model.exact=true"),
    "command_int8": lambda setting, folder: command(setting, folder, "model.quantize=int8"),
    "command_h264": command_h264,
    "command_compiled": lambda setting, folder: command(setting, folder, "model.compile=true"),
}


def _between(setting: Setting, short: dict[str, Any], long: dict[str, Any]) -> Figures:
    """Figures of what lies between two runs of different length."""
    steady = setting.long - setting.short
    took_s = {name: long["seconds"][name] - short["seconds"][name] for name in ("segment", "total", "cpu")}
    figures = {"fps": steady / took_s["segment"], "fps_end_to_end": steady / took_s["total"]}
    figures["peak_rss_mib"] = long["peak_rss_mib"]
    if setting.device == "cpu":
        figures["device_busy"] = took_s["cpu"] / (took_s["total"] * (setting.threads or 1))
    elif long["peak_cuda_mib"] is not None:
        figures["peak_cuda_mib"] = long["peak_cuda_mib"]
    return figures


def _output_of(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return done.stdout


def _json_of(words: list[str]) -> dict[str, Any]:
    return dict(json.loads(_output_of(words).splitlines()[-1]))


def compare(names: list[str], setting: Setting, runs: int, folder: Path) -> Iterator[dict[str, Any]]:
    """One table, as far as it goes after each round that counts: each contender's figures, and what was left out."""
    measured: dict[str, list[Figures]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    for number in range(runs + 1):
        for name in [name for name in names if name not in left_out]:
            try:
                if name == "upstream_vos" and setting.device == "cpu":
                    raise RuntimeError("vos_optimized needs CUDA")
                figures = CONTENDERS[name](setting, folder)
            except RuntimeError as error:
                left_out[name] = str(error)
                print(f"{name} is left out: {error}", flush=True)
                del measured[name]
                continue
            if number:
                measured[name].append(figures)
        if number:
            yield {**table({name: dict(enumerate(each)) for name, each in measured.items()}), "left_out": left_out}


def main() -> None:
    """Compares in every setting; prints tables; writes benchmarks/results/engine_<machine>.json round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contenders", default="article,upstream,upstream_vos,ours,command")
    parser.add_argument("--models", default="tiny,large", help=f"of {', '.join(CONFIGS)} (default: tiny,large)")
    parser.add_argument("--objects", default="1,8", help="how many, 1 to 16 (default: 1,8)")
    parser.add_argument("--image-size", type=int, default=256, help="side of the model's input (default: 256)")
    parser.add_argument("--precision", default="fp32", help="of conf/precision (default: fp32)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--short", type=int, default=9, help="frames; from 9 on there are seven memories (default: 9)")
    parser.add_argument("--long", type=int, default=33, help="frames (default: 33)")
    parser.add_argument("--runs", type=int, default=5, help="that count (default: 5)")
    args = parser.parse_args()
    names, models = args.contenders.split(","), args.models.split(",")
    if unknown := [name for name in [*names, *models] if name not in (*CONTENDERS, *CONFIGS)]:
        parser.error(f"{unknown[0]}: contenders are {', '.join(CONTENDERS)}; models are {', '.join(CONFIGS)}")
    if args.runs < 1:
        parser.error(f"--runs {args.runs}: at least 1")
    if args.device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {args.device}: torch finds no GPU")
    print(label(about := machine(args.device)))
    path = result_path("engine", about)  # other settings that were measured here before stay in it
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shared = ("image_size", "precision", "device", "threads", "short", "long")
        base = Setting(**{key: getattr(args, key) for key in shared}, clip=str(folder / f"{args.long}.mp4"))
        for length in (args.short, args.long):
            make_clip(folder / f"{length}.mp4", length)
        for model in models:
            make_checkpoint(folder / f"{model}.pt", model)
            for objects in map(int, args.objects.split(",")):
                make_prompts(folder / f"{objects}.yaml", objects)
                setting = replace(base, model=model, objects=objects, checkpoint=str(folder / f"{model}.pt"))
                how = {"threads": args.threads, "frames": [args.short, args.long], "versions": about["versions"]}
                for result in compare(names, setting, args.runs, folder):
                    rows[str(setting)] = {**how, **result}
                    save_result("engine", {"rows": rows}, args.device)  # whoever stops it keeps the rounds before
                show(str(setting), result)
    print(path)


if __name__ == "__main__":
    main()
