"""The same runs from Python: compose what the command line would, run it, return what came of it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from vidseg import config as configuration
from vidseg.job import JobFailed, run_job
from vidseg.config.overrides import explain
from vidseg.types import Prompt


class Run(NamedTuple):
    """What ``run`` returns: the content of summary.json and the run's folder."""

    summary: dict[str, Any]
    folder: Path


def run(overrides: Sequence[str] = (), prompts: Sequence[Prompt] | None = None) -> Run:
    """Runs ``python -m vidseg OVERRIDES`` in this process.

    ``prompts`` (from ``Prompt.from_bboxes``, say) replace the configuration's. Raises JobFailed, whose message is the
    command's, after leaving the same record as the command (none where OVERRIDES are no configuration).
    """
    composed = _compose(list(overrides))
    folder = Path(composed.hydra.run.dir)
    choices = dict(composed.hydra.runtime.choices)
    settings = composed.hydra
    config = composed.copy()
    with open_dict(config):
        del config["hydra"]
    _save(folder / ".hydra", config, settings, list(overrides))
    with _logged(folder / "vidseg.log"):
        summary = run_job(config, folder, choices, prompts)
    return Run(asdict(summary), folder)


def _compose(overrides: list[str]) -> DictConfig:
    """The configuration, also in a process where somebody (sam2, when imported) has initialised Hydra for himself."""
    configuration.register()
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(configuration.folder(), version_base="1.3", job_name="vidseg"):
            return compose("config", overrides, return_hydra_config=True)
    except CompactHydraException as error:
        raise JobFailed(explain(error)) from error
    finally:
        GlobalHydra.instance().hydra = theirs


def _save(folder: Path, config: DictConfig, settings: DictConfig, overrides: list[str]) -> None:
    """What Hydra's command leaves in a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": settings}), folder / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(overrides), folder / "overrides.yaml")


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Within the block vidseg's log goes to ``path`` as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logger = logging.getLogger("vidseg")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
