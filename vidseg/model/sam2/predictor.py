"""sam2's SAM2VideoPredictor with the few seams that tracking a stream needs; other models subclass it."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from vidseg.model.sam2.upstream import SAM2VideoPredictor

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
