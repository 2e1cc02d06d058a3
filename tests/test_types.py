"""What is made in Python is checked where it is made: lists become arrays, mistakes are named, equality is defined."""

from fractions import Fraction

import numpy as np
import pytest

from vidseg.errors import ContractError, InputError
from vidseg.types import Frame, FrameMasks, Prompt, VideoInfo

MASK_HW = np.eye(4, dtype=bool)


def test_lists_are_taken_for_arrays():
    prompt = Prompt(np.int64(3), 1, points_xy=[[1, 2], (3.5, 4)], labels=[1, 0], box_xyxy=(0, 1, 2, 3))
    assert (prompt.points_xy.dtype, prompt.points_xy.tolist()) == (np.float32, [[1, 2], [3.5, 4]])
    assert (prompt.labels.dtype, prompt.labels.tolist()) == (np.int32, [1, 0])
    assert (prompt.box_xyxy.dtype, prompt.box_xyxy.tolist()) == (np.float32, [0, 1, 2, 3])
    assert type(prompt.frame_index) is int
    mask_hw = Prompt(0, 1, mask_hw=[[0, 255], [0, 0]]).mask_hw
    assert (mask_hw.dtype, mask_hw.tolist()) == (bool, [[False, True], [False, False]])


def test_points_without_labels_are_on_the_object():
    assert Prompt(0, 1, [[1, 2], [3, 4]]).labels.tolist() == [1, 1]
    assert Prompt(0, 1, box_xyxy=[0, 0, 1, 1]).labels is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "prompt of object 1: it is empty; give points_xy, box_xyxy or mask_hw"),
        ({"points_xy": [[1, 2]], "labels": [1, 0]}, "labels: 2 labels for 1 points; each point needs one"),
        ({"points_xy": [[1, 2]], "labels": [2]}, r"labels: \[2\]; a label is 1 \(on the object\) or 0"),
        ({"points_xy": [[1, 2]], "labels": "y"}, "labels: y; a label is 1"),
        ({"labels": [1], "box_xyxy": [0, 0, 1, 1]}, "labels: there are no points"),
        ({"points_xy": [[1, np.nan]]}, r"points_xy: \[\[1, nan\]\] is not \[\[x, y\], ...\], finite numbers"),
        ({"points_xy": [1, 2]}, r"points_xy: \[1, 2\] is not \[\[x, y\], ...\]"),
        ({"points_xy": [[1, 2], [3]]}, r"points_xy: \[\[1, 2\], \[3\]\] is not"),
        ({"points_xy": [["1", "2"]]}, "points_xy: .* is not"),
        ({"points_xy": np.zeros((0, 2))}, r"points_xy: \[\] is not"),
        ({"points_xy": np.full((1, 2), 1e300)}, "points_xy: .* is not"),
        ({"box_xyxy": [5, 0, 1, 9]}, r"box_xyxy: \[5, 0, 1, 9\] is inside out; x0 < x1 and y0 < y1"),
        ({"box_xyxy": [0, 9, 1, 9]}, "box_xyxy: .* is inside out"),
        ({"box_xyxy": [0, 0, 1]}, r"box_xyxy: \[0, 0, 1\] is not \[x0, y0, x1, y1\]"),
        ({"box_xyxy": [0, 0, 1, np.inf]}, "box_xyxy: .* is not"),
        ({"mask_hw": MASK_HW, "points_xy": [[1, 2]]}, "a mask can't be combined with points, labels or a box"),
        ({"mask_hw": MASK_HW, "box_xyxy": [0, 0, 1, 1]}, "a mask can't be combined"),
        ({"mask_hw": MASK_HW.astype(np.float32)}, r"mask_hw: float32 \(4, 4\) is no mask"),
        ({"mask_hw": MASK_HW[None]}, r"mask_hw: bool \(1, 4, 4\) is no mask"),
        ({"frame_index": -1, "mask_hw": MASK_HW}, "frame_index: -1 is not an integer from 0 on"),
        ({"frame_index": 1.5, "mask_hw": MASK_HW}, "frame_index: 1.5 is not an integer"),
        ({"object_id": 0, "mask_hw": MASK_HW}, "object_id: 0 is not an integer from 1 on"),
        ({"object_id": True, "mask_hw": MASK_HW}, "object_id: True is not an integer"),
    ],
)
def test_a_prompt_that_can_not_be_says_why(fields, message):
    with pytest.raises(InputError, match=message) as raised:
        Prompt(**{"frame_index": 0, "object_id": 1, **fields})
    assert len(str(raised.value).splitlines()) == 1


