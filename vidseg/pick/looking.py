"""How any segmenter gives the masks of single frames: its own ``interactive`` way, or by tracking to the frame."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

from vidseg.contract import build
from vidseg.errors import InputError
from vidseg.types import Enough, FrameMasks, Prompt, Segmenter, Source, Stepped
from vidseg.video.window import Excerpt


class Looking(Protocol):
    """Gives the masks of single frames; see ``vidseg.model.sam2.interactive.Interactive``."""

    def look(self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped, enough: Enough) -> FrameMasks:
        """The masks on a frame of the objects that have a prompt there, or more objects.

        ``enough`` may be shown masks that are almost these sooner, and says whether they will do.
        """

    def track(self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped) -> Generator[FrameMasks]:
        """The masks of all objects that have a prompt by then, frame by frame from ``frame_index`` on."""


def looking(config: Any, source: Source) -> tuple[Segmenter, Looking]:
    """The segmenter of a configuration, and how to look with it. Raises InputError for one that takes no prompts."""
    segmenter: Segmenter = build(config, "model")
    if getattr(segmenter, "own_objects", False):
        name = type(segmenter).__name__
        raise InputError(f"model: {name} finds its objects itself, so there is nothing to pick; choose nano or tiny")
    interactive = getattr(segmenter, "interactive", None)
    return segmenter, ByTracking(segmenter, source) if interactive is None else interactive(source)


class ByTracking:
    """Runs ``segmenter`` from the first prompt to the frame, anew for every look."""

    def __init__(self, segmenter: Segmenter, source: Source) -> None:
        self._segmenter, self._source = segmenter, source

    def look(self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped, enough: Enough) -> FrameMasks:
        """The masks of all objects on the frame. Raises InputError if it can't be read."""
        known = [prompt for prompt in prompts if prompt.frame_index <= frame_index]
        with closing(self._masks(frame_index, frame_index, known, stepped)) as found:
            if (masks := next(found, None)) is None:
                raise InputError(f"frame: {frame_index} can't be read (a damaged picture)")
        return masks

    def track(self, frame_index: int, prompts: Sequence[Prompt], stepped: Stepped) -> Generator[FrameMasks]:
        """The masks of all objects from the frame on."""
        return self._masks(frame_index, self._source.frames[-1], prompts, stepped)

    def _masks(self, first: int, last: int, prompts: Sequence[Prompt], stepped: Stepped) -> Generator[FrameMasks]:
        began = min(prompt.frame_index for prompt in prompts)
        pairs: Iterator[Any] = iter(self._segmenter.track(Excerpt(self._source, began, last), prompts))
        with closing(pairs) as tracked:  # type: ignore[type-var]  # a generator, by the protocol
            for frame, masks in tracked:
                if frame.index >= first:
                    yield masks
                else:
                    stepped(frame.index + 1 - began, first - began)
