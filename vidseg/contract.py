"""The rules of vidseg.types, checked on what custom classes do: a mistake is one line with the class and the rule.

A part is checked when it is built, and every frame when it is tracked, in microseconds.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import signature
from types import UnionType
from typing import Any, Union, get_args, get_origin

import numpy as np
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vidseg.coordinates import kind
from vidseg.errors import ContractError, InputError
from vidseg.types import Detections, Frame, FrameMasks, Prompt, Segmenter, Source

_MEMBERS = {  # of the protocols in vidseg.types, by group of the configuration
    "model": ("device", "precision", "provenance", "track"),
    "detector": ("classes", "device", "provenance", "detect"),
    "matte": ("refine",),
    "output": ("path", "open", "write", "close", "abort"),
    "metric": ("open", "update", "compute"),
    "tracker": ("start", "log", "log_sample", "finish", "log_sweep"),
}


def check_members(group: str, key: str, part: object) -> None:
    """Raises ContractError if a part of ``group`` lacks an attribute; the message begins with ``key``."""
    members = _MEMBERS.get(group, ())
    if missing := [name for name in members if not hasattr(part, name)]:
        raise ContractError(f"{key}: {_class(part)} has no {missing[0]}; it must have {', '.join(members)}")
    path = getattr(part, "path", "")
    if group == "output" and not isinstance(path, str):
        raise ContractError(f"{key}: the path of {_class(part)} is {path!r}; it must be text")


def check_prompts(rule: str, given: object) -> tuple[Prompt, ...]:
    """One prompt or several, as a tuple. Raises ContractError, which begins with ``rule``, for anything else."""
    prompts = tuple(given) if hasattr(given, "__iter__") else (given,)
    for prompt in prompts:
        if not isinstance(prompt, Prompt):
            raise ContractError(f"{rule}; {_short(prompt)} is none")
    return prompts


def check_detections(detector: object, found: object, frame: Frame) -> Detections:
    """What a detector's ``detect`` returned. Raises ContractError for all but Detections of the size of the frame."""
    rule = f"{_class(detector)}.detect: it must return vidseg.types.Detections"
    if not isinstance(found, Detections):
        raise ContractError(f"{rule}, not {_short(found)}")
    size = frame.rgb_hw3.shape[:2]
    if found.masks_nhw is not None and found.masks_nhw.shape[1:] != size:
        raise ContractError(f"{rule} with masks of the picture's {size[1]}x{size[0]}, not {kind(found.masks_nhw)}")
    return found


def check_scores(metric: object, method: str, scores: object) -> dict[str, float]:
    """What a metric's ``method`` returned, numpy's numbers as Python's. Raises ContractError for all but numbers."""
    rule = f"{_class(metric)}.{method}: it must return a dict of numbers by name"
    if not isinstance(scores, Mapping):
        raise ContractError(f"{rule}, not {_short(scores)}")
    for name, value in scores.items():
        if not isinstance(name, str) or not isinstance(value, int | float | np.integer | np.floating):
            raise ContractError(f"{rule}; {name!r} is {_short(value)}")
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in scores.items()}


Track = Callable[[Source, Sequence[Prompt]], Iterable[tuple[Frame, FrameMasks]]]

_PAIRS = "it must yield pairs (Frame, FrameMasks)"
_ORDER = "it must yield every frame of the source once, in order"


