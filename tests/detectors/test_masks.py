"""YOLO, Mask R-CNN and RF-DETR for real: with random weights, and with what a test plants as the network's output."""

import logging
import os
import sys

import numpy as np
import pytest

from vidseg.errors import InputError
from vidseg.sample import SampleSource

pytestmark = [pytest.mark.detectors, pytest.mark.timeout(600)]

PICTURE = SampleSource(0)[0].rgb_hw3[::10, ::10].copy()  # 72x128
BOX = [32.0, 16.0, 96.0, 48.0]


@pytest.fixture(scope="module")
def yolo():
    pytest.importorskip("ultralytics")
    from vidseg.model.detector.yolo import YOLO

    return YOLO("random", "yolo11n-seg.yaml", size=128, confidence=0.3, device="cpu")


@pytest.fixture(scope="module")
def mask_rcnn():
    pytest.importorskip("torchvision")
    from vidseg.model.detector.mask_rcnn import MaskRCNN

    detector = MaskRCNN("random", confidence=0.05, device="cpu")
    detector._model.transform.min_size = (128,)  # not 800: seconds instead of minutes
    return detector


@pytest.fixture(scope="module")
def rfdetr():
    pytest.importorskip("rfdetr")
    from vidseg.model.detector.rfdetr import RFDETR

    return RFDETR("random", "nano", confidence=0.0, device="cpu")


def check(found, size_hw=(72, 128)):
    """The rules of Detections that its own checks don't know; returns their number."""
    count = len(found.names)
    assert found.masks_nhw.shape == (count, *size_hw)
    assert (np.diff(found.scores) <= 0).all()
    limits = [size_hw[1], size_hw[0], size_hw[1], size_hw[0]]
    assert ((found.boxes_xyxy >= 0) & (found.boxes_xyxy <= limits)).all()
    assert (found.boxes_xyxy[:, 2:] > found.boxes_xyxy[:, :2]).all()
    return count


def check_planted(found, name, score):
    assert found.names == (name,)
    assert check(found) == 1
    np.testing.assert_allclose(found.boxes_xyxy[0], BOX, atol=0.6)
    assert found.scores[0] == pytest.approx(score, abs=1e-3)
    x0, y0, x1, y1 = map(int, BOX)
    expected = np.zeros((72, 128), bool)
    expected[y0:y1, x0:x1] = True
    mask = found.masks_nhw[0]
    assert (mask & expected).sum() / (mask | expected).sum() > 0.9


def test_yolo_with_random_weights_and_a_planted_detection(yolo):
    import torch

    assert yolo.classes[0] == "person"
    assert len(yolo.classes) == 80
    check(yolo.detect(PICTURE))

    def plant(head, inputs, output):
        (rows, protos), rest = output
        rows, protos = torch.zeros_like(rows), torch.full_like(protos, 10.0)
        for anchor, score, shift in ((0, 0.9, 0.0), (1, 0.8, 2.0), (2, 0.2, 40.0)):  # the second is the first again
            rows[0, :4, anchor] = torch.tensor([64.0 + shift, 12.0 + 32.0, 64.0, 32.0])  # 12 rows of padding above
            rows[0, 4 + (16 if anchor == 0 else 17), anchor] = score  # a dog, a horse
            rows[0, 84, anchor] = 1.0
        return (rows, protos), rest

    head = yolo._model.predictor.model.model.model[-1]
    handle = head.register_forward_hook(plant)
    try:
        check_planted(yolo.detect(PICTURE), "dog", 0.9)
    finally:
        handle.remove()


def test_importing_yolo_changes_nothing_here_and_tells_its_licence(yolo, caplog, monkeypatch):
    import cv2
    import torch

    from vidseg.model.detector import yolo as module

    threads = torch.get_num_threads()
    assert cv2.getNumThreads() != 0
    yolo.detect(PICTURE)
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(module, "_told", set())
    with caplog.at_level(logging.WARNING, "vidseg"):
        module.load_package()
        module.load_package()
    assert caplog.text.count("AGPL-3.0") == 1


