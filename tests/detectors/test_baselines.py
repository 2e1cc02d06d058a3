"""Detectors as models, by the command: a small YOLO that learnt the built-in clip's skaters, Mask R-CNN at random."""

import numpy as np
import pytest

import vidseg
from vidseg.types import Prompt
from vidseg.video import open_source
from vidseg.weights import downloads

pytestmark = pytest.mark.detectors


@pytest.fixture
def finished(tmp_path):
    """Runs with the overrides; returns the Run."""

    def run(*overrides, prompts=None):
        common = [f"hydra.run.dir={tmp_path / 'run'}", "output=[rle]", "tracker=none", "device=cpu"]
        return vidseg.run([*common, *overrides], prompts)

    return run


def boxes(frame):
    """A prompt for each object of the built-in clip, from its box on the frame."""
    labels = open_source("sample", None, None, 1, None, 0).truth(frame)
    prompts = []
    for number in (1, 2):
        rows, columns = np.nonzero(labels == number)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        prompts.append(Prompt(frame, number, box_xyxy=np.array(box, np.float32)))
    return prompts


def test_yolo_finds_and_follows_both_skaters(finished):
    weights = downloads() / "yolo_skaters.pt"
    if not weights.is_file():
        pytest.skip("no weights: python -m benchmarks.yolo_skaters trains them in ten minutes")
    keys = "model=yolo", f"model.checkpoint={weights}", "model.detector.size=320"
    summary = finished(*keys, "extract.start=40", "extract.stop=56", prompts=boxes(40)).summary
    scores = summary["metrics"]
    assert min(scores["j_1"], scores["j_2"]) >= 0.6, scores
    assert (summary["status"], summary["frames"]) == ("finished", 16)


def test_what_a_detector_does_not_find_is_absent_and_the_run_finishes(finished):
    pytest.importorskip("torchvision", reason="an extra")
    run = finished("model=mask_rcnn", "model.checkpoint=random", "model.confidence=1.0", "extract.stop=1")
    assert (run.summary["status"], run.summary["objects"]) == ("finished", [1])
    assert not run.masks()[0][1].any()
