"""Muon for matrices, AdamW for everything else, in one optimiser.

Jordan et al., Muon (2024), with the scale of Liu et al., Muon is Scalable for LLM Training (2025): an update has the
root mean square of AdamW's (0.2), so that both take the same rate.
"""

from typing import Any

import torch
from torch import Tensor, nn

_NESTEROV = 0.95


def matrices(model: nn.Module) -> list[nn.Parameter]:
    """Weights of linear layers and of convolutions that mix channels, without the narrowest."""
    mixing = (
        m.weight
        for m in model.modules()
        if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)) and getattr(m, "groups", 1) == 1
    )
    return [weight for weight in mixing if min(weight.flatten(1).shape) >= 8]


class Muon(torch.optim.AdamW):
    """AdamW, but in groups with ``matrices=True`` each update is the nearest orthogonal matrix of the momentum."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step. Takes away the gradients of the matrices."""
        for group in self.param_groups:
            for p in group["params"] if group.get("matrices") else ():
                if p.grad is None:
                    continue
                # AdamW asks for a step in every state that it loads
                state = self.state[p]
                if not state:
                    state.update(momentum=torch.zeros_like(p), step=torch.zeros(()))
                momentum = state["momentum"]
                momentum.mul_(_NESTEROV).add_(p.grad)
                update = _orthogonal((p.grad + _NESTEROV * momentum).flatten(1))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view_as(p), alpha=-0.2 * max(update.shape) ** 0.5 * group["lr"])
                p.grad = None
        super().step(closure)


def _orthogonal(x: Tensor) -> Tensor:
    """Newton and Schulz's iteration, of the fifth order, with Jordan's coefficients: singular values near 1."""
    wide = x.bfloat16() if x.shape[0] <= x.shape[1] else x.bfloat16().T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).float()
