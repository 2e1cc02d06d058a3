"""The configuration: the types of its root's keys, the checks that types can't make, and the folder of its YAML files.

Importing this package loads neither numpy nor torch.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vidseg.config import resolvers
from vidseg.errors import InputError

PROPAGATE = ("forward", "both")
MOST_THREADS = 1024  # OpenCV and torch start as many as they are told, until the system refuses and they die


@dataclass
class Sample:
    """The built-in clip; every seed draws another one."""

    seed: int = 0
    shutter: float = 0.0


@dataclass
class Extract:
    """Which frames of the video are taken."""

    start: Any = None  # a number or text such as "2.5s", for which OmegaConf has no type: vidseg.video checks it
    stop: Any = None
    step: int = 1
    fps: float | None = None
    photos: bool | None = None
    scale: float | None = None
    height: int | None = None
    deinterlace: str | None = "auto"


@dataclass
class Checkpoint:
    """What a stopped run goes on from."""

    every: int | None = None


@dataclass
class Config:
    """All keys; conf/config.yaml says what each means. A group's keys are the parameters of its ``_target_``."""

    video: str = "sample"
    sample: Sample = field(default_factory=Sample)
    extract: Extract = field(default_factory=Extract)
    propagate: str = "forward"
    stride: int = 15
    preview: bool = False
    device: str = "auto"
    threads: int | None = None
    seed: int = 0
    optimize: str | None = None
    repeat: int = 1
    resume: bool = False
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    model: dict[str, Any] = field(default_factory=dict)
    precision: dict[str, Any] = field(default_factory=dict)
    prompt: dict[str, Any] = field(default_factory=dict)
    matte: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    metric: dict[str, Any] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)


def check(config: DictConfig) -> None:
    """Raises InputError for a key that nothing reads, and for a value that no other part checks."""
    resolved(config)
    schemas = (
        (config, Config, ""),
        (config.sample, Sample, "sample."),
        (config.extract, Extract, "extract."),
        (config.checkpoint, Checkpoint, "checkpoint."),
    )
    for node, schema, prefix in schemas:
        names = [entry.name for entry in fields(schema)]
        if unknown := [str(key) for key in node if key not in names]:  # added with +, which Hydra allows
            raise InputError(f"{prefix}{unknown[0]}: unknown key; there are {', '.join(names)}")
    if config.propagate not in PROPAGATE:
        raise InputError(f"propagate: {config.propagate} is not one of {', '.join(PROPAGATE)}")
    if config.stride < 1:
        raise InputError(f"stride: {config.stride}; every n-th frame becomes a sample, so it is 1 or more")
    if config.threads is not None and not 1 <= config.threads <= MOST_THREADS:
        raise InputError(f"threads: {config.threads}; 1 to {MOST_THREADS}, or null for all cores")
    if config.checkpoint.every is not None and config.checkpoint.every < 1:
        raise InputError(
            f"checkpoint.every: {config.checkpoint.every}; 1 or more frames, or null for as often as costs 1%"
        )
    check_repeat(config)
    if config.seed < 0:
        raise InputError(f"seed: {config.seed}; 0 or more")


def check_repeat(config: DictConfig) -> None:
    """Raises InputError for a ``repeat`` that is no number of times."""
    if config.repeat < 1:
        raise InputError(f"repeat: {config.repeat}; each job of a sweep runs so many times, 1 or more")


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as a plain dict. Raises InputError for an interpolation that leads nowhere."""
    try:
        return cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException as error:
        raise InputError(f"{error.full_key}: {str(error).strip().splitlines()[0]}") from error


def folder() -> str:
    """The folder of the YAML files: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside, beside = package / "conf", package.parent / "conf"
    return str(inside if inside.is_dir() else beside)


def register() -> None:
    """Tells Hydra the schema and OmegaConf the resolvers. May be called again."""
    ConfigStore.instance().store(name="schema", node=Config)
    resolvers.register()
