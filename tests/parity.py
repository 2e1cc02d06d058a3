"""Upstream's own predictor on the same frames and weights, what the engine is compared with; and models to compare.

``CASES`` are videos, prompts and engines that must agree with upstream; its answers are computed once in a process.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from sam2.build_sam import build_sam2_video_predictor
from sources import ArraySource, moving_squares

from vidseg import devices
from vidseg.devices import Precision
from vidseg.model import build as builders
from vidseg.model.fast.accelerate import Fast
from vidseg.model.sam2.engine import MaskOptions
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.segmenter import SAM2, Weights
from vidseg.model.sam2.upstream import Predictor
from vidseg.model.sam2.view import NewViews, Views
from vidseg.types import Frame, FrameMasks, Prompt

SIZE = int(os.environ.get("VIDSEG_PARITY_SIZE", "128"))  # make parity: 1024, what the models learnt
LARGE = SIZE > 256  # a frame takes seconds: fewer cases
# Of the logits' deviation: how far other orders of the same sums may be from upstream. Memories are bfloat16, in which
# the last bit of a sum can flip one of 256 steps: 1.3e-4 with AVX2 alone, under 1e-4 with AVX-512.
NEAR = 3e-4
CONFIGS = {"2.1": "configs/sam2.1/sam2.1_hiera_t.yaml", "2": "configs/sam2/sam2_hiera_t.yaml"}
SEEDS = {"2.1": 2, "2": 1}  # of weights that find something: masks with both signs on every frame
NANO_CONFIG = "model/nano/nano.yaml"
_NANO = yaml.safe_load((Path(__file__).parents[1] / "conf/model/nano.yaml").read_text())
NANO = str(_NANO["checkpoint"])
SWITCHED_OFF: dict[str, Any] = {
    "memory_stride": 1, "upsample": "bilinear", "mask_threshold": 0.0, "colour_weight": 0.0, "box_fit": None,
    "obey_points": False, "zoom": None,
}  # fmt: skip
AS_SHIPPED = {key: _NANO[key] for key in SWITCHED_OFF}
FP32 = {"name": "fp32", "autocast": None, "tf32": False}
BF16 = {"name": "bf16", "autocast": "bfloat16", "tf32": True}


def build(version: str = "2.1", **changes: Any) -> SAM2:
    """As conf/model builds it, with random weights; with nano's keys if any is given, the others switched off."""
    keys: dict[str, Any] = {"config": CONFIGS[version], "seed": SEEDS[version], "checkpoint": "random"}
    keys |= {"device": "cpu", "precision": FP32, "image_size": SIZE, "fill_hole_area": 0, "exact": True, **changes}
    return builders.nano(**{**SWITCHED_OFF, **keys}) if keys.keys() & SWITCHED_OFF.keys() else builders.sam2(**keys)


def nano(device: str = "cpu", **options: Any) -> SAM2:
    """The weights in the package, without nano's options; ``AS_SHIPPED`` are those that ``model=nano`` has."""
    own = {"config": NANO_CONFIG, "checkpoint": NANO, "image_size": None, "fill_hole_area": 8, "exact": False}
    return build(**{**own, **options}, device=device)


def assemble(
    speed: Plain | None = None, version: str = "2.1", *, image_size: int = SIZE, precision: Precision = devices.FP32,
    predictor: type[Predictor] = Predictor, views: NewViews = Views, keys: dict[str, Any] | None = None,
    **options: Any,
) -> SAM2:  # fmt: skip
    """The same random weights in what is given by parts; ``keys`` are the predictor's, ``options`` MaskOptions'."""
    weights = Weights(CONFIGS[version], "random", SEEDS[version], image_size, predictor, keys or {})
    return SAM2(weights, MaskOptions(**{"fill_hole_area": 0, **options}), "cpu", precision, speed, views)


class KeptPlain(Plain):
    """Keeps the predictor, for what is counted or replaced in it."""

    predictor: Any

    def prepare(self, predictor: Any) -> None:
        super().prepare(predictor)
        self.predictor = predictor


class KeptFast(Fast):
    """The same of ``Fast``."""

    predictor: Any

    def prepare(self, predictor: Any) -> None:
        super().prepare(predictor)
        self.predictor = predictor


ENGINES: dict[str, Callable[..., SAM2]] = {
    "plain": lambda version, **keys: assemble(Plain(), version, **keys),
    "exact": lambda version, **keys: build(version, exact=True, **keys),
    "fast": lambda version, **keys: build(version, exact=False, **keys),
}
"""Upstream's arithmetic one thing after another; the same with what changes no bit; and as it runs by default."""


