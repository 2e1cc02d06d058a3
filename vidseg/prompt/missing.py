"""What is raised where the user doesn't say where the object is. With ``preview=true`` the frame is shown instead."""

from typing import Any

from vidseg.errors import InputError
from vidseg.types import Source

HINT = "preview=true shows the frame with a ruler in pixels, and boxes to copy"


class MissingPromptError(InputError):
    """There are no coordinates yet. ``frame`` is the one they are to be on, as the user gave it; None: the first."""

    def __init__(self, message: str, source: Source, frame: Any) -> None:
        super().__init__(f"{message}\n{HINT}")
        self.source, self.frame = source, frame
