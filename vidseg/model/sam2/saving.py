"""What a stopped run needs to go on, as bytes and back. Knows nothing about files and passes."""

import io
from collections.abc import Mapping
from typing import Any

import torch


def dump(state: Mapping[str, Any]) -> bytes:
    """A state of plain values and tensors, on any device, as bytes; what several places share is in it once."""
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def load(saved: bytes, device: torch.device) -> dict[str, Any]:
    """The state again, its tensors on ``device``, bit by bit. No code that the bytes may hold is run."""
    state: dict[str, Any] = torch.load(io.BytesIO(saved), map_location=device, weights_only=True)
    return state
