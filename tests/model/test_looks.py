"""The first mask of a prompt, from several looks at its frame."""

from dataclasses import replace

import numpy as np
import pytest
from parity import AS_SHIPPED, box, nano
from sources import Discs, click

from vidseg.metric.score import iou
from vidseg.model.encoder import Encoder
from vidseg.model.engine import Pass
from vidseg.model.looks import Looks
from vidseg.model.sam2 import SAM2
from vidseg.types import RGB, Mask, Prompt, Source

pytestmark = pytest.mark.usefixtures("one_thread")

DISCS = Discs(1, [(90.0, 60.0, 0.0, 0.0), (200.0, 90.0, 0.0, 0.0)], radius=24)
AROUND_ONE = (66, 36, 114, 84)


def looked(model: SAM2, rgb_hw3: RGB, source: Source, *prompts: Prompt) -> Mask:
    def new_pass(zoom: float | None) -> Pass:
        return Pass(model._predictor, source, replace(model._options, zoom=zoom), model._computing, False)

    return Looks(0, rgb_hw3, Encoder(model._predictor, model._computing, False), new_pass).mask(prompts)


@pytest.mark.parametrize(
    ("prompt", "mirrored"),
    [
        (click(0, 1, (90, 60, 1)), lambda last: click(0, 1, (last - 90, 60, 1))),
        (box(0, 1, *AROUND_ONE), lambda last: box(0, 1, last - 114, 36, last - 66, 84)),
    ],
    ids=["click", "box"],
)
def test_a_mirrored_picture_has_the_mirrored_mask(prompt, mirrored) -> None:
    rgb_hw3 = DISCS[0].rgb_hw3
    model = nano(**AS_SHIPPED)
    one = looked(model, rgb_hw3, DISCS, prompt)
    other = looked(model, np.ascontiguousarray(rgb_hw3[:, ::-1]), DISCS, mirrored(rgb_hw3.shape[1] - 1))
    assert iou(one, DISCS.truth(0) == 1) > 0.85
    assert iou(other[:, ::-1], one) > 0.995
