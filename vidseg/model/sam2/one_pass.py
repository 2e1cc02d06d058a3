"""One pass of SAM 2 over one video: prompts first, then frame by frame, its memories in banks that don't grow.

A step is the package sam2's own (``SAM2VideoPredictor._run_single_frame_inference``): with one object a bank its
arithmetic is upstream's, bit by bit. Knows nothing about files; frames come as features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vidseg.model.sam2.bank import MemoryBank, Reach, fill_banks
from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.shown import Shown, gather
from vidseg.model.sam2.upstream import NO_OBJ_SCORE, FrameOutput
from vidseg.model.sam2.view import View, Views
from vidseg.types import FrameMasks, Prompt, Source


class LowRes(NamedTuple):
    """The masks of one frame at a quarter of the model's input size: objects in the order of their prompts.

    ``view`` is what the model saw of the frame; ``image_13hw`` the same as the model took it, if masks depend on it.
    """

    view: View
    logits_n1hw: Tensor
    scores_n: Tensor
    image_13hw: Tensor | None


class Pass:
    """One pass over one video: ``condition`` on the prompts, then ``begin``, then ``step`` for every frame in order."""

    def __init__(self, engine: Engine, source: Source, views: Views) -> None:
        self._engine, self._predictor, self.views = engine, engine.predictor, views
        self._size = source.info.height, source.info.width
        self._state = engine.predictor.begin(len(source.frames), *self._size)
        self.reach = Reach(engine.predictor)
        self._conditioned: dict[int, dict[int, FrameOutput]] = {}  # by object id and position
        self._first: dict[int, int] = {}  # the position of every object's first prompt, in the order of the prompts
        self._until: dict[int, int] = {}  # the number of the last frame with an object, of those that have one
        self._banks: list[MemoryBank] = []
        self._before_turn: tuple[list[dict[int, FrameOutput]], View] = [], views.view

    def condition(self, position: int, features: Features, view: View, prompts: Sequence[Prompt]) -> None:
        """Takes the prompts of one frame and remembers their masks: it is a conditioning frame from now on.

        ``features`` are those of what ``view`` shows of the frame.
        """
        state = self._state
        with self._engine.computing():
            self._give(position, features, view, prompts)
            self._predictor.propagate_in_video_preflight(state)
            for object_id in dict.fromkeys(prompt.object_id for prompt in prompts):
                outputs = state["output_dict_per_obj"][state["obj_id_to_idx"][object_id]]["cond_frame_outputs"]
                self._conditioned.setdefault(object_id, {})[position] = _joinable(outputs[position])
        self._forget_inputs()

    def decode(self, position: int, features: Features, view: View, prompts: Sequence[Prompt]) -> LowRes:
        """The masks that first prompts make of their frame, which isn't remembered: for a pass of its own."""
        self._first = {prompt.object_id: position for prompt in prompts}
        with self._engine.computing():
            given = self._give(position, features, view, prompts)
            outputs = [given[object_id].pop(position) for object_id in self._first]
            logits_n1hw = torch.cat([self._predictor.mask_logits(output) for output in outputs])
            scores_n = torch.cat([output["object_score_logits"].float() for output in outputs]).flatten().sigmoid()
        self._forget_inputs()
        return LowRes(view, logits_n1hw, scores_n, features.image_13hw if self._predictor.needs_image else None)

    def _give(
        self, position: int, features: Features, view: View, prompts: Sequence[Prompt]
    ) -> dict[int, dict[int, FrameOutput]]:
        """Has sam2 decode the prompts of one frame; returns the outputs that it holds until it remembers, by object."""
        state, given = self._state, dict[int, dict[int, FrameOutput]]()
        self._put(position, features, view)
        for prompt in (view.prompt(prompt) for prompt in prompts):
            at = {"frame_idx": position, "obj_id": prompt.object_id}
            if prompt.mask_hw is not None:
                mask = torch.from_numpy(np.ascontiguousarray(prompt.mask_hw))
                self._predictor.add_new_mask(state, **at, mask=mask)
            else:
                points = {"points": prompt.points_xy, "labels": prompt.labels, "box": prompt.box_xyxy}
                self._predictor.add_new_points_or_box(state, **at, **points)
            row = state["obj_id_to_idx"][prompt.object_id]
            given[prompt.object_id] = state["temp_output_dict_per_obj"][row]["cond_frame_outputs"]
            self._fill(given[prompt.object_id][position])
        return given

    def _forget_inputs(self) -> None:
        """Drops what sam2 keeps of prompts that were decoded."""
        state = self._state
        for inputs in (*state["point_inputs_per_obj"].values(), *state["mask_inputs_per_obj"].values()):
            inputs.clear()
        state["cached_features"] = {}

    def correct(self, position: int, features: Features, view: View, prompts: Sequence[Prompt]) -> None:
        """Takes points on objects that are tracked to this frame: they are decoded with what was tracked, and memories.

        After the next ``begin`` the frame is a conditioning frame, too. The step to ``position`` is made here.
        """
        self.step(position, features, view, forget=False, keep=True)
        for object_id, prompted in self._conditioned.items():  # sam2 asks for those of objects that aren't tracked, too
            index = self._state["obj_id_to_idx"][object_id]
            outputs = {"cond_frame_outputs": dict(prompted), "non_cond_frame_outputs": {}}
            self._state["output_dict_per_obj"][index] = outputs
        for bank in self._banks:
            for row, object_id in enumerate(bank.object_ids):
                index = self._state["obj_id_to_idx"][object_id]
                outputs = self._state["output_dict_per_obj"][index] = bank.outputs_of(row)
                if (tracked := outputs["non_cond_frame_outputs"].get(position)) is not None:
                    self._fill(tracked)
                    self._state["frames_tracked_per_obj"][index][position] = {"reverse": False}
        self.condition(position, features, view, prompts)
        self._state["output_dict_per_obj"].clear()
        for bank in self._banks:
            bank.forget(position)

    def begin(self, prompted: Sequence[tuple[int, Prompt]]) -> None:
        """Fills the memory banks with the conditioning frames, and no tracked ones, in the order of the prompts.

        ``prompted`` are the prompts with their positions; their objects alone are tracked. Sums depend on the order in
        float; and of two objects with the same logit the one prompted first keeps the pixel (``non_overlap_masks``).
        """
        conditioning: dict[int, dict[int, FrameOutput]] = {}
        self._first = {}
        for object_id in dict.fromkeys(prompt.object_id for _, prompt in prompted):
            own = dict.fromkeys(position for position, prompt in prompted if prompt.object_id == object_id)
            conditioning[object_id] = {position: self._conditioned[object_id][position] for position in own}
            self._first[object_id] = min(own)
        self._until = {prompt.object_id: prompt.until for _, prompt in prompted if prompt.until is not None}
        self._state["output_dict_per_obj"].clear()
        self.views.start(min(self._first.values()))
        # With that key sam2 lets the objects of a batch exclude each other in memory; of one object it does nothing
        most = 1 if self._predictor.non_overlap_masks_for_mem_enc else self._engine.speed.objects_at_once
        with torch.inference_mode():
            self._banks = fill_banks(conditioning, self.reach, most)

    def turn(self, position: int) -> None:
        """Steps go backwards from ``position`` from now on; they read the memories of the steps before."""
        self._before_turn = [bank.copy_tracked() for bank in self._banks], self.views.view
        self.views.start(position)

    def turn_back(self, position: int) -> None:
        """Steps go forward again after ``position``, with the memories that there were at ``turn``."""
        memories, view = self._before_turn
        for bank, tracked in zip(self._banks, memories, strict=True):
            bank.tracked = tracked
            bank.forget(position)
        self._before_turn = [], view
        self.views.resume(view)

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs to go on after the last step: plain values, and tensors that nothing changes later."""
        tracked, view = self._before_turn
        return {
            "first": dict(self._first),
            "until": dict(self._until),
            "banks": [bank.state() for bank in self._banks],
            "views": self.views.state(),
            "before_turn": ([dict(memories) for memories in tracked], astuple(view)),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from the ``state`` of a pass with the same prompts, in place of conditioning and steps.

        The state stays as it is.
        """
        self._first, self._until = state["first"], state["until"]
        self._banks = [MemoryBank(**bank, reach=self.reach) for bank in state["banks"]]
        for bank in self._banks:
            bank.conditioning, bank.tracked = dict(bank.conditioning), bank.copy_tracked()
        self.views.restore(state["views"])
        tracked, view = state["before_turn"]
        self._before_turn = tracked, self.views.of(view)

    def step(
        self, position: int, features: Features, view: View, *, reverse: bool = False, forget: bool = True,
        keep: bool = False,
    ) -> LowRes:  # fmt: skip
        """Segments every object on the next frame, remembers it, and forgets what no later frame attends to.

        ``features`` are those of what ``view`` shows of the frame; ``keep`` remembers a frame that the predictor
        wouldn't. Objects whose first prompt is yet to come are tracked too (sam2 does, and their memories enter later
        frames).
        """
        self._put(position, features, view)
        remember = keep or self._predictor.remembers(position)
        with self._engine.computing():
            outputs = [self._output(bank, position, reverse, remember) for bank in self._banks]
            logits_n1hw = self._in_order([self._predictor.mask_logits(output) for output in outputs])
            scores_n = self._in_order([output["object_score_logits"].float() for output in outputs]).flatten().sigmoid()
        self.views.follow(view, logits_n1hw)
        if forget:
            for bank in self._banks:
                bank.forget(position, reverse)
        self._state["cached_features"] = {}  # before the next ones are made: at 1024 some 100 MiB
        return LowRes(view, logits_n1hw, scores_n, features.image_13hw if self._predictor.needs_image else None)

    def show(self, position: int, low_res: LowRes, frame_index: int) -> FrameMasks:
        """The masks at the video's size, by ascending id."""
        return gather(self._engine, frame_index, self._first, self._size, [self.shown(position, low_res, frame_index)])

    def shown(self, position: int, low_res: LowRes, frame_index: int) -> Shown:
        """The same on the device. Objects before their first prompt and past their end are empty (logits -1024).

        Changes nothing that steps read, so that another thread may show a frame while the next one's step is made.
        """
        forward = self._engine.options.propagate == "forward"
        hidden = [
            (forward and position < first) or frame_index > self._until.get(object_id, frame_index)
            for object_id, first in self._first.items()
        ]
        logits_n1hw, view = self._filled(low_res.logits_n1hw), low_res.view
        if any(hidden):
            shown = zip(torch.split(logits_n1hw, 1), hidden, strict=True)
            logits_n1hw = torch.cat([torch.full_like(row, NO_OBJ_SCORE) if hide else row for row, hide in shown])
        with self._engine.computing():
            logits_n1hw = self._predictor.at_video_size(logits_n1hw, low_res.image_13hw, view.height, view.width)
            logits_n1hw = view.paste(logits_n1hw)
        return Shown((*self._first,), logits_n1hw[:, 0], low_res.scores_n, hidden)

    @property
    def until(self) -> int | None:
        """The number of the last frame with an object; None if there is one without an end."""
        return max(self._until.values()) if self._until.keys() == self._first.keys() else None

    def _output(self, bank: MemoryBank, position: int, reverse: bool, remember: bool) -> FrameOutput:
        """sam2's output for a bank's objects on the frame: as prompted, else predicted, and remembered if asked to."""
        if position in bank.conditioning:
            return bank.conditioning[position]
        output, _ = self._predictor._run_single_frame_inference(
            inference_state=self._state,
            output_dict=bank.outputs,
            frame_idx=position,
            batch_size=len(bank.object_ids),
            is_init_cond_frame=False,
            point_inputs=None,
            mask_inputs=None,
            reverse=reverse,
            run_mem_encoder=remember,
        )
        if remember:
            bank.remember(position, _joinable(output))
        return dict(output)

    def _in_order(self, batches: Sequence[Tensor]) -> Tensor:
        """Rows of the banks' objects in the order of the prompts."""
        rows = {
            object_id: row
            for bank, batch in zip(self._banks, batches, strict=True)
            for object_id, row in zip(bank.object_ids, torch.split(batch, 1), strict=True)
        }
        return torch.cat([rows[object_id] for object_id in self._first])

    def _put(self, position: int, features: Features, view: View) -> None:
        """Has sam2 take the view for the frame."""
        self._state |= {"cached_features": {position: features}, "video_height": view.height, "video_width": view.width}

    def _fill(self, output: FrameOutput) -> None:
        output["pred_masks"] = self._filled(output["pred_masks"])

    def _filled(self, logits_n1hw: Tensor) -> Tensor:
        return self._engine.speed.fill_holes(logits_n1hw, self._engine.options.fill_hole_area)


def _joinable(output: FrameOutput) -> FrameOutput:
    """With features that sam2 can join with pointers: it keeps them in bfloat16, which autocast to float16 refuses."""
    features = output["maskmem_features"]
    device = features.device.type
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        output["maskmem_features"] = features.half()
    return output
