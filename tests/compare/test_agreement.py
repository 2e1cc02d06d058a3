"""IoU from run-length codes against IoU of the masks."""

import numpy as np
import pytest

from vidseg.compare.agreement import measure_agreement
from vidseg.record.run import find_runs


@pytest.fixture
def agreement(make_run):
    """The agreement of two runs with these masks."""

    def measure(ours, theirs, **config):
        one = make_run("ours", masks=ours, config=config)
        other = make_run("theirs", masks=theirs)
        return measure_agreement(find_runs([one])[0], find_runs([other])[0])

    return measure


def blobs(seed, frames=range(6), objects=(1, 2), shape=(40, 50)):
    rng = np.random.default_rng(seed)
    return {frame: {k: rng.random(shape) < 0.4 for k in objects} for frame in frames}


def test_it_is_the_mean_iou_of_the_objects(agreement):
    ours, theirs = blobs(1), blobs(2)
    expected = {
        frame: np.mean([(a[k] & b[k]).sum() / (a[k] | b[k]).sum() for k in (1, 2)])
        for frame, a, b in zip(ours, ours.values(), theirs.values(), strict=True)
    }
    found = agreement(ours, theirs)
    assert found.iou == pytest.approx(expected, abs=1e-12)
    assert found.mean == pytest.approx(np.mean(list(expected.values())), abs=1e-12)


def test_absent_from_both_does_not_count_and_from_one_is_0(agreement):
    square, none = np.ones((4, 5)), np.zeros((4, 5))
    ours = {0: {1: none}, 1: {1: square}, 2: {1: square, 2: square}, 3: {1: square, 2: none}}
    theirs = {0: {1: none}, 1: {1: none}, 2: {1: square}, 3: {1: square}}
    found = agreement(ours, theirs)
    assert found.iou == {1: 0.0, 2: 0.5, 3: 1.0}
    assert found.both_empty == [0]
    assert found.mean == 0.5


def test_only_empty_masks_are_a_note_and_no_perfect_agreement(agreement):
    found = agreement(*[{frame: {1: np.zeros((4, 5))} for frame in range(3)}] * 2)
    assert (found.note, found.mean, found.both_empty) == ("both empty", None, [0, 1, 2])


@pytest.mark.parametrize("other", [{"prompt": {"_target_": "vidseg.prompt.click", "points": [[9, 9]]}}, {}])
def test_another_prompt_or_other_objects_is_a_note(make_run, other):
    one = find_runs([make_run("one", masks=blobs(1), config=other, objects=[1] if other else [1, 2])])[0]
    assert measure_agreement(one, find_runs([make_run("two", masks=blobs(1))])[0]).note == "other prompt"


def test_only_the_frames_of_both_count(agreement):
    masks = blobs(1, range(0, 12))
    few = {frame: masks[frame] for frame in (3, 6, 9, 11)}
    assert agreement(few, masks).iou == dict.fromkeys((3, 6, 9, 11), 1.0)


def test_no_frame_in_common_is_a_note(agreement):
    found = agreement(blobs(1, range(3)), blobs(1, range(5, 8)))
    assert (found.note, found.mean) == ("no common frame", None)


def test_another_size_is_a_note(agreement):
    assert agreement(blobs(1), blobs(1, shape=(20, 20))).note == "other size"


def test_another_video_is_a_note(agreement):
    assert agreement(blobs(1), blobs(1), video="other.mp4").note == "other video"


def test_no_masks_is_a_note(make_run):
    one, other = (find_runs([make_run(name)])[0] for name in "ab")
    assert measure_agreement(one, other).note == "no masks"
    assert measure_agreement(one, one).note == "reference"


def test_the_masks_end_at_an_incomplete_line(make_run, caplog):
    folders = [make_run(name, masks=blobs(1)) for name in "ab"]
    text = (folders[0] / "masks.jsonl").read_text()
    (folders[0] / "masks.jsonl").write_text(text[: int(len(text) * 0.6)])
    found = measure_agreement(*(find_runs([folder])[0] for folder in folders))
    assert list(found.iou) == [0, 1, 2]
    assert "line 4 is incomplete" in caplog.text
