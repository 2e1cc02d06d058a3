"""Points that a mask doesn't obey are named, once, whichever model made it and however the run came there."""

import json

import numpy as np
import pytest
from parity import build
from planted import ByName, Planted, numbered
from sources import ArraySource, click, moving_squares
from test_photos import SQUARE, save, shoot
from test_resume import run_nano
from test_run import lines

import vidseg
from vidseg.model.detector.follow import Follow, Following
from vidseg.prompt.obeyed import disobeyed
from vidseg.types import FrameMasks, Prompt

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("own_hydra")]

INFO = ArraySource(moving_squares(1)).info
# fakes.Square's object 1 is in rows 10 to 49, object 2 in rows 60 to 99, both in columns 2 n to 2 n + 39 of frame n
PROMPTS = """prompts:
- {frame: 0, object: 1, points: [[20, 30]]}
- {frame: 0, object: 2, points: [[20, 30], [20, 70]], labels: [0, 0]}
- {frame: 5, object: 1, points: [[20, 30], [30, 30], [100, 30], [100, 100]], labels: [0, 0, 0, 1]}
"""
NOTES = [
    "frame 0, object 2: 1 of 2 negative points is still inside the mask",
    "frame 5, object 1: 1 of 1 positive points is outside and 2 of 3 negative points are still inside the mask",
]


def notes(masks, *prompts):
    return list(disobeyed(masks, prompts, INFO))


def of_one_pixel(object_ids=(1,)):
    """Masks that are at x 7, y 3 alone."""
    logits_nhw = np.full((len(object_ids), 10, 12), -1, np.float32)
    logits_nhw[:, 3, 7] = 1
    return FrameMasks(4, object_ids, logits_nhw)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(7, 3, 1)], None),
        ([(7.9, 3.9, 1), (6.9, 3, 0), (8, 3, 0), (7, 2.9, 0)], None),
        ([(8, 3, 1)], "1 of 1 positive points is outside"),
        ([(7, 3, 1), (7, 4, 1), (0, 0, 1)], "2 of 3 positive points are outside"),
        ([(7.5, 3.5, 0)], "1 of 1 negative points is still inside"),
        ([(7, 3, 0), (7.5, 3, 0), (1, 1, 1)],
         "1 of 1 positive points is outside and 2 of 2 negative points are still inside"),
    ],
)  # fmt: skip
def test_points_are_judged_at_their_pixel(points, said):
    assert notes(of_one_pixel(), click(4, 1, *points)) == ([f"frame 4, object 1: {said} the mask"] if said else [])


def test_points_are_their_object_s_and_their_frame_s_and_the_last_prompt_counts():
    masks, wrong = of_one_pixel((2, 9)), click(4, 9, (0, 0, 1))
    assert notes(masks, click(4, 1, (0, 0, 1)), click(3, 9, (0, 0, 1)), Prompt(4, 2, box_xyxy=[0, 0, 2, 2])) == []
    assert notes(masks, wrong, click(4, 9, (7, 3, 1))) == []
    assert notes(masks, click(4, 9, (7, 3, 1)), wrong) == [
        "frame 4, object 9: 1 of 1 positive points is outside the mask"
    ]


def test_where_there_is_no_mask_a_positive_point_is_outside():
    empty = FrameMasks(4, (1,), np.full((1, 10, 12), -1024, np.float32), (None,))
    assert notes(empty, click(4, 1, (7, 3, 1), (7, 4, 0))) == [
        "frame 4, object 1: 1 of 1 positive points is outside the mask"
    ]


@pytest.fixture
def asked(tmp_path, clip):
    """Runs the square with PROMPTS in one folder."""
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    prompts = (f"video={clip}", "prompt=file", f"prompt.path={tmp_path / 'prompts.yaml'}")

    def run(*overrides):
        return vidseg.run([*SQUARE, *prompts, f"hydra.run.dir={tmp_path / 'run'}", "output=[rle]", *overrides]).folder

    return run