@lru_cache(maxsize=8)
def segmenter(engine: str = "exact", version: str = "2.1", image_size: int = SIZE, propagate: str = "forward") -> SAM2:
    """One of ``ENGINES``, shared: for tests that change nothing in it."""
    return ENGINES[engine](version, image_size=image_size, propagate=propagate)


@lru_cache(maxsize=4)
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


def point(frame: int, object_id: int, *xy_label: tuple[float, float, int]) -> Prompt:
    values = np.array(xy_label, np.float32)
    return Prompt(frame, object_id, points_xy=values[:, :2], labels=values[:, 2].astype(np.int32))


def box(frame: int, object_id: int, *xyxy: float) -> Prompt:
    return Prompt(frame, object_id, box_xyxy=np.array(xyxy, np.float32))


def mask(frame: int, object_id: int) -> Prompt:
    mask_hw = np.zeros((120, 200), bool)
    mask_hw[40:80, 65:105] = True
    return Prompt(frame, object_id, mask_hw=mask_hw)


CLICK = point(0, 1, (35, 30, 1))
BOX_AND_POINTS = Prompt(
    0,
    1,
    points_xy=np.array([[35, 30], [90, 90]], np.float32),
    labels=np.array([1, 0], np.int32),
    box_xyxy=np.array([15, 10, 55, 50], np.float32),
)
THREE = (point(0, 9, (35, 30, 1)), box(0, 2, 65, 35, 105, 75), mask(0, 5))


@dataclass(frozen=True)
class Case:
    """``corrections`` are given after upstream's first round. ``large`` are the engines at 1024 pixels."""

    num_frames: int
    prompts: tuple[Prompt, ...]
    engines: tuple[str, ...]
    large: tuple[str, ...] = ()
    corrections: tuple[Prompt, ...] = ()
    both: bool = False
    version: str = "2.1"


CASES = {
    # Frame 16 attends to the pointers of 15 frames before it and of the prompted one: not to all
    "points, past 16 frames": Case(
        17, (point(0, 1, (35, 30, 1), (90, 90, 0)),), ("plain", "exact", "fast"), ("exact", "fast")
    ),
    "SAM 2": Case(4, (CLICK,), ("plain", "fast"), ("plain", "fast"), version="2"),
    "three objects": Case(3, THREE, ("plain", "exact", "fast"), ("plain", "fast")),
    "eight objects": Case(2, tuple(point(0, n, (25 + 20 * n, 30 + 8 * n, 1)) for n in range(1, 9)), ("fast",)),
    "box and points": Case(2, (BOX_AND_POINTS,), ("exact",), ("exact",)),
    "prompted anew, later frame first": Case(
        7, (mask(3, 1), CLICK, point(0, 1, (35, 30, 1), (60, 60, 0)), box(5, 1, 20, 10, 60, 60)), ("plain",)
    ),
    "two objects, one of them anew": Case(6, (mask(3, 1), CLICK, box(4, 1, 20, 10, 60, 60), mask(0, 2)), ("fast",)),
    "first prompt mid-clip": Case(5, (point(2, 1, (35, 30, 1)),), ("plain", "exact"), ("exact",)),
    "one frame": Case(1, (box(0, 1, 15, 10, 55, 50),), ("plain",), ("plain",)),
    "points beside a mask": Case(5, (CLICK, mask(2, 1), point(2, 1, (60, 60, 0))), ("exact",)),  # correct nothing
    "corrected past 16 frames": Case(19, (CLICK,), ("plain",), (), (point(17, 1, (60, 60, 1), (100, 100, 0)),)),
    "one of a batch corrected": Case(
        5, (mask(0, 3), CLICK, box(0, 2, 65, 35, 105, 75)), ("exact", "fast"), (), (point(3, 2, (90, 60, 0)),)
    ),
    # It is tracked from the first prompt of the other one on
    "the later of two objects corrected": Case(
        6, (point(1, 1, (35, 30, 1)), mask(2, 2)), ("exact", "fast"), (), (point(4, 2, (60, 60, 1)),)
    ),
    "two objects corrected, both ways": Case(
        6, (point(1, 1, (35, 30, 1)), mask(2, 2), box(2, 1, 15, 10, 60, 60)), ("plain", "exact"), ("exact", "fast"),
        (point(4, 2, (60, 60, 1)), point(3, 1, (45, 40, 1), (120, 90, 0)), point(4, 1, (30, 20, 0))), both=True,
    ),
    "both ways, past 16 frames": Case(19, (point(17, 1, (60, 45, 1)),), ("exact",), both=True),
    # On the way back frame 0 attends to frames up to 15; 16 and 17 are tracked after it, when the video is played
    "both ways, on after the window": Case(18, (point(1, 1, (60, 45, 1)),), ("plain",), both=True),
    "both ways, two frames": Case(5, (point(1, 1, (35, 30, 1)), mask(3, 2)), ("plain", "fast"), both=True),
    "both ways from the first frame": Case(2, (CLICK,), ("exact",), both=True),
}  # fmt: skip


