"""What scores share: intersection over union, from where an object counts, means over frames, and names."""

from collections.abc import Mapping, Sequence

import numpy as np

from vidseg.types import Mask, Prompt


def iou(mask_hw: Mask, other_hw: Mask) -> float:
    """Intersection over union, DAVIS' J (Perazzi et al., CVPR 2016); 1 where both masks are empty."""
    union = np.count_nonzero(mask_hw | other_hw)
    return np.count_nonzero(mask_hw & other_hw) / union if union else 1.0


def first_prompts(prompts: Sequence[Prompt]) -> dict[int, int]:
    """The number of each object's first prompted frame."""
    latest_first = sorted(prompts, key=lambda prompt: prompt.frame_index, reverse=True)
    return {prompt.object_id: prompt.frame_index for prompt in latest_first}


class Begun:
    """Tells from where an object counts: from its first prompt, or its first mask where that is earlier.

    The latter is so with ``propagate=both``, and in a replay, which has no prompts.
    """

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._first = first_prompts(prompts)
        self._begun: set[int] = set()

    def __call__(self, frame_index: int, object_id: int, present: bool) -> bool:
        """Whether the object counts on this frame; frames come in order."""
        if present or frame_index >= self._first.get(object_id, frame_index + 1):
            self._begun.add(object_id)
        return object_id in self._begun


class Means:
    """Running means by name and object id."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[int, tuple[float, int]]] = {}

    def add(self, name: str, object_id: int, value: float) -> None:
        """Takes one frame's value."""
        by_id = self._sums.setdefault(name, {})
        total, count = by_id.get(object_id, (0.0, 0))
        by_id[object_id] = total + value, count + 1

    def by_id(self) -> dict[str, dict[int, float]]:
        """The means so far, {name: {object id: mean}}."""
        return {name: {n: total / count for n, (total, count) in by_id.items()} for name, by_id in self._sums.items()}


def name_scores(scores: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Scores by name from {name: {object id: score}}: ``j`` is the mean over the objects, ``j_1`` that of object 1."""
    known = {name: by_id for name, by_id in scores.items() if by_id}
    means = {name: float(np.mean(list(by_id.values()))) for name, by_id in known.items()}
    ids = sorted({number for by_id in known.values() for number in by_id})
    return means | {f"{name}_{n}": float(by_id[n]) for n in ids for name, by_id in known.items() if n in by_id}