def said(folder):
    """The notes of a run, which its log has once each, as warnings."""
    summary, text = json.loads((folder / "summary.json").read_text()), (folder / "vidseg.log").read_text()
    for note in summary["notes"]:
        (line,) = (line for line in text.splitlines() if note in line)
        assert "WARNING" in line
    return summary["notes"]


def test_a_run_and_a_preview_of_it_say_what_isn_t_obeyed(asked):
    assert said(asked()) == NOTES
    assert said(asked("preview=true")) == NOTES


def test_a_resumed_run_says_it_once(asked, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(vidseg.JobFailed, match="Input/output error"):
        asked("output=[failing]", "+output.failing.fail_at=4")
    assert len(lines(folder / "masks.jsonl")) == 3
    assert said(folder) == NOTES[:1]
    asked("resume=true")
    assert said(folder) == NOTES
    asked("resume=true", "output=[masks]")  # from the recorded masks
    assert said(folder) == NOTES


def test_a_photograph_is_called_by_its_name(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "album" / name)
    entries = [{"image": f"{name}.png", "points": [[x, 30]]} for name, x in (("a", 100), ("b", 20), ("c", 90))]
    (tmp_path / "prompts.json").write_text(json.dumps({"prompts": entries}))
    prompts = ("prompt=file", f"prompt.path={tmp_path / 'prompts.json'}", "metric=[]", "extract.photos=true")
    run = shoot(tmp_path / "album", *prompts)
    expected = [f"{name}.png, object 1: 1 of 1 positive points is outside the mask" for name in "ac"]
    assert said(run.folder) == expected
    assert json.loads((run.folder / "a" / "summary.json").read_text())["notes"] == expected[:1]
    (run.folder / "c" / "summary.json").unlink()  # so that a and b are left as they are
    assert shoot(tmp_path / "album", *prompts, "resume=true").summary["notes"] == expected


def test_a_detector_s_mask_is_what_it_is():
    source = ArraySource(numbered(4))
    prompts = [click(0, 1, (20, 30, 1)), click(2, 1, (25, 30, 0))]
    model = Follow(Following(Planted([{"cat": (10 + 2 * n, 20)} for n in range(4)]), ByName))
    found = [note for _, masks in model.track(source, prompts) for note in notes(masks, *prompts)]
    assert found == ["frame 2, object 1: 1 of 1 negative points is still inside the mask"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_of_objects_that_exclude_each_other_the_hidden_one_is_named(asynchronous):
    source = ArraySource(moving_squares(2))
    mask_hw = np.zeros((120, 200), bool)
    mask_hw[10:50, 15:55] = True
    prompts = [Prompt(0, 2, mask_hw=mask_hw), Prompt(0, 1, mask_hw=mask_hw)]
    points = [click(0, number, (35, 30, 1)) for number in (1, 2)]
    for exclude in (False, True):
        model = build(image_size=64, non_overlap_masks=exclude, asynchronous=asynchronous)
        first = next(model.track(source, prompts))[1]
        hidden = ["frame 0, object 1: 1 of 1 positive points is outside the mask"]
        assert notes(first, *points) == (hidden if exclude else [])


def test_a_model_that_is_told_two_things_of_one_pixel_obeys_one_of_them(tmp_path, clip):
    entries = [{"frame": 0, "points": [[20, 30]]}, {"frame": 3, "points": [[30, 30], [30, 30]], "labels": [1, 0]}]
    (tmp_path / "prompts.json").write_text(json.dumps({"prompts": entries}))
    prompts = ("prompt=file", f"prompt.path={tmp_path / 'prompts.json'}")
    _, folder = run_nano(tmp_path / "run", "output=[rle]", "metric=[]", "extract.stop=5", clip=clip, prompts=prompts)
    (note,) = [note for note in said(folder) if note.startswith("frame 3, object 1: ")]
    assert note.endswith(
        ("1 of 1 positive points is outside the mask", "1 of 1 negative points is still inside the mask")
    )
