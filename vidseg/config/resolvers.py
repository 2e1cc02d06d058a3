"""Functions that YAML files can call while Hydra runs a job: `${slug:…}`, `${stem:…}`, `${sweep_group:}`, …"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from vidseg.errors import InputError
from vidseg.paths import meant

TAG_LENGTH = 64  # W&B refuses longer ones
LONGEST, BYTES = 120, 200  # of a label in a folder's name; file systems take 255 bytes


def slug(number: object, label: str = "") -> str:
    """The folder name of a sweep's job: its number, then its label with characters that every file system takes.

    A label of more than LONGEST characters, or BYTES, ends in its hash.
    """
    name = re.sub(r"[^\w.=,+-]+", "_", label)
    if len(name) > LONGEST or len(name.encode()) > BYTES:
        digest = hashlib.sha256(label.encode(errors="surrogateescape")).hexdigest()[:8]
        name = name[: LONGEST - 9].encode()[: BYTES - 9].decode(errors="ignore") + f"_{digest}"
    return f"{number}_{name}" if name else str(number)


def stem(video: str) -> str:
    """The name of a video: of its folder of frames, or of its file without the suffix."""
    path = meant(video)
    return path.resolve().name if path.is_dir() else path.stem


def sweep_group(folder: str | None = None) -> str | None:
    """The W&B group of a sweep: "date/time", or the name of a folder that the user chose; None for a single run."""
    job = _sweep_job()
    if folder is None and job is None:
        return None
    path = Path(str(folder or job.sweep.dir)).absolute()
    dated = re.fullmatch(r"\d{4}-\d\d-\d\d", path.parent.name)
    return f"{path.parent.name}/{path.name}" if dated else path.name


def sweep_name() -> str | None:
    """The W&B name of a sweep's job: its number and what is swept over, "3_model=tiny"; None for a single run."""
    if (job := _sweep_job()) is None:
        return None
    label = str(OmegaConf.select(job, "callbacks.sweep.label") or "")
    plain = label.encode(errors="backslashreplace").decode()  # names of files needn't be UTF-8
    return f"{job.job.num}_{plain}" if plain else str(job.job.num)


def sweep_job_type() -> str | None:
    """The W&B job type: "sweep" in a sweep, else None."""
    return None if _sweep_job() is None else "sweep"


def sweep_tags(video: str) -> list[str]:
    """The W&B tags of a sweep's job: model, precision, prompt, video. Empty in a single run and with WANDB_TAGS."""
    if (job := _sweep_job()) is None or os.environ.get("WANDB_TAGS"):
        return []
    made_of = {name: job.runtime.choices[name] for name in ("model", "precision", "prompt")} | {"video": stem(video)}
    return [f"{name}={value}"[:TAG_LENGTH] for name, value in made_of.items()]


def wandb_run_id() -> str | None:
    """The W&B id that WANDB_RUN_ID gives a single run. None without it, and in a sweep, whose runs can't share one."""
    return os.environ.get("WANDB_RUN_ID") or None if _sweep_job() is None else None


def gpu(count: int) -> int:
    """A GPU number from 0 to ``count`` - 1: that of a sweep's job modulo ``count``; 0 for a single run."""
    if count < 1:
        raise InputError(f"gpu: {count} is not a number of GPUs; device='cuda:${{gpu:2}}' spreads jobs over two")
    job = _sweep_job()
    return 0 if job is None else int(job.job.num) % count


def _sweep_job() -> Any:
    """Hydra's settings, if this process runs a job of a sweep now; else None."""
    settings: Any = HydraConfig.get() if HydraConfig.initialized() else None
    return None if settings is None or OmegaConf.is_missing(settings.job, "num") else settings


def register() -> None:
    """Tells OmegaConf all functions of this module. May be called again."""
    for resolver in (slug, stem, sweep_group, sweep_name, sweep_job_type, sweep_tags, wandb_run_id, gpu):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)
