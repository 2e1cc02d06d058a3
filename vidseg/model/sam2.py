"""SAM 2 (Ravi et al., 2024): prompts on any frames, then one pass over the video in constant memory.

The model and each of its steps are those of the package sam2 (``SAM2VideoPredictor``), and the logits are
bit-identical to its ``propagate_in_video`` after all prompts were added. What differs is what is held: one frame, and
the memories that the model can still attend to. Knows nothing about files, outputs or Hydra.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidseg.errors import InputError
from vidseg.model import checkpoint as weights
from vidseg.model.device import resolve_device
from vidseg.model.holes import fill_holes
from vidseg.model.precision import Precision
from vidseg.model.upstream import NO_OBJ_SCORE, build, inference_state
from vidseg.types import RGB, Frame, FrameMasks, Prompt, Source

_MEAN_C = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in sam2/utils/misc.py
_STD_C = np.array([0.229, 0.224, 0.225], np.float32)
# What becomes of a byte, in each channel: sam2's arithmetic (x / 255 in float64, the rest in float32), done once
_NORMALIZED_CV = ((np.arange(256) / 255.0).astype(np.float32) - _MEAN_C[:, None]) / _STD_C[:, None]


class SAM2:
    """A segmenter: SAM 2 or 2.1 on one device in one precision.

    ``config`` is a config of the package sam2 or a YAML file; ``checkpoint`` is ``hf://OWNER/REPOSITORY/FILE``, a path,
    or "random" (drawn from ``seed``); ``precision`` holds the parameters of ``Precision``. ``image_size`` is the side
    of the square that frames are resized to (None: as in the config). Holes of up to ``fill_hole_area`` pixels of the
    mask at a quarter of that size are filled. ``non_overlap_masks`` gives each pixel to its best object only.

    Raises InputError for values that can't be used, a device that isn't there, and a checkpoint that can't be found,
    read or loaded.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        device: str,
        precision: Mapping[str, Any],
        seed: int,
        image_size: int | None = None,
        fill_hole_area: int = 8,
        non_overlap_masks: bool = False,
    ) -> None:
        if fill_hole_area < 0:
            raise InputError(f"model.fill_hole_area: {fill_hole_area}; 0 (fills none) or more, in pixels")
        self._device = resolve_device(device)
        self._precision = Precision(**precision).resolve(self._device)
        self._fill_hole_area = fill_hole_area
        if checkpoint != weights.RANDOM:
            weights.locate(checkpoint)  # a mistake is told, and a download done, before seconds go into the model
        self._predictor = build(config, image_size, non_overlap_masks, seed)
        loaded = weights.load(self._predictor, checkpoint)
        self._predictor.to(self._device)
        self.device = str(self._device)
        self.precision = self._precision.name
        self.provenance: Mapping[str, str] = {**loaded, "config": config, "seed": str(seed)}

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Generator[tuple[Frame, FrameMasks]]:
        """One pair for each frame of ``source.frames``, in order; every object of ``prompts`` in each, by ascending id.

        The prompted frames are read and encoded first, since SAM 2 attends to all of them from everywhere. An object's
        mask is empty before its first prompt (logits -1024, score None). Several prompts for one object on one frame
        act as in sam2: the later replaces the earlier, guided by its mask. Raises InputError if there is no prompt, or
        one on a frame that ``source`` doesn't have.
        """
        if not prompts:
            raise InputError("prompt: there is none, so there is nothing to segment")
        positions = [_position(source, prompt.frame_index) for prompt in prompts]
        pass_ = _Pass(self._predictor, self._fill_hole_area, source)
        for position in dict.fromkeys(positions):  # each prompted frame is read and encoded once
            image = self._image(source[source.frames[position]].rgb_hw3)
            with torch.inference_mode(), self._precision.applied(self._device):
                here = [prompt for prompt, its in zip(prompts, positions, strict=True) if its == position]
                pass_.condition(position, image, here)
        pass_.order([(prompt.object_id, position) for prompt, position in zip(prompts, positions, strict=True)])
        with closing(source.__iter__()) as frames:
            for position, frame in enumerate(frames):
                if position < min(positions):
                    yield frame, pass_.empty(frame.index)
                    continue
                image = self._image(frame.rgb_hw3)
                with torch.inference_mode(), self._precision.applied(self._device):
                    masks = pass_.step(position, image, frame.index)
                yield frame, masks

    def _image(self, rgb_hw3: RGB) -> Tensor:
        """The frame as the model takes it: float32 (3, image_size, image_size) on the CPU, normalised."""
        side = self._predictor.image_size
        resized_hw3 = np.asarray(Image.fromarray(rgb_hw3).resize((side, side)))  # bicubic, as in sam2/utils/misc.py
        image_chw = np.empty((3, side, side), np.float32)
        for channel, table in enumerate(_NORMALIZED_CV):
            np.take(table, resized_hw3[:, :, channel], out=image_chw[channel])
        return torch.from_numpy(image_chw)


