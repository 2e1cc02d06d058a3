"""Upstream's own predictor on the same frames and weights: what the engine is compared with."""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from sam2.build_sam import build_sam2_video_predictor
from sources import moving_squares

from vidseg.model.sam2 import SAM2
from vidseg.types import FrameMasks, Prompt

SIZE = int(os.environ.get("VIDSEG_PARITY_SIZE", "256"))  # make parity: 1024
CONFIGS = {"2.1": "configs/sam2.1/sam2.1_hiera_t.yaml", "2": "configs/sam2/sam2_hiera_t.yaml"}
SEEDS = {"2.1": 2, "2": 1}  # of weights that find something: masks with both signs on every frame
_NANO = yaml.safe_load((Path(__file__).parents[1] / "conf/model/nano.yaml").read_text())
NANO = str(_NANO["checkpoint"])
_OWN = ("memory_stride", "prompted_weight", "upsample", "mask_threshold", "colour_weight", "box_fit", "zoom")
AS_SHIPPED = {key: _NANO[key] for key in _OWN}
FP32 = {"name": "fp32", "autocast": None, "tf32": False}


def build(version: str = "2.1", **changes: Any) -> SAM2:
    chosen = {"checkpoint": "random", "device": "cpu", "precision": FP32, "image_size": SIZE, "exact": True}
    chosen["fill_hole_area"] = 0
    return SAM2(**{"config": CONFIGS[version], "seed": SEEDS[version], **chosen, **changes})


def nano(device: str = "cpu", **options: Any) -> SAM2:
    """The weights in the package; ``AS_SHIPPED`` are the options that ``model=nano`` has."""
    own = {"config": "model/nano.yaml", "checkpoint": NANO, "image_size": None, "fill_hole_area": 8, "exact": False}
    return build(**{**own, **options}, device=device)


@functools.cache
def segmenter(version: str = "2.1", image_size: int = SIZE) -> SAM2:
    return build(version, image_size=image_size)


@functools.cache
def predictor(version: str, image_size: int = SIZE, device: str = "cpu") -> Any:
    """The package's own predictor from its own builder, with the weights that ``segmenter`` draws."""
    GlobalHydra.instance().clear()
    with initialize_config_module("sam2", version_base="1.2"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEEDS[version])
        size = [f"++model.image_size={image_size}"]
        return build_sam2_video_predictor(CONFIGS[version], device=device, hydra_overrides_extra=size)


def upstream(
    version: str, non_overlap_masks: bool = False, fill_hole_area: int = 0, image_size: int = SIZE, device: str = "cpu"
) -> Any:
    shared = predictor(version, image_size, device)
    shared.fill_hole_area = fill_hole_area  # its builder lets nobody choose it
    shared.non_overlap_masks = non_overlap_masks
    return shared


def read(folder: Path) -> np.ndarray:
    return np.stack([np.array(Image.open(path)) for path in sorted(folder.glob("*.jpg"))])


def point(frame: int, object_id: int, *xy_label: tuple[float, float, int]) -> Prompt:
    values = np.array(xy_label, np.float32)
    return Prompt(frame, object_id, points_xy=values[:, :2], labels=values[:, 2].astype(np.int32))


def box(frame: int, object_id: int, *xyxy: float) -> Prompt:
    return Prompt(frame, object_id, box_xyxy=np.array(xyxy, np.float32))


def mask(frame: int, object_id: int) -> Prompt:
    mask_hw = np.zeros((120, 200), bool)
    mask_hw[40:80, 65:105] = True
    return Prompt(frame, object_id, mask_hw=mask_hw)


BOX_AND_POINTS = Prompt(
    0,
    1,
    points_xy=np.array([[35, 30], [90, 90]], np.float32),
    labels=np.array([1, 0], np.int32),
    box_xyxy=np.array([15, 10, 55, 50], np.float32),
)


Expected = dict[int, dict[int, tuple[torch.Tensor, float]]]


def propagate(
    predictor: Any, folder: Path, prompts: Sequence[Prompt], positions: Sequence[int], both: bool = False,
    corrections: Sequence[Prompt] = (),
) -> Expected:  # fmt: skip
    """Upstream, used as its notebook does: {position: {object: (logits (h, w), score)}}; of two answers the second.

    ``corrections`` are added when everything has been tracked forward once, and it is tracked once more.
    """
    state = predictor.init_state(str(folder))
    expected = _round(predictor, state, prompts, positions, both and not corrections)
    if corrections:
        predictor.add_all_frames_to_correct_as_cond = True
        before, expected = expected, _round(predictor, state, corrections, positions, both)
        predictor.add_all_frames_to_correct_as_cond = False
        last = max(expected)
        for object_id in {prompt.object_id for prompt in corrections}:  # or nothing would be shown
            assert not torch.equal(before[last][object_id][0], expected[last][object_id][0])
    return expected


