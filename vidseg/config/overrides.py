"""Errors of Hydra and OmegaConf about a KEY=VALUE, in one line: the value, what is allowed, what to do."""

from difflib import get_close_matches
from pathlib import Path

from hydra.errors import CompactHydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from vidseg import config as configuration

# Choices that are there only after an extra of pyproject.toml is installed.
EXTRAS = {
    "hydra/launcher/joblib": "parallel",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "optuna",
}


def explain(error: CompactHydraException) -> str:
    """The error in one line if it is about a key, a choice or a value; else Hydra's own message."""
    cause = error.__cause__
    if isinstance(error, MissingConfigException):
        return _choice(error)
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        return _key(str(cause.full_key), cause.parent_node)
    if isinstance(cause, OmegaConfBaseException):
        return f"{cause.full_key}: {cause.msg.splitlines()[0]}" if cause.full_key and cause.msg else str(error)
    return str(error)


def _choice(error: MissingConfigException) -> str:
    missing = error.missing_cfg_file or ""
    if missing in EXTRAS:
        return f"{missing}: not installed; pip install 'vidseg[{EXTRAS[missing]}]' brings it"
    group, _, choice = missing.rpartition("/")
    # For a list (output=[cutout,gif]) Hydra gives no options
    names = error.options or [path.stem for path in _files(group)]
    return f"{group}: there is no {choice!r}; choose from {', '.join(names)}" if group and names else str(error)


def _key(key: str, node: DictConfig) -> str:
    """The message for a key that ``node`` doesn't have: the choice it belongs to, a similar key, or all keys."""
    group, _, name = key.rpartition(".")
    known = [str(name) for name in node if name != "hydra" and not str(name).startswith("_")]
    if others := [path.stem for path in _files(group) if name in OmegaConf.load(path)]:
        return f"{key}: unknown key; it belongs to {group}={', '.join(others)}"
    if near := get_close_matches(name, known, 1):
        return f"{key}: unknown key; did you mean {f'{group}.' if group else ''}{near[0]}?"
    return f"{key}: unknown key; there {'are ' + ', '.join(known) if known else f'is none in this {group}'}"


def _files(group: str) -> list[Path]:
    """The YAML files of a group's choices."""
    return sorted(Path(configuration.folder(), group).glob("*.yaml")) if group else []
