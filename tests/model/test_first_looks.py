"""The first mask of a prompt, from several looks at its frame."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from parity import AS_SHIPPED, NANO, NANO_CONFIG, box, nano
from sources import ArraySource, Discs, click

from vidseg import devices
from vidseg.measure import iou
from vidseg.model.nano.first_looks import FirstLooks
from vidseg.model.nano.predictor import NanoPredictor
from vidseg.model.nano.window import Window
from vidseg.model.sam2.checkpoint import load
from vidseg.model.sam2.engine import Engine, MaskOptions
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.upstream import build
from vidseg.types import RGB, Logits, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

DISCS = Discs(1, [(90.0, 60.0, 0.0, 0.0), (200.0, 90.0, 0.0, 0.0)], radius=24)
AROUND_ONE = (66, 36, 114, 84)


@functools.cache
def engine() -> Engine:
    """nano as shipped, but for the window, which first looks don't ask for."""
    keys = {key: value for key, value in AS_SHIPPED.items() if key != "zoom"}
    predictor = build(NanoPredictor, NANO_CONFIG, None, 0, keys)
    load(predictor, NANO)
    return Engine(predictor, torch.device("cpu"), devices.FP32, Plain(), MaskOptions())


@pytest.mark.parametrize(
    ("prompt", "mirrored"),
    [
        (click(0, 1, (90, 60, 1)), lambda width: click(0, 1, (width - 1 - 90, 60, 1))),
        (box(0, 1, *AROUND_ONE), lambda width: box(0, 1, width - 114, 36, width - 66, 84)),
    ],
    ids=["click", "box"],
)
def test_a_mirrored_picture_has_the_mirrored_mask(prompt: Prompt, mirrored: Callable[[int], Prompt]) -> None:
    rgb_hw3 = DISCS[0].rgb_hw3
    flipped_hw3 = np.ascontiguousarray(rgb_hw3[:, ::-1])
    one = FirstLooks(engine(), DISCS, 0, rgb_hw3).logits([prompt]) > 0
    other = FirstLooks(engine(), DISCS, 0, flipped_hw3).logits([mirrored(rgb_hw3.shape[1])]) > 0
    assert iou(one, DISCS.truth(0) == 1) > 0.85
    assert iou(other[:, ::-1], one) > 0.995


def window(left: int, top: int, width: int, height: int) -> Window:
    return Window(width, height, left, top, 200, 100)


class Told(FirstLooks):
    """Looks that see what they are told to: a rectangle of logits by the window's width and whether it is mirrored."""

    def __init__(self, seen: dict[tuple[int, bool], tuple[tuple[int, int, int, int], float]]) -> None:
        rgb_hw3: RGB = np.zeros((100, 200, 3), np.uint8)
        no_model: Any = SimpleNamespace(options=MaskOptions())
        super().__init__(no_model, ArraySource(rgb_hw3[None]), 0, rgb_hw3)
        self.asked: list[tuple[Window, bool, int]] = []
        self._told = seen

    def _logits(self, view: Window, mirrored: bool, prompts: Sequence[Prompt]) -> Logits:
        self.asked.append((view, mirrored, len(prompts)))
        logits_hw = np.full((100, 200), -2.0, np.float32)
        (left, top, right, below), logit = self._told.get((view.width, mirrored), ((0, 0, 0, 0), 0.0))
        logits_hw[top:below, left:right] = logit
        return logits_hw


def test_a_box_is_looked_at_from_near_a_click_is_not() -> None:
    whole, near, nearer = window(0, 0, 200, 100), window(38, 32, 125, 62), window(69, 47, 62, 31)
    told, around = Told({}), box(0, 1, 75, 50, 125, 75)
    told.logits([click(0, 1, (10, 10, 1)), around])
    views = [(whole, 2), (near, 1), (nearer, 1)]  # what was said before is far from the box
    assert told.asked == [(view, mirrored, said) for view, said in views for mirrored in (False, True)]
    for prompt in (click(0, 1, (100, 60, 1)), replace(around, points_xy=np.zeros((1, 2)), labels=np.zeros(1, int))):
        told = Told({})
        told.logits([prompt])
        assert told.asked == [(whole, False, 1), (whole, True, 1)]
    told = Told({})
    told.logits([box(0, 1, 5, 5, 190, 95)])  # so large that there is nothing nearer
    assert told.asked == [(whole, False, 1), (whole, True, 1)]


def test_looks_whose_masks_agree_with_the_box_count_more() -> None:
    half, all_of_it, around = (75, 50, 100, 75), (75, 50, 125, 75), box(0, 1, 75, 50, 125, 75)
    looks = {(width, mirrored): (half, 6.0) for width in (200, 125) for mirrored in (False, True)}
    told = Told(looks | {(62, False): (all_of_it, 6.0)})
    logits_hw = told.logits([around])
    # Four have half of the box and 1/16 of the weight, one all of it; the last is empty and has none
    assert logits_hw[60, 110] == pytest.approx((6 - 2 * 4 / 16) / (1 + 4 / 16), abs=1e-5)
    assert logits_hw[60, 90] == pytest.approx(6)
    assert logits_hw[10, 10] == pytest.approx(-2)


def test_where_no_look_agrees_there_is_no_mask() -> None:
    assert (Told({}).logits([box(0, 1, 75, 50, 125, 75)]) < 0).all()


def test_a_click_takes_the_mean() -> None:
    told = Told({(200, False): ((75, 50, 100, 75), 6.0)})
    assert told.logits([click(0, 1, (80, 60, 1))])[60, 80] == pytest.approx(2)


def test_one_that_is_not_found_costs_others_nothing() -> None:
    """A click that finds nothing stays a click; what a box gave is used, in the whole picture."""
    model = nano(**AS_SHIPPED)
    nothing = Prompt(0, 2, mask_hw=np.zeros(DISCS.truth(0).shape, bool))
    alone, beside = (
        next(iter(model.track(DISCS, [box(0, 1, *AROUND_ONE), *others])))[1].masks_nhw[0] for others in ((), (nothing,))
    )
    assert iou(alone, beside) > 0.85
    assert iou(beside, DISCS.truth(0) == 1) > 0.85


def test_objects_that_exclude_each_other_share_no_pixel() -> None:
    overlapping = [box(0, 1, *AROUND_ONE), box(0, 2, 70, 36, 118, 84)]
    for exclusive in (False, True):
        model = nano(**AS_SHIPPED, non_overlap_masks=exclusive)
        masks = next(iter(model.track(DISCS, overlapping)))[1].masks_nhw
        assert (masks[0] & masks[1]).any() != exclusive
        assert (masks[0] | masks[1]).sum() > 1000