def test_the_widget_s_boxes_are_prompts():
    bboxes = [
        {"x": 1, "y": 2, "width": 3, "height": 4, "label": "dog"},
        {"x": 7, "y": 8, "width": 0, "height": 0, "label": "cat"},
        {"x": 5, "y": 6, "width": 0, "height": 0, "label": "dog"},
        {"x": 9, "y": 9, "width": 1, "height": 1, "label": "dog"},
    ]
    assert Prompt.from_bboxes(bboxes, frame_index=5) == (
        Prompt(5, 1, points_xy=[[5, 6]], box_xyxy=[1, 2, 4, 6]),
        Prompt(5, 2, points_xy=[[7, 8]]),
        Prompt(5, 3, box_xyxy=[9, 9, 10, 10]),
    )


def test_prompts_are_equal_by_content():
    first, same = (Prompt(0, 1, points_xy=np.array([[1, 2]], dtype), mask_hw=None) for dtype in (np.float32, np.int64))
    assert first == same
    assert hash(first) == hash(same)
    others = [Prompt(1, 1, [[1, 2]]), Prompt(0, 2, [[1, 2]]), Prompt(0, 1, [[1, 3]]), Prompt(0, 1, [[1, 2]], [0])]
    others += [Prompt(0, 1, box_xyxy=[0, 0, 1, 2]), Prompt(0, 1, mask_hw=MASK_HW)]
    assert first not in others
    assert len({first, same, *others}) == 1 + len(others)
    assert Prompt(0, 1, mask_hw=MASK_HW) == Prompt(0, 1, mask_hw=MASK_HW.astype(np.uint8))
    assert Prompt(0, 1, mask_hw=np.ones((1, 4), bool)) != Prompt(0, 1, mask_hw=np.ones((4, 1), bool))
    assert first != "a prompt"


def test_frames_and_masks_are_equal_to_themselves_only():
    frames = [Frame(0, 0.0, np.zeros((4, 4, 3), np.uint8)) for _ in range(2)]
    masks = [FrameMasks(0, (1,), np.zeros((1, 4, 4), np.float32)) for _ in range(2)]
    for one, other in (frames, masks):
        assert one == one
        assert one != other
        assert len({one, other, one}) == 2


@pytest.mark.parametrize(
    ("logits_nhw", "scores", "message"),
    [
        (np.zeros((1, 4, 4), bool), None, r"logits_nhw is bool \(1, 4, 4\); with 1 object ids it must be float32"),
        (np.zeros((1, 4, 4)), None, "logits_nhw is float64"),
        (np.zeros((2, 4, 4), np.float32), None, r"logits_nhw is float32 \(2, 4, 4\)"),
        (np.zeros((4, 4), np.float32), None, r"logits_nhw is float32 \(4, 4\)"),
        (np.zeros((1, 4, 4), np.float32), (0.5, 0.5), "2 scores for 1 object ids"),
    ],
)
def test_masks_that_can_not_be_say_why(logits_nhw, scores, message):
    with pytest.raises(ContractError, match=message):
        FrameMasks(0, (1,), logits_nhw, scores)


@pytest.mark.parametrize("rgb_hw3", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_a_frame_is_bytes_of_three_channels(rgb_hw3):
    with pytest.raises(ContractError, match="it must be uint8"):
        Frame(0, 0.0, rgb_hw3)


@pytest.mark.parametrize("change", [{"width": 0}, {"fps": Fraction(0)}, {"time_base": Fraction(-1, 25)}])
def test_a_video_has_a_size_and_a_rate(change):
    with pytest.raises(InputError, match="video: "):
        VideoInfo(**{"width": 4, "height": 4, "fps": Fraction(25), "num_frames": 1, "time_base": Fraction(1), **change})
