"""Builds a run's parts (source, model, outputs, …) from their ``_target_``, and names the key of what fails."""

from importlib import import_module
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue

from vidseg.contract import check_members
from vidseg.errors import InputError


def build(config: DictConfig, *path: str) -> Any:
    """The part at ``path`` of the configuration, such as ``build(config, "output", "cutout")``.

    Raises InputError if its class can't be found, takes other parameters or lacks a method.
    """
    node: Any = config
    for name in path:
        node = node[name]
    key = ".".join(path)
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str):
        raise InputError(f"{key}._target_: missing; it names a class, such as mine.Segmenter")
    locate(f"{key}._target_", target)  # Hydra would find it, too, but says less about what it doesn't find
    try:
        part = instantiate(node, _convert_="all")
    except MissingMandatoryValue as error:  # ??? in YAML
        raise InputError(f"{error.full_key}: missing; it has no default") from error
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if cause is None:
            raise InputError(f"{key}: {str(error).splitlines()[0]}") from error
        if isinstance(cause, TypeError) and "argument" in str(cause):
            raise InputError(f"{key}: {cause}") from error
        if isinstance(cause, InputError) and path[0] == "output":  # outputs don't know their keys
            raise InputError(f"{key}.{cause}") from cause
        raise cause from None
    check_members(path[0], key, part)
    return part


def locate(key: str, name: str) -> Any:
    """The object with a dotted name, such as "mine.Segmenter". Raises InputError, with ``key``, if it isn't there."""
    found: Any = None
    path = ""
    for part in name.split("."):
        parent, path = path, f"{path}.{part}" if path else part
        if hasattr(found, part):
            found = getattr(found, part)
            continue
        try:
            found = import_module(path)
        except Exception as error:
            if not (isinstance(error, ModuleNotFoundError) and f"{path}.".startswith(f"{error.name}.")):
                raise InputError(f"{key}: importing {path} fails: {type(error).__name__}: {error}") from error
            if parent:
                raise InputError(f"{key}: there is no {part} in {parent}, for {name}") from error
            missing = f"there is no module {part}, for {name}"
            raise InputError(f"{key}: {missing}; the folder that holds it must be on PYTHONPATH") from error
    return found
