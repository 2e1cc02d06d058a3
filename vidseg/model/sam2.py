"""SAM 2 (Ravi et al., 2024): prompts on any frames, then one pass over the video in constant memory.

The model is that of the package sam2 (``SAM2VideoPredictor``), and so are the masks after its ``propagate_in_video``:
bit by bit with ``exact``, else but for the order of sums, unless ``memory_stride``, ``prompted_weight``,
``upsample``, ``mask_threshold``, ``colour_weight``, ``box_fit`` or ``zoom`` (nano's do) says otherwise. What differs is
what is held (one frame, and the memories that the model can still attend to: docs/engine.md) and what it takes. Knows
nothing about files, outputs or Hydra.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from vidseg.errors import InputError
from vidseg.model import checkpoint as weights
from vidseg.model.before import Before
from vidseg.model.compiled import compile_modules, warm_up
from vidseg.model.cpu import hasten
from vidseg.model.device import half_the_threads, resolve_device
from vidseg.model.encoder import Encoder
from vidseg.model.engine import Pass
from vidseg.model.image import Input
from vidseg.model.options import Options
from vidseg.model.precision import Precision
from vidseg.model.prompting import Prompting, Seen, seen
from vidseg.model.quantized import quantize as int8
from vidseg.model.stream import chunks, one_behind
from vidseg.model.upstream import build
from vidseg.prefetch import ahead, prefetch
from vidseg.types import Frame, FrameMasks, Prompt, Source


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
    ``memory_stride``: one in so many tracked frames is remembered, and attended to (1: all, as in sam2).
    ``prompted_weight``: for an object given as a mask or a box its prompted frames' memories count so many times over
    (1, as in sam2), so that what tracking lost is found again. ``upsample``: masks are made four times as fine as sam2
    makes them ("bilinear"), or along the picture's edges ("guided"). Masks are where the model's logits are above
    ``mask_threshold`` (those that are given out are above 0 there). ``colour_weight``: how much an object's colours, as
    the prompted and then the tracked frames have them, count in those logits (0: not, as in sam2). ``box_fit``: of
    three masks of a box one is taken whose bounding box has that IoU with it, or the best there is (None: one mask is
    made, as in sam2). ``zoom``: the model sees a window that follows the objects, whose longer side is that share of
    the window's (None: the whole picture). ``propagate``: "forward" from the first prompt, or to "both" ends of the
    video.

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
        prompted_weight: int = 1,
        upsample: str = "bilinear",
        mask_threshold: float = 0.0,
        colour_weight: float = 0.0,
        box_fit: float | None = None,
        zoom: float | None = None,
    ) -> None:
        self._options = Options(
            exact,
            compile,
            propagate,
            fill_hole_area,
            encoder_batch,
            quantize,
            memory_stride,
            prompted_weight,
            upsample,
            mask_threshold,
            colour_weight,
            box_fit,
            zoom,
        )
        self._device = resolve_device(device)
        self._precision = Precision(**precision).resolve(self._device)
        on_cpu_in_fp32 = self._device.type == "cpu" and self._precision.autocast is None
        if quantize and not on_cpu_in_fp32:
            raise InputError(f"model.quantize: {quantize}; it needs device=cpu precision=fp32, and is for them")
        self._gpu = self._device.type == "cuda"
        self._at_once = encoder_batch or (4 if self._gpu and not exact and zoom is None else 1)
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
        encoder = Encoder(self._predictor, self._computing, self._gpu)

        def new_pass(zoom: float | None) -> Pass:
            return Pass(self._predictor, source, replace(self._options, zoom=zoom), self._computing, self._gpu)

        prompting = Prompting(source, encoder, new_pass, exclusive=self._predictor.non_overlap_masks)
        pass_, start = prompting.given(prompts, self._options.zoom)
        both = self._options.propagate == "both" and start > 0
        before = Before(pass_, source, start, encoder.features) if both else None
        first = start if before is None else before.end

        encoding = self._encode_ahead and torch.get_num_threads() > 1

        def input_of(what: Seen) -> Input | None:
            frame, view = what
            if source.frames.index(frame.index) < first:
                return None
            each = encoder.input(frame.rgb_hw3, view)
            return replace(each, features=encoder.encode([each.image_chw])[0]) if encoding else each

        with (
            half_the_threads() if encoding else nullcontext(),
            closing(source.__iter__()) as frames,
            closing(ahead(seen(pass_, source, frames), input_of, self._at_once)) as inputs,
        ):
            steps = self._steps(pass_, source, encoder, inputs, before)
            with closing(prefetch(steps, 1) if encoding else steps) as made:
                pairs = ((frame, masks()) for frame, masks in made)
                yield from one_behind(pairs) if self._gpu else pairs

    def _steps(
        self, pass_: Pass, source: Source, encoder: Encoder, inputs: Iterable[tuple[Seen, Input | None]],
        before: Before | None,
    ) -> Generator[tuple[Frame, Callable[[], FrameMasks]]]:  # fmt: skip
        """Every frame, tracked to, and what shows its masks; a GPU's are queued by then, and waited for when they are
        read."""
        for chunk in chunks(inputs, self._at_once):
            waiting = [each.image_chw for _, each in chunk if each is not None and each.features is None]
            features = encoder.encode(waiting, self._at_once)
            for (frame, view), each in chunk:
                position = source.frames.index(frame.index)  # damaged frames are left out, and leave a gap
                if each is not None:
                    low_res = pass_.step(position, each.features or features.pop(0), view)
                    yield frame, partial(pass_.show, position, low_res, frame.index, each.uploaded)
                elif before is not None:
                    yield frame, partial(before.take, position, frame.index)
                else:
                    yield frame, partial(pass_.empty, frame.index)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.inference_mode(), self._precision.applied(self._device):
            yield
