"""Wraps the sweeper and the launcher that the user chose in those that record a sweep (hydra.callbacks in config.yaml).

Hydra's callbacks alone can't record it: they aren't called for jobs in other processes, nor at the end of a sweep that
fails, and they can't skip a job.
"""

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write


class Recording(Callback):
    """Replaces ``hydra.sweeper`` by RecordingSweeper of hydra_plugins/vidseg_sweep.py, which gets the user's own."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra calls this before it makes the sweeper."""
        with read_write(config):
            config.hydra.sweeper = {
                "_target_": "hydra_plugins.vidseg_sweep.RecordingSweeper",
                "_recursive_": False,
                "sweeper": config.hydra.sweeper,
            }
