"""SAM 2 (Ravi et al., 2024): prompts on any frames, then one pass over the video in constant memory.

Knows nothing about files, outputs or Hydra.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from vidseg.devices import Precision, resolve_device
from vidseg.errors import InputError
from vidseg.model.sam2 import checkpoint as checkpoints
from vidseg.model.sam2.backwards import Backwards
from vidseg.model.sam2.corrections import give_prompts, restored
from vidseg.model.sam2.engine import Engine, MaskOptions
from vidseg.model.sam2.interactive import Interactive
from vidseg.model.sam2.joining import Course, Joining, separate
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.saving import load
from vidseg.model.sam2.tracking import Tracking
from vidseg.model.sam2.upstream import Predictor, build
from vidseg.model.sam2.view import NewViews, Views
from vidseg.types import Checkpoints, Finder, Frame, FrameMasks, Prompt, Source
from vidseg.weights import locate


@dataclass(frozen=True, slots=True)
class Weights:
    """Which model.

    - ``config``: a config of the package sam2, or a YAML file.
    - ``checkpoint``: ``hf://OWNER/REPOSITORY/FILE``, a path, or "random" (drawn from ``seed``).
    - ``image_size``: the side in pixels of the square that frames are resized to; None: as in the config.
    - ``predictor``: the class to build; ``keys`` are more keys for it, beside those in the config.
    """

    config: str
    checkpoint: str
    seed: int = 0
    image_size: int | None = None
    predictor: type[Predictor] = Predictor
    keys: Mapping[str, Any] = field(default_factory=dict)


class SAM2:
    """A segmenter: SAM 2 or 2.1 on one device in one precision.

    - ``weights``: which model; ``options``: what is asked of its masks.
    - ``device``: "auto", "cpu", "cuda", "cuda:1" or "mps"; ``precision``: the number format.
    - ``speed``: how the work is done; as upstream does it, bit by bit, unless something faster is given.
    - ``views``: makes what chooses the part of a frame that the model sees; the whole picture, as upstream.

    The model is the package sam2's, and so are the masks after its ``propagate_in_video``. What differs is what is
    held: one frame, and the memories that later frames can attend to (docs/engine.md).

    Raises InputError for values that can't be used, a device that isn't there, and a checkpoint that can't be found,
    read or loaded.
    """

    def __init__(
        self, weights: Weights, options: MaskOptions, device: str, precision: Precision, speed: Plain | None = None,
        views: NewViews = Views,
    ) -> None:  # fmt: skip
        speed, self._views, on = speed or Plain(), views, resolve_device(device)
        precision = precision.resolve(on)
        self.device, self.precision = str(on), speed.bind(on, precision)
        if weights.checkpoint != checkpoints.RANDOM:
            locate(weights.checkpoint, checkpoints.KEY)  # fails, or downloads, before seconds go into the model
        keys = {"non_overlap_masks": options.non_overlap_masks, **weights.keys}
        predictor = build(weights.predictor, weights.config, weights.image_size, weights.seed, keys)
        loaded = checkpoints.load(predictor, weights.checkpoint)
        predictor.to(on)
        speed.prepare(predictor)
        self.provenance: Mapping[str, str] = {**loaded, "config": weights.config, "seed": str(weights.seed)}
        self._engine = Engine(predictor, on, precision, speed, options)
        speed.warm_up(self.track)

    resumable = joinable = True

    def track(
        self, source: Source, prompts: Sequence[Prompt], checkpoints: Checkpoints | None = None,
        finder: Finder | None = None,
    ) -> Generator[tuple[Frame, FrameMasks]]:  # fmt: skip
        """One pair for every frame of ``source.frames``, in order, with every object of ``prompts`` by ascending id.

        Forward, an object's mask is empty before its first prompt (logits -1024, score None), and past its ``until``.
        Of several prompts for one object on one frame the later replaces the earlier, guided by its mask, as in sam2.
        Points on an object with a prompt on an earlier frame correct what is tracked to there (``corrections``).
        Objects that join, told or found by ``finder``, change no other's masks (``joining``); one that was found is in
        the pairs from that frame on. With ``checkpoints`` it goes on from what they have saved, and saves what it
        remembers. Raises InputError if there is neither a prompt nor a finder, and for prompts that can't be.
        """
        if not prompts and finder is None:
            raise InputError("prompt: there is none, so there is nothing to segment")
        stages = self._begun(source, prompts, checkpoints, finder)
        with closing(source.__iter__()) as frames, closing(self._engine.speed.run(frames, stages)) as pairs:
            yield from pairs
        stages.check_end()

    def interactive(self, source: Source) -> Interactive:
        """What gives the masks of single frames of ``source`` while prompts are still being made."""
        return Interactive(self._engine, source, self._views)

    def _begun(
        self, source: Source, prompts: Sequence[Prompt], checkpoints: Checkpoints | None, finder: Finder | None
    ) -> Tracking:
        """The last pass over the video, which was given all prompts and made all that comes before it."""
        engine, start = self._engine, 0
        main: Course | None = None
        backwards: Backwards | None = None
        state = load(checkpoints.saved, engine.device) if checkpoints is not None and checkpoints.saved else None
        told, joining = separate(source, prompts)
        if told:
            if state is None:
                pass_, start = give_prompts(engine, source, told, self._views)
            else:
                pass_, start = restored(engine, source, told, self._views, state["pass"]), state["start"]
            if engine.options.propagate == "both" and start > 0:
                backwards = Backwards(pass_, source, start, engine.features, checkpoints, going_on=state is not None)
                if state is None or state["reached"] is not None:
                    backwards.track(state["reached"] if state is not None else None)
            main = Course(pass_, start if backwards is None else backwards.end)
        ids = {prompt.object_id for prompt in told}
        new = Joining(engine, source, self._views, joining, finder)
        stages = Tracking(source, engine, main, ids, start, new, backwards, checkpoints)
        if state is not None:
            stages.restore(state)
        elif checkpoints is not None and (backwards is not None or len({prompt.frame_index for prompt in told}) > 1):
            checkpoints.offer(None, stages.saved())  # frames before a prompt or a correction took long
        return stages
