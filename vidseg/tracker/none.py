"""No tracker at all."""

from typing import Any


class NoTracker:
    """A ``Tracker`` that records nothing: summary.json's ``wandb`` is null."""

    def start(self, *args: Any, **options: Any) -> None:
        """Does nothing, as all other methods."""

    log = log_sample = finish = log_sweep = start
