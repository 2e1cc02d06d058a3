"""KEY=VALUE: made of Python's values, composed to a configuration, and Hydra's errors about it in one line.

Such a line says the value, what is allowed and what to do.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote
from hydra.errors import CompactHydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from vidseg import config as configuration
from vidseg.config.values import PATHS, name_groups, quoted, split
from vidseg.errors import InputError
from vidseg.paths import meant

# Choices that are there only after an extra of pyproject.toml is installed.
EXTRAS = {
    "hydra/launcher/joblib": "parallel",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "optuna",
}


def compose_config(
    overrides: Sequence[str], config_dir: str | Path | None = None, sweep: bool = False
) -> tuple[DictConfig, DictConfig]:
    """The configuration that the command composes from ``overrides``, and Hydra's own settings beside it.

    Of a ``sweep`` it is that of the whole, without the keys that have several values. ``config_dir`` is a folder of
    YAML that is searched before vidseg's, as with the command's ``--config-dir``. Raises InputError if the overrides
    are no configuration. Hydra's global state, which ``import sam2`` sets, stays as it is.
    """
    for override in overrides:
        if override.startswith("-"):
            hint = "here give KEY=VALUE, and a folder as config_dir="
            raise InputError(f"{override}: flags are for the command line; {hint}")
    search_path = create_config_search_path(configuration.folder())
    if config_dir is not None:
        folder = meant(config_dir).absolute()
        if not folder.is_dir():
            raise InputError(f"config_dir: no such folder: {config_dir}")
        search_path.prepend("config_dir", f"file://{folder}")
    configuration.register()
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        version.setbase("1.3")
        hydra = Hydra.create_main_hydra2("vidseg", search_path)
        mode = RunMode.MULTIRUN if sweep else RunMode.RUN
        composed = hydra.compose_config("config", name_groups(overrides), mode, from_shell=False)
    except Exception as error:  # broken YAML, and what Hydra raises for a group without a name (=nano) and the like
        raise InputError(explain(error)) from error
    finally:
        GlobalHydra.instance().hydra = theirs
    config = composed.copy()
    with open_dict(config):
        del config["hydra"]
    return config, composed.hydra


def explain(error: Exception) -> str:
    """An error of composing: in one line if it is about a key, a choice, a value or YAML; else two of Hydra's own."""
    cause = error.__cause__
    if isinstance(error, OverrideParseException) and len(error.override.splitlines()) > 1:
        return f"{error.override!r}: can't be read as KEY=VALUE; it has several lines"
    if isinstance(error, OverrideParseException):
        is_path = PATHS.fullmatch(split(error.override)[1]) and "${" not in error.override
        looked = f", and there is no such file in {Path.cwd()}" if is_path else ""
        quotes = (
            f"put a value with brackets, commas, =, spaces or letters beyond a to z in quotes, {_typed(error.override)}"
        )
        return f"{error.override}: can't be read as KEY=VALUE{looked}; {quotes}"
    if found := re.search(r"'(.+)'\n1\. To use|^Sweep parameters '(.+)' requires", str(error)):
        override = found[1] or found[2]
        one = f"; one value with commas is, {_typed(override)}" if PATHS.fullmatch(split(override)[1]) else ""
        return f"{override}: several values are a sweep and need -m; a list is KEY=[A,B]{one}"
    if isinstance(error, MissingConfigException):
        return _choice(error)
    if found := re.match(r"Could not override '(\w+)@([\w.]+)'\. No match", str(error)):
        owner = found[2].partition(".")[0]
        return f"{found[2]}: this {owner} has no {found[1]}; {_with(found[1], owner)}"
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        return _key(str(cause.full_key), cause.parent_node)
    if isinstance(cause, OmegaConfBaseException) and cause.full_key and cause.msg:
        return f"{cause.full_key}: {cause.msg.splitlines()[0]}"
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        return f"{mark.name}: line {mark.line + 1} is not YAML: {error.problem or error.context}"
    if isinstance(error, CompactHydraException):
        return "\n".join(_lines(error))
    return f"this is no configuration: {' '.join(_lines(error)) or type(error).__name__}"


