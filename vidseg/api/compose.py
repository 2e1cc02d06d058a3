"""What is given in Python, turned into what a job takes: a configuration and prompts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, open_dict

from vidseg import config as configuration
from vidseg.config.overrides import explain
from vidseg.errors import InputError
from vidseg.types import Prompt

Prompts = Prompt | Iterable[Prompt] | Iterable[Mapping[str, Any]]


def compose_config(overrides: Sequence[str], config_dir: str | Path | None = None) -> tuple[DictConfig, DictConfig]:
    """The configuration that the command composes from ``overrides``, and Hydra's own settings beside it.

    ``config_dir`` is a folder of YAML that is searched before vidseg's, as with the command's ``--config-dir``. Raises
    InputError if the overrides are no configuration. What others did with Hydra in this process stays as it is:
    ``import sam2``, for one, initialises it.
    """
    if flags := [override for override in overrides if override.startswith("-")]:
        raise InputError(
            f"{flags[0]}: flags are for the command line; here give KEY=VALUE, and a folder as config_dir="
        )
    search_path = create_config_search_path(configuration.folder())
    if config_dir is not None:
        folder = Path(config_dir).expanduser().absolute()
        if not folder.is_dir():
            raise InputError(f"config_dir: no such folder: {config_dir}")
        search_path.prepend("config_dir", f"file://{folder}")
    configuration.register()
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        version.setbase("1.3")
        Hydra.create_main_hydra2("vidseg", search_path)
        composed = compose("config", list(overrides), return_hydra_config=True)
    except CompactHydraException as error:
        raise InputError(explain(error)) from error
    except ValueError as error:  # Hydra's, for a group without a name (=nano) and the like
        raise InputError(str(error).splitlines()[0]) from error
    finally:
        GlobalHydra.instance().hydra = theirs
    config = composed.copy()
    with open_dict(config):
        del config["hydra"]
    return config, composed.hydra


def as_prompts(given: Prompts | None) -> tuple[Prompt, ...] | None:
    """One prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget, as a tuple of prompts; None stays None.

    Raises InputError for anything else.
    """
    if given is None:
        return None
    entries: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (given,)
    if entries and all(isinstance(entry, Mapping) for entry in entries):
        return Prompt.from_bboxes(entries)
    for entry in entries:
        if not isinstance(entry, Prompt):
            raise InputError(f"prompts: {entry!r:.60} is not a vidseg.Prompt")
    return entries
