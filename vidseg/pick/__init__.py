"""The picker: a page on which objects are clicked, their masks seen at once, and the prompts saved for a run.

``vidseg.pick("clip.mp4")`` shows it in a notebook's cell; ``python -m vidseg.pick`` is the command.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidseg.pick.notebook import Picker


class _Callable(ModuleType):
    """This package: a package, for ``python -m vidseg.pick``, and the function of the same name."""

    def __call__(
        self, video: str | Path, model: str = "nano", *, config_dir: str | Path | None = None, **keys: Any
    ) -> "Picker":
        """See ``vidseg.pick.notebook.pick``."""
        from vidseg.pick.notebook import pick

        return pick(video, model, config_dir=config_dir, **keys)


sys.modules[__name__].__class__ = _Callable