class TrackChecker:
    """Checks the pairs of ``track``: one for each frame that the source yields, or for all ``source.frames``, in order.

    Whoever iterates the source calls ``saw`` and ``saw_all``, in any thread. ``finding``: new objects may come.
    """

    def __init__(self, segmenter: Segmenter, source: Source, prompts: Sequence[Prompt], finding: bool = False) -> None:
        self._segmenter, self._prompts, self._frames = segmenter, prompts, source.frames
        self._size = (source.info.height, source.info.width)
        self._ids = tuple(sorted({prompt.object_id for prompt in prompts}))
        self._own_ids = not prompts or bool(getattr(segmenter, "own_objects", False))
        self._finding = finding
        self._read = 0  # frames that the source has yielded; those of a second iteration don't count again
        self._read_all = False
        self._due: deque[int] = deque()  # the numbers of those whose masks are missing
        self._done = 0  # pairs

    def saw(self, position: int, frame: Frame) -> None:
        """Notes a frame, before the source yields it as the ``position``-th (from 0) of this iteration."""
        if position == self._read:
            self._due.append(frame.index)
            self._read += 1

    def saw_all(self) -> None:
        """Notes that the source has yielded all frames."""
        self._read_all = True

    def pairs(self, source: Source, track: Track | None = None) -> Generator[tuple[Frame, FrameMasks]]:
        """Yields what ``track`` yields, the segmenter's own unless another is given, checked.

        Raises ContractError for the first pair that breaks a rule.
        """
        pairs: Iterator[Any] = iter(())
        try:
            tracked: Any = (track or self._segmenter.track)(source, self._prompts)
            if not hasattr(tracked, "__iter__"):
                raise ContractError(f"it returned {_short(tracked)}; {_PAIRS}")
            pairs = iter(tracked)
            for pair in pairs:
                yield self._checked(pair)
            total = self._read if self._read_all else len(self._frames)
            if self._done < total:
                raise ContractError(f"it ended after {self._done} of {total} frames; {_ORDER}")
        except ContractError as error:
            raise ContractError(f"{_class(self._segmenter)}.track: {error}") from error
        finally:
            if hasattr(pairs, "close"):  # a generator; a list has nothing to close
                pairs.close()

    def _checked(self, pair: Any) -> tuple[Frame, FrameMasks]:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], Frame)):
            raise ContractError(f"it yielded {_short(pair)}; {_PAIRS}")
        frame, masks = pair
        if not isinstance(masks, FrameMasks):
            raise ContractError(f"with frame {frame.index} it yielded {_short(masks)}; {_PAIRS}")
        if self._due:
            due = self._due.popleft()
        elif not self._read_all and self._done < len(self._frames):  # it reads source[index] instead of iterating
            due = self._frames[self._done]
        else:
            raise ContractError(f"it yielded frame {frame.index} after the last of {self._done} frames; {_ORDER}")
        if frame.index != due:
            raise ContractError(f"it yielded frame {frame.index} where frame {due} was due; {_ORDER}")
        self._done += 1
        if masks.frame_index != frame.index:
            raise ContractError(f"with frame {frame.index} it yielded the masks of frame {masks.frame_index}")
        for name, size in (("pixels", frame.rgb_hw3.shape[:2]), ("masks", masks.masks_nhw.shape[1:])):
            if size != self._size:
                raise ContractError(f"the {name} of frame {frame.index} are (h, w) = {size}, the video is {self._size}")
        ids = tuple(masks.object_ids)
        if self._own_ids or self._finding:
            if list(ids) != sorted(set(ids)):
                raise ContractError(f"frame {frame.index} has masks of objects {ids}; ids must ascend")
            if self._finding and (lost := sorted(set(self._ids) - set(ids))):
                raise ContractError(f"frame {frame.index} has no masks of objects {lost}, which are known")
            self._ids = ids
        elif ids != self._ids:
            raise ContractError(f"frame {frame.index} has masks of objects {ids}; prompted, in order, are {self._ids}")
        return frame, masks


def _class(part: object) -> str:
    """The dotted name of a part's class."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _short(value: object) -> str:
    """A value in a message of one line, or its type if it is long."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"an object of {_class(value)}"


_TYPES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def check_types(key: str, function: Callable[..., object], keys: Mapping[str, Any]) -> None:
    """Raises InputError for one of ``keys`` whose value isn't of the simple type that ``function``, or the constructor
    of a class, is annotated with; a type that isn't simple allows everything."""
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):  # of C
        return
    for name in keys:
        hint = parameters[name].annotation if name in parameters else Any
        allowed = set(get_args(hint)) if isinstance(hint, UnionType) or get_origin(hint) is Union else {hint}
        if not allowed <= _TYPES.keys():
            continue
        value = keys[name]
        if type(value) not in allowed and not (type(value) is int and float in allowed):
            names = [text for each, text in _TYPES.items() if each in allowed]
            given = "null" if value is None else _short(value)
            raise InputError(f"{key}.{name}: {given} is not {' or '.join(names)}")


def _made_by_hydra(_partial_: bool = False, _recursive_: bool = True, _convert_: str = "none") -> None:
    """The keys that Hydra itself reads, with their types."""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def build(config: DictConfig, *path: str) -> Any:
    """The part at ``path`` of the configuration, such as ``build(config, "output", "cutout")``.

    Raises InputError if its class can't be found, takes other parameters or lacks a method.
    """
    node: Any = config
    for name in path:
        node = node[name]
    part = _built(".".join(path), node, knows_key=path[0] != "output")  # outputs don't know their keys
    check_members(path[0], ".".join(path), part)
    return part


def build_within(group: str, key: str, node: Mapping[str, Any]) -> Any:
    """The part of a ``group`` that stands in another part at ``key``, as "detector" at "prompt.detector".

    That other part has ``_recursive_: false``, so that it gets ``node``, the YAML, and builds it when it needs it. The
    constructor's InputErrors begin with its own parameter; ``key`` is put before it. Raises InputError as ``build``.
    """
    part = _built(key, OmegaConf.create(dict(node)), knows_key=False)
    check_members(group, key, part)
    return part


def _built(key: str, node: Any, knows_key: bool) -> Any:
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str):
        raise InputError(f"{key}._target_: missing; it names a class, such as mine.Segmenter")
    function = locate(f"{key}._target_", target)  # Hydra would find it, too, but says less about what it doesn't find
    try:
        check_types(key, _made_by_hydra, node)
        if not node.get("_partial_"):
            check_types(key, function, node)
        return instantiate(node, _convert_="all")
    except MissingMandatoryValue as error:  # ??? in YAML
        raise InputError(f"{error.full_key}: missing; it has no default") from error
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere
        raise InputError(f"{error.full_key or key}: {_first_line(error)}") from error
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if cause is None:
            raise InputError(f"{key}: {_first_line(error)}") from error
        if isinstance(cause, TypeError) and "argument" in str(cause):
            raise InputError(f"{key}: {cause}") from error
        if isinstance(cause, InputError) and not knows_key:
            raise InputError(f"{key}.{cause}") from cause
        raise cause from None


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
