"""Puts the recording of a sweep around whichever sweeper and launcher the user chose (hydra.callbacks in config.yaml).

A callback alone would not do: it hears nothing of jobs in other processes, nor of the end of a sweep that fails, and it
can't skip a job before its process is started.
"""

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write


class Recording(Callback):
    """Replaces ``hydra.sweeper`` by one that wraps it; hydra_plugins/vidseg_sweep.py has both wrappers."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra before the sweeper is made."""
        with read_write(config):
            config.hydra.sweeper = {
                "_target_": "hydra_plugins.vidseg_sweep.RecordingSweeper",
                "_recursive_": False,
                "sweeper": config.hydra.sweeper,
            }