def cases(*engines: str) -> list[tuple[str, str]]:
    """Names of the cases with each of ``engines`` that they run in at this size."""
    runs = {name: case.large if LARGE else case.engines for name, case in CASES.items()}
    return [(name, engine) for name, own in runs.items() for engine in own if engine in engines]


@cache
def read(folder: Path) -> np.ndarray:
    return np.stack([np.array(Image.open(path)) for path in sorted(folder.glob("*.jpg"))])


def ours(model: SAM2, folder: Path, num_frames: int, prompts: Sequence[Prompt]) -> list[FrameMasks]:
    """The masks of the first frames of a folder."""
    return [masks for _, masks in model.track(ArraySource(read(folder)[:num_frames]), prompts)]


def check_case(name: str, engine: str, jpegs: Path) -> None:
    """Compares an engine with upstream: bit by bit, but for the one that runs by default."""
    case = CASES[name]
    model = segmenter(engine, case.version, SIZE, "both" if case.both else "forward")
    masks = ours(model, jpegs, case.num_frames, [*case.corrections, *case.prompts])
    tolerance = NEAR if engine == "fast" else 0.0
    check(masks, _theirs(name, jpegs), case.prompts, tolerance=tolerance, both=case.both)


Expected = dict[int, dict[int, tuple[torch.Tensor, float]]]


@cache
def _theirs(name: str, jpegs: Path) -> Expected:
    case = CASES[name]
    reference = upstream(case.version)
    late = case.both or len({*first_frame_of_objects(case.prompts).values()}) > 1
    with TemporaryDirectory() as folder, float_memories(reference) if late else nullcontext():
        frames = first_frames(jpegs, Path(folder), case.num_frames)
        return propagate(reference, frames, case.prompts, range(case.num_frames), case.both, case.corrections)


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
    first = first_frame_of_objects(prompts)
    deviation = torch.stack([logits for frame in theirs.values() for logits, _ in frame.values()]).std().item()
    assert [masks.frame_index for masks in ours] == [step * position for position in range(len(ours))]
    for position, masks in enumerate(ours):
        assert masks.object_ids == tuple(sorted(first))
        assert masks.scores is not None
        for object_id, logits_hw, score in zip(masks.object_ids, masks.logits_nhw, masks.scores, strict=True):
            if masks.frame_index < first[object_id] and not both:
                assert np.all(logits_hw == -1024)
                assert score is None
                continue
            expected_hw, expected_score = theirs[position][object_id]
            apart = (torch.from_numpy(logits_hw) - expected_hw).abs().max().item()
            assert apart <= tolerance * deviation, f"frame {position}, object {object_id}: {apart / deviation:.1e}"
            assert score is not None
            assert abs(score - expected_score) <= tolerance
    shown = np.concatenate([masks.logits_nhw[masks.logits_nhw > -1024] for masks in ours])
    assert shown.std() > 0.01  # pictures were compared, not constants
    assert 0.02 < np.mean(shown > 0) < 0.98


def first_frame_of_objects(prompts: Sequence[Prompt]) -> dict[int, int]:
    """By object id."""
    first: dict[int, int] = {}
    for prompt in prompts:
        first[prompt.object_id] = min(prompt.frame_index, first.get(prompt.object_id, prompt.frame_index))
    return first


class Whole(dict[int, FrameMasks]):
    """Keeps masks as they are, where the product keeps RLE in a file: so that their logits can be compared."""

    def __init__(self, path: Path | None, going_on: bool, numbers: Sequence[int]) -> None:
        super().__init__()

    def put(self, position: int, frame: Frame, masks: FrameMasks) -> None:
        self[position] = FrameMasks(masks.frame_index, masks.object_ids, masks.logits_nhw, masks.scores)


def first_frames(jpegs: Path, folder: Path, num_frames: int, step: int = 1) -> Path:
    for path in sorted(jpegs.iterdir())[: num_frames * step : step]:
        (folder / path.name).symlink_to(path)
    return folder


def write_jpegs(folder: Path, num_frames: int) -> Path:
    """A folder as upstream reads it: frames of three moving squares."""
    for index, rgb_hw3 in enumerate(moving_squares(num_frames)):
        Image.fromarray(rgb_hw3).save(folder / f"{index:05d}.jpg", quality=95)
    return folder
