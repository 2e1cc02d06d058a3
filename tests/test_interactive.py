"""The benchmark of corrective clicks: where they go, what is counted, and the whole of it on a video drawn here."""

import json
import sys

import cv2
import numpy as np
import pytest

from benchmarks import interactive
from benchmarks.interactive import Subject, Tally, interact, middle, next_click


def test_the_middle_of_an_area_is_furthest_from_its_edge_and_from_the_picture_s():
    area_hw = np.zeros((60, 90), bool)
    area_hw[10:31, 20:41] = True
    area_hw[18:22, 41:90] = True  # a long thin arm
    assert middle(area_hw) == (30, 20)
    assert middle(np.ones((61, 31), bool))[0] == 15


def test_the_next_click_is_in_the_largest_error_and_says_what_is_wrong_there():
    truth_hw, mask_hw = np.zeros((2, 60, 90), bool)
    truth_hw[10:31, 10:31] = True
    assert next_click(mask_hw, truth_hw) == (20, 20, 1)
    mask_hw[8:33, 10:80] = True  # too much, by more than was missing
    x, y, label = next_click(mask_hw, truth_hw)
    assert (mask_hw[y, x], truth_hw[y, x], label) == (True, False, 0)
    assert next_click(truth_hw, truth_hw) is None


class Obedient:
    """Its mask is the truth within 12 pixels of positive clicks on that frame; elsewhere what the first click gave."""

    def __init__(self, truth):
        self.truth = truth

    def track(self, source, prompts):
        for index in source.frames:
            mask_hw = np.zeros((60, 90), np.uint8)
            for prompt in prompts:
                if prompt.frame_index in (0, index):
                    for (x, y), label in zip(prompt.points_xy, prompt.labels, strict=True):
                        cv2.circle(mask_hw, (int(x), int(y)), 12, int(label), -1)
            inside_hw = (mask_hw > 0) & self.truth[index]
            frame, masks = type("", (), {"index": index}), type("", (), {})
            masks.object_ids, masks.masks_nhw = (1,), inside_hw[None]
            yield frame, masks


def test_every_round_corrects_the_worst_frame_and_counts_what_became_of_the_others():
    source = type("", (), {"frames": range(4)})
    truth = {index: np.zeros((60, 90), bool) for index in range(4)}
    for index, mask_hw in truth.items():
        mask_hw[20:40, 20:40] = True
        mask_hw[20:40, 40 : 40 + 10 * index] = True  # it grows to the right
    subject, tally = Subject(truth), Tally()
    interact(Obedient(truth), source, {1: subject}, 1, 2, tally)
    assert list(subject.clicks) == [0, 3, 2]
    assert all(label == 1 for clicks in subject.clicks.values() for *_, label in clicks)
    assert subject.j[0] < subject.j[1] < subject.j[2]
    assert tally.obeyed == {1: [True, True], 0: []}
    assert all(after > before for before, after in zip(tally.before, tally.after, strict=True))
    assert tally.of_right == [0.0, 0.0]  # frame 0, twice


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_whole_of_it_on_a_folder_as_davis_has_it(tmp_path, monkeypatch, capsys):
    """A red ball on a meadow grows a second one: nano's masks follow the clicks."""
    pictures, masks = (tmp_path / part / "480p/ball" for part in ("JPEGImages", "Annotations"))
    for folder in (pictures, masks):
        folder.mkdir(parents=True)
    meadow = np.random.default_rng(0).integers((20, 90, 30), (50, 150, 70), (480, 640, 3), np.uint8)
    for t in range(3):
        mask = cv2.circle(np.zeros((480, 640), np.uint8), (300 + 12 * t, 240), 90, 255, -1)
        picture = np.where(mask[..., None] > 0, np.uint8([40, 40, 210]), meadow)
        if t == 2:  # of another colour, so that one click can't tell that it belongs to the object
            mask = cv2.circle(mask, (520, 240), 50, 255, -1)
            picture = cv2.circle(picture, (520, 240), 50, (210, 60, 40), -1)
        cv2.imwrite(f"{pictures}/{t:05d}.jpg", picture)
        cv2.imwrite(f"{masks}/{t:05d}.png", mask)
    monkeypatch.setattr("benchmarks.machine.RESULTS", tmp_path)
    command = ["interactive", "model=nano", "model.image_size=224", "--data", str(tmp_path), "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--clicks", "1,2"])
    interactive.main()
    assert "ball" in capsys.readouterr().out
    (path,) = tmp_path.glob("interactive_*.json")
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 2
    for row, clicks in zip(rows.values(), (1, 2), strict=True):
        assert row["clicks"]["all"] <= clicks
        assert row["obeyed"]["all"] == 1
        assert row["corrected_frame"][1] > row["corrected_frame"][0]
