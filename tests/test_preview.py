"""A preview's masks are those of a run on the same frames, and it segments no frame that they don't need."""

import json
import os
import signal

import numpy as np
import pytest
from conftest import SEARCH_PATH, slow_but
from fakes import Square
from mistakes import CONF

import vidseg

pytestmark = pytest.mark.timeout(120)

MODELS = {
    "nano": ["model=nano", "model.image_size=256"],
    "tiny": ["model=tiny", "model.checkpoint=random", "model.image_size=128"],
}
PROMPTS = {
    "corrected": """prompts:
- {frame: 1, object: 1, points: [[20, 30]]}
- {frame: 3, object: 2, box: [4, 8, 50, 52]}
- {frame: 5, object: 1, points: [[40, 25], [20, 100]], labels: [1, 0]}
""",
    "joining": """prompts:
- {frame: 1, object: 3, points: [[20, 30]], joins: true}
- {frame: 2, object: 1, points: [[20, 30]]}
- {frame: 5, object: 2, box: [8, 8, 52, 52], joins: true, until: 6}
""",
}
CASES = [(model, prompts, both) for model in MODELS for prompts in PROMPTS for both in ("forward", "both")]


@pytest.fixture
def run(tmp_path, clip):
    """Runs with a prompt file; returns the run."""

    def run(name, prompts, *overrides):
        (tmp_path / "prompts.yaml").write_text(prompts)
        told = ["prompt=file", f"prompt.path={tmp_path / 'prompts.yaml'}", "tracker=none", "output=[]", "threads=1"]
        return vidseg.run([SEARCH_PATH, f"video={clip}", f"hydra.run.dir={tmp_path / name}", *told, *overrides])

    return run


@pytest.mark.parametrize("case", slow_but([("nano", "corrected", "both")], CASES), ids=" ".join)
def test_the_masks_are_those_of_a_run(run, case):
    model, told, propagate = case
    prompts, keys = PROMPTS[told], [*MODELS[model], f"propagate={propagate}", "extract.stop=8", "metric=[]"]
    whole, preview = run("run", prompts, *keys).masks(), run("preview", prompts, *keys, "preview=true").masks()
    assert sorted(preview) == ([1, 3, 5] if told == "corrected" else [1, 2, 5])
    for frame, masks in preview.items():
        assert masks.keys() == whole[frame].keys()
        for number, mask_hw in masks.items():
            assert np.array_equal(mask_hw, whole[frame][number]), (frame, number)
    assert model == "tiny" or all(preview[5][number].any() for number in (1, 2))


TWO = "prompts: [{frame: 4, points: [[20, 30]]}, {frame: 9, points: [[30, 30]]}]"


def test_no_frame_after_the_last_prompt_is_segmented(run, tmp_path):
    result = run("run", TWO, "model=square", "model.fail_at=10", "preview=true")
    assert (result.summary["status"], result.summary["frames"]) == ("finished", 2)
    assert sorted(path.name for path in (tmp_path / "run/samples").iterdir()) == ["frame_00004.png", "frame_00009.png"]
    assert "preview: tracking 6 frames, from the first prompt to the last" in (tmp_path / "run/vidseg.log").read_text()


@pytest.fixture
def seen(monkeypatch):
    """The frames that the fake has segmented; it fails on frame 7 if -7 is in the list, and takes that out."""
    frames = []

    class Counting(Square):
        def track(self, source, prompts):
            for frame, masks in super().track(source, prompts):
                if frame.index == 7 and -7 in frames:
                    frames.remove(-7)
                    raise RuntimeError("the square fell over")
                frames.append(frame.index)
                yield frame, masks

    monkeypatch.setattr("fakes.Square", Counting)
    return frames


@pytest.mark.parametrize(
    ("prompts", "frames"), [(TWO, [4, 5, 6, 7, 8, 9]), ("prompts: [{frame: 9, points: [[30, 30]]}]", [9])]
)
def test_the_frames_that_are_segmented(run, seen, prompts, frames):
    run("run", prompts, "model=square", "preview=true")
    assert seen == frames


def test_it_ends_between_the_prompts_after_an_interruption(run, tmp_path, monkeypatch):
    class Interrupted(Square):
        def track(self, source, prompts):
            for frame, masks in super().track(source, prompts):
                if frame.index == 6:
                    os.kill(os.getpid(), signal.SIGINT)
                assert frame.index < 8
                yield frame, masks

    monkeypatch.setattr("fakes.Square", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("run", TWO, "model=square", "preview=true")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["frames"]) == ("interrupted", 1)


def test_it_can_be_resumed(run, seen):
    seen.append(-7)
    with pytest.raises(vidseg.JobFailed, match="the square fell over"):
        run("run", TWO, "model=square", "preview=true")
    assert run("run", TWO, "model=square", "preview=true", "resume=true").summary["frames"] == 2
    seen.clear()
    again = run("run", TWO, "model=square", "preview=true", "resume=true", "metric=[mask_stats]")
    assert (again.summary["frames"], seen) == (2, [])  # all is recorded


def test_segment_gives_the_prompted_frames(clip):
    prompts = [vidseg.Prompt(frame, 1, points_xy=[[20, 30]]) for frame in (3, 6)]
    pairs = vidseg.segment(clip, prompts, "square", config_dir=CONF, preview=True)
    assert [frame.index for frame, _ in pairs] == [3, 6]
