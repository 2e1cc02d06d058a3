"""Weights that a library publishes: found where the library keeps them, or fetched to vidseg's own cache."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidseg import weights
from vidseg.errors import InputError

RANDOM = "random"


def file(name: str, urls: Mapping[str, str], folder: Path, choices: str) -> tuple[Path, dict[str, str]]:
    """The file that ``checkpoint=name`` means, and its provenance.

    ``urls`` are the published weights, by name; ``folder`` is where the library keeps those that it has fetched. Any
    other name is one for ``vidseg.weights.locate``. Raises InputError as that does, and lists the names as ``choices``.
    """
    plain = name.removesuffix(".pt").removesuffix(".pth")
    if plain in urls and not Path(name).is_file():
        kept = folder / Path(urls[plain]).name
        path = kept if kept.is_file() else weights.locate(urls[plain], "checkpoint")
    else:
        path = weights.locate(name, "checkpoint", choices)
    return path, {"checkpoint": name.partition("@sha256:")[0], "sha256": weights.digest(path, name, "checkpoint")}


def state(path: Path) -> dict[str, Any]:
    """The weights in a file of torch's, on the CPU; no code in it is run. Raises InputError if it holds none."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"checkpoint: {path} is no checkpoint, or holds code beside the weights") from error
    except Exception as error:  # a damaged file fails in any layer of the reader
        raise InputError(f"checkpoint: {path} ({path.stat().st_size} bytes) is damaged or no checkpoint") from error
    found = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(weight, torch.Tensor) for weight in found.values()):
        raise InputError(f"checkpoint: {path} holds no weights (a dictionary of tensors)")
    return found
