"""Run folders to compare: some that the command really left, and any number made up."""

import json

import numpy as np
import pytest
import yaml
from conftest import run_command

from vidseg.record.masks import encode

CONFIG = {
    "video": "clip.mp4",
    "sample": {"seed": 0},
    "extract": {"start": None, "stop": None},
    "stride": 15,
    "model": {},
    "precision": {"name": "fp32"},
    "prompt": {"_target_": "vidseg.prompt.click", "points": [[1, 2]]},
    "output": {"rle": {"path": "masks.jsonl"}},
    "tracker": {"name": None, "group": None},
}


@pytest.fixture(scope="session")
def sweep(clip, tmp_path_factory):
    """Two models with two strides each on the small clip, and one run that fails on frame 15: all really run."""
    folder = tmp_path_factory.mktemp("sweep")
    said = [f"video={clip}", "prompt=click", "prompt.points=[[20,30]]", "output=[overlay,rle]", "tracker=none"]
    for arguments in (
        ["-m", "model=square,shifted", "stride=5,10", "hydra.sweep.dir=."],
        ["model=square", "stride=5", "model.fail_at=15", "hydra.run.dir='4_model=square,model.fail_at=15'"],
    ):
        done = run_command(folder, *arguments, *said)
        assert done.returncode == (0 if arguments[0] == "-m" else 1), done.stderr
    assert len(list(folder.glob("*/summary.json"))) == 5
    return folder


@pytest.fixture
def make_run(tmp_path, make_runs):
    """Makes one run folder in ``tmp_path``, as ``make_runs`` does."""
    return lambda name, **keys: make_runs(tmp_path / name, **keys)


@pytest.fixture(scope="session")
def make_runs():
    """Makes one run folder: make_runs(folder, model="nano", metrics={"j": 0.9}, frames_ms=[30.0, 31.0], …).

    ``frames_ms`` are the milliseconds of each frame, or pairs of them and the area of object 1; ``scores`` are its J.
    """

    def make(
        folder,
        *,
        model="nano",
        precision="fp32",
        overrides=(),
        config=None,
        masks=None,
        frames_ms=(),
        scores=(),
        **summary,
    ):
        hydra = folder / ".hydra"
        hydra.mkdir(parents=True)
        kind = {"_target_": f"vidseg.model.{model.title()}", "image_size": None}
        whole = {**CONFIG, "model": kind, "precision": {"name": precision}, **(config or {})}
        (hydra / "config.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
        choices = {"model": model, "precision": precision, "prompt": "click", "hydra/help": "default"}
        text = "".join(f"      {key}: {value}\n" for key, value in choices.items())
        (hydra / "hydra.yaml").write_text(
            f"hydra:\n  runtime:\n    version: 1.3.8\n    choices:\n{text}  verbose: false\n"
        )
        (hydra / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
        seconds = {"build": 1.0, "extract": 0.1, "segment": 0.5, "composite": 0.1, "log": 0.1, "total": 2.0}
        outcome = {
            "model": model, "precision": precision, "status": "finished", "error": None, "frames": len(frames_ms) or 10,
            "seconds": seconds, "fps": 10.0, "peak_rss_mib": 500.0, "peak_cuda_mib": None, "device": "cpu",
            "objects": [1], "metrics": {}, "outputs": {}, "wandb": None, "versions": {"python": "3.11"},
        }  # fmt: skip
        (folder / "summary.json").write_text(json.dumps(outcome | summary))
        if masks is not None:
            write_masks(folder / "masks.jsonl", masks)
        if frames_ms:
            write_frames(folder / "frames.jsonl", frames_ms, scores)
        return folder

    return make


def write_masks(path, masks):
    """``masks`` is {frame: {object id: (h, w) array}}."""
    with path.open("w") as file:
        for frame, objects in masks.items():
            things = [
                {"id": k, "rle": encode(np.asarray(m, bool)), "area": int(np.sum(m)), "score": None}
                for k, m in objects.items()
            ]
            file.write(json.dumps({"frame": frame, "time_s": frame / 10, "objects": things}) + "\n")


def write_frames(path, frames, scores=()):
    """The time of a frame is nine tenths of it ``segment``, as in a run."""
    with path.open("w") as file:
        for n, frame in enumerate(frames):
            ms, area = frame if isinstance(frame, tuple) else (frame, 100)
            stages = {"time/extract_ms": 0.1 * ms, "time/segment_ms": 0.9 * ms}
            score = {"metric/j_1": scores[n]} if scores else {}
            file.write(json.dumps({"frame": n, "time_s": n / 10, **stages, "mask/area_1": area, **score}) + "\n")
