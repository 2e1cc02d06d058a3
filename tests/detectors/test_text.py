"""Grounding DINO and OWLv2 by transformers: small models saved as a repository has them, and what a test plants."""

from types import SimpleNamespace

import numpy as np
import pytest

from vidseg.errors import InputError
from vidseg.model.detector.text import GroundingDINO, OWLv2, phrases

pytestmark = [pytest.mark.detectors, pytest.mark.timeout(600)]

TEXT = ["the red bicycle", "a dog"]
PICTURE = np.random.default_rng(0).integers(0, 256, (72, 128, 3), np.uint8)
DINO_TINY = {
    "num_queries": 20, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "d_model": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "disable_custom_kernels": True,
}  # fmt: skip


@pytest.fixture(scope="module", params=[GroundingDINO, OWLv2])
def detector(request, tmp_path_factory):
    """A small model with random weights, saved to a folder and read from there by the detector."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("repository")
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    if request.param is GroundingDINO:
        swin = transformers.SwinConfig(
            embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4, out_indices=[2, 3, 4]
        )
        config = transformers.GroundingDinoConfig(
            backbone_config=swin, text_config=transformers.BertConfig(**small), **DINO_TINY
        )
    else:
        ids = {"bos_token_id": 1, "eos_token_id": 2}
        vision = {**small, "image_size": 64}
        config = transformers.Owlv2Config(text_config={**small, **ids}, vision_config=vision, projection_dim=32)
    with pytest.MonkeyPatch.context() as patch:
        name = "GroundingDinoConfig" if request.param is GroundingDINO else "Owlv2Config"
        patch.setattr(transformers, name, lambda: config)
        made = request.param("random", TEXT, 0.0, 0.7, device="cpu")
    if request.param is GroundingDINO:
        made._processor.image_processor.size = {"shortest_edge": 64, "longest_edge": 128}
    else:
        made._processor.image_processor.size = {"height": 64, "width": 64}
    made._model.save_pretrained(folder)
    made._processor.save_pretrained(folder)
    return request.param(str(folder), TEXT, 0.0, 0.7, device="cpu")


def test_random_weights(detector):
    assert detector.classes is None
    assert len(detector.provenance["sha256"]) == 64
    found = detector.detect(PICTURE)
    assert 0 < len(found.names) <= 20
    assert set(found.names) <= set(TEXT)
    assert found.masks_nhw is None
    assert (np.diff(found.scores) <= 0).all()


def test_a_planted_detection_has_its_phrase(detector, monkeypatch):
    import torch

    owl = isinstance(detector, OWLv2)
    logits = torch.full((1, 4, 2 if owl else 256), -9.0)
    dog, red = (1, 0) if owl else (detector._columns[1].stop - 1, detector._columns[0].start)
    logits[0, 0, dog] = 2.0
    logits[0, 1, red] = 1.0
    side_xy = np.array([128, 128] if owl else [128, 72], np.float32)  # OWLv2's picture is a padded square
    boxes = torch.zeros(1, 4, 4)
    for row, (centre, size) in enumerate((((64, 36), (40, 20)), ((20, 20), (10, 10)))):
        boxes[0, row] = torch.tensor([*(np.array(centre) / side_xy), *(np.array(size) / side_xy)])
    monkeypatch.setattr(detector._model, "forward", lambda **_: SimpleNamespace(logits=logits, pred_boxes=boxes))
    monkeypatch.setattr(detector, "_confidence", 0.5)
    found = detector.detect(PICTURE)
    assert found.names == ("a dog", "the red bicycle")
    np.testing.assert_allclose(found.boxes_xyxy, [[44, 26, 84, 46], [15, 15, 25, 25]], atol=0.01)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp([-2.0, -1.0])), rtol=1e-4)


def test_phrases():
    assert phrases("the red bicycle. a  dog.\na dog.") == ["the red bicycle", "a dog"]
    for empty in (None, "", " . ?. ", []):
        with pytest.raises(InputError, match=r"^text: .* has no words; say what to look for"):
            phrases(empty)


def test_mistakes_are_told(detector, tmp_path, monkeypatch):
    kind = type(detector)
    with pytest.raises(InputError, match=r"^checkpoint: nowhere is no folder with config.json"):
        kind("nowhere", TEXT, 0.3, 0.7, "cpu")
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"^checkpoint: .* holds no \w+ that transformers can load"):
        kind(str(tmp_path), TEXT, 0.3, 0.7, "cpu")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as caught:
        kind("hf://nobody/nothing", TEXT, 0.3, 0.7, "cpu")
    said = str(caught.value)
    assert said.startswith("checkpoint: hf://nobody/nothing/config.json is not in the cache")
    assert "`hf download nobody/nothing`" in said
    if kind is GroundingDINO:
        with pytest.raises(InputError, match=r"^text: \d+ tokens; Grounding DINO reads 256"):
            kind(detector.provenance["checkpoint"], ["word " * 300], 0.3, 0.7, "cpu")