def _round(predictor: Any, state: Any, prompts: Sequence[Prompt], positions: Sequence[int], both: bool) -> Expected:
    for prompt in prompts:
        where = {"frame_idx": positions.index(prompt.frame_index), "obj_id": prompt.object_id}
        if prompt.mask_hw is not None:
            predictor.add_new_mask(state, **where, mask=prompt.mask_hw)
        else:
            predictor.add_new_points_or_box(
                state, **where, points=prompt.points_xy, labels=prompt.labels, box=prompt.box_xyxy
            )
    expected: Expected = {}
    for reverse in (False, True) if both else (False,):
        for position, ids, logits_n1hw in predictor.propagate_in_video(state, reverse=reverse):
            for index, object_id in enumerate(ids):
                outputs = state["output_dict_per_obj"][index]
                output = {**outputs["non_cond_frame_outputs"], **outputs["cond_frame_outputs"]}[position]
                score = torch.sigmoid(output["object_score_logits"].float()).item()
                expected.setdefault(position, {})[object_id] = (logits_n1hw[index, 0].float().cpu(), score)
    return expected


@contextmanager
def float_memories(predictor: Any) -> Iterator[Any]:
    """Upstream with a cast without which it fails on objects that are prompted later (bfloat16 meets float32)."""
    cast = predictor.memory_attention.register_forward_pre_hook(
        lambda _, args, kwargs: (args, {**kwargs, "memory": kwargs["memory"].float()}), with_kwargs=True
    )
    yield predictor
    cast.remove()


def check(
    ours: Sequence[FrameMasks], theirs: Expected, prompts: Sequence[Prompt], step: int = 1,
    tolerance: float = 0.0, both: bool = False,
) -> None:  # fmt: skip
    """All logits equal, or no further apart than ``tolerance`` times the deviation of upstream's."""
    ids = tuple(sorted({prompt.object_id for prompt in prompts}))
    first = {i: 0 if both else min(prompt.frame_index for prompt in prompts if prompt.object_id == i) for i in ids}
    deviation = torch.stack([logits for frame in theirs.values() for logits, _ in frame.values()]).std().item()
    assert [masks.frame_index for masks in ours] == [step * position for position in range(len(ours))]
    for position, masks in enumerate(ours):
        assert masks.object_ids == ids
        assert masks.scores is not None
        for object_id, logits_hw, score in zip(ids, masks.logits_nhw, masks.scores, strict=True):
            if masks.frame_index < first[object_id]:
                assert np.all(logits_hw == -1024)
                assert score is None
                continue
            expected_hw, expected_score = theirs[position][object_id]
            apart = (torch.from_numpy(logits_hw) - expected_hw).abs().max().item()
            assert apart <= tolerance * deviation, f"frame {position}, object {object_id}: {apart / deviation:.1e}"
            assert score == pytest.approx(expected_score, abs=tolerance)
    shown = np.concatenate([masks.logits_nhw[masks.logits_nhw > -1024] for masks in ours])
    assert shown.std() > 0.01  # pictures were compared, not constants
    assert 0.02 < np.mean(shown > 0) < 0.98


class Whole:
    """Keeps masks as they are, where the product keeps RLE: so that their logits can be compared."""

    def __init__(self, masks: FrameMasks) -> None:
        self._masks = FrameMasks(masks.frame_index, masks.object_ids, masks.logits_nhw, masks.scores)

    of = classmethod(lambda cls, masks: cls(masks))

    def masks(self, frame_index: int) -> FrameMasks:
        assert frame_index == self._masks.frame_index
        return self._masks


CLICK = point(0, 1, (35, 30, 1))


def first_frames(jpegs: Path, folder: Path, num_frames: int, step: int = 1) -> Path:
    for path in sorted(jpegs.iterdir())[: num_frames * step : step]:
        (folder / path.name).symlink_to(path)
    return folder


def write_jpegs(folder: Path, num_frames: int) -> Path:
    """A folder as upstream reads it: frames of three moving squares."""
    for index, rgb_hw3 in enumerate(moving_squares(num_frames)):
        Image.fromarray(rgb_hw3).save(folder / f"{index:05d}.jpg", quality=95)
    return folder
