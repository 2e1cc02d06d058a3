"""One training step's loss: sam2's tracking step on clips and on single pictures, with sam2's losses.

Masks: focal and dice loss of the best of three (SAM 2, section D.2.2), predicted IoU: L1, presence: cross-entropy. The
focal loss doesn't favour the background as SAM's does (alpha 0.25): after 3,000 steps masks were better cut at a logit
of -0.5 to -1 than at 0 (photographs, one click: IoU 0.76 against 0.70).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor, nn

from training import prompts
from training.colours import Colours
from training.network import normalise

_FOCAL, _DICE = 20.0, 1.0
Features = tuple[list[Tensor], list[Tensor], list[tuple[int, int]]]


@dataclass
class Batch:
    """``frames`` uint8 (B, T, S, S, 3), ``masks`` uint8 (B, K, T, S, S) and a first prompt of every mask's first frame:
    ``points``, or with None the mask itself. ``truth`` are the masks where the network is; ``masks`` stay on the host,
    where corrections are drawn from them."""

    frames: Tensor
    masks: Tensor
    points: prompts.Points | None
    truth: Tensor | None = None

    def on(self, device: torch.device) -> "Batch":
        points = None if self.points is None else _on(self.points, device)
        return replace(self, frames=self.frames.to(device), truth=self.masks.to(device), points=points)


@dataclass
class Score:
    """The loss, and IoU of the chosen masks after the first frame with the truth and with the other target's masks."""

    loss: Tensor
    iou: float
    other: float


def clip_loss(model: Any, batch: Batch, rng: Generator, ease: float, colour_weight: float = 0.0) -> Score:
    """Prompts every target on the first frame and follows it through the clip, at times with a correction.

    ``colour_weight`` is that of ``model.colour_weight``, what the decoder is helped by after the first frame.

    ``ease``, from 1 at the start of training to 0, is the share of memories that are made of the true mask: what a
    beginner remembers of its own masks teaches nothing.
    """
    length, targets = batch.frames.shape[1], batch.masks.shape[1]
    device = batch.frames.device
    masks, truth = batch.masks.flatten(0, 1).numpy(), batch.truth.flatten(0, 1).float()  # (B * K, T, S, S)
    corrected = int(rng.integers(2, length)) if length > 2 and rng.random() < 0.25 * (1 - ease) else None
    memory: dict[str, Any] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    damage = _Damage(len(truth), length, rng, device)
    colours = Colours(colour_weight, targets)
    losses, chosen = [], []
    images = _images(batch)
    for t, features in enumerate(_encode(model, images, targets)):
        if t == 0 and batch.points is None:
            heads, out = _step(model, t, True, features, None, truth[:, :1], memory, length)
        elif t == 0:
            loss, heads, out = _prompted(model, features, batch.points, masks[:, 0], truth[:, 0], rng, memory, length)
            losses.append(loss)
        else:
            with colours.added(model.sam_mask_decoder, images[t]):
                heads, out = _step(model, t, False, features, None, None, memory, length)
            losses.append(_loss(heads, truth[:, t]))
            chosen.append(heads[3].detach()[:, 0] > 0)
            if t == corrected:
                wrong = (heads[4].detach()[:, 0] > 0).cpu().numpy()
                points = _on(prompts.correction(wrong, masks[:, t], rng), device)
                previous = heads[3].detach().clamp(-32, 32)
                heads, out = _step(model, t, False, features, points, None, memory, length, previous)
                losses.append(_loss(heads, truth[:, t]))
        if t in (0, corrected):
            colours.give(images[t], heads[3])
        tokens, _, sizes = features
        remembered = 20 * truth[:, t, None] - 10 if rng.random() < ease else heads[4]
        if t not in (0, corrected):
            remembered = damage(t, remembered, truth[:, t])
        model._encode_memory_in_output(tokens, sizes, out["point_inputs"], True, remembered, heads[6], out)
        out["obj_ptr"], out["pred_masks"] = heads[5], heads[3]
        memory["cond_frame_outputs" if t in (0, corrected) else "non_cond_frame_outputs"][t] = out
    followed = torch.stack(chosen, 1)
    swapped = followed.view(-1, targets, *followed.shape[1:]).roll(1, 1).flatten(0, 1)
    right = F.interpolate(truth[:, 1:], size=followed.shape[-2:], mode="area") > 0.5
    return Score(torch.stack(losses).mean(), _iou(followed, right), _iou(followed, swapped))


