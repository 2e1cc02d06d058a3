"""The keys by which runs differ, and those among them that say it: a choice, rather than all that follows from it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vidseg.record.labels import Scalar, shorten_paths
from vidseg.record.run import Run

PER_VIDEO = (
    "video",
    "sample.seed",
    "sample.shutter",
    "repeat",
)  # the keys that say what was segmented and how often, not how
_OF_A_VIDEO = ("prompt", "metric", "extract")  # groups whose keys often go with the video
_TRIVIAL = re.compile(r"tracker$|tracker\.|output\.\w+\.path$|resume$|optimize$|checkpoint\.")
"""Keys that say where a run is recorded and how its sweep went, not what it was."""


@dataclass(frozen=True)
class Key:
    """A key by which runs differ. One that ``follows`` from another such key needn't be told.

    ``everywhere`` says whether all runs have it: if so, None is a value, ``null``. ``short`` has those of its values
    that can be told in fewer words, as paths.
    """

    name: str
    follows: bool
    everywhere: bool
    short: Mapping[str, str] = field(default_factory=dict)


def differing(runs: Sequence[Run]) -> Iterator[Key]:
    """The keys whose values differ: first those of the command lines, in their order.

    A key follows from another one that differs and always has the same value where that has: all of ``model.*`` from
    ``model``, and prompt, metric and extract often from the video. One that the command line named doesn't follow from
    its group's choice, unless no other choice has it: ``prompt=mask`` tells as much as ``prompt.path``.
    """
    known = [run for run in runs if run.config]
    told = [run.settings for run in known]
    named = dict.fromkeys(name for run in known for name in run.overrides)
    names = dict.fromkeys([*named, "model", "precision", *(key for each in told for key in each)])
    values = {name: [repr(each.get(name)) for each in told] for name in names}
    groups = {key.partition(".")[0] for each in known for key in each.config}
    whole = {choice for run in known for choice in run.choices if choice.partition(".")[0] not in groups}
    for name in names:
        if len(set(values[name])) < 2 or _TRIVIAL.match(name):
            continue
        group = name.partition(".")[0]
        causes = [above for above in _above(name) if above in values]
        if name in named and not _only_there(name, causes, told):
            causes = []
        elif name not in named:
            causes += whole - {name}  # such as an experiment, which sets any key
        causes += PER_VIDEO if group in _OF_A_VIDEO else []
        follows = any(cause in values and _follows(values[name], values[cause]) for cause in causes)
        everywhere = all(name in each for each in told)
        yield Key(name, follows, everywhere, shorten_paths(name, (each.get(name) for each in told)))


def _above(name: str) -> list[str]:
    """``["model", "model.detector"]`` of ``model.detector.confidence``."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _only_there(name: str, causes: Sequence[str], told: Sequence[Mapping[str, Scalar]]) -> bool:
    """Whether just one choice of a group has the key."""
    return any(len({each.get(cause) for each in told if name in each}) == 1 for cause in causes)


def _follows(values: Sequence[str], causes: Sequence[str]) -> bool:
    """Whether each of several ``causes`` always has the same value."""
    return len(set(causes)) > 1 and len(set(zip(causes, values, strict=True))) == len(set(causes))
