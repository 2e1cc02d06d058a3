"""A declarative, config-driven experiment runner for SAM-2 video segmentation.

In a notebook: ``vidseg.run(["model=large", "prompt=skater"])``, ``vidseg.Prompt.from_bboxes(widget.bboxes)`` and
``vidseg.show(frame, masks, prompts)``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidseg.composite import show
    from vidseg.api import run
    from vidseg.types import Prompt

__all__ = ["Prompt", "run", "show"]

_HOMES = {"Prompt": "vidseg.types", "run": "vidseg.api", "show": "vidseg.composite"}


def __getattr__(name: str) -> Any:
    # Loaded when first used, so that `python -m vidseg --help` stays quick.
    if name not in _HOMES:
        raise AttributeError(f"module 'vidseg' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
