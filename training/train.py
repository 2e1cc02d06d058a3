"""Trains nano: python -m training.train OUT --data FOLDER [--steps N] [--image-size S] (README.md has the whole story).

Everything random comes from the seed and the number of the step, and OUT/state.pt has the rest: run the same command
again and it goes on where it stopped. OUT/nano.safetensors holds the averaged weights in half precision.
"""

import argparse
import copy
import logging
import os
import time
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file

from training import losses, prompts, validate
from training.clips import Clip, Clips
from training.data import WHOLE, Library, holding
from training.feed import Feed
from training.muon import Muon, matrices
from training.network import FROZEN_BLOCKS, build, quicken, start_matching

logger = logging.getLogger("training")
RANK, PROCESSES = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))  # torchrun sets them
TARGETS, PICTURE_TARGETS = 2, 3
COLOUR_WEIGHT = 1.5  # nano's model.colour_weight, in every second step: the decoder is to be good without it, too
TRUNK_RATE, WARM_UP, LOG_EVERY = 0.2, 50, 50
STATE = "state.pt"  # in OUT
EASY = 0.5  # of all steps: until then true memories, first masks and twins on plain ground become fewer


def main() -> None:
    args = _arguments()
    logging.basicConfig(
        level=logging.WARNING if RANK else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    args.out.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in (args.data / "davis/JPEGImages/480p").iterdir())
    names = names if args.all else [name for name in names if name not in validate.HELD_OUT]
    device = torch.device(args.device)
    if PROCESSES > 1:
        dist.init_process_group("gloo", timeout=timedelta(hours=1))
    cv2.setNumThreads(1)  # its threads wouldn't survive the fork into the processes that draw
    state = _state(args.out)
    step, spent, best = state.get("step", 0), state.get("seconds", 0.0), state.get("best", 0.0)
    clips = Clips(Library(args.data, names), args.image_size)
    with Feed(partial(_draw, args, clips), step, args.workers, device) as feed, _log(args) as run:
        model = _start(args, clips)
        model.to(device).train()
        if device.type == "cpu":
            quicken(model)
        average = copy.deepcopy(model)
        optimiser = _optimiser(model, args)
        _resume(state, model, average, optimiser)
        began = last = time.monotonic()
        done = _done(args, step, spent)
        recent: list[dict[str, float]] = []
        while done < 1:
            _set_rate(optimiser, args.rate, step, done)
            recent.append(_train_step(model, optimiser, feed.next(), args, step, device))
            step += 1
            _follow(average, model, min(args.average, (1 + step) / (10 + step)))
            if step % LOG_EVERY == 0:
                figures = {key: float(np.mean([r[key] for r in recent])) for key in recent[0]}
                figures["seconds"] = (time.monotonic() - last) / len(recent)
                recent, last = [], time.monotonic()
                logger.info("step %d: %s", step, ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
                run.log(figures, step=step)
            seconds = spent + time.monotonic() - began
            done = _done(args, step, seconds)
            if RANK == 0 and args.validate_every and (step % args.validate_every == 0 or done >= 1):
                best = _judge(args, average, step, best, run)
                last = time.monotonic()
            if RANK == 0 and (step % args.save_every == 0 or done >= 1):
                _save(args.out, model, average, optimiser, step, seconds, best)


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("out", type=Path)
    cli.add_argument(
        "--data", type=holding(*WHOLE), required=True, help="holds davis/, ccp/, emoji/, clipart/ and videos/"
    )
    cli.add_argument("--weights", type=Path, help="weights to start from (.safetensors) instead of ImageNet's")
    cli.add_argument("--all", action="store_true", help="train on the three validation sequences too")
    cli.add_argument("--steps", type=int, default=6000)
    cli.add_argument("--rate", type=float, default=8e-4)
    cli.add_argument("--clips", type=int, default=2, help="in a step, of each process")
    cli.add_argument("--pictures", type=int, default=5, help="in a step, of each process")
    cli.add_argument("--length", type=int, default=6, help="frames a clip")
    cli.add_argument("--image-size", type=int, default=256)
    cli.add_argument("--minutes", type=float, help="end then, if --steps aren't done: the rate falls accordingly")
    cli.add_argument("--average", type=float, default=0.998, help="what the averaged weights keep in a step")
    cli.add_argument(
        "--whole-trunk", action="store_true", help="all of the trunk learns, not only its later 1 by 1 layers"
    )
    cli.add_argument("--validate-every", type=int, default=500, help="steps; 0: never")
    cli.add_argument("--save-every", type=int, default=25, help="steps")
    cli.add_argument("--workers", type=int, default=1, help="processes that draw clips")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return cli.parse_args()


def _start(args: argparse.Namespace, clips: Clips) -> Any:
    model = build(args.image_size, args.seed, args.weights)
    if args.weights is None and not (args.out / STATE).exists():
        frames = [clips.sample(np.random.default_rng([args.seed, 1, k]), 1, 1, 0.0).frames[0] for k in range(160)]
        torch.manual_seed(args.seed)
        start_matching(model, torch.from_numpy(np.stack(frames)))
    return model


def _optimiser(model: Any, args: argparse.Namespace) -> torch.optim.Optimizer:
    trunk = model.image_encoder.trunk
    pretrained = [trunk.stem, *trunk.blocks]
    model.image_encoder.neck.convs[0].requires_grad_(False)  # the identity: how loud the features are is the trunk's
    if not args.whole_trunk:
        for part in pretrained:
            part.requires_grad_(False)
        for block in trunk.blocks[FROZEN_BLOCKS:]:
            # Not the depthwise ones: their weights' gradients took a quarter of a step's time on a CPU
            block.expand.requires_grad_(True)
            block.project.requires_grad_(True)
    known = {id(p) for part in pretrained for p in part.parameters()}
    whole = {id(p) for p in matrices(model)} - known
    free = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in free if id(p) in whole], "scale": 1.0, "matrices": True},
        {"params": [p for p in free if id(p) not in known | whole], "scale": 1.0},
        {"params": [p for p in free if id(p) in known], "scale": TRUNK_RATE},
    ]
    # Object pointers start with next to no attention: under the usual 1e-8 their tiny gradients moved nothing
    return Muon(groups, lr=args.rate, weight_decay=0.02, betas=(0.9, 0.98), eps=1e-14)


