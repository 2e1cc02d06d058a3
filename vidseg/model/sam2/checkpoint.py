"""Weights of SAM 2: found (a path, or the Hugging Face hub), read, and loaded into the model that they fit.

Knows nothing about videos, nor how a model is built.
"""

import errno
import hashlib
import logging
import pickle
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn

from vidseg.errors import InputError

logger = logging.getLogger(__name__)

RANDOM = "random"
_PACKAGE = "pkg://"
_HASH = "@sha256:"
_TIMEOUT_S = 10.0  # to connect to the hub; its own client tries for 23 s where there is no network
_HUB = re.compile(r"hf://(?P<repository>[^/]+/[^/]+)/(?P<file>.+)")
# The eight published models, by the width and the number of blocks of the image encoder (sam2/configs)
_SIZES = {(96, 12): "tiny", (96, 16): "small", (112, 24): "base_plus", (144, 48): "large"}


def load(model: nn.Module, checkpoint: str) -> dict[str, str]:
    """Loads the weights that ``checkpoint`` names into ``model``; returns their provenance, for the record.

    ``checkpoint`` is ``hf://OWNER/REPOSITORY/FILE``, ``pkg://FILE`` (in the package vidseg), a path, or "random": then
    the weights stay as they were drawn. ``@sha256:`` and the hash after any of them make sure of the file.
    Raises InputError if it can't be found, fetched or read, has another hash, or is of another model.
    """
    if checkpoint == RANDOM:
        logger.warning("model.checkpoint=random: random weights: speed and memory are real, the masks are not")
        return {"checkpoint": RANDOM}
    path = locate(checkpoint)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = checkpoint.partition(_HASH)[2]
    if wanted and digest != wanted.lower():
        raise InputError(
            f"model.checkpoint: {path} has the SHA-256 {digest[:12]}…, not {wanted[:12]}…: damaged, or another file"
        )
    weights = read(path)
    if problem := mismatch(weights, model.state_dict()):
        raise InputError(f"model.checkpoint: {checkpoint} {problem}")
    model.load_state_dict(weights)
    return {"checkpoint": checkpoint.partition(_HASH)[0], "sha256": digest}


def locate(checkpoint: str) -> Path:
    """The file that ``checkpoint`` names, fetched to the hub's cache if need be. Raises InputError if there is none."""
    checkpoint = checkpoint.partition(_HASH)[0]
    if match := _HUB.fullmatch(checkpoint):
        return _from_hub(match["repository"], match["file"])
    path = Path(str(files("vidseg") / checkpoint.removeprefix(_PACKAGE)))
    if not checkpoint.startswith(_PACKAGE):
        path = Path(checkpoint).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        allowed = f"a .pt or .safetensors file, hf://OWNER/REPOSITORY/FILE or {RANDOM}"
        raise InputError(f"model.checkpoint: {checkpoint} {what}; give {allowed}")
    return path


def _from_hub(repository: str, file: str) -> Path:
    from huggingface_hub import constants, get_session, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    name = f"model.checkpoint: hf://{repository}/{file}"
    try:
        return Path(hf_hub_download(repository, file, local_files_only=True))  # weights don't change: no network
    except LocalEntryNotFoundError:
        pass
    except ValueError as error:
        raise InputError(f"{name}: {_first_line(error)}") from error
    try:
        get_session().head(hf_hub_url(repository, file), timeout=_TIMEOUT_S)
    except Exception as error:  # whichever HTTP client the hub's package uses, any failure means that it isn't reached
        cache = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} can't be reached"
        raise InputError(
            f"{name} is not in the cache ({cache}) and {why}. With a network, run\n"
            f"`hf download {repository} {file}`; or give the file itself: model.checkpoint=/path/to/{Path(file).name}"
        ) from error
    try:
        return Path(hf_hub_download(repository, file))
    except RepositoryNotFoundError as error:
        raise InputError(f"{name}: there is no public repository {repository} on the hub") from error
    except EntryNotFoundError as error:
        raise InputError(f"{name}: the repository {repository} has no file {file}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            where = f"no space left in {constants.HF_HUB_CACHE}; make room or set HF_HOME"
            raise InputError(f"{name}: {where}") from error
        raise InputError(f"{name}: the download failed: {_first_line(error)}\nRun again: it resumes") from error


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


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
