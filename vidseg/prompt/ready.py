"""Prompts that the user need not give: those that come with the video, and none at all."""

from vidseg.errors import InputError
from vidseg.types import Prompt, Source


def sample(source: Source) -> tuple[Prompt, ...]:
    """The source's own prompts. Raises InputError for a video that has none."""
    if not source.prompts:
        raise InputError(
            f"prompt: {source.name} has no prompt of its own; say what to follow, for example\n"
            "prompt=click prompt.points=[[x,y]], prompt=box prompt.box=[x0,y0,x1,y1], prompt=mask prompt.path=first.png"
        )
    return source.prompts


def replayed(source: Source) -> tuple[Prompt, ...]:
    """No prompt: the masks are there already (model=replay)."""
    return ()
