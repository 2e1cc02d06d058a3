"""What Hydra and OmegaConf object to in a command's KEY=VALUE, in one line: the value, what is allowed, what to do."""

from difflib import get_close_matches
from pathlib import Path

from hydra.errors import CompactHydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from vidseg import config as configuration

# What a choice that Hydra doesn't know asks for: the extra of pyproject.toml that brings it.
EXTRAS = {
    "hydra/launcher/joblib": "parallel",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "optuna",
}


def explain(error: CompactHydraException) -> str:
    """The message for a person; Hydra's own where it is about something else than a key, a choice or a value."""
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
    # Of a list (output=[cutout,gif]) Hydra says that it can't load one, not which there are
    names = error.options or [path.stem for path in _files(group)]
    return f"{group}: there is no {choice!r}; choose from {', '.join(names)}" if group and names else str(error)


def _key(key: str, node: DictConfig) -> str:
    """Of a key that ``node`` hasn't."""
    group, _, name = key.rpartition(".")
    known = [str(each) for each in node if each != "hydra" and not str(each).startswith("_")]
    if others := [path.stem for path in _files(group) if name in OmegaConf.load(path)]:
        return f"{key}: unknown key; it belongs to {group}={', '.join(others)}"
    if near := get_close_matches(name, known, 1):
        return f"{key}: unknown key; did you mean {f'{group}.' if group else ''}{near[0]}?"
    return f"{key}: unknown key; there {'are ' + ', '.join(known) if known else f'is none in this {group}'}"


def _files(group: str) -> list[Path]:
    """The choices of a group; what lies beside the groups is none."""
    return sorted(Path(configuration.folder(), group).glob("*.yaml")) if group else []
