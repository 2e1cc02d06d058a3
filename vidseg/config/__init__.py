"""The configuration: its schema, the folder of its YAML files, and how parts are built from it.

Knows nothing about the parts: a group's ``_target_`` names the class, its other keys are the constructor's parameters.
Importing this package loads neither numpy nor torch.
"""

from pathlib import Path

from hydra.core.config_store import ConfigStore

from vidseg.config import resolvers
from vidseg.config.schema import Config, check

__all__ = ["Config", "check", "folder", "register"]


def folder() -> str:
    """The folder of the YAML files: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside, beside = package / "conf", package.parent / "conf"
    return str(inside if inside.is_dir() else beside)


def register() -> None:
    """Tells Hydra the schema and OmegaConf the resolvers. May be called again."""
    ConfigStore.instance().store(name="schema", node=Config)
    resolvers.register()
