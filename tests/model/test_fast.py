"""Frames in batches, a step ahead, and masks that stay on the device: what a GPU is given, proven on a CPU."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import slow_but
from parity import (
    CLICK,
    NEAR,
    KeptFast,
    assemble,
    box,
    build,
    check,
    first_frames,
    mask,
    ours,
    point,
    propagate,
    segmenter,
    upstream,
)
from sources import ArraySource, moving_squares

from vidseg.composite import label_map, overlay
from vidseg.errors import InputError
from vidseg.model.fast import gpu
from vidseg.model.fast.gpu import FetchedMasks
from vidseg.model.sam2.engine import Engine
from vidseg.types import Frame, FrameMasks, Prompt

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Encoding ahead needs several cores, and gives back their number."""
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_several_frames_through_the_encoder_at_once_are_upstreams_logits(jpegs: Path, tmp_path: Path) -> None:
    """A step ahead of the consumer, too."""
    prompts = [CLICK, mask(0, 2)]
    theirs = propagate(upstream("2.1"), first_frames(jpegs, tmp_path, 6), prompts, range(6))
    speed, sizes = KeptFast(encoder_batch=4, asynchronous=True), []
    model = assemble(speed)
    speed.predictor.image_encoder.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    check(ours(model, jpegs, 6, prompts), theirs, prompts, tolerance=NEAR)
    assert sizes == [1, 4, 4]  # the prompted frame, four, and the last two filled up


def test_a_failing_reader_loses_no_frame_of_a_batch() -> None:
    pairs = build(image_size=64, exact=False, encoder_batch=4).track(
        ArraySource(moving_squares(8), fails_at=6), [CLICK]
    )
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, masks in pairs:
            seen.append(masks.frame_index == frame.index)
    assert seen == [True] * 6


@pytest.mark.usefixtures("two_threads")
def test_encoding_ahead_changes_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, seen = moving_squares(4), []
    original = Engine.encode

    def encode(engine: Engine, images: Any, *args: Any) -> Any:
        if images:
            seen.append((threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        return original(engine, images, *args)

    plain = [masks.logits_nhw for _, masks in segmenter("fast", image_size=64).track(ArraySource(frames), [CLICK])]
    monkeypatch.setattr(Engine, "encode", encode)
    model = build(image_size=64, exact=False, encode_ahead=True)
    masks = [masks.logits_nhw for _, masks in model.track(ArraySource(frames), [CLICK])]
    for one, other in zip(masks, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=NEAR * np.std(other))
    assert seen == [(True, 2)] + [(False, 1)] * 4  # the prompted frame comes first


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("two_threads")
def test_encoding_ahead_ends_with_its_reader_and_its_consumer() -> None:
    model = build(image_size=64, exact=False, encode_ahead=True)
    pairs = model.track(ArraySource(moving_squares(8), fails_at=6), [CLICK])
    seen = []
    with pytest.raises(OSError, match="the reader failed"):
        for frame, masks in pairs:
            seen.append(masks.frame_index == frame.index)
    assert seen == [True] * 6
    source = ArraySource(moving_squares(8))
    early = model.track(source, [CLICK])
    next(early)
    early.close()
    assert source.closed
    assert not [each for each in threading.enumerate() if each.name.startswith("vidseg")]


@pytest.mark.parametrize(("exact", "frames"), [(False, 0), (True, 2), (False, "two")])
def test_an_encoder_batch_that_makes_no_sense_is_refused(exact: bool, frames: Any) -> None:
    with pytest.raises(InputError, match=rf"model\.encoder_batch: '?{frames}"):
        build(image_size=64, exact=exact, encoder_batch=frames)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what is copied from the device."""
    told: list[tuple[int, ...]] = []
    original = gpu.begin_copy
    monkeypatch.setattr(gpu, "begin_copy", lambda part: told.append(tuple(part.shape)) or original(part))
    return told


@pytest.mark.parametrize("objects", [1, 3, 300])
def test_masks_from_a_device_are_those_of_their_logits(objects: int, copies: list[tuple[int, ...]]) -> None:
    logits_nhw = torch.randn(objects, 40, 60, generator=torch.Generator().manual_seed(objects)).round(decimals=1)
    logits_nhw[-1, :20] = logits_nhw[0, :20]  # equals: the first is on top
    ids, scores_n = tuple(range(2, 2 + objects)), torch.rand(objects)
    hidden = [number == 1 for number in range(objects)]
    scores = tuple(None if hide else score for score, hide in zip(scores_n.tolist(), hidden, strict=True))
    plain = FrameMasks(4, ids, logits_nhw.numpy(), scores)
    fetched = FetchedMasks(4, ids, logits_nhw, scores_n, hidden)
    on_top = [(40, 60)] if objects == 3 else []  # of one object nothing is on top, and 300 aren't told in a byte
    assert copies == [(objects,), (objects, 40, 60), *on_top]  # bytes: the logits stay until they are asked for
    assert (fetched.frame_index, fetched.object_ids, fetched.scores) == (4, ids, scores)
    assert fetched.masks_nhw.dtype == bool
    assert np.array_equal(fetched.masks_nhw, plain.masks_nhw)
    assert np.array_equal(fetched.logits_nhw, plain.logits_nhw)
    assert np.array_equal(label_map(fetched), label_map(plain))
    picture = Frame(4, 0.0, np.full((40, 60, 3), 99, np.uint8))
    assert np.array_equal(overlay(picture, fetched), overlay(picture, plain))


@pytest.mark.parametrize("propagate", slow_but(["both"], ["forward", "both"]))
def test_a_whole_run_as_on_a_gpu_is_the_hosts(propagate: str) -> None:
    """Several objects, one of them later and before another's id; frames before the first prompt; a portrait."""
    clip_nhw3 = moving_squares(7 if propagate == "forward" else 5, 150, 90)
    square_hw = np.zeros((150, 90), np.bool_)
    square_hw[60:110, 30:80] = True
    prompts = [box(2, 7, 15, 10, 60, 55), Prompt(2, 3, mask_hw=square_hw), point(4, 1, (70, 90, 1))]
    settings = {"image_size": 64, "propagate": propagate, "fill_hole_area": 8}
    host, gpu = build(**settings), build(**settings, asynchronous=True)
    pairs = zip(gpu.track(ArraySource(clip_nhw3), prompts), host.track(ArraySource(clip_nhw3), prompts), strict=True)
    kinds = []
    for (frame, masks), (_, theirs) in pairs:
        kinds.append(type(masks))
        assert (masks.frame_index, masks.object_ids, masks.scores) == (frame.index, theirs.object_ids, theirs.scores)
        assert np.array_equal(masks.masks_nhw, theirs.masks_nhw)
        assert np.array_equal(masks.logits_nhw, theirs.logits_nhw)
        assert np.array_equal(label_map(masks), label_map(theirs))
    # Empty before the first prompt, or kept from the way back, which reaches 16 frames past the prompt
    kept = 2 if propagate == "forward" else len(clip_nhw3)
    assert kinds == [FrameMasks] * kept + [FetchedMasks] * (len(clip_nhw3) - kept)
