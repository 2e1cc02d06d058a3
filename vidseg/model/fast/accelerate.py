"""The one hook by which a segmenter is made faster: what is chosen for which device, and which stages run at once."""

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Any, TypeVar

import torch
from torch import Tensor

from vidseg.devices import Precision
from vidseg.errors import InputError
from vidseg.model.fast.compiled import compile_modules, warm_up
from vidseg.model.fast.cpu import accelerate_cpu
from vidseg.model.fast.gpu import FetchedMasks, fill_holes_unwaited
from vidseg.model.fast.int8 import quantize
from vidseg.model.sam2.engine import Features
from vidseg.model.sam2.plain import Plain, Track
from vidseg.model.sam2.stages import Seen, Stages
from vidseg.prefetch import ahead, behind, chunks, prefetch
from vidseg.types import RGB, FrameMasks

T = TypeVar("T")
Prepared = tuple[Seen, tuple[Tensor | None, Features | None]]  # seen, resized, and encoded already or not

_OBJECTS_AT_ONCE = 16  # at 1024 pixels an object takes 29 MiB of keys in every layer of the memory attention
_FRAMES_AT_ONCE = 4  # that the image encoder takes on a GPU
_MOST_UNWAITED = 64  # pixels of a hole: two kernels for each, so that more cost more than waiting for the host


class Fast(Plain):
    """How the work is done sooner.

    - ``exact``: upstream's arithmetic in upstream's order, object by object; only what changes no bit is done.
    - ``compile``: torch.compile makes one graph of each module, which takes minutes at the start.
    - ``quantize``: "int8" rounds weights and inputs of linear layers, on a CPU in fp32 only; masks change a little.
    - ``encoder_batch``: so many frames go through the image encoder at once; None: 4 on CUDA, else 1.
    - ``encode_ahead``: a thread of its own encodes the next frame, on a CPU of several cores, unless ``exact`` or
      ``compile``. Worth it where the encoder is a third of the work.
    - ``asynchronous``: whether the device works beside the host, so that nothing should wait for it; None: CUDA does.

    Raises InputError for values that can't be, or not together.
    """

    def __init__(
        self, exact: bool = False, compile: bool = False, quantize: str | None = None, encoder_batch: int | None = None,
        encode_ahead: bool = False, asynchronous: bool | None = None,
    ) -> None:  # fmt: skip
        if compile and exact:
            raise InputError("model.compile: true, and so is model.exact; compiled sums come in another order")
        if encoder_batch is not None and (
            type(encoder_batch) is not int or encoder_batch < 1 or (exact and encoder_batch > 1)
        ):
            allowed = "1 with model.exact (a batch reorders sums)" if exact else "1 or more frames"
            raise InputError(f"model.encoder_batch: {encoder_batch}; {allowed}, or null")
        if quantize not in (None, "int8"):
            raise InputError(f"model.quantize: {quantize} is not one of null, int8")
        if quantize and (exact or compile):
            raise InputError(f"model.quantize: {quantize}; not together with model.{'exact' if exact else 'compile'}")
        self._exact, self._compile, self._quantize = exact, compile, quantize
        self._encoder_batch, self._encode_ahead = encoder_batch, encode_ahead and not exact and not compile
        self._asynchronous = asynchronous
        self.objects_at_once = 1 if exact else _OBJECTS_AT_ONCE

    def bind(self, device: torch.device, precision: Precision) -> str:
        """Chooses what helps on ``device``."""
        self._device, on_cuda = device, device.type == "cuda"
        self._unwaited = on_cuda if self._asynchronous is None else self._asynchronous
        self._in_fp32_on_cpu = device.type == "cpu" and precision.autocast is None
        if self._quantize and not self._in_fp32_on_cpu:
            raise InputError(f"model.quantize: {self._quantize}; it needs device=cpu precision=fp32, and is for them")
        self._at_once = self._encoder_batch or (_FRAMES_AT_ONCE if on_cuda and not self._exact else 1)
        self._encode_ahead = self._encode_ahead and device.type == "cpu" and self._at_once == 1
        return self._quantize or precision.name

    def prepare(self, predictor: Any) -> None:
        """Replaces modules by faster ones."""
        if self._quantize:
            quantize(predictor)
        if self._compile:
            compile_modules(predictor)
        elif self._in_fp32_on_cpu and not self._exact:
            accelerate_cpu(predictor)

    def warm_up(self, track: Track) -> None:
        """Compiles what a run can meet."""
        if self._compile:
            warm_up(track)

    def image(self, rgb_hw3: RGB, side: int) -> Tensor:
        """On a GPU: copied from pinned memory without a wait. torch reuses that memory only once the copy is done."""
        image_chw = super().image(rgb_hw3, side)
        return image_chw.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else image_chw

    def fill_holes(self, logits_n1hw: Tensor, max_area: int) -> Tensor:
        """On a GPU without waiting for it, unless holes are so large that waiting takes less time."""
        if self._unwaited and max_area <= _MOST_UNWAITED:
            return fill_holes_unwaited(logits_n1hw, max_area)
        return super().fill_holes(logits_n1hw, max_area)

    def frame_masks(self, *masks: Any) -> FrameMasks:
        """Copied from a GPU without waiting for it: their reader does."""
        return FetchedMasks(*masks) if self._unwaited else super().frame_masks(*masks)

    def run(self, frames: Iterable[Any], stages: Stages[T]) -> Generator[T]:
        """Resizes frames in threads ahead, and with ``encode_ahead`` encodes them there and steps in another thread."""
        threads = torch.get_num_threads()
        encode_ahead = self._encode_ahead and threads > 1

        def prepare(seen: Seen) -> tuple[Tensor | None, Features | None]:
            image = stages.resize(seen)
            return image, stages.encode([image])[0] if encode_ahead and image is not None else None

        with closing(ahead(map(stages.look, frames), prepare, self._at_once)) as prepared:
            steps = self._steps(prepared, stages)
            with closing(prefetch(steps, 1) if encode_ahead else steps) as stepped:
                shown = (show() for show in stepped)
                try:  # two threads, which start at the first `show` below, compute: operators get half of the cores
                    torch.set_num_threads(threads // 2 if encode_ahead else threads)
                    yield from behind(shown) if self._unwaited else shown
                finally:
                    torch.set_num_threads(threads)

    def _steps(self, prepared: Iterable[Prepared], stages: Stages[T]) -> Generator[Any]:
        for chunk in chunks(prepared, self._at_once):
            waiting = [image for _, (image, features) in chunk if image is not None and features is None]
            encoded = stages.encode(waiting, self._at_once)
            for seen, (image, features) in chunk:
                yield stages.step(seen, features or (encoded.pop(0) if image is not None else None))
