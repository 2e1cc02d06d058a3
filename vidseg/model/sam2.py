"""SAM 2 (Ravi et al., 2024): prompts on any frames, then one pass over the video in constant memory.

The model is that of the package sam2 (``SAM2VideoPredictor``), and so are the masks after its ``propagate_in_video``:
bit by bit with ``exact``, else but for the order of sums, unless ``memory_stride`` or ``upsample`` (nano's are) says
otherwise. What differs is what is held (one frame, and the memories that the model can still attend to: docs/engine.md)
and what it takes. Knows nothing about files, outputs or Hydra.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vidseg.errors import InputError
from vidseg.model import checkpoint as weights
from vidseg.model.before import Before
from vidseg.model.compiled import compile_modules, warm_up
from vidseg.model.cpu import hasten
from vidseg.model.device import half_the_threads, resolve_device
from vidseg.model.engine import Pass
from vidseg.model.image import Input, device_image, host_image, upload
from vidseg.model.precision import Precision
from vidseg.model.quantized import quantize as int8
from vidseg.model.stream import chunks, one_behind
from vidseg.model.upstream import build
from vidseg.prefetch import ahead, prefetch
from vidseg.progress import progress
from vidseg.types import RGB, Frame, FrameMasks, Prompt, Source

Placed = tuple[int, Prompt]
"""A prompt and its position in ``source.frames``."""


class SAM2:
    """A segmenter: SAM 2 or 2.1 on one device in one precision.

    ``config`` is a config of the package sam2 or a YAML file; ``checkpoint`` is ``hf://OWNER/REPOSITORY/FILE``, a path,
    or "random" (drawn from ``seed``); ``precision`` holds the parameters of ``Precision``. ``image_size`` is the side
    of the square that frames are resized to (None: as in the config). Holes of up to ``fill_hole_area`` pixels of the
    mask at a quarter of that size are filled. ``non_overlap_masks`` gives each pixel to its best object only. ``exact``
    does upstream's arithmetic in upstream's order; without it objects go in batches and sums are reordered for speed.
    ``compile`` has torch.compile make one graph of each module, which takes minutes at the start. ``encoder_batch``
    frames go through the image encoder at once (None: 4 on CUDA, else 1). ``encode_ahead`` has a thread of its own
    encode the next frame on a CPU of several cores, unless ``exact`` or ``compile``: worth it where the encoder is a
    third of the work. ``quantize`` "int8" rounds weights and inputs of linear layers, on a CPU only.
    ``memory_stride``: one in so many tracked frames is remembered, and attended to (1: all, as in sam2). ``upsample``:
    masks are made four times as fine as sam2 makes them ("bilinear"), or along the picture's edges ("guided").
    ``propagate``: "forward" from the first prompt, or to "both" ends of the video.

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
        exact: bool = False,
        propagate: str = "forward",
        compile: bool = False,
        encoder_batch: int | None = None,
        encode_ahead: bool = False,
        quantize: str | None = None,
        memory_stride: int = 1,
        upsample: str = "bilinear",
    ) -> None:
        if compile and exact:
            raise InputError("model.compile: true, and so is model.exact; compiled sums come in another order")
        if encoder_batch is not None and (
            not isinstance(encoder_batch, int) or encoder_batch < 1 or (exact and encoder_batch > 1)
        ):
            allowed = "1 with model.exact (a batch reorders sums)" if exact else "1 or more frames"
            raise InputError(f"model.encoder_batch: {encoder_batch}; {allowed}, or null")
        if quantize not in (None, "int8"):
            raise InputError(f"model.quantize: {quantize} is not one of null, int8")
        if quantize and (exact or compile):
            raise InputError(f"model.quantize: {quantize}; not together with model.{'exact' if exact else 'compile'}")
        if not isinstance(fill_hole_area, int) or fill_hole_area < 0:
            raise InputError(f"model.fill_hole_area: {fill_hole_area}; 0 (fills none) or more, in pixels")
        if not isinstance(memory_stride, int) or memory_stride < 1:
            raise InputError(f"model.memory_stride: {memory_stride}; 1 (every frame is remembered) or more, in frames")
        if upsample not in ("bilinear", "guided"):
            raise InputError(f"model.upsample: {upsample} is not one of bilinear, guided")
        if propagate not in ("forward", "both"):
            raise InputError(f"propagate: {propagate} is not one of forward, both")
        self._exact, self._propagate, self._memory_stride = exact, propagate, memory_stride
        self._upsample = upsample
        self._device = resolve_device(device)
        self._precision = Precision(**precision).resolve(self._device)
        on_cpu_in_fp32 = self._device.type == "cpu" and self._precision.autocast is None
        if quantize and not on_cpu_in_fp32:
            raise InputError(f"model.quantize: {quantize}; it needs device=cpu precision=fp32, and is for them")
        self._fill_hole_area = fill_hole_area
        self._gpu = self._device.type == "cuda"
        self._at_once = encoder_batch or (4 if self._gpu and not exact else 1)
        self._encode_ahead = encode_ahead and self._device.type == "cpu" and self._at_once == 1 and not exact | compile
        if checkpoint != weights.RANDOM:
            weights.locate(checkpoint)  # a mistake is told, and a download done, before seconds go into the model
        self._predictor = build(config, image_size, non_overlap_masks, seed)
        # Which frames sam2 looks for; that these alone are remembered is the engine's
        self._predictor.memory_temporal_stride_for_eval *= memory_stride
        loaded = weights.load(self._predictor, checkpoint)
        self._predictor.to(self._device)
        if quantize:
            int8(self._predictor)
        if compile:
            compile_modules(self._predictor)
        elif not exact and on_cpu_in_fp32:
            hasten(self._predictor)
        self.device = str(self._device)
        self.precision = quantize or self._precision.name
        self.provenance: Mapping[str, str] = {**loaded, "config": config, "seed": str(seed)}
        if compile:
            warm_up(self.track)

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Generator[tuple[Frame, FrameMasks]]:
        """One pair for each frame of ``source.frames``, in order; every object of ``prompts`` in each, by ascending id.

        The prompted frames are read and encoded first, since SAM 2 attends to all of them from everywhere. Forward, an
        object's mask is empty before its first prompt (logits -1024, score None). Several prompts for one object on one
        frame act as in sam2: the later replaces the earlier, guided by its mask. Points on an object that was prompted
        on an earlier frame correct what is tracked to there: the video is tracked to the last of them first, and then
        from the start with the corrected frames as conditioning frames. Raises InputError if there is no prompt, or one
        on a frame that ``source`` doesn't have.
        """
        if not prompts:
            raise InputError("prompt: there is none, so there is nothing to segment")
        both = self._propagate == "both"
        pass_ = Pass(
            self._predictor, source, self._fill_hole_area, self._exact, both, self._memory_stride, self._upsample,
            self._computing, self._gpu,
        )  # fmt: skip
        start = self._prompt(pass_, source, prompts)
        before = Before(pass_, source, start, self._image) if both and start > 0 else None
        first = start if before is None else before.end

        encoding = self._encode_ahead and torch.get_num_threads() > 1

        def input_of(frame: Frame) -> Input | None:
            if source.frames.index(frame.index) < first:
                return None
            each = self._input(frame.rgb_hw3)
            return replace(each, features=pass_.encode([each.image_chw])[0]) if encoding else each

        with (
            half_the_threads() if encoding else nullcontext(),
            closing(source.__iter__()) as frames,
            closing(ahead(frames, input_of, self._at_once)) as inputs,
        ):
            pairs = self._pairs(pass_, source, inputs, before)
            yield from one_behind(pairs) if self._gpu else prefetch(pairs, 1) if encoding else pairs

    def _pairs(
        self, pass_: Pass, source: Source, inputs: Iterable[tuple[Frame, Input | None]], before: Before | None
    ) -> Iterator[tuple[Frame, FrameMasks]]:
        """Every frame and its masks; a GPU's are queued by then, and waited for when they are read."""
        for chunk in chunks(inputs, self._at_once):
            waiting = [each.image_chw for _, each in chunk if each is not None and each.features is None]
            features = pass_.encode(waiting, self._at_once)
            for frame, each in chunk:
                position = source.frames.index(frame.index)  # damaged frames are left out, and leave a gap
                if each is not None:
                    low_res = pass_.step(position, each.features or features.pop(0))
                    yield frame, pass_.show(position, low_res, frame.index, each.uploaded)
                elif before is not None:
                    yield frame, before.take(position, frame.index)
                else:
                    yield frame, pass_.empty(frame.index)

    def _prompt(self, pass_: Pass, source: Source, prompts: Sequence[Prompt]) -> int:
        """Gives ``pass_`` all prompts; the position of the first."""
        initial, corrections = _rounds([(_position(source, prompt.frame_index), prompt) for prompt in prompts])
        for position, here in _by_position(initial).items():  # each prompted frame is read and encoded once
            image = self._image(source[source.frames[position]].rgb_hw3)
            pass_.condition(position, pass_.encode([image])[0], here)
        pass_.begin(initial)
        start = min(position for position, _ in initial)
        if corrections:
            self._correct(pass_, source, start, _by_position(corrections))
            pass_.begin([*initial, *corrections])
        return start

    def _correct(self, pass_: Pass, source: Source, start: int, corrections: dict[int, list[Prompt]]) -> None:
        """Tracks forward from ``start`` to the last corrected frame, and corrects on the way."""
        waiting = dict(corrections)
        steps = max(waiting) - start + 1
        with (
            closing(source.__iter__()) as frames,
            closing(ahead(frames, lambda frame: self._image(frame.rgb_hw3))) as images,
            progress(steps, "to the corrections") as bar,
        ):
            for frame, image in images:
                position = source.frames.index(frame.index)
                if position < start:
                    continue
                if position in waiting:
                    pass_.correct(position, pass_.encode([image])[0], waiting.pop(position))
                else:
                    pass_.step(position, pass_.encode([image])[0])
                bar.update()
                if not waiting:
                    return
        number = source.frames[min(waiting)]
        raise InputError(f"prompt.frame: {number} can't be read (a damaged picture), so nothing can be corrected there")

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.inference_mode(), self._precision.applied(self._device):
            yield

    def _image(self, rgb_hw3: RGB) -> Tensor:
        return self._input(rgb_hw3).image_chw

    def _input(self, rgb_hw3: RGB) -> Input:
        side = self._predictor.image_size
        if not self._gpu:
            return Input(host_image(rgb_hw3, side))
        uploaded = upload(rgb_hw3, self._device)
        return Input(device_image(uploaded.planes_3hw, side), uploaded)