def _done(args: argparse.Namespace, step: int, seconds: float) -> float:
    """The share of the run that is over; by one clock in all processes, else they would part."""
    done = torch.tensor(max(step / args.steps, seconds / (60 * args.minutes) if args.minutes else 0.0))
    if PROCESSES > 1:
        dist.broadcast(done, 0)
    return done.item()


def _set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, done: float) -> None:
    """Constant after a warm-up, then falling to a hundredth over the second half."""
    factor = min(1.0, (step + 1) / WARM_UP, max(0.01, 2 * (1 - done)))
    for group in optimiser.param_groups:
        group["lr"] = rate * factor * group["scale"]


def _ease(args: argparse.Namespace, step: int) -> float:
    return max(0.0, 1 - step / (EASY * args.steps)) if args.weights is None else 0.0


def _train_step(
    model: Any, optimiser: Any, batches: Any, args: argparse.Namespace, step: int, device: torch.device
) -> dict[str, float]:
    rng = np.random.default_rng([args.seed, 3, step, RANK])
    clips, pictures = batches
    optimiser.zero_grad()
    with _precision(device):
        tracked = losses.clip_loss(model, clips, rng, _ease(args, step), COLOUR_WEIGHT * (step % 2))
        tracked.loss.backward()
        prompted = losses.image_loss(model, pictures, rng)
        prompted.loss.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    if PROCESSES > 1:
        _share_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    return {
        "loss/clips": tracked.loss.item(),
        "loss/pictures": prompted.loss.item(),
        "iou/clips": tracked.iou,
        "iou/other_target": tracked.other,
        "iou/pictures": prompted.iou,
    }


