"""J and F against the official scorer's numbers, and what DAVIS has no word for: late objects, strangers, no truth."""

import json
import logging
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from scored import lagging, synthetic

import vidseg
from vidseg.errors import InputError
from vidseg.metric import davis_jf
from vidseg.metric.davis_jf import DavisJF, boundary_f, decay, near
from vidseg.types import Frame, FrameMasks, Prompt, VideoInfo

OFFICIAL = json.loads((Path(__file__).parent / "official.json").read_text())
STATISTICS = ("j", "j_recall", "j_decay", "f", "f_recall", "f_decay")


def source(truth, num_frames, height=10, width=12, name="clip"):
    info = VideoInfo(width, height, Fraction(24), num_frames, Fraction(1, 24))
    return SimpleNamespace(info=info, truth=truth, frames=range(num_frames), name=name)


def frame_masks(index, labels, ids):
    logits = np.stack([np.where(labels == number, 1, -1) for number in ids]).astype(np.float32)
    return Frame(index, 0.0, np.zeros((*labels.shape, 3), np.uint8)), FrameMasks(index, ids, logits)


def scored(metric, clip, prompts, found, ids=(1,)):
    """Values of each frame, and the run's metrics."""
    metric.open(clip, prompts)
    values = [metric.update(*frame_masks(index, found(index), ids)) for index in clip.frames]
    return values, metric.compute()


def labels(value=1, box=np.s_[2:6, 2:8]):
    image = np.zeros((10, 12), np.uint8)
    image[box] = value
    return image


def write(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in images.items():
        Image.fromarray(image).save(folder / f"{index:05d}.png")
    return folder


@pytest.mark.parametrize("prompts", [[Prompt(0, n, [[1, 1]]) for n in (1, 2, 3)], []], ids=["prompted", "replayed"])
def test_the_official_scorer_s_numbers(tmp_path, prompts):
    frames = synthetic()
    truth = write(tmp_path / "truth", {t: truth for t, (truth, _) in enumerate(frames)})
    clip = source(lambda index: None, 23, 120, 170)
    values, metrics = scored(DavisJF(str(truth)), clip, prompts, lambda t: frames[t][1], (1, 2, 3))
    official = OFFICIAL["synthetic"]
    for row, number in enumerate((1, 2, 3)):
        for name in ("j", "f"):
            counted = [frame[f"{name}_{number}"] for frame in values[1:-1]]
            assert counted == pytest.approx(official["frames"][name][row], abs=1e-6)
        assert [metrics[f"{name}_{number}"] for name in STATISTICS] == pytest.approx(
            [official[name][row] for name in STATISTICS], abs=1e-6
        )
        both = (official["j"][row] + official["f"][row]) / 2
        assert metrics[f"j_and_f_{number}"] == pytest.approx(both, abs=1e-6)
    means = [np.mean(official[name]) for name in STATISTICS]
    assert [metrics[name] for name in STATISTICS] == pytest.approx(means, abs=1e-6)
    assert metrics["j_and_f"] == pytest.approx((means[0] + means[3]) / 2, abs=1e-6)
    assert len(metrics) == 4 * 7
    assert {key for frame in values for key in frame} == {f"{name}_{n}" for name in "jf" for n in (1, 2, 3)}


@pytest.mark.parametrize("name", ["car-shadow", "drift-chicane"])
@pytest.mark.parametrize("key", ["truth", "root"])
def test_the_official_scorer_s_numbers_on_davis(data, tmp_path, name, key):
    annotations = data / "davis" / "Annotations" / "480p"
    files = sorted((annotations / name).glob("*.png"))
    found = lagging(lambda t: np.array(Image.open(files[t])), len(files))
    write(tmp_path / "found", dict(enumerate(found)))
    overrides = ["model=replay", f"model.path={tmp_path / 'found'}", "metric=[davis_jf]", "output=[]", "tracker=none"]
    overrides.append(f"metric.davis_jf.{key}={annotations / name if key == 'truth' else annotations}")
    video = data / "davis" / "JPEGImages" / "480p" / name
    summary, folder = vidseg.run([f"video={video}", "stride=1000", f"hydra.run.dir={tmp_path / 'run'}", *overrides])
    for statistic in STATISTICS:
        assert summary["metrics"][statistic] == pytest.approx(OFFICIAL[name][statistic][0], abs=1e-6)
    frames = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()][1:-1]
    for curve in ("j", "f"):
        assert [frame[f"metric/{curve}_1"] for frame in frames] == pytest.approx(
            OFFICIAL[name]["frames"][curve][0], abs=1e-6
        )


