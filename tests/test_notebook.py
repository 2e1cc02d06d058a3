"""The same runs from Python, and what a notebook draws."""

import sys

import numpy as np
import pytest
from conftest import ROOT
from omegaconf import OmegaConf

import vidseg
from vidseg.job import JobFailed


@pytest.fixture
def overrides(tmp_path, clip):
    conf = f"hydra.searchpath=[file://{ROOT / 'tests' / 'conf'}]"
    return [conf, f"hydra.run.dir={tmp_path / 'run'}", f"video={clip}", "model=square", "tracker=none"]


def test_run_returns_the_summary_and_the_folder(overrides, tmp_path):
    prompts = vidseg.Prompt.from_bboxes([{"x": 20, "y": 30, "width": 0, "height": 0, "label": "square"}])
    summary, folder = vidseg.run([*overrides, "output=[rle]"], prompts=prompts)
    assert summary["status"] == "finished"
    assert summary["objects"] == [1]
    assert folder == tmp_path / "run"
    assert (folder / "masks.jsonl").exists()
    assert OmegaConf.load(folder / ".hydra" / "config.yaml").stride == 15
    assert "square on cpu" in (folder / "vidseg.log").read_text()


def test_run_works_after_sam2_took_hydra_and_leaves_it_as_it_was(overrides):
    import sam2  # noqa: F401  initialises GlobalHydra
    from hydra.core.global_hydra import GlobalHydra

    before = GlobalHydra.instance().hydra
    vidseg.run([*overrides, "prompt=click", "prompt.points=[[20,30]]", "output=[rle]"])
    assert GlobalHydra.instance().hydra is before


def test_a_mistake_raises_with_the_command_s_message(overrides):
    with pytest.raises(JobFailed, match=r"prompt: clip\.mp4 has no prompt of its own"):
        vidseg.run(overrides)
    with pytest.raises(JobFailed, match=r"^stride: Value 'often' of type 'str' could not be converted to Integer$"):
        vidseg.run([*overrides, "stride=often"])


def test_show_draws_as_the_samples_do(clip):
    from vidseg.composite import annotate
    from vidseg.types import FrameMasks
    from vidseg.video import open_source

    frame = open_source(str(clip))[3]
    logits = np.full((1, 120, 160), -1, np.float32)
    logits[0, 10:50, 6:46] = 1
    masks = FrameMasks(3, (1,), logits)
    prompts = vidseg.Prompt.from_bboxes([{"x": 20, "y": 30}], frame_index=3)
    image = vidseg.show(frame, masks, prompts)
    assert np.array_equal(np.array(image), annotate(frame, masks, prompts))


def test_the_package_itself_is_light():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = vidseg.nonsense
    assert "vidseg" in sys.modules
