"""What a job is told: the frames of its video, and its prompts, all checked before a model is built."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from omegaconf import DictConfig

from vidseg import config as configuration
from vidseg.contract import build, check_prompts
from vidseg.errors import InputError
from vidseg.prompt import checking
from vidseg.scaling import scaled
from vidseg.types import Finder, Matte, Prompt, Source
from vidseg.work import Told


def open_video(config: DictConfig, prompts: Sequence[Prompt] | None) -> Told:
    """The frames to segment and the prompts, all checked. ``prompts`` replace those of the configuration unless None.

    A function of conf/prompt may return an iterable of prompts that has a ``finder``, ``looks``, a ``detector`` and
    ``classes``, see ``vidseg.prompt.detected.Found``.

    With ``preview`` only the prompted frames are given out. If there are several, what is between them is tracked.
    """
    from vidseg.video import resized
    from vidseg.video.window import Excerpt, Selection

    configuration.check(config)
    source = open_full_size(config)
    frames = resized(source, config.extract.scale, config.extract.height)
    given: Any = prompts
    if prompts is None:
        function = build(config, "prompt")
        try:
            given = function(source)
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise InputError(f"prompt: {error}") from error  # a key that was removed, or that isn't there
        prompts = check_prompts(f"{config.prompt._target_}: it must return vidseg.Prompts", given)
    prompts = checking.check(source, prompts)
    prompts = _at_size(source, frames, prompts, getattr(given, "looks", None))
    source = frames
    tracked: Source | None = None
    if config.preview:
        numbers = sorted({prompt.frame_index for prompt in prompts})
        tracked = Excerpt(source, numbers[0], numbers[-1]) if len(numbers) > 1 else None
        source = Selection(source, numbers)
    finder: Finder | None = None if config.preview else getattr(given, "finder", None)
    detector = getattr(getattr(given, "detector", None), "provenance", None)
    looks, classes = getattr(given, "looks", None), tuple(getattr(given, "classes", ()))
    return Told(source, prompts, tracked=tracked, finder=finder, looks=looks, detector=detector, classes=classes)


def make_matte(config: DictConfig, alpha: bool) -> Matte | None:
    """The matte of a configuration; None if alpha is to be 0 or 255. ``alpha``: an output has an alpha channel."""
    matte: Matte | None = build(config, "matte")
    if for_outputs := getattr(matte, "for_outputs", None):
        matte = for_outputs(alpha)
    return matte


def open_full_size(config: DictConfig) -> Source:
    """The video of a configuration, in the source's pixels, as prompts are."""
    from vidseg.video import open_source

    extract, clip = config.extract, config.sample
    return open_source(
        config.video,
        extract.start,
        extract.stop,
        extract.step,
        extract.fps,
        clip.seed,
        deinterlace=extract.deinterlace,
        shutter=clip.shutter,
    )


def _at_size(source: Source, frames: Source, prompts: tuple[Prompt, ...], looks: Any) -> tuple[Prompt, ...]:
    """The prompts in pixels of the ``frames``; so are then the ``looks`` that aren't drawn yet."""
    size, to = ((each.info.width, each.info.height) for each in (source, frames))
    factors = np.tile(np.array(to, np.float32) / np.array(size, np.float32), 2)
    for index, sightings in (looks or {}).items():
        looks[index] = tuple(replace(each, box_xyxy=each.box_xyxy * factors) for each in sightings)
    return tuple(scaled(prompt, size, to) for prompt in prompts)
