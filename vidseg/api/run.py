"""``vidseg.run``: what the command does, in this process."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from vidseg.api.compose import Prompts, as_prompts, compose_config
from vidseg.api.result import Run
from vidseg.errors import InputError
from vidseg.job import JobFailed, run_job


def run(overrides: Sequence[str] = (), prompts: Prompts | None = None, config_dir: str | Path | None = None) -> Run:
    """Runs ``python -m vidseg OVERRIDES`` in this process and returns its results.

    - ``overrides``: the command's arguments, ``["model=large", "video=clip.mp4"]``, or one of them alone.
    - ``prompts``: replace those of the configuration. A Prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget.
    - ``config_dir``: a folder with YAML of your own, as the command's ``--config-dir``.

    Raises JobFailed after a mistake or a defect, with the command's message. The run's folder holds the same record as
    the command's; there is none if the overrides are no configuration. Raises KeyboardInterrupt after Ctrl-C, when the
    files are finished.
    """
    arguments = [overrides] if isinstance(overrides, str) else list(overrides)
    try:
        config, settings = compose_config(arguments, config_dir)
        chosen = as_prompts(prompts)
    except InputError as error:
        raise JobFailed(str(error)) from error
    folder = Path(settings.run.dir)
    _save(folder / ".hydra", config, settings, arguments)
    with _logged(folder / "vidseg.log"):
        summary = run_job(config, folder, dict(settings.runtime.choices), chosen)
    return Run(asdict(summary), folder, config, chosen)


def _save(folder: Path, config: DictConfig, settings: DictConfig, overrides: list[str]) -> None:
    """Writes what Hydra's command leaves in a run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": settings}), folder / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(overrides), folder / "overrides.yaml")


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Writes vidseg's log to ``path`` too, within the block."""
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
