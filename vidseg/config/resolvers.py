"""Values that the configuration computes: `${slug:…}`, `${sweep_group:}`, … Knows nothing about what they are for.

Those that speak of a sweep look at Hydra's own settings, which exist while a job runs, and are empty anywhere else.
"""

import hashlib
import os
import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from vidseg.errors import InputError

TAG_LENGTH = 64  # W&B refuses longer ones


def slug(overrides: str) -> str:
    """A folder name for a sweep's job: its overrides without what file systems mind, at most 100 characters."""
    name = re.sub(r"[^\w.=,+-]+", "_", overrides)
    if len(name) > 100:
        name = f"{name[:91]}_{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"
    return name


def stem(video: str) -> str:
    """A video's name: that of its folder of frames, or its file's without the suffix."""
    path = Path(video).expanduser()
    return path.resolve().name if path.is_dir() else path.stem


def sweep_group(folder: str | None = None) -> str | None:
    """The W&B group of a sweep: its folder as date/time, or its name if the user chose one; None for a single run."""
    if folder is None:
        if (job := _sweep_job()) is None:
            return None
        folder = job.sweep.dir
    path = Path(str(folder)).absolute()
    dated = re.fullmatch(r"\d{4}-\d\d-\d\d", path.parent.name)
    return f"{path.parent.name}/{path.name}" if dated else path.name


def sweep_job_type() -> str | None:
    """``sweep`` in a sweep, else None."""
    return None if _sweep_job() is None else "sweep"


def sweep_tags(video: str) -> list[str]:
    """What a sweep's job is made of, for W&B's list of runs; [] for a single run, and where WANDB_TAGS has some."""
    if (job := _sweep_job()) is None or os.environ.get("WANDB_TAGS"):
        return []
    made_of = {name: job.runtime.choices[name] for name in ("model", "precision", "prompt")} | {"video": stem(video)}
    return [f"{name}={value}"[:TAG_LENGTH] for name, value in made_of.items()]


def gpu(count: int) -> int:
    """The GPU, 0 to ``count`` - 1, of a sweep's job by its number; 0 for a single run."""
    if count < 1:
        raise InputError(f"gpu: {count} is not a number of GPUs; device='cuda:${{gpu:2}}' spreads jobs over two")
    job = _sweep_job()
    return 0 if job is None else int(job.job.num) % count


def _sweep_job() -> DictConfig | None:
    """Hydra's settings of the job of a sweep that this process runs now, if it does."""
    if not HydraConfig.initialized():
        return None
    settings = HydraConfig.get()
    in_sweep = not OmegaConf.is_missing(settings.job, "num")
    return settings if in_sweep else None  # type: ignore[return-value]


def register() -> None:
    """Makes them known to OmegaConf; harmless when repeated."""
    for resolver in (slug, stem, sweep_group, sweep_job_type, sweep_tags, gpu):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)
