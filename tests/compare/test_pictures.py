"""What the page is made of: thumbnails, differences between masks, small clips."""

import io
import shutil
from itertools import product

import av
import cv2
import numpy as np
import pytest
from video.clips import shown

from vidseg.compare import pictures
from vidseg.compare.gallery import make_galleries, make_gallery
from vidseg.compare.groups import group_runs
from vidseg.compare.pictures import ADDED, MISSING, draw_difference, find_disagreements, make_strip, shrink_video
from vidseg.compare.table import tabulate
from vidseg.record.run import find_runs


@pytest.fixture
def runs(sweep, tmp_path):
    """The runs of a copy of the sweep, of which a test may take away what it likes: squares 0, 1, shifted ones 2, 3."""
    shutil.copytree(sweep, tmp_path / "sweep")
    return find_runs([tmp_path / "sweep"])


def without_video(run):
    run.config["video"] = "gone.mp4"  # runs of find_runs share no dict
    return run


def decoded(data):
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_what_one_mask_lacks_is_blue_or_orange():
    frame = np.full((90, 160, 3), 100, np.uint8)
    reference, run = np.zeros((2, 90, 160), bool)
    reference[20:60, 20:80] = True
    run[20:60, 50:110] = True
    picture = draw_difference(frame, reference, run)
    height, width = picture.shape[:2]
    assert width / height == pytest.approx(160 / 90, abs=0.05)
    assert height < 90  # it is cut to where the masks are
    row = picture[height // 2].astype(int)
    nearest = {
        name: np.abs(row - np.array(colour)).sum(axis=1).argmin()
        for name, colour in (("missing", MISSING), ("added", ADDED))
    }
    assert nearest["missing"] < nearest["added"]
    assert (row[nearest["missing"]] == np.round(0.25 * 60 + 0.75 * np.array(MISSING)).astype(int)).all()


def test_a_strip_has_the_frames_that_all_runs_sampled(runs):
    strip = make_strip(runs[:4])  # strides 5 and 10
    assert strip.frames == [0, 10]
    assert all(picture.startswith("data:image/webp;base64,") for row in strip.pictures.values() for picture in row)
    assert len(make_strip(runs[:1]).frames) == 4


def test_a_strip_without_a_common_frame_has_gaps(runs):
    for path in runs[1].samples.values():
        path.rename(path.with_name("frame_00007.png"))
    strip = make_strip(runs[:2])
    assert strip.frames == [0, 5, 7, 10, 15]
    assert [picture is None for picture in strip.pictures[runs[1]]] == [True, True, False, True, True]


def test_disagreements_are_the_lowest_frames_some_way_apart(make_run, monkeypatch):
    monkeypatch.setattr(pictures, "CARDS", 3)
    masks = {frame: {1: np.ones((4, 5))} for frame in range(60)}
    reference, one, other = (find_runs([make_run(name, masks=masks)])[0] for name in ("reference", "one", "other"))
    iou = dict.fromkeys(range(60), 1.0) | {10: 0.2, 11: 0.1, 40: 0.5, 41: 0.6, 59: 0.99996}
    chosen = find_disagreements(reference, {one: iou, other: {25: 0.05}})
    assert [(found.frame, found.iou, found.run) for found in chosen] == [
        (11, 0.1, one),
        (25, 0.05, other),
        (40, 0.5, one),
    ]


@pytest.mark.parametrize("left", ["video", "samples", "nothing"])
def test_a_disagreement_is_drawn_on_the_best_picture_there_is(runs, clip, monkeypatch, left):
    """The video's frame, else the sample of that frame, else grey."""
    reference, other = runs[2], runs[0]
    drawn = []
    monkeypatch.setattr(
        pictures, "draw_difference", lambda rgb, *masks: drawn.append(rgb) or np.zeros((2, 2, 3), np.uint8)
    )
    with av.open(str(clip)) as container:
        expected = [shown(frame) for frame in container.decode(video=0)][10]
    if left != "video":
        without_video(reference)
        expected = cv2.imread(str(reference.folder / "samples" / "frame_00010.png"))[..., ::-1]
    if left == "nothing":
        shutil.rmtree(reference.folder / "samples")
        expected = np.full((120, 160, 3), 90)
    find_disagreements(reference, {other: {10: 0.4}})
    (picture,) = drawn
    assert (picture == expected).all()


def test_a_clip_keeps_frames_and_times_within_its_budget(runs):
    path = runs[0].folder / "overlay.mp4"
    frames = decoded(shrink_video(path, 100_000))
    assert [time for time, _ in frames] == pytest.approx([n / 10 for n in range(20)])
    assert frames[0][1].shape == (120, 160, 3)  # never enlarged
    with av.open(str(path)) as container:
        original = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.abs(frames[10][1].astype(int) - original[10]).mean() < 4
    assert len(shrink_video(path, 6_000)) <= 6_600


def test_a_long_clip_is_thinned(runs, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_FRAMES", 10)
    times = [time for time, _ in decoded(shrink_video(runs[0].folder / "overlay.mp4", 100_000))]
    assert 5 <= len(times) < 20
    assert times[0] == 0


def test_a_clip_that_is_none_is_told(tmp_path, caplog):
    (tmp_path / "overlay.mp4").write_bytes(b"nothing")
    assert shrink_video(tmp_path / "overlay.mp4", 1000) is None
    assert "can't be read" in caplog.text


def test_a_gallery_takes_j_from_frames_jsonl_and_the_first_run_as_reference(runs):
    lines = ["", '{"frame": 0, "time_s": 0.0, "metric/j_1": 0.5, "metric/j_2": 0.7}', '{"frame": 1, "time_s": 0.1}']
    (runs[0].folder / "frames.jsonl").write_text("\n".join(lines[1:]) + "\n" + '{"frame": 2, "ti')
    made = make_gallery(runs[:4], runs[:1], None, dict.fromkeys(runs, b"mp4"))
    assert made.j == {runs[0]: {0: pytest.approx(0.6)}}
    assert made.reference is runs[0]
    assert set(made.iou) == {runs[1], runs[2], runs[3]}
    assert list(made.clips) == [runs[0]]
    assert made.times_s == pytest.approx({n: n / 10 for n in range(20)})


def test_overlays_of_runs_that_start_late_are_placed_in_the_videos_time(make_run):
    square = np.ones((4, 5))
    late = make_run("late", masks={frame: {1: square} for frame in range(5, 9)})
    early = make_run("early", masks={frame: {1: square} for frame in range(6)})
    runs = [find_runs([folder])[0] for folder in (late, early)]
    made = make_gallery(runs, runs, None, dict.fromkeys(runs, b"mp4"))
    assert made.times_s == {n: n / 10 for n in range(9)}
    assert made.starts_s == {runs[0]: 0.5, runs[1]: 0.0}


def test_a_gallery_of_one_run_has_nothing_to_compare(runs):
    made = make_gallery(runs[:1], runs[:1], None, {})
    assert (made.reference, made.iou, made.disagreements) == (None, {}, [])


def test_only_masks_of_one_video_and_one_prompt_are_compared(make_run, tmp_path):
    """Of four prompts' and videos' runs each pair of strides is a gallery, and a repetition is shown once."""
    square = {frame: {1: np.ones((4, 5))} for frame in range(3)}
    for n, (video, x, stride, repeat) in enumerate(product(("a.mp4", "b.mp4"), (1, 2), (5, 10), (0, 1))):
        prompt = {"_target_": "vidseg.prompt.click", "points": [[x, 1]]}
        config = {"video": video, "prompt": prompt, "stride": stride, "repeat": repeat}
        make_run(str(n), config=config, masks=square)
    runs = find_runs([tmp_path])
    galleries = list(make_galleries(group_runs(tabulate(runs)), None, 0))
    assert [[run.name for run in made.runs] for made in galleries] == [
        ["0", "2"],
        ["4", "6"],
        ["8", "10"],
        ["12", "14"],
    ]
    assert all(made.reference is made.runs[0] and list(made.iou) == [made.runs[1]] for made in galleries)
    assert all(made.all_same for made in galleries)
    other = list(make_galleries(group_runs(tabulate(runs)), runs[6], 0))  # of the second gallery
    assert [made.reference.name for made in other] == ["0", "6", "8", "12"]


def test_a_run_that_found_nothing_is_no_reference(make_run, tmp_path):
    none, square = np.zeros((4, 5)), np.ones((4, 5))
    make_run("0", masks={frame: {1: none} for frame in range(4)})
    make_run("1", config={"stride": 1}, masks={0: {1: square}, 1: {1: none}, 2: {1: none}, 3: {1: square}})
    make_run("2", config={"stride": 2}, masks={0: {1: square}, 1: {1: none}, 2: {1: square}, 3: {1: none}})
    (made,) = make_galleries(group_runs(tabulate(find_runs([tmp_path]))), None, 0)
    zero, one, two = made.runs
    assert made.reference is one
    assert made.both_empty == {zero: [1, 2], two: [1]}
    assert made.iou == {zero: {0: 0.0, 3: 0.0}, two: {0: 1.0, 2: 0.0, 3: 0.0}}
    assert not made.all_same
