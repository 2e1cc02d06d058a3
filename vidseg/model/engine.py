"""One pass of SAM 2 over one video: prompts first, then frame by frame, its memories in a bank that doesn't grow.

Each step is the package sam2's own (``SAM2VideoPredictor._run_single_frame_inference``): with one object a batch its
arithmetic is upstream's, bit by bit. Knows nothing about files; frames come as the model takes them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidseg.model.bank import Group, Output, Window, group
from vidseg.model.box import choosing_by_box
from vidseg.model.colours import Colours
from vidseg.model.encoder import Features
from vidseg.model.guided import guided
from vidseg.model.holes import fill_holes, fill_holes_unwaited
from vidseg.model.image import Uploaded
from vidseg.model.options import Options
from vidseg.model.pictures import Pictures
from vidseg.model.shown import Fetched
from vidseg.model.upstream import NO_OBJ_SCORE, inference_state
from vidseg.model.weighted import weighted
from vidseg.model.zoom import View, Zoom
from vidseg.types import FrameMasks, Prompt, Source

_BATCH = 16  # objects at most: at 1024 pixels each takes 29 MiB of keys in every layer of the memory attention
_MOST_UNWAITED = 64  # pixels of a hole: two kernels each, so that more cost more than waiting for the host


@dataclass(frozen=True, slots=True)
class LowRes:
    """What the model says of one frame, at a quarter of its input's size: objects in the order of their prompts.

    ``view`` is what it saw of the frame; ``guide_13hw`` the same as the model takes it, where masks follow its edges.
    """

    view: View
    logits_n1hw: Tensor
    scores_n: Tensor
    guide_13hw: Tensor | None


class Pass:
    """One pass over one video: prompts by ``condition``, then ``begin``, then ``step`` for each frame in order.

    With ``options.exact`` objects are tracked one by one as upstream does, else those prompted on the same frames go as
    a batch. One in ``memory_stride`` tracked frames is remembered: those whose position is a multiple of it.
    Memories of prompted frames count ``prompted_weight`` times over for objects that were given as masks or boxes.
    ``box_fit`` has sam2 choose among three masks of a box. ``upsample`` "guided" has masks follow the picture's edges
    on their way to the input's size. ``zoom`` says what the model is to see of each frame. With ``propagate`` "both"
    objects are shown before their first prompt, too. ``computing`` is what the model runs inside. With ``gpu`` nothing
    waits for the device (but a zoom and ``box_fit``): see Fetched.
    """

    def __init__(
        self, predictor: Any, source: Source, options: Options,
        computing: Callable[[], AbstractContextManager[object]], gpu: bool,
    ) -> None:  # fmt: skip
        self._predictor, self._options, self._computing, self._gpu = predictor, options, computing, gpu
        # With that key sam2 lets the objects of a batch exclude each other in memory; of one object it does nothing
        self._batch = 1 if options.exact or predictor.non_overlap_masks_for_mem_enc else _BATCH
        self.window = Window(predictor)
        self.zoom = Zoom(source.info.width, source.info.height, options.zoom)
        self._state = inference_state(predictor, len(source.frames), source.info.height, source.info.width)
        self._conditioned: dict[int, dict[int, Output]] = {}
        self._first: dict[int, int] = {}
        self._groups: list[Group] = []
        self._colours = Colours(options.colour_weight)
        self._kept: tuple[list[dict[int, Output]], View, Colours] = [], self.zoom.whole, self._colours
        self._pictures = Pictures(())

    def condition(self, position: int, features: Features, view: View, prompts: Sequence[Prompt]) -> None:
        """Takes the prompts of one frame and remembers their masks: it is a conditioning frame from now on.

        ``features`` are those of the ``view``, through which the frame is looked at whenever it is.
        """
        state, predictor, options = self._state, self._predictor, self._options
        self.zoom.hold(position, view)
        self._look(position, features, view)
        with self._computing():
            for prompt in (view.prompt(prompt) for prompt in prompts):
                at = {"frame_idx": position, "obj_id": prompt.object_id}
                if prompt.mask_hw is not None:
                    predictor.add_new_mask(state, **at, mask=torch.from_numpy(np.ascontiguousarray(prompt.mask_hw)))
                else:
                    with choosing_by_box(predictor, prompt, view, options):
                        predictor.add_new_points_or_box(
                            state, **at, points=prompt.points_xy, labels=prompt.labels, box=prompt.box_xyxy
                        )
                index = state["obj_id_to_idx"][prompt.object_id]
                self._fill(state["temp_output_dict_per_obj"][index]["cond_frame_outputs"][position])
            predictor.propagate_in_video_preflight(state)
            for prompt in prompts:
                outputs = state["output_dict_per_obj"][state["obj_id_to_idx"][prompt.object_id]]["cond_frame_outputs"]
                self._conditioned.setdefault(prompt.object_id, {})[position] = _joinable(outputs[position])
                masked_11hw = outputs[position]["pred_masks"] - options.mask_threshold
                self._colours.give(prompt.object_id, features[0], masked_11hw)
        for inputs in (*state["point_inputs_per_obj"].values(), *state["mask_inputs_per_obj"].values()):
            inputs.clear()
        self._release_frame()

    def correct(self, position: int, features: Features, view: View, prompts: Sequence[Prompt]) -> None:
        """Takes points on objects that are tracked to here; they are given what was tracked, and the memories of it.

        sam2's second round (``add_all_frames_to_correct_as_cond``): ``begin`` again, and the frame is a conditioning
        frame, too. The step to ``position`` is made here.
        """
        self.step(position, features, view, forget=False, remember=True)
        for each in self._groups:
            for number, object_id in enumerate(each.object_ids):
                index = self._state["obj_id_to_idx"][object_id]
                outputs = self._state["output_dict_per_obj"][index] = each.outputs_of(number)
                if (tracked := outputs["non_cond_frame_outputs"].get(position)) is not None:
                    self._fill(tracked)
                    self._state["frames_tracked_per_obj"][index][position] = {"reverse": False}
        self.condition(position, features, view, prompts)
        self._state["output_dict_per_obj"].clear()
        for each in self._groups:
            self.window.forget(each, position, reverse=False)

    def begin(self, prompted: Sequence[tuple[int, Prompt]]) -> None:
        """Puts objects and their conditioning frames in the order of the prompts (each with its position).

        Sums depend on it in float; and of two objects that are equally sure of a pixel the one prompted first keeps it
        (``non_overlap_masks``).
        """
        conditioned: dict[int, dict[int, Output]] = {}
        for object_id in dict.fromkeys(prompt.object_id for _, prompt in prompted):
            own = dict.fromkeys(position for position, prompt in prompted if prompt.object_id == object_id)
            conditioned[object_id] = {position: self._conditioned[object_id][position] for position in own}
            self._first[object_id] = min(own)
        outlined = {each.object_id for _, each in prompted if each.mask_hw is not None or each.box_xyxy is not None}
        self._state["output_dict_per_obj"].clear()
        self._pictures = Pictures(sorted(self._first))
        self._colours.start()
        self.zoom.start(min(self._first.values()))
        with torch.inference_mode():
            self._groups = group(conditioned, outlined if self._options.prompted_weight > 1 else (), self._batch)

    def turn(self, position: int) -> None:
        """The steps to come go backwards from ``position``; they read the memories of those before, which wait for
        ``turn_back``."""
        self._kept = [each.recent for each in self._groups], self.zoom.view, self._colours.copy()
        self.zoom.start(position)
        for each in self._groups:
            each.recent = {position: dict(output) for position, output in each.recent.items()}

    def turn_back(self, position: int) -> None:
        """Goes on after ``position`` with the memories there were at ``turn``."""
        recents, view, self._colours = self._kept
        for each, recent in zip(self._groups, recents, strict=True):
            each.recent = recent
            self.window.forget(each, position, reverse=False)
        self._kept = [], view, self._colours
        self.zoom.resume(view)

    def step(
        self, position: int, features: Features, view: View, reverse: bool = False, forget: bool = True,
        remember: bool = False,
    ) -> LowRes:  # fmt: skip
        """Segments every object on the next frame, of which ``features`` are what the ``view`` shows; remembers it, and
        forgets what no later frame attends to.

        A frame that the stride leaves out is remembered with ``remember`` only. Objects whose first prompt is yet to
        come are tracked too (sam2 does, and their memories enter later frames).
        """
        self._look(position, features, view)
        remember = remember or position % self._options.memory_stride == 0
        with self._computing():
            outputs = {each.object_ids: self._output(each, position, reverse, remember) for each in self._groups}
            logits = _by_object({ids: output["pred_masks"] for ids, output in outputs.items()})
            scores = _by_object({ids: output["object_score_logits"] for ids, output in outputs.items()})
            low_res = LowRes(
                view,
                torch.cat([logits[object_id] for object_id in self._first]) - self._options.mask_threshold,
                torch.cat([scores[object_id].float().reshape(1) for object_id in self._first]).sigmoid(),
                features[0] if self._options.upsample == "guided" else None,
            )
        self.zoom.follow(view, low_res.logits_n1hw)
        if forget:
            for each in self._groups:
                self.window.forget(each, position, reverse)
        self._release_frame()
        return low_res

    def show(self, position: int, low_res: LowRes, frame_index: int, uploaded: Uploaded | None = None) -> FrameMasks:
        """At the video's size, by ascending id; objects before their first prompt are empty (logits -1024).

        ``uploaded`` is the frame on a GPU, which pictures can be drawn from there. Changes nothing that steps read, so
        that another thread may show a frame while the next one's step is made.
        """
        everywhere = self._options.propagate == "both"
        hidden = [not everywhere and position < first for first in self._first.values()]
        logits_n1hw = self._filled(low_res.logits_n1hw)
        if any(hidden):
            rows = zip(torch.split(logits_n1hw, 1), hidden, strict=True)
            logits_n1hw = torch.cat([torch.full_like(row, NO_OBJ_SCORE) if hide else row for row, hide in rows])
        with self._computing():
            if low_res.guide_13hw is not None:
                logits_n1hw = guided(logits_n1hw.float(), low_res.guide_13hw)
            seen = {
                "device": logits_n1hw.device,
                "video_height": low_res.view.height,
                "video_width": low_res.view.width,
            }
            _, logits_n1hw = self._predictor._get_orig_video_res_output(seen, logits_n1hw)
            logits_n1hw = low_res.view.paste(logits_n1hw, self.zoom.whole)
        ids = sorted(self._first)
        ascending = [list(self._first).index(object_id) for object_id in ids]
        logits_nhw, scores_n, hidden = logits_n1hw[:, 0], low_res.scores_n, [hidden[n] for n in ascending]
        if ascending != list(range(len(ids))):  # row by row, since a list of indices would have to be uploaded
            logits_nhw, scores_n = (torch.stack([rows[n] for n in ascending]) for rows in (logits_nhw, scores_n))
        if self._gpu or logits_nhw.device.type != "cpu":
            return Fetched(frame_index, logits_nhw, scores_n, hidden, self._pictures, uploaded)
        scores = [None if hide else score for score, hide in zip(scores_n.tolist(), hidden, strict=True)]
        return FrameMasks(frame_index, tuple(ids), logits_nhw.float().numpy(), tuple(scores))

    def empty(self, frame_index: int) -> FrameMasks:
        """What there is before the first prompt: no mask for any object."""
        ids = tuple(sorted(self._first))
        shape = (len(ids), self.zoom.whole.height, self.zoom.whole.width)
        return FrameMasks(frame_index, ids, np.full(shape, NO_OBJ_SCORE, np.float32), (None,) * len(ids))

    def _output(self, each: Group, position: int, reverse: bool, remember: bool) -> Output:
        """sam2's output for a group on the frame: as prompted, else predicted and, if so, put among the memories."""
        if position in each.prompted:
            return each.prompted[position]
        times = self._options.prompted_weight if each.outlined else 1
        most = self._predictor.max_cond_frames_in_attn
        attended = len(each.prompted) if most == -1 else min(most, len(each.prompted))
        image_13hw = self._state["cached_features"][position][0]
        with (
            weighted(self._predictor.memory_attention, attended, times, self._options.exact),
            self._colours.added(self._predictor.sam_mask_decoder, each.object_ids, image_13hw, learn=remember),
        ):
            output, _ = self._predictor._run_single_frame_inference(
                inference_state=self._state,
                output_dict=each.outputs,
                frame_idx=position,
                batch_size=len(each.object_ids),
                is_init_cond_frame=False,
                point_inputs=None,
                mask_inputs=None,
                reverse=reverse,
                run_mem_encoder=remember,
            )
        if remember:
            each.recent[position] = _joinable(output)
        return dict(output)

    def _look(self, position: int, features: Features, view: View) -> None:
        """Has sam2 take the view for the frame."""
        self._state["cached_features"] = {position: features}
        self._state["video_height"], self._state["video_width"] = view.height, view.width

    def _fill(self, output: Output) -> None:
        output["pred_masks"] = self._filled(output["pred_masks"])

    def _filled(self, logits_n1hw: Tensor) -> Tensor:
        fill = fill_holes_unwaited if self._gpu and self._options.fill_hole_area <= _MOST_UNWAITED else fill_holes
        return fill(logits_n1hw, self._options.fill_hole_area)

    def _release_frame(self) -> None:
        """Frees the frame and its features before the next ones are made (at 1024 some 100 MiB)."""
        self._state["cached_features"] = {}


def _joinable(output: Output) -> Output:
    """With features that autocast lets sam2 join with pointers: they are kept in bfloat16, which autocast to float16
    refuses; but for values beyond 65,504 the latter has room for all of their bits."""
    features = output["maskmem_features"]
    device = features.device.type
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        output["maskmem_features"] = features.half()
    return output


def _by_object(batches: dict[tuple[int, ...], Tensor]) -> dict[int, Tensor]:
    return {
        object_id: one
        for ids, batch in batches.items()
        for object_id, one in zip(ids, torch.split(batch, 1), strict=True)
    }