def test_decay_is_the_first_quarter_less_the_last():
    assert decay(np.array([0.5])) == 0
    assert decay(np.array([1.0, 0, 0, 0, 0])) == 0.5  # quarters of two frames, which share their ends
    assert decay(np.arange(1000.0)) == pytest.approx(-749.25, abs=1)  # the official scorer's ends would overflow


def test_the_boundary_at_the_picture_s_edge_and_beyond_the_tolerance():
    empty, whole = np.zeros((480, 854), bool), np.ones((480, 854), bool)
    assert boundary_f(empty, empty) == boundary_f(whole, whole) == boundary_f(whole, empty) == 1  # no boundary at all
    box, near, far = empty.copy(), empty.copy(), empty.copy()
    box[100:200, 100:300], near[100:200, 108:308], far[400:450, 600:700] = True, True, True
    assert boundary_f(box, empty) == boundary_f(empty, box) == boundary_f(box, far) == 0
    assert boundary_f(box, near) == 1  # 8 pixels at 480p
    assert boundary_f(box, np.roll(near, 1, axis=1)) < 1


def test_j_and_f_take_less_than_ten_milliseconds_at_480p():
    rows, columns = np.ogrid[:480, :854]
    ring = np.abs(np.hypot(rows - 240, columns - 420) - 150 - 20 * np.sin(columns / 7)) < 70
    truth = np.roll(ring, 6, axis=1)
    clip = source(lambda index: truth.astype(np.uint8), 12, 480, 854)
    metric, (frame, masks) = DavisJF(), frame_masks(0, ring, (1,))
    metric.open(clip, [Prompt(0, 1, [[1, 1]])])
    times = []
    for _ in range(20):
        began = time.thread_time()  # of a busy machine too
        metric.update(frame, masks)
        times.append(time.thread_time() - began)
    assert min(times) < 10e-3  # 1.4 to 5.5 ms on the machines seen


def test_the_prompted_and_the_last_frame_are_told_but_not_counted():
    found = [labels(), labels(), labels(box=np.s_[4:8, 2:8]), labels(box=np.s_[8:10, 0:3])]
    values, metrics = scored(DavisJF(), source(lambda index: labels(), 4), [Prompt(1, 1, [[1, 1]])], lambda t: found[t])
    assert [frame.get("j_1") for frame in values] == [None, 1, pytest.approx(1 / 3), 0]
    assert (metrics["j"], metrics["j_recall"], metrics["j_decay"]) == (pytest.approx(1 / 3), 0, 0)


def test_objects_begin_at_their_own_prompts():
    truth = labels() + labels(2, np.s_[8:10, 0:3])
    found = labels() + labels(2, np.s_[8:10, 0:6])
    prompts = [Prompt(0, 1, [[1, 1]]), Prompt(3, 2, [[1, 1]]), Prompt(5, 2, [[1, 1]])]
    values, metrics = scored(
        DavisJF(), source(lambda t: truth, 6), prompts, lambda t: found if t > 2 else labels(), (1, 2)
    )
    assert ["j_2" in frame for frame in values] == [False, False, False, True, True, True]
    assert (metrics["j_1"], metrics["j_2"], metrics["j"]) == (1, 0.5, 0.75)


def test_objects_of_one_side_only_are_named_and_not_scored(tmp_path, caplog):
    truth = write(tmp_path, dict.fromkeys(range(4), labels() + labels(3, np.s_[8:10, 0:3])))
    clip, prompts = source(lambda index: None, 4), [Prompt(0, 1, [[1, 1]]), Prompt(0, 5, [[1, 1]])]
    values, metrics = scored(
        DavisJF(str(truth)), clip, prompts, lambda t: labels() + labels(5, np.s_[8:10, 0:3]), (1, 5)
    )
    assert metrics["j"] == metrics["j_1"] == 1
    assert not [name for name in [*metrics, *values[2]] if name.endswith(("_3", "_5"))]
    assert "the ground truth has no object 5: not scored" in caplog.text
    assert "this run doesn't follow object 3: not scored" in caplog.text


