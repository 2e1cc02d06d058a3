"""The configuration: its schema, where its YAML lies, and the checks that a schema cannot make.

Knows nothing about the parts that the groups describe: they are built by Hydra from their `_target_`.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from vidseg.config import resolvers
from vidseg.errors import InputError


@dataclass
class Sample:
    """Which of the built-in clips."""

    seed: int = 0


@dataclass
class Extract:
    """Which frames of the video."""

    start: Any = None
    stop: Any = None
    step: int = 1
    fps: float | None = None


@dataclass
class Config:
    """The keys at the root. The groups are mappings whose keys are their implementation's constructor parameters."""

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
    resume: bool = False
    model: dict[str, Any] = field(default_factory=dict)
    precision: dict[str, Any] = field(default_factory=dict)
    prompt: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    metric: dict[str, Any] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)


def check(config: DictConfig) -> None:
    """Raises InputError for keys that nothing reads and for values that no part looks at before the model is built."""
    for node, known, prefix in (
        (config, Config, ""),
        (config.sample, Sample, "sample."),
        (config.extract, Extract, "extract."),
    ):
        names = [entry.name for entry in fields(known)]
        if unknown := [str(key) for key in node if key not in names]:  # added with +, which Hydra lets pass
            raise InputError(f"{prefix}{unknown[0]}: unknown key; there are {', '.join(names)}")
    if config.propagate not in ("forward", "both"):
        raise InputError(f"propagate: {config.propagate} is not one of forward, both")
    if config.stride < 1:
        raise InputError(f"stride: {config.stride}; every n-th frame becomes a sample, so it is 1 or more")
    if config.threads is not None and config.threads < 1:
        raise InputError(f"threads: {config.threads}; 1 or more, or null for all cores")
    if config.seed < 0:
        raise InputError(f"seed: {config.seed}; 0 or more")


def folder() -> str:
    """Where the YAML lies: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside, beside = package / "conf", package.parent / "conf"
    return str(inside if inside.is_dir() else beside)


def register() -> None:
    """Makes the schema and the resolvers known to Hydra; harmless when repeated."""
    ConfigStore.instance().store(name="schema", node=Config)
    resolvers.register()
