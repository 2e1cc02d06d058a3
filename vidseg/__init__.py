"""A declarative, config-driven experiment runner for SAM-2 video segmentation.

The public API:

- ``run(overrides, prompts=None, config_dir=None)``: what the command does; returns a ``Run``, or with ``-m`` a
  ``Sweep``, a list of them.
- ``compare(runs, reference=None, sort=None)``: what differs between runs and what came of them, a list of dicts that a
  notebook shows as a table.
- ``segment(video, prompts, model="tiny", **keys)``: yields a (``Frame``, ``FrameMasks``) for every frame, and writes
  no files.
- ``pick(video, model="nano", **keys)``: a page on which to click on objects; a sequence of the prompts that are on it.
- ``show(frame, masks=None, prompts=())``: a picture of them for a notebook.
- ``open_source(video)``: the frames of a video, in order or by number.
- ``Prompt``: what you say about an object; ``Prompt.from_bboxes`` takes those of jupyter_bbox_widget.
- ``Frame``, ``FrameMasks``: what the stages hand on. ``Source``, ``Segmenter``, ``Output``: what a video, a model and
  an output of your own must have.
- ``InputError``: a mistake that you can mend. ``JobFailed``: a run ended with an error.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidseg.api import run, segment
    from vidseg.compare.listing import compare
    from vidseg.errors import InputError
    from vidseg.job import JobFailed
    from vidseg.pick.notebook import pick
    from vidseg.results import Run, Sweep, show
    from vidseg.types import Frame, FrameMasks, Output, Prompt, Segmenter, Source
    from vidseg.video import open_source

__all__ = ["Frame", "FrameMasks", "InputError", "JobFailed", "Output", "Prompt", "Run", "Segmenter", "Source"]
__all__ += ["Sweep", "compare", "open_source", "pick", "run", "segment", "show"]

# The modules of the names that aren't in vidseg.types
_MODULES = {"run": "api", "segment": "api", "Run": "results", "Sweep": "results", "show": "results"}
_MODULES |= {"InputError": "errors", "JobFailed": "job", "open_source": "video"}


def __getattr__(name: str) -> Any:
    # A name's module is imported when the name is first used, so that `python -m vidseg --help` loads no torch.
    if name not in __all__:
        raise AttributeError(f"module 'vidseg' has no attribute {name!r}")
    if name in ("compare", "pick"):
        return import_module(f"vidseg.{name}")  # a package that can be called
    return getattr(import_module(f"vidseg.{_MODULES.get(name, 'types')}"), name)


def __dir__() -> list[str]:
    return __all__
