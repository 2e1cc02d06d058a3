"""SAM on single images: what a frame is prompted by. tests/detectors runs real encoders and decoders."""

import sys
from typing import ClassVar

import numpy as np
import pytest
from planted import ByName, Planted, numbered
from sources import ArraySource, click

from vidseg.contract import TrackChecker
from vidseg.errors import InputError
from vidseg.model.baselines import sam
from vidseg.model.detector.follow import Following
from vidseg.model.sam.image import of_mask, square
from vidseg.model.sam.onnx import OnnxSAM
from vidseg.model.sam.segmenter import SAM
from vidseg.types import Prompt


class Bright:
    """An image model that finds what is bright in a box, or in a square of 60 pixels around a point."""

    device, precision = "cpu", "fp32"
    provenance: ClassVar = {"checkpoint": "bright"}

    def __init__(self):
        self.clues = []

    def encode(self, rgb_hw3):
        return rgb_hw3[..., 1] > 200

    def decode(self, bright, clue):
        self.clues.append(clue)
        box = clue.box_xyxy
        x0, y0, x1, y1 = (
            np.r_[clue.points_xy[0] - 30, clue.points_xy[0] + 30] if box is None else np.add(box, (-8, -8, 8, 8))
        )
        rows, columns = np.ogrid[: bright.shape[0], : bright.shape[1]]
        mask = bright & (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
        best = np.where(mask, np.float32(5), np.float32(-5))
        if clue.ambiguous:
            return np.stack([-best, best, -best]), np.array([0.1, 0.7, 0.3], np.float32)
        return best[None], np.array([1.2], np.float32)


def squares(*corners):
    """Frames with a bright square of 20 pixels at each corner (x, y), and none at None."""
    clip = np.zeros((len(corners), 120, 200, 3), np.uint8)
    for frame, corner in zip(clip, corners, strict=True):
        if corner is not None:
            frame[corner[1] : corner[1] + 20, corner[0] : corner[0] + 20] = 255
    return clip


def tracked(segmenter, clip, *prompts):
    """Every frame's FrameMasks."""
    source = ArraySource(clip)
    return [masks for _, masks in TrackChecker(segmenter, source, prompts).pairs(source)]


def test_a_frame_is_prompted_by_the_last_mask():
    model = Bright()
    masks = tracked(SAM(model), squares((30, 40), (36, 42), (42, 44)), click(0, 1, (40, 50, 1)))
    assert [each.masks_nhw[0].sum() for each in masks] == [400, 400, 400]
    assert [each.scores for each in masks] == [(pytest.approx(0.7),), (1.0,), (1.0,)]  # the best of three; at most 1
    assert [clue.ambiguous for clue in model.clues] == [True, False, False]
    assert model.clues[2].box_xyxy.tolist() == [36, 42, 56, 62]
    assert np.abs(model.clues[2].points_xy[0] - [46, 52]).max() <= 1


def test_points_off_an_object_are_added_to_what_is_known():
    model, off = Bright(), Prompt(1, 1, points_xy=[[5, 5]], labels=[0])
    tracked(SAM(model), squares((30, 40), (36, 42)), click(0, 1, (40, 50, 1)), off)
    clue = model.clues[1]
    assert (clue.labels.tolist(), clue.ambiguous) == ([1, 0], False)
    assert clue.box_xyxy.tolist() == [30, 40, 50, 60]
    assert clue.points_xy[1].tolist() == [5, 5]


def test_after_an_empty_mask_the_last_one_prompts():
    masks = tracked(SAM(Bright()), squares((30, 40), None, (30, 44)), Prompt(0, 1, box_xyxy=[28, 38, 52, 62]))
    assert [each.masks_nhw[0].sum() for each in masks] == [400, 0, 400]


def test_objects_begin_end_and_are_told_by_masks():
    clip = squares((30, 40), (30, 40), (30, 40), (30, 40))
    given = np.zeros((120, 200), bool)
    given[40:60, 30:50] = True
    masks = tracked(SAM(Bright()), clip, click(0, 1, (35, 45, 1)), Prompt(1, 2, mask_hw=given, until=2))
    assert [each.masks_nhw.sum((1, 2)).tolist() for each in masks] == [[400, 0], [400, 400], [400, 400], [400, 0]]
    assert masks[0].scores[1] is None


def test_a_detector_s_boxes_prompt():
    clip = np.maximum(numbered(4), squares(*[(20, 30)] * 4))
    detector = Planted([{"cat": None if n == 2 else (15, 25)} for n in range(4)], masks=False)
    model = Bright()
    segmenter = SAM(model, Following(detector, ByName))
    masks = tracked(segmenter, clip, click(0, 1, (25, 35, 1)))
    assert [each.masks_nhw[0].sum() for each in masks] == [400, 400, 0, 400]
    assert [clue.box_xyxy is not None and clue.box_xyxy.tolist() for clue in model.clues[1:]] == [[15, 25, 45, 55]] * 2
    assert segmenter.provenance == {"checkpoint": "bright", "detector_checkpoint": "planted"}


def test_points_off_an_object_are_added_to_its_detection_and_do_not_bring_it_back():
    clip = np.maximum(numbered(4), squares(*[(20, 30)] * 4))
    detector = Planted([{"cat": None if n == 2 else (15, 25)} for n in range(4)], masks=False)
    model, off = Bright(), [Prompt(n, 1, points_xy=[[44, 54]], labels=[0]) for n in (1, 2)]
    masks = tracked(SAM(model, Following(detector, ByName)), clip, click(0, 1, (25, 35, 1)), *off)
    assert [each.masks_nhw[0].sum() for each in masks] == [400, 400, 0, 400]
    clue = model.clues[1]
    assert (clue.box_xyxy.tolist(), clue.points_xy.tolist(), clue.labels.tolist()) == (
        [15, 25, 45, 55],
        [[44, 54]],
        [0],
    )


def test_a_mask_at_the_picture_s_edge_has_its_point_inside():
    mask = np.zeros((50, 60), bool)
    mask[:40, :20] = True
    clue = of_mask(mask)
    assert clue.box_xyxy.tolist() == [0, 0, 20, 40]
    assert mask[int(clue.points_xy[0, 1]), int(clue.points_xy[0, 0])]
    assert 9 <= clue.points_xy[0, 0] <= 10
    assert of_mask(np.zeros((50, 60), bool)) is None


def test_the_input_is_scaled_normalised_and_padded():
    picture = np.full((30, 60, 3), 255, np.uint8)
    given = square(picture, 128)
    assert given.shape == (1, 3, 128, 128)
    assert given[0, :, 63, 127] == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-3)  # (255 - mean) / deviation
    assert not given[0, :, 64:].any()


KEYS = {
    "encoder": None, "decoder": None, "checkpoint": "random", "size": "base", "follow": "mask", "detector": {},
    "classes": None, "confidence": 0.25, "min_iou": 0.3, "tracker": "bytetrack", "track_buffer": 30, "device": "cpu",
    "precision": {"name": "fp32"}, "seed": 0, "threads": None, "propagate": "forward",
}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"encoder": "e.onnx"}, "model.decoder: missing; with model.encoder= it is the other half of SAM"),
        ({"follow": "box"}, "model.follow: box is not one of mask, detector"),
        ({"follow": "detector", "confidence": 3}, "model.confidence: 3 is not a number from 0 to 1"),
        (
            {},
            "model.checkpoint: it needs transformers, which isn't installed: pip install",
        ),
    ],
)
def test_keys_that_can_not_be_used(monkeypatch, keys, message):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError) as caught:
        sam(**{**KEYS, **keys})
    assert str(caught.value).startswith(message)


def test_onnxruntime_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"model.encoder: needs onnxruntime: pip install 'vidseg\[onnx\]'"):
        OnnxSAM("encoder.onnx", "decoder.onnx")
