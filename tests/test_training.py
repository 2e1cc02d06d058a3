"""The training scripts' own parts; what they train is judged in tests/model/test_nano.py."""

import copy
import json
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from torch import nn

from training import colours, prompts, strangers
from training.data import holding
from training.losses import _Damage
from training.muon import Muon, matrices
from training.solids import LENGTH, Finish, Part, Turntable, ball
from training.things import thing
from vidseg.model.colours import Colours

ROOT = Path(__file__).parents[1]
FEED = """
import torch
from training.feed import Feed
from training.losses import Batch

def draw(step):
    if step == 30:
        raise ValueError("thirty")
    return [Batch(torch.full((1, 2, 4, 4, 3), step), torch.full((1, 1, 2, 4, 4), step), None)]

with Feed(draw, 2, {workers}, torch.device("cpu")) as feed:
    for step in range(2, 40):
        (batch,) = feed.next()
        print(int(batch.frames.max()), int(batch.truth.max()), flush=True)
"""


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


@pytest.mark.timeout(100)
@pytest.mark.parametrize("workers", [1, 3])
def test_steps_are_drawn_in_order_by_any_number_of_processes_and_end_with_them(workers: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEED.format(workers=workers)], cwd=ROOT, capture_output=True, text=True, timeout=40
    )
    steps = done.stdout.splitlines()  # what a process has drawn and not yet handed over dies with it
    assert steps == [f"{step} {step}" for step in range(2, 2 + len(steps))]
    assert 2 + len(steps) > 15
    assert "ValueError: thirty" in done.stderr
    assert "a process that draws clips has died" in done.stderr
    assert done.returncode == 1


def test_damage_takes_a_side_from_memories_or_adds_a_spot_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Damage, "_SHARE", 1.0)
    truth = torch.zeros(40, 64, 64)
    truth[:39, 20:50, 25:40] = 1  # the last is absent
    damage, logits = _Damage(40, 8, np.random.default_rng(0), torch.device("cpu")), 6 * truth[:, None] - 3
    assert torch.equal(damage(0, logits, truth), logits)
    early, late = ((damage(t, logits, truth)[:, 0] > 0).float() - truth for t in (1, 4))
    changed = [int((one != 0).any((1, 2)).sum()) for one in (early, late)]
    assert 0 < changed[0] < changed[1] == 39
    missing, extra = (late < 0).sum((1, 2)), (late > 0).sum((1, 2))
    assert not (missing & extra).any()
    assert 20 <= (missing > 0).sum() <= 35
    assert (missing < 0.85 * truth.sum((1, 2)) + 1).all()
    assert (extra < truth.sum((1, 2)) + 1).all()


def test_drawn_strangers_have_a_first_mask_that_their_prompts_are_of_and_later_ones_to_be_judged_by() -> None:
    for drawn in json.loads(strangers.DRAWN.read_text(encoding="utf-8")).values():
        masks = {int(frame): coco.decode(rle) for frame, rle in drawn["frames"].items()}
        assert len({mask.shape for mask in masks.values()}) == 1
        assert min(masks) == 0 < max(masks)
        assert all(mask.any() for mask in masks.values())
        x, y = drawn["click"]
        assert masks[0][y, x]
        x0, y0, x1, y1 = strangers._prompt("box", masks[0].astype(bool), [x, y]).box_xyxy.astype(int)
        assert masks[0][y0 : y1 + 1, x0 : x1 + 1].sum() == masks[0].sum()


