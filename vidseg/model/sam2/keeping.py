"""What an annotator's next click needs again is kept, the values that were used last."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields
from typing import TypeVar

import numpy as np

from vidseg.model.sam2.engine import Engine, Features
from vidseg.model.sam2.view import View
from vidseg.types import RGB

T = TypeVar("T")

_VIEWS = 8  # whose features are kept: at 1024 x 1024 some 60 MB each


class Kept(OrderedDict[Hashable, T]):
    """The values used last, ``most`` of them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def get_or(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``, made now if it isn't kept."""
        value = self[key] if key in self else make()
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._most:
            self.popitem(last=False)
        return value


@dataclass(frozen=True, slots=True)
class Keeping(Engine):
    """An engine that keeps the features of what it was shown last."""

    kept: Kept[Features] = field(default_factory=lambda: Kept(_VIEWS))

    @classmethod
    def of(cls, engine: Engine) -> "Keeping":
        """The same model, run in the same way."""
        return cls(**{each.name: getattr(engine, each.name) for each in fields(engine)})

    def features(self, rgb_hw3: RGB, view: View) -> Features:
        """The features of what ``view`` shows of one frame."""
        shown = view.look(rgb_hw3)
        key = (view, zlib.crc32(np.ascontiguousarray(shown).data))  # 1 ms at 720p
        return self.kept.get_or(key, lambda: super(Keeping, self).features(rgb_hw3, view))