class _Pass:
    """One pass over one video: sam2's inference state, with no more in it than the frames to come can attend to."""

    def __init__(self, predictor: Any, fill_hole_area: int, source: Source) -> None:
        self._predictor = predictor
        self._fill_hole_area = fill_hole_area
        # A frame attends to the masks of the num_maskmem - 2 frames that are a stride apart, and of the one before it …
        self._mask_window = 1 + (predictor.num_maskmem - 2) * predictor.memory_temporal_stride_for_eval
        # … and to the object pointers of the frames before it: 15 of them, beside those of the conditioning frames.
        self._window = max(self._mask_window, predictor.max_obj_ptrs_in_encoder - 1)
        self._state = inference_state(predictor, len(source.frames), source.info.height, source.info.width)
        self._first: dict[int, int] = {}

    def condition(self, position: int, image: Tensor, prompts: Sequence[Prompt]) -> None:
        """Takes the prompts of one frame and remembers their masks: it is a conditioning frame from now on."""
        state, predictor = self._state, self._predictor
        state["images"] = {position: image}
        for prompt in prompts:
            at = {"frame_idx": position, "obj_id": prompt.object_id}
            if prompt.mask_hw is not None:
                predictor.add_new_mask(state, **at, mask=torch.from_numpy(np.ascontiguousarray(prompt.mask_hw)))
            else:
                predictor.add_new_points_or_box(
                    state, **at, points=prompt.points_xy, labels=prompt.labels, box=prompt.box_xyxy
                )
            index = state["obj_id_to_idx"][prompt.object_id]
            self._fill(state["temp_output_dict_per_obj"][index]["cond_frame_outputs"][position])
        predictor.propagate_in_video_preflight(state)
        for inputs in (*state["point_inputs_per_obj"].values(), *state["mask_inputs_per_obj"].values()):
            inputs.clear()
        self._release_frame()

    def order(self, prompted: Sequence[tuple[int, int]]) -> None:
        """Puts conditioning frames in the order of the prompts (object id, position): sums depend on it in float."""
        for object_id, index in self._state["obj_id_to_idx"].items():
            outputs = self._state["output_dict_per_obj"][index]
            own = dict.fromkeys(position for its_id, position in prompted if its_id == object_id)
            outputs["cond_frame_outputs"] = {position: outputs["cond_frame_outputs"][position] for position in own}
            self._first[object_id] = min(own)
        # Of two objects that are equally sure of a pixel the one prompted first keeps it (non_overlap_masks).
        self._object_ids = list(dict.fromkeys(object_id for object_id, _ in prompted))

    def empty(self, frame_index: int) -> FrameMasks:
        """What there is before the first prompt: no mask for any object."""
        ids = tuple(sorted(self._first))
        shape = (len(ids), self._state["video_height"], self._state["video_width"])
        return FrameMasks(frame_index, ids, np.full(shape, NO_OBJ_SCORE, np.float32), (None,) * len(ids))

    def step(self, position: int, image: Tensor, frame_index: int) -> FrameMasks:
        """Segments every object on the next frame, remembers it, and forgets what no later frame attends to.

        Objects whose first prompt is yet to come are tracked too (sam2 does, and their memories enter later frames),
        but not shown.
        """
        self._state["images"] = {position: image}
        logits: dict[int, Tensor] = {}
        scores: dict[int, Tensor] = {}
        for object_id in self._object_ids:
            output = self._output(object_id, position)
            logits[object_id], scores[object_id] = output["pred_masks"], output["object_score_logits"].sigmoid()
            if position < self._first[object_id]:
                logits[object_id] = torch.full_like(logits[object_id], NO_OBJ_SCORE)
        low_res_n1hw = torch.cat(list(logits.values()))
        _, logits_n1hw = self._predictor._get_orig_video_res_output(self._state, low_res_n1hw)
        ids = sorted(logits)
        ascending = [self._object_ids.index(object_id) for object_id in ids]
        logits_nhw = logits_n1hw[:, 0].float().cpu().numpy()
        if ascending != list(range(len(ids))):
            logits_nhw = logits_nhw[ascending]
        values = torch.cat([scores[object_id].float().reshape(1) for object_id in ids]).tolist()
        shown = tuple(
            value if position >= self._first[object_id] else None for object_id, value in zip(ids, values, strict=True)
        )
        self._forget(position)
        self._release_frame()
        return FrameMasks(frame_index, tuple(ids), logits_nhw, shown)

    def _output(self, object_id: int, position: int) -> dict[str, Any]:
        """sam2's output for one object on the frame: as prompted, else predicted and put among the memories."""
        outputs = self._state["output_dict_per_obj"][self._state["obj_id_to_idx"][object_id]]
        prompted: dict[str, Any] | None = outputs["cond_frame_outputs"].get(position)
        if prompted is not None:
            return prompted
        output: dict[str, Any]
        output, _ = self._predictor._run_single_frame_inference(
            inference_state=self._state,
            output_dict=outputs,
            frame_idx=position,
            batch_size=1,
            is_init_cond_frame=False,
            point_inputs=None,
            mask_inputs=None,
            reverse=False,
            run_mem_encoder=True,
        )
        self._fill(output)
        outputs["non_cond_frame_outputs"][position] = output
        return output

    def _fill(self, output: dict[str, Any]) -> None:
        output["pred_masks"] = fill_holes(output["pred_masks"], self._fill_hole_area)

    def _forget(self, position: int) -> None:
        for outputs in self._state["output_dict_per_obj"].values():
            memories = outputs["non_cond_frame_outputs"]
            memories.pop(position - self._window, None)
            if past := memories.get(position - self._mask_window):
                past["maskmem_features"] = past["pred_masks"] = None

    def _release_frame(self) -> None:
        """Frees the frame and its features before the next ones are made (at 1024 some 100 MiB)."""
        self._state["images"] = {}
        self._state["cached_features"] = {}


def _position(source: Source, frame_index: int) -> int:
    try:
        return source.frames.index(frame_index)
    except ValueError:
        first, last = source.frames[0], source.frames[-1]
        raise InputError(
            f"prompt.frame: {frame_index} is not among the frames to segment ({len(source.frames)}, {first} to {last})"
        ) from None