class Code:
    """Makes a folder when a pickle that holds it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("switch", [True, False], ids=["as vidseg imports it", "imported before"])
def test_code_in_a_checkpoint_is_not_run(yolo, tmp_path, monkeypatch, switch):
    import torch
    from ultralytics.nn import tasks

    monkeypatch.setattr(tasks, "SAFE_LOAD", switch)
    torch.save({"model": Code(tmp_path / "ran")}, tmp_path / "code.pt")
    with pytest.raises(InputError, match=r"checkpoint: Ultralytics can't load .*code.pt: .* outside the supported"):
        type(yolo)(str(tmp_path / "code.pt"), device="cpu")
    torch.save({"model": yolo._model.model}, tmp_path / "weights.pt")
    assert type(yolo)(str(tmp_path / "weights.pt"), device="cpu").classes[0] == "0"
    monkeypatch.delattr(torch.serialization, "get_unsafe_globals_in_checkpoint")
    with pytest.raises(InputError, match=r"checkpoint: Ultralytics can't load .*: torch .* would run code in it; 2.6"):
        type(yolo)(str(tmp_path / "code.pt"), device="cpu")
    assert not (tmp_path / "ran").exists()


def test_an_older_ultralytics_is_refused(yolo, monkeypatch):
    import ultralytics

    monkeypatch.setattr(ultralytics, "__version__", "8.4.0")
    with pytest.raises(
        InputError, match=r"_target_: it needs ultralytics 8.4.190 or later, and 8.4.0 is installed: pip"
    ):
        type(yolo)("random", device="cpu")


def test_mask_rcnn_with_random_weights_and_a_planted_detection(mask_rcnn, monkeypatch):
    import torch

    assert mask_rcnn.classes[:2] == ("person", "bicycle")
    assert len(mask_rcnn.classes) == 80
    assert check(mask_rcnn.detect(PICTURE)) > 0
    planted = torch.zeros(3, 1, 72, 128)
    planted[:, :, 16:48, 32:96] = 0.9
    boxes = torch.tensor([BOX, [value + 1 for value in BOX], [0.0, 0.0, 9.0, 9.0]])
    result = {
        "boxes": boxes,
        "scores": torch.tensor([0.8, 0.7, 0.01]),
        "labels": torch.tensor([18, 19, 1]),
        "masks": planted,
    }
    monkeypatch.setattr(mask_rcnn._model, "forward", lambda images: [result])
    check_planted(mask_rcnn.detect(PICTURE), "dog", 0.8)


def test_rfdetr_with_random_weights_and_a_planted_detection(rfdetr, monkeypatch):
    import torch

    assert rfdetr.classes[0] == "person"
    assert check(rfdetr.detect(PICTURE)) > 0
    logits = torch.full((1, 100, 91), -9.0)
    logits[0, 5, 18], logits[0, 5, 12], logits[0, 6, 19] = 3.0, 4.0, 2.0  # a dog, a number without a class, a horse
    boxes, masks = torch.full((1, 100, 4), 0.05), torch.full((1, 100, 78, 78), -5.0)
    boxes[0, 5:7] = torch.tensor([64 / 128, 32 / 72, 64 / 128, 32 / 72])
    masks[0, 5:7, round(78 * 16 / 72) : round(78 * 48 / 72), round(78 * 0.25) : round(78 * 0.75)] = 5.0
    planted = {"pred_logits": logits, "pred_boxes": boxes, "pred_masks": masks}
    monkeypatch.setattr(rfdetr._model.model.model, "forward", lambda batch: planted)
    monkeypatch.setattr(rfdetr, "_confidence", 0.5)
    check_planted(rfdetr.detect(PICTURE), "dog", 1 / (1 + np.exp(-3)))


def test_mistakes_are_one_line_that_begins_with_the_parameter(tmp_path, monkeypatch):
    from vidseg.model.detector.mask_rcnn import MaskRCNN
    from vidseg.model.detector.rfdetr import RFDETR
    from vidseg.model.detector.yolo import YOLO

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("RF_HOME", str(tmp_path / "roboflow"))
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no weights")
    for make, given, begins, says in (
        (YOLO, {"checkpoint": "yolo99"}, "checkpoint: yolo99 does not exist; give yolo11n-seg", "random"),
        (YOLO, {"checkpoint": str(bad)}, "checkpoint: Ultralytics can't load", "bad.pt"),
        (YOLO, {"checkpoint": "random", "config": "yolo99"}, "config: yolo99 is no architecture", "yolo26s-seg"),
        (YOLO, {"checkpoint": "random", "size": 100}, "size: 100", "multiple of 32"),
        (YOLO, {"checkpoint": "random", "confidence": 2.0}, "confidence: 2.0", "from 0 to 1"),
        (MaskRCNN, {"checkpoint": str(bad)}, "checkpoint: ", "bad.pt"),
        (RFDETR, {"checkpoint": "random", "config": "tiny"}, "config: tiny is not one of nano", "2xlarge"),
        (RFDETR, {"checkpoint": str(bad)}, "checkpoint: rfdetr can't load", "bad.pt"),
    ):
        with pytest.raises(InputError) as caught:
            make(device="cpu", **given)
        assert str(caught.value).startswith(begins)
        assert says in str(caught.value)
    for make, name, file in (
        (YOLO, "yolo11n-seg", "yolo11n-seg.pt"),
        (MaskRCNN, "coco_v1", "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth"),
        (RFDETR, "coco", "rf-detr-seg-n-ft.pth"),
    ):
        monkeypatch.setattr("urllib.request.urlopen", _no_network)
        with pytest.raises(InputError) as caught:
            make(name, device="cpu")
        assert str(caught.value).startswith("checkpoint: https://")
        assert str(caught.value).endswith(f"put it there: {tmp_path / 'cache' / 'vidseg' / 'weights' / file}")


def _no_network(*_, **__):
    raise OSError("no network")


def test_a_torchvision_for_another_torch_is_told_with_the_remedy(monkeypatch):
    """Fails as it does beside another torch: while it registers what nms does without data."""
    import torch

    from vidseg import packages

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)

    def fails(name, *_, **__):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(torch.library, "register_fake", fails)
    with pytest.raises(InputError) as caught:
        packages.load("ultralytics", "yolo")
    said = str(caught.value)
    assert said.startswith("_target_: torch 2.")
    assert "(operator torchvision::nms does not exist)" in said
    assert "pip install --force-reinstall torch torchvision" in said
    assert len(said.splitlines()) == 1


def test_the_trained_yolo_finds_both_skaters():
    pytest.importorskip("ultralytics")
    from benchmarks.yolo_skaters import cached
    from vidseg.model.detector.yolo import YOLO

    if not cached().is_file():
        pytest.skip(f"{cached()} isn't there; python -m benchmarks.yolo_skaters trains it, some minutes")
    detector = YOLO(str(cached()), size=320, device="cpu")
    source = SampleSource(0)
    for index in (60, 120):
        found, truth_hw = detector.detect(source[index].rgb_hw3), source.truth(index)
        assert found.names == ("skater", "skater")
        assert check(found, (720, 1280)) == 2
        for object_id in (1, 2):
            real = truth_hw == object_id
            assert max((mask & real).sum() / (mask | real).sum() for mask in found.masks_nhw) >= 0.75