def _share_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Their mean over all processes: two of one thread each do 1.35 times as many steps as one of two threads."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    mean = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(mean)
    parts = (mean / PROCESSES).split([p.numel() for p in parameters])
    for p, part in zip(parameters, parts, strict=True):
        p.grad = part.view_as(p)


def _precision(device: torch.device) -> torch.autocast:
    """bf16 where the hardware computes in it: without it a CPU takes 12 times as long as in float32."""
    fast = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


@torch.no_grad()
def _follow(average: Any, model: Any, decay: float) -> None:
    pairs = [(a, b) for a, b in zip(average.parameters(), model.parameters(), strict=True) if b.requires_grad]
    torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)


def _judge(args: argparse.Namespace, average: Any, step: int, best: float, run: Any) -> float:
    with _precision(torch.device(args.device)):
        scores = validate.score(average, args.data / "davis", validate.HELD_OUT)
    logger.info("step %d: J %s", step, ", ".join(f"{key} {value:.3f}" for key, value in scores.items()))
    run.log({f"val/{key}": value for key, value in scores.items()}, step=step)
    mean = scores["mask"] + scores["box"] + scores["click"]
    if mean > best:
        _export(average, args.out / "best.safetensors")
    return max(best, mean)


def _export(model: Any, path: Path) -> None:
    save_file({key: value.half().cpu().contiguous() for key, value in model.state_dict().items()}, path)


def _save(out: Path, model: Any, average: Any, optimiser: Any, step: int, seconds: float, best: float) -> None:
    state = {"model": model.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
    part = (out / STATE).with_suffix(".part")
    torch.save({**state, "step": step, "seconds": seconds, "best": best}, part)
    part.replace(out / STATE)
    _export(average, out / "nano.safetensors")


def _state(out: Path) -> dict[str, Any]:
    return torch.load(out / STATE, weights_only=True, map_location="cpu") if (out / STATE).exists() else {}


def _resume(state: dict[str, Any], model: Any, average: Any, optimiser: Any) -> None:
    if state:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        logger.info("goes on after step %d", state["step"])


def _log(args: argparse.Namespace) -> Any:
    """An offline W&B run, unless WANDB_MODE says otherwise; with "disabled" wandb needn't be installed."""
    mode = "disabled" if RANK else os.environ.get("WANDB_MODE", "offline")
    if mode == "disabled":
        return nullcontext(SimpleNamespace(log=lambda *_, **__: None))
    import wandb

    config = {key: str(value) for key, value in vars(args).items()}
    return wandb.init(project="vidseg-nano", mode=mode, dir=args.out, config=config, settings={"silent": True})


def _draw(args: argparse.Namespace, clips: Clips, step: int) -> list[losses.Batch]:
    """What a step learns from: clips, and single pictures. A pure function of the seed, the process and the step."""
    rng, ease = np.random.default_rng([args.seed, 2, step, RANK]), _ease(args, step)
    plain = max(0.05, 0.5 * ease)
    moving = [clips.sample(rng, args.length, TARGETS, plain) for _ in range(args.clips)]
    still = [clips.sample(rng, 1, PICTURE_TARGETS, 0.05) for _ in range(args.pictures)]
    kind = str(rng.choice(["mask", "box", "click", "clicks"], p=[0.45, 0.2, 0.2, 0.15]))
    kind = "mask" if rng.random() < ease else kind
    return [
        _batch(moving, kind, rng),
        _batch(still, str(rng.choice(["box", "click", "clicks"], p=[0.4, 0.4, 0.2])), rng),
    ]


def _batch(clips: list[Clip], kind: str, rng: np.random.Generator) -> losses.Batch:
    frames, masks = np.stack([clip.frames for clip in clips]), np.stack([clip.masks for clip in clips])
    firsts = masks[:, :, 0].reshape(-1, *masks.shape[3:])
    points = None if kind == "mask" else prompts.first(kind, firsts, rng)
    return losses.Batch(torch.from_numpy(frames), torch.from_numpy(masks), points)


if __name__ == "__main__":
    main()