def _lines(error: Exception) -> list[str]:
    """The first two lines of the error's own message that aren't blank."""
    return [line.strip() for line in str(error).splitlines() if line.strip()][:2]


def _typed(override: str) -> str:
    """What to type in a shell so that Hydra reads a value as one text; interpolations stay what they are."""
    start, _, text = split(override)
    if listed := re.fullmatch(r"\[([^\[\]{}'\"]+)\]", text):  # the items of a list, not the list
        items = ",".join(quoted(item.strip(), Quote.double, interpolate=True) for item in listed[1].split(","))
        return f"in a shell {shlex.quote(f'{start}[{items}]')}"
    word = start + quoted(text, Quote.double, interpolate=True) if start else 'KEY="VALUE"'
    return f"in a shell {shlex.quote(word)}"


def _choice(error: MissingConfigException) -> str:
    missing = error.missing_cfg_file or ""
    if missing in EXTRAS:
        return f"{missing}: not installed; pip install 'vidseg[{EXTRAS[missing]}]' brings it"
    group, _, choice = missing.rpartition("/")
    names = error.options or [path.stem for path in _files(group)]  # Hydra gives none for a list (output=[cutout,gif])
    if group and names:
        return f"{group}: there is no {choice!r}; choose from {', '.join(names)}"
    return _lines(error)[0]


def _with(group: str, owner: str) -> str:
    """The choices of ``owner`` whose YAML takes one of ``group``, as the end of a sentence."""
    files = sorted(Path(configuration.folder()).glob(f"{owner}/*.yaml"))
    named = [f"{path.parent.name}={path.stem}" for path in files if f"/{group}@{group}:" in path.read_text("utf-8")]
    return f"those that have one: {', '.join(named)}"


def _key(key: str, node: DictConfig) -> str:
    """The message for a key that ``node`` doesn't have: the choice it belongs to, a similar key, or all keys."""
    group, _, name = key.rpartition(".")
    known = [str(name) for name in node if name != "hydra" and not str(name).startswith("_")]
    if others := [path.stem for path in _files(group) if name in _keys(path)]:
        return f"{key}: unknown key; it belongs to {group}={', '.join(others)}"
    if groups := [each for each in known if isinstance(node[each], DictConfig) and name in node[each]]:
        return f"{key}: unknown key; did you mean {groups[0]}.{name}?"
    if near := get_close_matches(name, known, 1):
        return f"{key}: unknown key; did you mean {f'{group}.' if group else ''}{near[0]}?"
    return f"{key}: unknown key; there {'are ' + ', '.join(known) if known else f'is none in this {group}'}"


def _keys(path: Path) -> set[str]:
    """The keys of a choice's YAML, with those of the files and the groups that its defaults take in."""
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    keys = set(content)
    for default in content.get("defaults", ()):
        name, _, package = (default if isinstance(default, str) else next(iter(default))).partition("@")
        if package == "_here_":
            keys |= _keys(path.parent / f"{name}.yaml")
        elif package:
            keys.add(package)
    return keys - {"defaults"}


def _files(group: str) -> list[Path]:
    """The YAML files of a group's choices."""
    return sorted(Path(configuration.folder(), group).glob("*.yaml")) if group else []


def overrides_of(keys: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """KEY=VALUE for each of ``keys``; of a mapping in a mapping the keys are dotted: ``extract.stop='2s'``."""
    for key, value in keys.items():
        if isinstance(value, Mapping):
            yield from overrides_of(value, f"{within}{key}.")
        else:
            yield f"{within}{key}={_value(value)}"


def _value(value: Any) -> str:
    """A value of Python in Hydra's grammar; what is neither a number, a sequence nor a mapping is text."""
    if hasattr(value, "tolist"):  # numpy's
        value = value.tolist()
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, Mapping):  # in a list; others are keys of their own
        return f"{{{','.join(f'{key}:{_value(each)}' for key, each in value.items())}}}"
    return f"[{','.join(map(_value, value))}]" if isinstance(value, list | tuple) else quoted(str(value))
