"""What was given as a mask or a box counts for more than what was tracked (``model.prompted_weight``).

Over a long video a small model's own masks lose parts, and the memories made of them outvote the prompted frame's,
which has the parts. (A click's mask is a guess, which later ones may well better.)
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def weighted(attention: nn.Module, frames: int, times: int) -> Generator[None]:
    """Within, sam2's ``MemoryAttention`` attends to the first ``frames`` memories as if each were there ``times`` over.

    sam2 puts the prompted frames' memories first (sam2/modeling/sam2_base.py, _prepare_memory_conditioned_features).
    """
    if times == 1:
        yield
        return
    handle = attention.register_forward_pre_hook(partial(_repeat, frames, times), with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _repeat(
    frames: int, times: int, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Of ``memory`` and ``memory_pos`` (M, B, C): as many tokens a frame as ``curr`` (N, B, C) has."""
    tokens = frames * len(kwargs["curr"][-1])

    def repeated(memory: Tensor) -> Tensor:
        return torch.cat([memory[:tokens]] * (times - 1) + [memory])

    return args, {**kwargs, **{name: repeated(kwargs[name]) for name in ("memory", "memory_pos")}}
