"""Masks on disk: what is written is read, and which label map means what."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vidseg.composite import label_map
from vidseg.errors import InputError
from vidseg.measure import bounding_box, iou
from vidseg.record.files import JsonLines
from vidseg.record.label_maps import LabelMaps
from vidseg.record.masks import encode, mask_line, open_masks, rle_iou
from vidseg.types import Frame, FrameMasks, VideoInfo

INFO = VideoInfo(6, 4, Fraction(24), 3, Fraction(1, 24))


def write(folder, *rows):
    """A map a row of values, 4 x 6."""
    for index, values in enumerate(rows):
        Image.fromarray(np.array(values * 4, np.uint8).reshape(4, 6)).save(folder / f"{index:05d}.png")
    return folder


def values(folder):
    maps = LabelMaps(folder, "key")
    return [sorted(np.unique(maps.read_labels(index, INFO)).tolist()) for index in range(3)]


def test_davis_2016_s_white_is_object_1(tmp_path):
    write(tmp_path, [0] * 6, [0, 0, 255, 255, 0, 0], [0] * 6)
    assert values(tmp_path) == [[0], [0, 1], [0]]


def test_void_stays_void_where_objects_are_gone(tmp_path):
    write(tmp_path, [0, 0, 1, 2, 255, 0], [0, 0, 0, 0, 255, 0], [255] * 6)
    assert values(tmp_path) == [[0, 1, 2], [0], [0]]


def test_ids_are_those_of_all_maps(tmp_path):
    masks = open_masks(str(write(tmp_path, [0, 0, 1, 1, 0, 255], [0, 0, 3, 0, 0, 0])), "key")
    assert masks.object_ids == {1, 3}
    found, scores = masks.read(1, INFO)
    assert ({number: int(mask.sum()) for number, mask in found.items()}, scores) == ({1: 0, 3: 4}, {})
    assert masks.read(2, INFO) == (None, {})
    with pytest.raises(InputError, match="key: frame 0 is 6x4, the video is 5x4"):
        masks.read(0, VideoInfo(5, 4, Fraction(24), 3, Fraction(1, 24)))


def blobs(seed, count=3):
    return np.random.default_rng(seed).random((count, 4, 6)) < 0.4


def record(folder):
    """The masks of two objects on three frames, as a run writes them."""
    masks = [blobs(index, 2) for index in range(3)]
    lines = JsonLines(folder / "masks.jsonl")
    for index, masks_nhw in enumerate(masks):
        logits = np.where(masks_nhw, 1, -1).astype(np.float32)
        lines.write(
            mask_line(
                Frame(index, 0.0, np.zeros((4, 6, 3), np.uint8)), FrameMasks(index, (1, 7), logits, (0.123456, None))
            )
        )
    lines.close()
    return masks


def test_a_run_s_masks_are_read_as_they_were_written(tmp_path):
    written = record(tmp_path)
    masks = open_masks(str(tmp_path), "key")
    assert ([*masks.frames], masks.object_ids) == ([0, 1, 2], {1, 7})
    for index in (2, 0):
        found, scores = masks.read(index, INFO)
        np.testing.assert_array_equal(np.stack([found[1], found[7]]), written[index])
        assert scores == {1: 0.1235, 7: None}
    assert masks.read(3, INFO) == (None, {})
    with pytest.raises(InputError, match="key: frame 0 is 6x4, the video is 5x4"):
        masks.read(0, VideoInfo(5, 4, Fraction(24), 3, Fraction(1, 24)))


def test_which_object_is_on_top_is_recorded_where_they_overlap(tmp_path):
    logits = np.random.default_rng(0).normal(0, 1, (3, 4, 6)).astype(np.float32)
    shown = FrameMasks(0, (1, 4, 7), logits)
    lines = JsonLines(tmp_path / "masks.jsonl")
    lines.write(mask_line(Frame(0, 0.0, np.zeros((4, 6, 3), np.uint8)), shown))
    lines.close()
    found = open_masks(str(tmp_path), "key").frame_masks(0, INFO)
    assert (shown.masks_nhw.sum(0) > 1).any()
    np.testing.assert_array_equal(found.masks_nhw, shown.masks_nhw)
    np.testing.assert_array_equal(label_map(found), label_map(shown))
    assert found.scores == (None, None, None)


def test_the_masks_of_a_run_that_was_cut_off_end_at_its_last_complete_line(tmp_path, caplog):
    record(tmp_path)
    path = tmp_path / "masks.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert [*open_masks(str(path), "key").frames] == [0, 1]
    assert "masks.jsonl: line 3 is incomplete" in caplog.text
    path.write_text("")
    with pytest.raises(InputError, match=r"key: line 1 of .*masks\.jsonl holds no masks"):
        open_masks(str(path), "key")


@pytest.mark.parametrize("counts", ["", "0", "0H", "zz", "0\x7f", "08\u00e9"])
def test_run_lengths_that_do_not_fill_a_mask_are_refused(tmp_path, counts):
    """pycocotools decodes the first ones, and leaves the rest of the mask as it finds it in memory."""
    record(tmp_path)
    path = tmp_path / "masks.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1]["objects"][0]["rle"]["counts"] = counts
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    masks = open_masks(str(path), "key")
    masks.read(0, INFO)
    with pytest.raises(
        InputError, match=r"key: .*masks\.jsonl is damaged: frame 1: the run lengths don't fill the mask"
    ):
        masks.read(1, INFO)
    with pytest.raises(InputError, match=r"is damaged: frame 1"):
        masks.frame_masks(1, INFO)


@pytest.mark.parametrize(
    "damage",
    [
        {"objects": 7},
        {"objects": [[]]},
        {"objects": [{"id": 1}]},
        {"objects": [{"id": "1", "rle": {"size": [4, 6], "counts": "0"}}]},
        {"objects": [{"id": 1, "rle": {"size": [4], "counts": "0"}}]},
        {"frame": "2"},
        {"frame": 10**30},
    ],
)
def test_a_line_that_holds_no_masks_ends_the_record(tmp_path, caplog, damage):
    record(tmp_path)
    path = tmp_path / "masks.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines[:2], lines[2] | damage]))
    assert list(open_masks(str(path), "key").frames) == [0, 1]
    assert "masks.jsonl: line 3 is incomplete" in caplog.text


def test_the_iou_of_run_length_codes_is_that_of_the_masks():
    one, other = blobs(0, 1)[0], blobs(1, 1)[0]
    empty = np.zeros_like(one)
    for a, b in ((one, other), (one, one), (one, empty), (empty, empty)):
        assert rle_iou(encode(a), encode(b)) == iou(a, b)
    assert (iou(empty, empty), iou(one, empty), iou(one, one)) == (1, 0, 1)
    assert iou(one, other) == pytest.approx((one & other).sum() / (one | other).sum())


def test_a_bounding_box_stays_within_the_picture():
    mask_hw = np.zeros((10, 20), bool)
    assert bounding_box(mask_hw) is None
    mask_hw[2:4, 5:19] = True
    assert bounding_box(mask_hw) == np.s_[2:4, 5:19]
    assert bounding_box(mask_hw, margin=3) == np.s_[0:7, 2:20]
    assert bounding_box(mask_hw[:, ::2].astype(np.uint8)) == np.s_[2:4, 3:10]
