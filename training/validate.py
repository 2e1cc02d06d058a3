"""J on whole DAVIS sequences at 480p, from each kind of prompt, and with two sequences side by side.

python -m training.validate WEIGHTS --data FOLDER [--image-size S] [SEQUENCE ...]
"""

import argparse
from collections.abc import Sequence as Many
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from training import prompts
from training.data import DAVIS, Picture, Sequence, davis, holding
from training.network import CONFIG, normalise
from vidseg.metric.score import iou
from vidseg.model import upstream

HELD_OUT = ("breakdance", "drift-chicane", "parkour")


def main() -> None:
    """Prints the scores of weights in half or single precision."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("weights", type=Path)
    cli.add_argument("sequences", nargs="*", default=HELD_OUT)
    cli.add_argument("--data", type=holding(*DAVIS), required=True, help="holds davis/")
    cli.add_argument("--image-size", type=int)
    args = cli.parse_args()
    model = upstream.build(CONFIG, args.image_size, False, 0)
    model.load_state_dict({key: value.float() for key, value in load_file(args.weights).items()})
    for key, value in score(model, args.data / "davis", args.sequences).items():
        print(f"{key:24s}{value:.3f}")  # noqa: T201


def score(model: Any, root: Path, names: Many[str], kinds: Many[str] = ("mask", "box", "click")) -> dict[str, float]:
    """J by "kind/name" and its mean by "kind", and of the first and the last sequence side by side from a first mask:
    "pair/own", the lower J of the two choices, and "pair/other", the mean IoU between the two runs."""
    sequences = [davis(root, name, 480) for name in names]
    was_training = model.training
    model.eval()
    scores: dict[str, float] = {}
    for kind in kinds:
        for sequence in sequences:
            runs = track(model, sequence.frames, sequence.masks[0], kind)
            scores[f"{kind}/{sequence.name}"] = _mean_iou(runs, sequence.masks)
        scores[kind] = float(np.mean([scores[f"{kind}/{name}"] for name in names]))
    frames, masks = _pair(sequences[0], sequences[-1])
    both = [track(model, frames, mask[0], "mask") for mask in masks]
    scores["pair/own"] = min(_mean_iou(run, mask) for run, mask in zip(both, masks, strict=True))
    scores["pair/other"] = _mean_iou(both[0], both[1])
    model.train(was_training)
    return scores


@torch.inference_mode()
def track(model: Any, frames: list[Picture], first: Picture, kind: str) -> list[Picture]:
    """Masks of all frames, from a prompt drawn from the mask of the first."""
    size, device = model.image_size, model.device
    prompt = cv2.resize(first, (size, size), interpolation=cv2.INTER_NEAREST)
    memory: dict[str, Any] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    masks = []
    for t, frame in enumerate(frames):
        small = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
        images = normalise(torch.from_numpy(small)[None].to(device))
        _, tokens, codes, sizes = model._prepare_backbone_features(model.forward_image(images))
        points = mask = None
        if t == 0 and kind == "mask":
            mask = torch.from_numpy(prompt).to(device).float()[None, None]
        elif t == 0:
            points = prompts.first(kind, prompt[None], np.random.default_rng(0))
            points = {key: value.to(device) for key, value in points.items()}
        out = model.track_step(t, t == 0, tokens, codes, sizes, points, mask, memory, len(frames))
        memory["cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"][t] = out
        memory["non_cond_frame_outputs"].pop(t - 16, None)
        logits = F.interpolate(out["pred_masks"].float(), size=frame.shape[:2], mode="bilinear")
        masks.append((logits[0, 0] > 0).cpu().numpy().astype(np.uint8))
    return masks


def _pair(left: Sequence, right: Sequence) -> tuple[list[Picture], tuple[list[Picture], list[Picture]]]:
    count = min(len(left.frames), len(right.frames))
    frames, masks = [], ([], [])
    for a, b, ma, mb in zip(left.frames, right.frames, left.masks, right.masks, strict=False):
        b, mb = cv2.resize(b, a.shape[1::-1]), cv2.resize(mb, a.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        frames.append(np.hstack([a, b]))
        masks[0].append(np.hstack([ma, np.zeros_like(mb)]))
        masks[1].append(np.hstack([np.zeros_like(ma), mb]))
    return frames[:count], masks


def _mean_iou(a: list[Picture], b: list[Picture]) -> float:
    """Mean over all frames but the first."""
    return float(np.mean([iou(x > 0, y > 0) for x, y in zip(a[1:], b[1:], strict=True)]))


if __name__ == "__main__":
    main()
