"""Agreement of real runs with one another: the same, another model, what only one of them has."""

import json
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

import vidseg
from vidseg.errors import InputError
from vidseg.metric.agreement import Agreement
from vidseg.record.masks import encode
from vidseg.types import Frame, FrameMasks, Prompt, VideoInfo

SAME = {"agreement": 1, "both_empty_frames": 0, "agreement_1": 1, "both_empty_frames_1": 0}
CLICK = ("prompt=click", "prompt.points=[[20,30]]")


def run(folder, clip, *overrides, prompt=CLICK):
    base = [f"hydra.searchpath=[file://{ROOT / 'tests' / 'conf'}]", f"hydra.run.dir={folder}", f"video={clip}"]
    return vidseg.run([*base, "model=square", *prompt, "tracker=none", "stride=100", *overrides]).summary["metrics"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory, clip):
    folder = tmp_path_factory.mktemp("reference") / "run"
    run(folder, clip, "output=[rle,masks]")
    return folder


def changed(folder, reference, change):
    """A reference whose lines ``change`` has been over."""
    folder.mkdir()
    entries = [json.loads(line) for line in (reference / "masks.jsonl").read_text().splitlines()]
    kept = [entry for entry in map(change, entries) if entry is not None]
    (folder / "masks.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in kept))
    return folder


@pytest.mark.parametrize("form", ["", "masks.jsonl", "masks"])
def test_a_run_agrees_with_itself(tmp_path, clip, reference, form, caplog):
    override = f"metric.agreement.reference={reference / form}"
    metrics = run(tmp_path / "run", clip, "metric=[agreement]", override, "output=[]")
    assert metrics == SAME
    frames = [json.loads(line) for line in (tmp_path / "run" / "frames.jsonl").read_text().splitlines()]
    assert [frame["metric/iou_1"] for frame in frames] == [1] * 20
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_differs_is_measured(tmp_path, clip, reference):
    def next_frame(entry):  # masks of the frame after: 2 pixels on, of 40
        return {**entry, "frame": entry["frame"] - 1} if entry["frame"] else None

    other = changed(tmp_path / "other", reference, next_frame)
    overrides = ["metric=[agreement]", f"metric.agreement.reference={other}", "output=[]", "extract.stop=19"]
    metrics = run(tmp_path / "run", clip, *overrides)
    assert metrics == pytest.approx(SAME | {"agreement": 38 / 42, "agreement_1": 38 / 42}, abs=1e-9)


def test_what_only_one_run_has_is_one_warning(tmp_path, clip, reference, caplog):
    def renamed(entry):
        objects = [*entry["objects"], {**entry["objects"][0], "id": 7}]
        return {**entry, "objects": objects} if entry["frame"] < 15 else None

    other = changed(tmp_path / "other", reference, renamed)
    prompts = tmp_path / "prompts.yaml"
    points = "points: [[20, 30]]"
    prompts.write_text(
        f"prompts: [{{frame: 0, object: 1, {points}}}, {{frame: 0, object: 2, {points}}}]", encoding="utf-8"
    )
    overrides = ["metric=[agreement]", f"metric.agreement.reference={other}", "output=[]"]
    metrics = run(tmp_path / "run", clip, *overrides, prompt=("prompt=file", f"prompt.path={prompts}"))
    assert metrics == SAME
    own = [record for record in caplog.records if record.name == "vidseg.metric.agreement"]
    (warning,) = [record.getMessage() for record in own if record.levelname == "WARNING"]
    assert warning == (
        "metric.agreement.reference: 5 frames have no masks there; it has no object 2; "
        "its object 7 is not in this run: not counted"
    )


def test_a_reference_of_another_size_is_told_before_the_model_is_built(tmp_path, clip, reference):
    rle = encode(np.ones((4, 6), bool))
    small = changed(tmp_path / "small", reference, lambda entry: {**entry, "objects": [{"id": 1, "rle": rle}]})
    with pytest.raises(Exception, match="frame 0 is 6x4, the video is 160x120") as raised:
        run(tmp_path / "run", clip, "metric=[agreement]", f"metric.agreement.reference={small}", "+model.nonsense=1")
    assert str(raised.value).startswith("metric.agreement.reference: ")


def test_a_reference_is_needed(tmp_path):
    with pytest.raises(InputError, match=r"metric\.agreement\.reference: missing; give a run's folder"):
        Agreement(None)
    with pytest.raises(InputError, match=r"metric\.agreement\.reference: no such file or folder"):
        Agreement(str(tmp_path / "nowhere"))


def test_frames_before_an_object_begins_count_where_a_run_has_it(tmp_path):
    def masks(index, box):
        mask_hw = np.zeros((1, 10, 12), np.float32)
        mask_hw[0][box] = 1
        return Frame(index, 0.0, np.zeros((10, 12, 3), np.uint8)), FrameMasks(index, (1,), mask_hw)

    nothing, box, half = np.s_[:0], np.s_[2:6, 2:8], np.s_[2:6, 2:5]
    (tmp_path / "masks.jsonl").write_text(
        "".join(
            json.dumps({"frame": index, "objects": [{"id": 1, "rle": encode(masks(index, part)[1].masks_nhw[0])}]})
            + "\n"
            for index, part in enumerate((nothing, half, box, nothing))
        )
    )
    metric = Agreement(str(tmp_path))
    info = VideoInfo(12, 10, Fraction(24), 4, Fraction(1, 24))
    metric.open(SimpleNamespace(info=info, frames=range(4)), [Prompt(2, 1, [[1, 1]])])
    here = [metric.update(*masks(index, part)) for index, part in enumerate((nothing, box, box, nothing))]
    assert here == [{}, {"iou_1": 0.5}, {"iou_1": 1}, {}]  # gone from both, which says nothing and is counted
    empty = {"both_empty_frames": 1, "both_empty_frames_1": 1}
    assert metric.compute() == pytest.approx({"agreement": 0.75, "agreement_1": 0.75} | empty)
