"""Several frames at once, a step ahead, and masks that stay on the device: what a GPU is given, proven on a CPU."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity import CLICK, box, build, check, first_frames, mask, propagate, read, upstream
from sources import ArraySource, moving_squares

from vidseg.composite import label_map, overlay
from vidseg.errors import InputError
from vidseg.model.shown import Fetched
from vidseg.model.stream import chunks, one_behind
from vidseg.types import Frame, FrameMasks

pytestmark = pytest.mark.usefixtures("one_thread")


def failing(items: list[Any]) -> Any:
    yield from items
    raise OSError("the reader failed")


def test_chunks_hold_everything_in_order_also_before_an_error() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
    parts = chunks(failing([0, 1, 2, 3]), 3)
    assert [next(parts), next(parts)] == [[0, 1, 2], [3]]
    with pytest.raises(OSError, match="the reader failed"):
        next(parts)


def test_the_next_step_is_begun_before_the_former_is_handed_out() -> None:
    told: list[str] = []

    def steps() -> Any:
        for number in range(3):
            told.append(f"begin {number}")
            yield number, partial(told.append, f"finish {number}")

    for number, _ in one_behind(steps()):
        told.append(f"use {number}")
    assert told == [
        *("begin 0", "finish 0", "begin 1", "use 0"),
        *("finish 1", "begin 2", "use 1"),
        *("finish 2", "use 2"),
    ]
    late = one_behind(failing([(0, lambda: "masks")]))
    assert next(late) == (0, "masks")
    with pytest.raises(OSError, match="the reader failed"):
        next(late)


def test_several_frames_through_the_encoder_at_once_are_upstreams_logits(jpegs: Path, tmp_path: Path) -> None:
    prompts = [CLICK, mask(0, 2), box(0, 3, 20, 10, 60, 60)]
    folder = first_frames(jpegs, tmp_path, 6)
    theirs = propagate(upstream("2.1"), folder, prompts, range(6))
    model = build(exact=False, encoder_batch=4)
    model._gpu = True  # a step ahead of the consumer, too
    model._image = partial(build()._image)  # type: ignore[method-assign]  # pinned memory needs a GPU
    sizes: list[int] = []
    original = model._predictor.forward_image
    model._predictor.forward_image = lambda batch: sizes.append(len(batch)) or original(batch)
    ours = [masks for _, masks in model.track(ArraySource(read(folder)), prompts)]
    check(ours, theirs, prompts, tolerance=1e-4)
    assert sizes == [1, 4, 4]  # the prompted frame, four, and the last two filled up


def test_a_failing_reader_loses_no_frame_of_a_chunk() -> None:
    pairs = build(image_size=64, exact=False, encoder_batch=4).track(
        ArraySource(moving_squares(8), fails_at=6), [CLICK]
    )
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, masks in pairs:
            seen.append(masks.frame_index == frame.index)
    assert seen == [True] * 6


@pytest.mark.parametrize(("exact", "frames"), [(False, 0), (True, 2), (False, "two")])
def test_an_encoder_batch_that_makes_no_sense_is_refused(exact: bool, frames: Any) -> None:
    with pytest.raises(InputError, match=rf"model\.encoder_batch: {frames}"):
        build(image_size=64, exact=exact, encoder_batch=frames)


@pytest.mark.parametrize("objects", [1, 3])
def test_masks_from_a_device_are_those_of_their_logits(objects: int) -> None:
    logits_nhw = torch.randn(objects, 40, 60, generator=torch.Generator().manual_seed(objects)).round(decimals=1)
    logits_nhw[-1, :20] = logits_nhw[0, :20]  # equals: the first is on top
    ids, scores = (2, 7, 9)[:objects], (0.5, None, 0.1)[:objects]
    plain = FrameMasks(4, ids, logits_nhw.numpy(), scores)
    fetched = Fetched(4, ids, logits_nhw, scores)
    assert (fetched.frame_index, fetched.object_ids, fetched.scores) == (4, ids, scores)
    assert fetched.masks_nhw.dtype == bool
    assert np.array_equal(fetched.masks_nhw, plain.masks_nhw)
    assert np.array_equal(fetched.logits_nhw, plain.logits_nhw)
    assert np.array_equal(label_map(fetched), label_map(plain))
    picture = Frame(4, 0.0, np.full((40, 60, 3), 99, np.uint8))
    assert np.array_equal(overlay(picture, fetched, ids=True), overlay(picture, plain, ids=True))
