"""What the model looks at: the whole picture. Other ``Views`` may be injected that show it a part of every frame."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from vidseg.types import RGB, Prompt, Source

if TYPE_CHECKING:
    from vidseg.model.sam2.engine import Engine


@dataclass(frozen=True, slots=True)
class View:
    """What the model sees of one frame: all of its ``width`` by ``height`` pixels."""

    width: int
    height: int

    def look(self, rgb_hw3: RGB) -> RGB:
        """The pixels (height, width, 3) of a frame that the model sees."""
        return rgb_hw3

    def paste(self, logits_n1hw: Tensor) -> Tensor:
        """Logits (n, 1, height, width) of what the model saw, as those of the whole frame."""
        return logits_n1hw

    def prompt(self, prompt: Prompt) -> Prompt:
        """A prompt in pixels of the video as one in pixels of this view."""
        return prompt


class Views:
    """The view of every frame of one pass over ``source``; ``prompts`` are its first ones, by position.

    ``together``: whether what is seen depends on the masks of all objects, so that none is tracked without the others.
    ``looks_first``: whether ``prompted`` has prompts decoded itself, which takes longer than decoding them once.
    """

    together = looks_first = False

    def __init__(self, engine: "Engine", source: Source, prompts: Mapping[int, Sequence[Prompt]]) -> None:
        self.view: View = View(source.info.width, source.info.height)  # of the next frame

    def prompted(self, position: int, rgb_hw3: RGB, prompts: Sequence[Prompt]) -> tuple[View, Sequence[Prompt]]:
        """The view of a frame for its first prompts, and the prompts (in pixels of the video) to give there."""
        return self.view, prompts

    def corrected(self, position: int, prompts: Sequence[Prompt]) -> View:
        """The view of a tracked frame for points that correct it, from now on."""
        return self.view

    def at(self, position: int) -> View:
        """The view of the frame at ``position``, with what is known by now."""
        return self.view

    def start(self, position: int) -> None:
        """Goes on from the prompted frame at ``position``."""

    def resume(self, view: View) -> None:
        """Goes on from ``view``."""

    def follow(self, view: View, logits_n1hw: Tensor) -> None:
        """Learns where the objects are in a frame that was seen through ``view``: where logits are above 0."""

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs to go on from here in another process: plain values."""
        return {"view": astuple(self.view)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a ``state``."""
        self.view = self.of(state["view"])

    def of(self, values: Sequence[Any]) -> View:
        """The view whose fields have these ``values``."""
        return type(self.view)(*values)


NewViews = Callable[["Engine", Source, Mapping[int, Sequence[Prompt]]], Views]
