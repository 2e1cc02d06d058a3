"""int8: exact in its layers, near the masks of float32, and refused where it can't run."""

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import exact_int8
import numpy as np
import pytest
from parity import BF16, CLICK, NANO, NANO_CONFIG, build
from sources import ArraySource, moving_squares

from vidseg.errors import InputError
from vidseg.model.fast import operators
from vidseg.sample import SampleSource
from vidseg.types import FrameMasks, Prompt, Source

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_layer_is_exact_on_this_processor() -> None:
    assert exact_int8.relative_error() < 1e-6


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_a_layer_is_exact_without_vnni_whose_sums_saturate(instructions: str) -> None:
    """On other processors than x86 oneDNN ignores the variable."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
    command = [sys.executable, exact_int8.__file__]
    limit, error = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert float(error) < 1e-6
    assert limit == "63" or platform.machine() not in ("x86_64", "AMD64")


def both(source: Source, prompts: Sequence[Prompt], **model: Any) -> list[list[FrameMasks]]:
    return [
        [masks for _, masks in build(exact=False, quantize=quantize, **model).track(source, prompts)]
        for quantize in (None, "int8")
    ]


def test_masks_of_trained_weights_are_nearly_the_same() -> None:
    clip = SampleSource(0, frames=range(0, 90, 10))
    plain, rounded = both(clip, clip.prompts, config=NANO_CONFIG, checkpoint=NANO, image_size=None)
    pairs = [(a.masks_nhw, b.masks_nhw) for a, b in zip(plain, rounded, strict=True)]
    assert np.mean([np.count_nonzero(a & b) / np.count_nonzero(a | b) for a, b in pairs]) > 0.97  # 0.999 on 30 frames
    assert any(not np.array_equal(a.logits_nhw, b.logits_nhw) for a, b in zip(plain, rounded, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("limit", [operators.int8_limit(), 63])
def test_hiera_in_int8_is_near_float32(
    limit: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operators, "int8_limit", lambda: limit)
    with caplog.at_level(logging.WARNING, "vidseg"):
        plain, rounded = both(ArraySource(moving_squares(5)), [CLICK], image_size=128)
    assert len([message for message in caplog.messages if "7 bits" in message]) == (limit == 63)
    a, b = (np.stack([masks.logits_nhw for masks in run]) for run in (plain, rounded))
    assert 0 < np.abs(a - b).max() < 0.2 * a.std()
    assert np.mean((a > 0) != (b > 0)) < 0.02


def test_the_run_says_what_it_computed_in() -> None:
    assert build(image_size=64, exact=False, quantize="int8").precision == "int8"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int4"}, "int4 is not one of null, int8"),
        ({"quantize": "int8", "exact": True}, r"not together with model\.exact"),
        ({"quantize": "int8", "compile": True}, r"not together with model\.compile"),
        ({"quantize": "int8", "precision": BF16}, "it needs device=cpu precision=fp32"),
    ],
)
def test_where_it_cannot_be_it_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**{"image_size": 64, "exact": False, **options})


def test_a_torch_without_onednn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "int8_limit", lambda: None)
    with pytest.raises(InputError, match=r"model\.quantize: int8 needs a torch with oneDNN"):
        build(image_size=64, exact=False, quantize="int8")