@pytest.mark.timeout(120)
def test_sequences_of_davis_are_scored_as_vidseg_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A red ball on a meadow, in the middle of a frame, then further to the right: every kind of prompt gives it."""
    pictures, masks = (tmp_path / "davis" / part / "480p/ball" for part in ("JPEGImages", "Annotations"))
    for folder in (pictures, masks, tmp_path / "videos"):
        folder.mkdir(parents=True)
    meadow = np.random.default_rng(0).integers((20, 90, 30), (50, 150, 70), (480, 640, 3), np.uint8)
    for t in range(4):
        mask = cv2.circle(np.zeros((480, 640), np.uint8), (300 + 12 * t, 240), 90, 255, -1)
        cv2.imwrite(f"{pictures}/{t:05d}.jpg", np.where(mask[..., None] > 0, np.uint8([40, 40, 210]), meadow))
        cv2.imwrite(f"{masks}/{t:05d}.png", mask)
    drawn = strangers._of_davis(tmp_path / "davis", "ball")
    assert (drawn.video, list(drawn.truth)) == (pictures, [0, 1, 2, 3])
    assert drawn.click == pytest.approx([300, 240], abs=2)

    command = ["strangers", "--data", str(tmp_path), "--davis", "ball", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", command)
    strangers.main()
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(kind, name) for kind, _, name, _ in printed] == [("mask", "ball"), ("box", "ball"), ("click", "ball")]
    assert all(float(mean) > 0.9 for _, mean, _, _ in printed)

    monkeypatch.setattr(sys, "argv", [*command[:3], "--davis", "ball,bal"])
    with pytest.raises(SystemExit):
        strangers.main()
    assert "--davis bal: " in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["click", "clicks", "box"])
def test_prompts_lie_where_they_should(kind: str) -> None:
    mask = np.zeros((80, 120), np.uint8)
    mask[20:50, 70:110] = 1
    rng = np.random.default_rng(0)
    for _ in range(30):
        points = prompts.first(kind, mask[None], rng)
        for (x, y), label in zip(points["point_coords"][0].tolist(), points["point_labels"][0].tolist(), strict=True):
            if kind == "box":
                assert (x, y) == pytest.approx({2: (70, 20), 3: (110, 50)}[label], abs=10)
            else:
                assert mask[int(y), int(x)] == label


def test_things_are_whole_turn_and_are_a_function_of_their_seed() -> None:
    backgrounds = [np.random.default_rng(0).integers(0, 256, (260, 300, 3), np.uint8)]
    for seed in range(12):
        draw = thing(np.random.default_rng(seed), backgrounds)
        image, mask = draw(0)
        again = thing(np.random.default_rng(seed), backgrounds)(0)
        assert np.array_equal(image, again[0])
        assert np.array_equal(mask, again[1])
        assert not np.array_equal(draw(7)[0], image)
        _, _, parts, _ = cv2.connectedComponentsWithStats(mask)
        assert parts[1:, cv2.CC_STAT_AREA].max() > 0.9 * mask.sum() > 900
        assert not mask[[0, -1]].any()
        assert not mask[:, [0, -1]].any()


def test_a_ball_is_round_has_no_gaps_and_its_colours_go_on_beyond_its_mask() -> None:
    grey = Finish(lambda points, *_: np.full(points.shape, 200, np.float32))
    for seed in range(5):
        table = Turntable(np.random.default_rng(seed), [Part(ball((5, 0, 0), (2, 2, 2)), grey)], np.zeros((9, 9, 3)))
        image, mask = table.draw(0)
        radius = LENGTH / 12**0.5
        assert np.pi * radius**2 <= mask.sum() < 1.25 * np.pi * radius**2  # what is nearer is larger
        assert np.array_equal(mask, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)))
        assert image[cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0].min() > 40


def test_a_folder_that_lacks_data_says_what(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    assert holding("videos")(str(tmp_path)) == tmp_path
    with pytest.raises(ArgumentTypeError, match=r"lacks emoji, clipart; training/README\.md"):
        holding("videos", "emoji", "clipart")(str(tmp_path))


def test_colours_of_a_batch_of_clips_are_those_of_each_by_itself() -> None:
    torch.manual_seed(0)
    clips, targets, frames = 2, 2, 3
    images = torch.randn(frames, clips, 3, 64, 64).repeat_interleave(8, -1).repeat_interleave(8, -2)
    logits = 6 * torch.randn(frames, clips * targets, 3, 16, 16).repeat_interleave(8, -1).repeat_interleave(8, -2)
    ious, there = torch.rand(frames, clips * targets, 3), torch.tensor([1.0, 1, -1, 1])[:, None]
    decoder, together = nn.Identity(), colours.Colours(1.5, targets)
    together.give(images[0], logits[0, :, :1])
    each = [Colours(1.5) for _ in range(clips)]
    for n in range(clips * targets):
        each[n // targets].give(n, images[0, n // targets, None], logits[0, n, None, :1])
    for frame in (1, 2):
        with together.added(decoder, images[frame]):
            ours = decoder((logits[frame], ious[frame], None, there))[0]
        for clip in range(clips):
            of = slice(targets * clip, targets * (clip + 1))
            with each[clip].added(decoder, range(of.start, of.stop), images[frame, clip, None], learn=True):
                theirs = decoder((logits[frame, of], ious[frame, of], None, there[of]))[0]
            best = ious[frame, of].argmax(1)
            rows = torch.arange(targets)
            torch.testing.assert_close(ours[of][rows, best], theirs[rows, best], atol=1e-4, rtol=1e-4)
            assert (theirs - logits[frame, of]).abs().max() > 0.1
