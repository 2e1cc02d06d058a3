"""Weights of SAM 2: read, and loaded into the model that they fit. Knows nothing about videos."""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vidseg import weights as weight_files
from vidseg.errors import InputError

logger = logging.getLogger(__name__)

RANDOM = "random"
KEY = "model.checkpoint"
# The eight published models, by the width and the number of blocks of the image encoder (sam2/configs)
_SIZES = {(96, 12): "tiny", (96, 16): "small", (112, 24): "base_plus", (144, 48): "large"}


def load(model: nn.Module, checkpoint: str) -> dict[str, str]:
    """Loads the weights that ``checkpoint`` names into ``model``; returns their provenance, for the record.

    ``checkpoint`` is a name for ``vidseg.weights.locate``, or "random": then the weights stay as they were drawn.
    Raises InputError if it can't be found, fetched or read, has another hash, or is of another model.
    """
    if checkpoint == RANDOM:
        logger.warning("model.checkpoint=random: random weights: speed and memory are real, the masks are not")
        return {"checkpoint": RANDOM}
    path = weight_files.locate(checkpoint, KEY)
    digest = weight_files.digest(path, checkpoint, KEY)
    weights = read(path)
    if problem := mismatch(weights, model.state_dict()):
        raise InputError(f"model.checkpoint: {checkpoint} {problem}")
    model.load_state_dict(weights)
    return {"checkpoint": checkpoint.partition("@sha256:")[0], "sha256": digest}


def read(path: Path) -> dict[str, Tensor]:
    """The weights in ``path`` on the CPU: ``{"model": weights}`` or the weights themselves, .pt or .safetensors.

    No code of a pickle is run (``weights_only``). Raises InputError if the file is something else.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"model.checkpoint: {path} is no checkpoint, or holds code beside the weights") from error
    except PermissionError as error:
        raise InputError(f"model.checkpoint: {path} can't be read: permission denied") from error
    except Exception as error:  # a damaged file fails in any layer of the reader
        raise InputError(
            f"model.checkpoint: {path} ({path.stat().st_size} bytes) is damaged, truncated or no checkpoint"
        ) from error
    weights = content.get("model", content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not weights or not all(isinstance(w, Tensor) for w in weights.values()):
        raise InputError(f'model.checkpoint: {path} holds no weights (a dictionary of tensors, or one as its "model")')
    return dict(weights)


def mismatch(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Why ``weights`` don't fit a model whose own are ``expected``, as the end of a sentence; None if they do."""
    shapes = {key: tuple(weight.shape) for key, weight in weights.items()}
    wanted = {key: tuple(weight.shape) for key, weight in expected.items()}
    if shapes == wanted:
        return None
    found, chosen = published_model(weights), published_model(expected)
    if found and chosen and found != chosen:
        return f"is a checkpoint of model={found}, not of model={chosen}: use model={found}"
    key = next(key for key in [*wanted, *shapes] if wanted.get(key) != shapes.get(key))
    if key not in shapes:
        problem = f"lacks {key} {wanted[key]}"
    elif key not in wanted:
        problem = f"has {key} {shapes[key]}, which the model lacks"
    else:
        problem = f"has {key} {shapes[key]}, but the model {wanted[key]}"
    return f"does not fit model.config: it {problem}"


def published_model(weights: Mapping[str, Tensor]) -> str | None:
    """Which of the eight published models has such weights ("tiny", "sam2_tiny", …), or None.

    The image encoder's width and depth tell the size; only SAM 2.1 has an embedding for absent objects.
    """
    trunk = "image_encoder.trunk."
    stem = weights.get(f"{trunk}patch_embed.proj.weight")
    blocks = {key.removeprefix(f"{trunk}blocks.").split(".")[0] for key in weights if key.startswith(f"{trunk}blocks.")}
    size = _SIZES.get((len(stem), len(blocks))) if stem is not None and stem.ndim else None
    if size is None:
        return None
    return size if "no_obj_embed_spatial" in weights else f"sam2_{size}"
