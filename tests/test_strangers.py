"""The benchmark of objects that nano was not trained on: its drawings, and the whole of it on a sequence drawn here."""

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks import strangers
from vidseg.record.masks import decode


def test_every_drawing_has_a_first_mask_that_its_prompts_describe_and_later_masks_to_score():
    for each in json.loads(strangers.DRAWN.read_text(encoding="utf-8")).values():
        masks = {int(frame): decode(rle) for frame, rle in each["frames"].items()}
        assert len({mask_hw.shape for mask_hw in masks.values()}) == 1
        assert min(masks) == 0 < max(masks)
        assert all(mask_hw.any() for mask_hw in masks.values())
        x, y = each["click"]
        assert masks[0][y, x]
        x0, y0, x1, y1 = strangers.prompt("box", masks[0], [x, y]).box_xyxy.astype(int)
        assert masks[0][y0:y1, x0:x1].sum() == masks[0].sum()
        assert all(edge.any() for edge in (masks[0][y0], masks[0][y1 - 1], masks[0][:, x0], masks[0][:, x1 - 1]))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_sequences_of_davis_are_scored(tmp_path, monkeypatch, capsys):
    """A red ball on a meadow moves to the right: every kind of prompt finds it."""
    pictures, masks = (tmp_path / "davis" / part / "480p/ball" for part in ("JPEGImages", "Annotations"))
    for folder in (pictures, masks):
        folder.mkdir(parents=True)
    meadow = np.random.default_rng(0).integers((20, 90, 30), (50, 150, 70), (480, 640, 3), np.uint8)
    for t in range(2):
        mask = cv2.circle(np.zeros((480, 640), np.uint8), (300 + 12 * t, 240), 90, 255, -1)
        cv2.imwrite(f"{pictures}/{t:05d}.jpg", np.where(mask[..., None] > 0, np.uint8([40, 40, 210]), meadow))
        cv2.imwrite(f"{masks}/{t:05d}.png", mask)
    ball = strangers.of_davis(tmp_path / "davis", ["ball"])["ball"]
    assert (ball.video, list(ball.truth)) == (pictures, [0, 1])
    assert ball.click == pytest.approx([300, 240], abs=2)

    small = ["model.image_size=224", "threads=1"]
    command = ["strangers", *small, "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*command, "--davis", "ball"])
    strangers.main()
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(kind, name) for kind, _, name, _ in printed] == [("mask", "ball"), ("box", "ball"), ("click", "ball")]
    assert all(float(mean) > 0.9 for _, mean, _, _ in printed)

    for arguments in (["--davis", "ball,bal"], []):
        monkeypatch.setattr(sys, "argv", [*command, *arguments])
        with pytest.raises(SystemExit):
            strangers.main()
        assert "is missing" in capsys.readouterr().err
