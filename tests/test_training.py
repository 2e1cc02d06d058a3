"""The training scripts' own parts; what they train is judged in tests/model/test_nano.py."""

import copy
from pathlib import Path

import torch
from torch import nn

from training.muon import Muon, matrices


def test_muon_goes_on_where_it_stopped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 16)
    y = x[:, :8] - x[:, 8:]
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))

    def optimiser(of: nn.Module) -> Muon:
        whole = matrices(of)
        rest = [p for p in of.parameters() if not any(p is each for each in whole)]
        return Muon([{"params": whole, "matrices": True}, {"params": rest}], lr=0.01)

    def train(of: nn.Module, by: Muon, steps: int) -> float:
        for _ in range(steps):
            by.zero_grad()
            loss = (of(x) - y).square().mean()
            loss.backward()
            by.step()
        return loss.item()

    first = optimiser(model)
    start = train(model, first, 1)
    train(model, first, 9)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    other = copy.deepcopy(model)
    second = optimiser(other)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert train(other, second, 40) == train(model, first, 40) < 0.5 * start


def test_muon_turns_matrices_by_as_much_in_every_direction() -> None:
    layer = nn.Linear(24, 12, bias=False)
    before = layer.weight.detach().clone()
    step = Muon([{"params": matrices(layer), "matrices": True}], lr=0.1, weight_decay=0.0)
    (layer(torch.randn(50, 24)).square().sum()).backward()
    step.step()
    moved = torch.linalg.svdvals(layer.weight.detach() - before)
    torch.testing.assert_close(moved, torch.full_like(moved, 0.1 * 0.2 * 24**0.5), rtol=0.4, atol=0)
