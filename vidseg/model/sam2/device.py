"""Which device a model runs on. Knows nothing about models."""

import torch

from vidseg.errors import InputError


def resolve_device(name: str) -> torch.device:
    """The device that ``name`` means: "auto", "cpu", "cuda", "cuda:1" or "mps".

    ``auto`` is CUDA where there is a GPU, else MPS, else the CPU. Raises InputError if the device isn't there.
    """
    there = available_devices()
    if name == "auto":
        name = next(choice for choice in ("cuda", "mps", "cpu") if choice in there)
    if name not in there:
        raise InputError(
            f"device: {name} isn't there; this machine has {', '.join(there)} (device=auto takes the best)"
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """The names of the devices that this process can use, the CPU first."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *(["mps"] if torch.backends.mps.is_available() else []), *(["cuda", *gpus] if gpus else [])]
