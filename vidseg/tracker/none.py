"""No tracker at all. Knows nothing about any service."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidseg.types import Frame, FrameMasks, Prompt


class NoTracker:
    """A ``Tracker`` that records nothing."""

    def start(self, config: Mapping[str, Any], folder: Path) -> None:
        """Nothing to begin: summary.json's ``wandb`` is null."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Does nothing."""

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Does nothing."""

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """Does nothing."""
