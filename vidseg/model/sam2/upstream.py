"""The package sam2: imported, subclassed and built here, and nowhere else. Knows no videos and no checkpoints.

``import sam2`` initialises Hydra for itself where Hydra isn't running; that is undone, so that a command or a notebook
can still use Hydra. Its builder composes through Hydra too and can't run inside a Hydra job: ``build`` reads the same
YAML and sets the same keys.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.utils import instantiate
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

from vidseg.errors import InputError
from vidseg.paths import meant


@contextmanager
def _hydra_untouched() -> Iterator[None]:
    """Leaves Hydra as it was: not initialised, and at the version its user asked for."""
    initialized, version = GlobalHydra.instance().is_initialized(), VersionBase.instance().version_base
    try:
        yield
    finally:
        if not initialized:
            GlobalHydra.instance().clear()
        VersionBase.instance().version_base = version


with _hydra_untouched():
    from sam2.modeling.backbones.hieradet import Hiera as Hiera
    from sam2.modeling.backbones.hieradet import MultiScaleBlock as MultiScaleBlock
    from sam2.modeling.backbones.hieradet import do_pool as do_pool
    from sam2.modeling.backbones.utils import PatchEmbed as PatchEmbed
    from sam2.modeling.memory_attention import MemoryAttentionLayer as MemoryAttentionLayer
    from sam2.modeling.position_encoding import PositionEmbeddingSine as PositionEmbeddingSine
    from sam2.modeling.sam.transformer import RoPEAttention as RoPEAttention
    from sam2.modeling.sam2_base import NO_OBJ_SCORE as NO_OBJ_SCORE
    from sam2.modeling.sam2_utils import MLP as MLP
    from sam2.sam2_video_predictor import SAM2VideoPredictor as SAM2VideoPredictor

# sam2/build_sam.py sets these on every video predictor. Without them 1 to 4% of the pixels change from frame 1 on.
# Filling holes is the caller's: sam2's own needs a compiled extension that its wheels lack. Corrected frames are
# conditioning frames, as in sam2's training and demo: its predictor's default is to track over them (719, 731 there).
_KEYS = {
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
    "binarize_mask_from_pts_for_mem_enc": True,
    "fill_hole_area": 0,
    "add_all_frames_to_correct_as_cond": True,
}


FrameOutput = dict[str, Any]
"""What ``_run_single_frame_inference`` returns of a frame: tensors with a row an object, lists of them, or None."""


class Predictor(SAM2VideoPredictor):  # type: ignore[misc]  # sam2 has no types
    """Upstream's predictor, with names for what a subclass may do otherwise; ``keys`` are those of upstream's YAML."""

    needs_image = False  # whether `at_video_size` reads the frame that the model was given

    def __init__(self, **keys: Any) -> None:
        super().__init__(**keys)
        self.memory_attention.register_forward_pre_hook(_float_memory, with_kwargs=True)

    def begin(self, num_frames: int, height: int, width: int) -> dict[str, Any]:
        """What ``init_state`` makes of a video of ``height`` by ``width`` pixels, without its frames.

        A frame and its features are put into ``cached_features`` while it is worked on.
        """
        mappings = (
            *("images", "point_inputs_per_obj", "mask_inputs_per_obj", "cached_features", "constants"),
            *("output_dict_per_obj", "temp_output_dict_per_obj", "frames_tracked_per_obj"),
        )
        state: dict[str, Any] = {key: {} for key in mappings}
        state |= {"num_frames": num_frames, "video_height": height, "video_width": width}
        state |= {"device": self.device, "storage_device": self.device}
        state |= {"offload_video_to_cpu": True, "offload_state_to_cpu": False}
        return state | {"obj_id_to_idx": OrderedDict(), "obj_idx_to_id": OrderedDict(), "obj_ids": []}

    def remembers(self, position: int) -> bool:
        """Whether the frame tracked at ``position`` becomes a memory."""
        return True

    def mask_logits(self, output: FrameOutput) -> Tensor:
        """The logits (n, 1, h, w), at a quarter of the input's size, above 0 where a frame's masks are."""
        logits: Tensor = output["pred_masks"]
        return logits

    def without_overlap(self, logits_n1hw: Tensor) -> Tensor:
        """Logits of which each pixel is above 0 in its best object's only; among equals the first keeps it."""
        exclusive: Tensor = self._apply_non_overlapping_constraints(logits_n1hw)
        return exclusive

    def at_video_size(self, logits_n1hw: Tensor, image_13hw: Tensor | None, height: int, width: int) -> Tensor:
        """Mask logits at the video's size, (n, 1, ``height``, ``width``); ``image_13hw`` if ``needs_image``."""
        state = {"device": logits_n1hw.device, "video_height": height, "video_width": width}
        resized: Tensor = self._get_orig_video_res_output(state, logits_n1hw)[1]
        return resized


def _float_memory(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Memories are kept in bfloat16, and become float32 when joined with object pointers.

    Where there is no pointer yet (an object that is prompted later only) sam2 fails without autocast for want of this
    cast (its issues 308 and 577); elsewhere it changes nothing.
    """
    return args, {**kwargs, "memory": kwargs["memory"].float()}


def build(
    predictor: type[Predictor], config: str, image_size: int | None, seed: int, keys: Mapping[str, Any]
) -> Predictor:
    """A ``predictor`` on the CPU in eval mode, its weights drawn from ``seed``.

    - ``config``: a path inside the package sam2 (configs/sam2.1/sam2.1_hiera_t.yaml) or vidseg, or of a YAML file.
    - ``image_size``: the side in pixels of the square that frames are resized to, a multiple of 32; None: the config's.
    - ``keys``: more keys for the predictor, beside those in the config.

    Raises InputError if any can't be used. Neither Hydra's nor torch's global state changes.
    """
    model = _read(config)
    model._target_ = f"{predictor.__module__}.{predictor.__qualname__}"
    model.merge_with(_KEYS, keys)
    if image_size is not None:
        model.image_size = image_size
    size = model.get("image_size", 512)
    # 4 pixels a patch, and positions that repeat in windows of 8 patches (sam2/modeling/backbones/hieradet.py)
    if not isinstance(size, int) or size < 32 or size % 32:
        raise InputError(f"model.image_size: {size}; a positive multiple of 32 (1024 is what the models learnt)")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            built: Predictor = instantiate(model)
        except HydraException as error:
            if isinstance(error.__cause__, InputError):
                raise error.__cause__ from None
            raise InputError(f"model.config: {config} can't be built: {str(error).splitlines()[0]}") from error
    built.eval()
    return built


def _read(config: str) -> DictConfig:
    """The key ``model`` of a YAML file, resolved."""
    package = Path(str(files("sam2")))
    candidates = [package / config, Path(str(files("vidseg"))) / config, meant(config)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        own = ", ".join(
            str(path.relative_to(package)) for path in sorted(package.glob("configs/*/sam2*_hiera_[tsbl]*.yaml"))
        )
        raise InputError(f"model.config: {config} does not exist; give a YAML file or one of sam2's: {own}")
    try:
        content = OmegaConf.load(path)
        OmegaConf.resolve(content)
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"model.config: {path} can't be read: {str(error).splitlines()[0]}") from error
    model = content.get("model") if isinstance(content, DictConfig) else None
    if not isinstance(model, DictConfig) or "_target_" not in model:
        raise InputError(f"model.config: {path} has no key model with a _target_, as sam2's own configs have")
    return model