def test_no_truth_no_scores(caplog):
    metric = DavisJF()
    assert scored(metric, source(lambda index: None, 3), [Prompt(0, 1, [[1, 1]])], lambda t: labels()) == (
        [{}, {}, {}],
        {},
    )
    assert caplog.text == ""
    assert [level for level, _ in metric.notes] == [logging.INFO]
    assert metric.notes[0][1].startswith("metric.davis_jf: no ground truth, so no scores j, f and j_and_f; ")


def test_truth_that_comes_later_is_no_reason_for_a_note():
    metric = DavisJF()
    metric.open(source(lambda index: labels()[0] if index else None, 3), [])
    assert not metric.notes


def test_truth_of_some_frames_only(tmp_path, caplog):
    truth = write(tmp_path, {index: labels(255) for index in (0, 3, 6, 60)})
    clip = source(lambda index: None, 8)
    values, metrics = scored(DavisJF(str(truth)), clip, [Prompt(0, 1, [[1, 1]])], lambda t: labels())
    assert [index for index, frame in enumerate(values) if frame] == [0, 3, 6]
    assert metrics["j"] == 1
    assert "1 of 4 label maps are of no frame (00060.png): left out" in caplog.text
    few = write(tmp_path / "few", {7: labels()})
    clip.frames = range(5)
    metric = DavisJF(str(few))
    assert scored(metric, clip, [Prompt(0, 1, [[1, 1]])], lambda t: labels())[1] == {}
    ((level, text),) = metric.notes
    assert level == logging.WARNING
    assert "none of the label maps is of a frame of this run" in text
    with pytest.raises(InputError, match=r"none of its 1 label maps \(00060\.png, …\) is named as a frame"):
        DavisJF(str(write(tmp_path / "other", {60: labels()}))).open(clip, [])


def test_a_root_holds_a_folder_for_each_video(tmp_path):
    write(tmp_path / "camel", dict.fromkeys(range(4), labels(255)))
    for name in ("camel", "camel.mp4"):
        clip = source(lambda index: None, 4, name=name)
        assert scored(DavisJF(root=str(tmp_path)), clip, [Prompt(0, 1, [[1, 1]])], lambda t: labels())[1]["j"] == 1
    other = write(tmp_path / "other", dict.fromkeys(range(4), labels(box=np.s_[2:6, 2:5])))
    truth_wins = DavisJF(str(other), str(tmp_path))
    assert scored(truth_wins, clip, [Prompt(0, 1, [[1, 1]])], lambda t: labels())[1]["j"] == 0.5
    with pytest.raises(InputError, match=r"metric\.davis_jf\.root: no such folder: .*cow"):
        DavisJF(root=str(tmp_path)).open(source(None, 4, name="cow.mp4"), [])


def test_truth_that_can_not_be(tmp_path):
    with pytest.raises(InputError, match=r"metric\.davis_jf\.truth: no such folder"):
        DavisJF(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no label maps"):
        DavisJF(str(tmp_path))
    write(tmp_path, {0: labels(), 1: np.ones((4, 4), np.uint8)})
    metric = DavisJF(str(tmp_path))
    metric.open(source(None, 3), [Prompt(0, 1, [[1, 1]])])
    metric.update(*frame_masks(0, labels(), (1,)))
    with pytest.raises(InputError, match="frame 1 is 4x4, the video is 12x10"):
        metric.update(*frame_masks(1, labels(), (1,)))
    with pytest.raises(InputError, match="frame 0 is 12x10, the video is 20x20"):
        DavisJF(str(tmp_path)).open(source(None, 3, 20, 20), [])  # before any model is built


@pytest.mark.parametrize("radius", [1, 5, 12, 13, 18, 36])
def test_large_disks_are_distances(monkeypatch, radius):
    rng = np.random.default_rng(radius)
    edges = (rng.random((150, 210)) < 0.001).astype(np.uint8)
    edges[3, 4] = edges[-1, 100] = 1
    wanted = cv2.dilate(edges, davis_jf._disk(radius))
    for largest in (0, 100):
        monkeypatch.setattr(davis_jf, "LARGEST_DISK", largest)
        assert np.array_equal(near(edges, radius), wanted)
