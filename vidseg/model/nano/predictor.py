"""The predictor of ``model=nano``: SAM 2's own, but for what a small model gains by (docs/nano.md has the figures).

- Of a box the decoder makes three masks, and one that reaches the box's sides is taken (``box_fit``).
- The object's colours, learned in every video, are added to the decoder's logits (``colour_weight``).
- One tracked frame in so many becomes a memory (``memory_stride``).
- Masks are cut at another logit than 0 (``mask_threshold``), and follow the picture's edges (``upsample``).
- Points that correct a mask are obeyed (``obey_points``).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidseg.errors import InputError
from vidseg.model.nano import clicks, colours
from vidseg.model.nano.window import fitting_mask
from vidseg.model.sam2.upstream import FrameOutput, Predictor

_THERE = 2.0  # the score, a logit, of an object that is there as a point says
_BOX = [2, 3]  # labels of a box's two corners, as sam2 turns a box into points
_LIMIT = 4.0  # logits beyond it are sure: a window at an edge would otherwise follow the surest of its nine
_FLAT = 0.006  # variance of colour (in ImageNet's deviations, 4 of 255 each) below which a window is all of one colour
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_ROWS = ((0, 1, 2), (1, 3, 4), (2, 4, 5))  # of a symmetric matrix, as places in _PAIRS
# What sam2's mask decoder returns: masks (n, m, h, w), IoUs (n, m) that it predicts, tokens, object scores (n, 1)
Decoded = tuple[Tensor, Tensor, Tensor, Tensor]


class NanoPredictor(Predictor):
    """``Predictor`` with these keys more.

    - ``memory_stride``: one tracked frame in so many is remembered and attended to; 1: every frame, as in sam2.
    - ``upsample``: from a quarter of the input's size masks are interpolated ("bilinear", as in sam2), or "guided" by
      the edges of the picture.
    - ``mask_threshold``: masks are where logits are above it; 0 in sam2. Memories are made of sam2's own masks.
    - ``colour_weight``: how much an object's colours count beside the decoder's logits; 0: not at all, as in sam2.
    - ``box_fit``: of a box's three masks one is taken that has this IoU with it, or the best; None: as in sam2.
    - ``obey_points``: where the decoder leaves corrective points undone, masks are changed around them (``clicks``).
    """

    def __init__(
        self, memory_stride: int, upsample: str, mask_threshold: float, colour_weight: float, box_fit: float | None,
        obey_points: bool, **keys: Any,
    ) -> None:  # fmt: skip
        super().__init__(**keys)
        # sam2 attends to memories that are so far apart; `remembers` has no others made
        self.memory_temporal_stride_for_eval *= memory_stride
        self._memory_stride, self._mask_threshold = memory_stride, mask_threshold
        self._colour_weight, self._box_fit, self.obey_points = colour_weight, box_fit, obey_points
        self.needs_image = upsample == "guided"
        # Of the frame that is being decoded: the corners (2, 2) of its box in the model's pixels, its objects' colours
        self._box: Tensor | None = None
        self._colours: colours.Colours | None = None
        self._is_there = False  # a corrective point says so
        self.sam_mask_decoder.register_forward_hook(self._revise)

    def remembers(self, position: int) -> bool:
        """One frame in ``memory_stride``."""
        return position % self._memory_stride == 0

    def mask_logits(self, output: FrameOutput) -> Tensor:
        """Less the threshold, so that masks are where they are above 0."""
        return super().mask_logits(output) - self._mask_threshold

    def at_video_size(self, logits_n1hw: Tensor, image_13hw: Tensor | None, height: int, width: int) -> Tensor:
        """Along the picture's edges up to the size of the model's input, from there as sam2."""
        if image_13hw is not None:
            logits_n1hw = guided(logits_n1hw.float(), image_13hw)
        return super().at_video_size(logits_n1hw, image_13hw, height, width)

    def propagate_in_video_preflight(self, inference_state: dict[str, Any]) -> None:
        """Also learns the colours of the objects on the frame that was prompted."""
        super().propagate_in_video_preflight(inference_state)
        if self._colour_weight:
            for outputs in inference_state["output_dict_per_obj"].values():
                for position, output in outputs["cond_frame_outputs"].items():
                    if "colours" not in output:
                        image_13hw = inference_state["cached_features"][position].image_13hw
                        output["colours"] = colours.of_prompted(image_13hw, self.mask_logits(output))

    def _run_single_frame_inference(
        self, *, inference_state: dict[str, Any], **step: Any
    ) -> tuple[FrameOutput, Tensor]:
        """sam2's step; on a tracked frame with the colours that its memories know, which then learn from the frame.

        What points leave wrong on a frame that was tracked to is put right.
        """
        points, image_13hw = step["point_inputs"], inference_state["cached_features"][step["frame_idx"]].image_13hw
        if points is None and step["mask_inputs"] is None and self._colour_weight:
            self._colours = colours.Colours(image_13hw, step["output_dict"], learn=step["run_mem_encoder"])
        self._box = points["point_coords"][0] if self._is_box(points) else None
        corrects = self.obey_points and points is not None and step.get("prev_sam_mask_logits") is not None
        self._is_there = corrects and 1 in points["point_labels"][0].tolist()
        try:
            output, masks = super()._run_single_frame_inference(inference_state=inference_state, **step)
            if corrects:
                output["pred_masks"] = self._obeying(output["pred_masks"], image_13hw, points)
            if self._colours is not None and self._colours.learned is not None:
                output["colours"] = self._colours.learned
            return output, masks
        finally:
            self._box = self._colours = None
            self._is_there = False

    def _obeying(self, logits_11hw: Tensor, image_13hw: Tensor, points: dict[str, Tensor]) -> Tensor:
        """The mask logits of one object as the points say that correct it."""
        side = logits_11hw.shape[-1]
        colours_13hw = F.avg_pool2d(image_13hw.float(), image_13hw.shape[-1] // side)
        logits_hw, colours_3hw = logits_11hw[0, 0].float() - self._mask_threshold, colours_13hw[0]
        cells_xy = points["point_coords"][0] * (side / self.image_size)
        labels = points["point_labels"][0]
        host = [x.cpu().numpy() for x in (logits_hw, colours_3hw.permute(1, 2, 0), cells_xy, labels)]
        obeying_hw = clicks.obeying(host[0], host[1], host[2], host[3])
        return torch.from_numpy(obeying_hw)[None, None].to(logits_11hw) + self._mask_threshold

    def _use_multimask(self, is_init_cond_frame: bool, point_inputs: dict[str, Tensor] | None) -> bool:
        """For a box, too: three masks to choose from."""
        if self._is_box(point_inputs):
            return bool(self.multimask_output_in_sam)
        return bool(super()._use_multimask(is_init_cond_frame, point_inputs))

    def _is_box(self, point_inputs: dict[str, Tensor] | None) -> bool:
        """Whether the prompt is a box without points, and three masks of it are to be compared with it."""
        labels_1p = None if self._box_fit is None or point_inputs is None else point_inputs["point_labels"]
        return labels_1p is not None and labels_1p.tolist() == [_BOX]

    def _revise(self, decoder: torch.nn.Module, args: tuple[Any, ...], decoded: Decoded) -> Decoded | None:
        """What the mask decoder returns, with the colours added, or with the mask that fits a box made the best.

        And with a score above 0 where a corrective point is on the object: else its mask would be empty.
        """
        masks_nmhw, ious_nm, tokens, scores_n1 = decoded
        if self._is_there:
            return masks_nmhw, ious_nm, tokens, scores_n1.clamp(min=_THERE)
        if self._colours is not None:
            masks_nmhw = self._colours.added(masks_nmhw, ious_nm, scores_n1, self._colour_weight)
            return masks_nmhw, ious_nm, tokens, scores_n1
        if self._box is not None and self._box_fit is not None:
            box_22 = self._box / self.image_size
            ious_nm = fitting_mask(masks_nmhw[0] > self._mask_threshold, ious_nm, box_22, self._box_fit)
            return masks_nmhw, ious_nm, tokens, scores_n1
        return None


def check_keys(
    memory_stride: object,
    upsample: object,
    mask_threshold: object,
    colour_weight: object,
    box_fit: object,
    obey_points: object,
) -> None:
    """Raises InputError for keys of ``NanoPredictor`` that are out of range."""

    def number(value: Any, low: float, high: float) -> bool:
        return type(value) in (int, float) and low <= value <= high

    if type(memory_stride) is not int or memory_stride < 1:
        raise InputError(f"model.memory_stride: {memory_stride}; 1 (every frame is remembered) or more, in frames")
    if upsample not in ("bilinear", "guided"):
        raise InputError(f"model.upsample: {upsample} is not one of bilinear, guided")
    if not number(mask_threshold, -10, 10):
        raise InputError(f"model.mask_threshold: {mask_threshold}; a logit from -10 to 10 (0 in sam2)")
    if not number(colour_weight, 0, 10):
        raise InputError(f"model.colour_weight: {colour_weight}; 0 (colours don't count, as in sam2) to 10")
    if box_fit is not None and not number(box_fit, 0, 1):
        raise InputError(f"model.box_fit: {box_fit}; an IoU from 0 to 1, or null (one mask, as in sam2)")
    if type(obey_points) is not bool:
        raise InputError(f"model.obey_points: {obey_points}; true, or false (as the decoder says, as in sam2)")


def guided(logits_n1hw: Tensor, image_13hw: Tensor) -> Tensor:
    """Logits (n, 1, h, w) at the size of the normalised ``image_13hw`` (1, 3, 4 h, 4 w), along its edges; float32 both.

    He and Sun, Fast Guided Filter (2015): in each window of 3 by 3 logits the mask is taken for a linear function of
    the colours. These functions, which change slowly, are interpolated and applied to the picture.
    """
    colour = F.avg_pool2d(image_13hw, image_13hw.shape[-1] // logits_n1hw.shape[-1])
    p = logits_n1hw.clamp(-_LIMIT, _LIMIT)
    moments = _mean(torch.cat([colour, _products(colour)], 1))
    mean, inverse = moments[:, :3], _inverse(moments[:, 3:] - _products(moments[:, :3]))
    local = _mean(torch.cat([p, colour * p], 1))
    mean_p, covariance = local[:, :1], local[:, 1:] - mean * local[:, :1]
    # By slices: a list of indices would have to be uploaded, and waited for
    i, (red, green, blue) = torch.split(inverse, 1, 1), torch.split(covariance, 1, 1)
    slope = torch.cat([i[a] * red + i[b] * green + i[c] * blue for a, b, c in _ROWS], 1)
    offset = mean_p - (slope * mean).sum(1, keepdim=True)
    functions = _mean(torch.cat([slope, offset], 1))
    functions[:, 3:] += logits_n1hw - p
    fine = F.interpolate(functions, size=image_13hw.shape[-2:], mode="bilinear")
    return (fine[:, :3] * image_13hw).sum(1, keepdim=True) + fine[:, 3:]


def _mean(x: Tensor) -> Tensor:
    """Of 3 by 3 around each place."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _products(x: Tensor) -> Tensor:
    """Of the channels of x (n, 3, h, w), each pair once: (n, 6, h, w)."""
    return torch.cat([x[:, a, None] * x[:, b, None] for a, b in _PAIRS], 1)


def _inverse(covariance: Tensor) -> Tensor:
    """Of symmetric matrices (n, 6, h, w), which become no flatter than ``_FLAT``, by cofactors."""
    rr, rg, rb, gg, gb, bb = (covariance[:, k, None] for k in range(6))
    rr, gg, bb = rr + _FLAT, gg + _FLAT, bb + _FLAT
    cofactors = torch.cat(
        [
            gg * bb - gb * gb,
            gb * rb - rg * bb,
            rg * gb - gg * rb,
            rr * bb - rb * rb,
            rb * rg - rr * gb,
            rr * gg - rg * rg,
        ],
        1,
    )
    return cofactors / (rr * cofactors[:, :1] + rg * cofactors[:, 1:2] + rb * cofactors[:, 2:3])
