"""What was given as a mask or a box counts for more than what was tracked (``model.prompted_weight``).

Over a long video a small model's own masks lose parts, and the memories made of them outvote the prompted frame's,
which has the parts. (A click's mask is a guess, which later ones may well better.)
"""

import math
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vidseg.model.upstream import RoPEAttention


@contextmanager
def weighted(attention: Any, frames: int, times: int, exact: bool) -> Generator[None]:
    """Within, sam2's ``MemoryAttention`` attends to the first ``frames`` memories as if each were there ``times`` over.

    sam2 puts the prompted frames' memories first (sam2/modeling/sam2_base.py, _prepare_memory_conditioned_features).
    ``exact``: they are there so often, which four times over made nano's steps 10 ms longer (of 70, on 2 cores). Else
    their logits are log ``times`` higher, which takes no time; but in attentions that aren't sam2's own.
    """
    crosses = [layer.cross_attn_image for layer in attention.layers]
    if times == 1:
        yield
    elif exact or any(type(cross) is not RoPEAttention for cross in crosses):
        handle = attention.register_forward_pre_hook(partial(_repeat, frames, times), with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
    else:
        for cross in crosses:
            cross.forward = partial(_raised, cross.forward, frames, math.log(times))
        try:
            yield
        finally:
            for cross in crosses:
                del cross.forward


def _repeat(
    frames: int, times: int, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Of ``memory`` and ``memory_pos`` (M, B, C): as many tokens a frame as ``curr`` (N, B, C) has."""
    tokens = frames * len(kwargs["curr"][-1])

    def repeated(memory: Tensor) -> Tensor:
        return torch.cat([memory[:tokens]] * (times - 1) + [memory])

    return args, {**kwargs, **{name: repeated(kwargs[name]) for name in ("memory", "memory_pos")}}


def _raised(forward: Callable[..., Tensor], frames: int, by: float, q: Tensor, k: Tensor, **others: Any) -> Tensor:
    """A ``RoPEAttention``'s forward of q (B, N, C) and k (B, M, D), the first ``frames`` N logits ``by`` higher."""
    bias_m = torch.zeros(k.shape[1], device=k.device)
    bias_m[: frames * q.shape[1]] = by
    with _Biased(bias_m):
        return forward(q=q, k=k, **others)


class _Biased(TorchFunctionMode):
    """Within, attention to M keys has a bias (M) for each."""

    def __init__(self, bias_m: Tensor) -> None:
        super().__init__()
        self._bias_m = bias_m

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Calls ``func``, with the bias if it is the one function for attention."""
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        return func(*args, **kwargs, attn_mask=self._bias_m.to(args[0].dtype)[None])
