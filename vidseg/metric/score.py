"""What the metrics share: the frame from which an object counts, means over frames, and the names of scores."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from vidseg.types import Prompt


def first_prompts(prompts: Sequence[Prompt]) -> dict[int, int]:
    """The number of the first frame on which each object is prompted, by object id."""
    latest_first = sorted(prompts, key=lambda prompt: prompt.frame_index, reverse=True)
    return {prompt.object_id: prompt.frame_index for prompt in latest_first}


class Begun:
    """Tells whether an object counts: from its first prompt on, or from its first mask on if that is earlier.

    The mask comes first with ``propagate=both``, and in a replay, which has no prompts.
    """

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._first = first_prompts(prompts)
        self._begun: set[int] = set()

    def __call__(self, frame_index: int, object_id: int, present: bool) -> bool:
        """Whether the object counts on this frame, on which it is ``present`` or not; frames come in order."""
        if present or frame_index >= self._first.get(object_id, frame_index + 1):
            self._begun.add(object_id)
        return object_id in self._begun


class Means:
    """Running means by name and object id."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[int, tuple[float, int]]] = {}

    def add(self, name: str, object_id: int, value: float) -> None:
        """Adds the value of one frame."""
        by_id = self._sums.setdefault(name, {})
        total, count = by_id.get(object_id, (0.0, 0))
        by_id[object_id] = total + value, count + 1

    def by_id(self) -> dict[str, dict[int, float]]:
        """The means so far, {name: {object id: mean}}."""
        return {name: {n: total / count for n, (total, count) in by_id.items()} for name, by_id in self._sums.items()}


def name_scores(scores: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Flat names from {name: {object id: score}}: ``j`` is the mean over the objects, ``j_1`` the score of object 1."""
    known = {name: by_id for name, by_id in scores.items() if by_id}
    means = {name: fmean(by_id.values()) for name, by_id in known.items()}
    ids = sorted({number for by_id in known.values() for number in by_id})
    return means | {f"{name}_{n}": float(by_id[n]) for n in ids for name, by_id in known.items() if n in by_id}
