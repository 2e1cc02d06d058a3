"""What the jobs of a sweep are called: by the keys that the command line sweeps over, in its order.

The names are made of overrides, before any job runs. vidseg.record.labels says how keys and values are written, here
and in the tables of what ran.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from vidseg.record.labels import Scalar, key_of, label, shorten_paths, word


def label_jobs(config: DictConfig, job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """The label of each job, such as "model=tiny,video=libby"; an empty text where nothing is swept over.

    ``config`` is that of the whole sweep, whose overrides say what is swept over: the jobs at hand may be one batch of
    it, as with Optuna. Keys that no argument names are the sweeper's own, and swept over too.
    """
    given = {key_of(override.key_or_group): override for override in _arguments(config)}
    jobs = [dict(map(_split, overrides)) for overrides in job_overrides]
    swept = [key for key, override in given.items() if override.is_sweep_override()]
    swept += dict.fromkeys(key for job in jobs for key in job if key not in given)
    swept += [key for key in given if key not in swept and len({job.get(key) for job in jobs}) > 1]
    short = {}
    for key in swept:
        values = [_value(job[key]) for job in jobs if key in job]
        short[key] = shorten_paths(key, [*values, *(_choices(given[key]) if key in given else ())])
    return [label({key: _shown(_value(job[key]), short[key]) for key in swept if key in job}) for job in jobs]


def _arguments(config: DictConfig) -> Iterator[Override]:
    """The overrides of the whole sweep: those of hydra.sweeper.params, then the command line's."""
    settings: Any = OmegaConf.to_container(config.hydra, resolve=False)
    params = settings["sweeper"].get("params") or {}
    for line in [*(f"{key}={value}" for key, value in params.items()), *settings["overrides"]["task"]]:
        if (override := _parsed(line)) is not None:
            yield override


@lru_cache(maxsize=10_000)  # the jobs share most of them, and one takes 0.5 ms
def _parsed(line: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(line)
    except HydraException:
        return None  # Hydra tells its user


def _split(override: str) -> tuple[str, str]:
    """The key as one types it, and the override itself."""
    return key_of(override), override


def _value(override: str) -> Scalar:
    parsed = _parsed(override)
    if parsed is None:
        return override.partition("=")[2]
    value = parsed.value()
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, default=str)


def _choices(override: Override) -> Iterator[Scalar]:
    """The values of key=A,B; none for a range or an interval."""
    if isinstance(override.value(), ChoiceSweep):
        key = override.get_key_element()
        yield from (_value(f"{key}={text}") for text in override.sweep_string_iterator())


def _shown(value: Scalar, short: Mapping[str, str]) -> str:
    return short.get(value, word(value)) if isinstance(value, str) else word(value)