class _Damage:
    """What goes wrong with masks over a long video, which a clip is too short for: from some frame on a side of the
    object is missing from a memory, or a spot beside it is in. What the first frame's memory says must win.

    In strangers trousers or a wheel got lost bit by bit though that memory had them.
    """

    _SHARE, _CUT = 0.4, 0.7  # of the masks; of the damaged ones, those with a side missing

    def __init__(self, count: int, length: int, rng: Generator, device: torch.device) -> None:
        def drawn(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.float32(values))[:, None, None].to(device)

        self._from = drawn(
            np.where(rng.random(count) < self._SHARE, rng.integers(1, max(2, length // 2), count), length)
        )
        self._cut = drawn(rng.random(count) < self._CUT) > 0
        angle = rng.uniform(0, 2 * np.pi, count)
        self._x, self._y = drawn(np.cos(angle)), drawn(np.sin(angle))
        self._edge, self._radius = drawn(rng.uniform(-0.5, 1.0, count)), drawn(rng.uniform(0.3, 0.9, count))

    def __call__(self, t: int, logits: Tensor, truth: Tensor) -> Tensor:
        """Of ``logits`` (N, 1, S, S); sides and spots go by the true mask (N, S, S): its middle and its deviation."""
        size = truth.shape[-1]
        place = torch.arange(size, device=truth.device, dtype=torch.float32)
        x, y = place[None, None], place[None, :, None]
        area = truth.sum((1, 2), keepdim=True).clamp(min=1)
        across, down = ((v * truth).sum((1, 2), keepdim=True) / area for v in (x, y))
        wide, high = (
            (((v - middle) ** 2 * truth).sum((1, 2), keepdim=True) / area).sqrt().clamp(min=2)
            for v, middle in ((x, across), (y, down))
        )
        u, v = (x - across) / wide, (y - down) / high
        beyond = self._x * u + self._y * v > self._edge
        spot = (u - 2 * self._x) ** 2 + (v - 2 * self._y) ** 2 < self._radius**2
        wrong = torch.where(self._cut, logits[:, 0].clamp(max=-10), logits[:, 0].clamp(min=10))
        here = torch.where(self._cut, beyond, spot) & (t >= self._from) & (truth.sum((1, 2), keepdim=True) > 0)
        return torch.where(here, wrong, logits[:, 0])[:, None]


def image_loss(model: Any, batch: Batch, rng: Generator) -> Score:
    """Sparse prompts on single pictures, at times followed by a correcting click."""
    targets = batch.masks.shape[1]
    masks, truth = batch.masks[:, :, 0].flatten(0, 1).numpy(), batch.truth[:, :, 0].flatten(0, 1).float()
    (features,) = _encode(model, _images(batch), targets)
    loss, heads, _ = _prompted(model, features, batch.points, masks, truth, rng, {}, 1)
    guess = heads[3].detach() > 0
    right = F.interpolate(truth[:, None], size=guess.shape[-2:], mode="area") > 0.5
    return Score(loss, _iou(guess, right), 0.0)


def _prompted(
    model: Any,
    features: Features,
    points: prompts.Points,
    masks: np.ndarray,
    truth: Tensor,
    rng: Generator,
    memory: dict,
    length: int,
) -> tuple[Tensor, Any, Any]:
    heads, out = _step(model, 0, True, features, points, None, memory, length)
    loss = _loss(heads, truth)
    if rng.random() < 0.3:
        more = prompts.correction((heads[4].detach()[:, 0] > 0).cpu().numpy(), masks, rng)
        points = prompts.both(points, _on(more, truth.device))
        heads, out = _step(model, 0, True, features, points, None, memory, length, heads[3].detach().clamp(-32, 32))
        loss = 0.5 * (loss + _loss(heads, truth))
    return loss, heads, out


def _images(batch: Batch) -> Tensor:
    """Frame by frame as the network takes them: (T, B, 3, S, S)."""
    frames = batch.frames.transpose(0, 1)
    return normalise(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])


def _encode(model: Any, images: Tensor, targets: int) -> list[Features]:
    """Features of each frame of (T, B, 3, S, S), (HW, B * K, C) at strides 4, 8 and 16, as sam2's tracking step takes
    them."""
    length, b = images.shape[:2]
    decoder = model.sam_mask_decoder
    neck, (fine, middle, coarse) = model.image_encoder.neck, model.image_encoder.trunk(images.flatten(0, 1))
    levels = [
        _through(neck.convs[2].conv, decoder.conv_s0, fine),
        _through(neck.convs[1].conv, decoder.conv_s1, middle),
        neck.convs[0](coarse),
    ]
    codes = neck.position_encoding(levels[2])
    sizes = [tuple(level.shape[-2:]) for level in levels]

    def tokens(x: Tensor, t: int) -> Tensor:
        # In memory (B * K, C, HW), as the mask decoder takes up the finer ones
        return x[t * b : (t + 1) * b].contiguous().flatten(2).repeat_interleave(targets, 0).permute(2, 0, 1)

    return [([tokens(x, t) for x in levels], [tokens(codes, t)], sizes) for t in range(length)]


def _through(first: nn.Conv2d, second: nn.Conv2d, x: Tensor) -> Tensor:
    """Two convolutions of 1 by 1 as one: the 128 channels between them, at stride 4, are most of the memory."""
    a, b = first.weight.flatten(1), second.weight.flatten(1)
    return F.conv2d(x, (b @ a)[..., None, None], b @ first.bias + second.bias)


def _step(
    model: Any, t: int, first: bool, features: Features, points: Any, mask: Any, memory: Any, length: int,
    previous: Tensor | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    tokens, codes, sizes = features
    out, heads, _, _ = model._track_step(t, first, tokens, codes, sizes, points, mask, memory, length, False, previous)
    return heads, out


def _loss(heads: Any, truth: Tensor) -> Tensor:
    """Of the three masks (N, M, h, w) against ``truth`` (N, S, S), float32."""
    masks, ious, present = heads[0].float().clamp(-32, 32), heads[2].float(), heads[6].float()
    here = (truth.sum((1, 2)) > 0).float()
    g = F.interpolate(truth[:, None], size=masks.shape[-2:], mode="area").expand_as(masks)
    p = masks.sigmoid()
    right = p * g + (1 - p) * (1 - g)
    cross = F.binary_cross_entropy_with_logits(masks, g, reduction="none")
    focal = ((1 - right) ** 2 * cross).mean((2, 3))
    dice = 1 - (2 * (p * g).sum((2, 3)) + 1) / (p.sum((2, 3)) + g.sum((2, 3)) + 1)
    with torch.no_grad():
        a, b = masks > 0, g > 0.5
        iou = (a & b).sum((2, 3)) / ((a | b).sum((2, 3)) + 1e-6)
    best, _ = (_FOCAL * focal + _DICE * dice).min(1)
    off = (ious - iou).abs().mean(1)
    presence = F.binary_cross_entropy_with_logits(present[:, 0], here)
    return (best * here).mean() + (off * here).mean() + presence


def _iou(a: Tensor, b: Tensor) -> float:
    """Mean over objects and frames in which either is there."""
    inter, union = (a & b).sum((-2, -1)), (a | b).sum((-2, -1))
    there = union > 0
    return float((inter[there] / union[there]).mean()) if there.any() else 1.0


def _on(points: prompts.Points, device: torch.device) -> prompts.Points:
    return {key: value.to(device) for key, value in points.items()}