def _rounds(prompts: list[Placed]) -> tuple[list[Placed], list[Placed]]:
    """The prompts that say where objects are, and the points that correct where one has been tracked to."""
    first: dict[int, int] = {}
    anew = set()  # places where a box or a mask says where the object is, whatever was tracked
    for position, prompt in prompts:
        first[prompt.object_id] = min(position, first.get(prompt.object_id, position))
        if prompt.box_xyxy is not None or prompt.mask_hw is not None:
            anew.add((position, prompt.object_id))
    corrects = [
        position > first[each.object_id] and (position, each.object_id) not in anew for position, each in prompts
    ]
    initial = [each for each, does in zip(prompts, corrects, strict=True) if not does]
    return initial, [each for each, does in zip(prompts, corrects, strict=True) if does]


def _by_position(prompts: list[Placed]) -> dict[int, list[Prompt]]:
    places: dict[int, list[Prompt]] = {}
    for position, prompt in prompts:
        places.setdefault(position, []).append(prompt)
    return places


def _position(source: Source, frame_index: int) -> int:
    try:
        return source.frames.index(frame_index)
    except ValueError:
        first, last = source.frames[0], source.frames[-1]
        raise InputError(
            f"prompt.frame: {frame_index} is not among the frames to segment ({len(source.frames)}, {first} to {last})"
        ) from None
