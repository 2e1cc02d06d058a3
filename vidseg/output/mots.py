"""mots.txt: masks as KITTI MOTS has them, a line for each object on each frame.

A line is ``frame id class height width rle``, and an id 1000 times the class plus the object's own
(www.vision.rwth-aachen.de/page/mots). Masks may not overlap there: each pixel belongs to the object with the highest
logit.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from vidseg.composite import label_map
from vidseg.errors import InputError
from vidseg.output.spool import Spooled, class_names
from vidseg.record.masks import encode
from vidseg.types import Frame, FrameMasks, Prompt, Source

log = logging.getLogger(__name__)

_IGNORED = 10  # the class of regions that aren't scored
_LARGEST = 999  # object id


class Mots(Spooled):
    """``classes`` are the numbers of class names; a name without one gets the next that is free, from 3 on.

    Raises InputError for a number that no class can have.
    """

    def __init__(self, path: str, classes: Mapping[str, int]) -> None:
        super().__init__(path)
        for name, number in classes.items():
            if type(number) is not int or number < 1 or number == _IGNORED:
                raise InputError(f"classes.{name}: {number} is no class; a number from 1, not {_IGNORED} (not scored)")
        self._given, self._expected = dict(classes), list[str]()

    def expect(self, classes: Sequence[str]) -> None:
        """Takes the names that objects may have, so that they have the same numbers in all videos of a command."""
        self._expected = list(classes)

    def check(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Raises InputError for an object id that is too large."""
        _check_ids([prompt.object_id for prompt in prompts])

    def open(self, folder: Path, source: Source) -> None:
        """Begins the spool."""
        super().open(folder, source)
        self._classes, self._said = dict(self._given), set(self._given)
        for name in self._expected:
            self._number(name)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds the lines of one frame."""
        try:
            _check_ids(masks.object_ids)
        except InputError as error:
            raise InputError(f"output.mots.{error}") from error
        labels_hw = label_map(masks)
        height, width = labels_hw.shape
        for object_id, name in zip(masks.object_ids, class_names(masks), strict=True):
            number = self._number(name)
            if name not in self._said:
                self._said.add(name)
                log.info("output.mots: %s is class %d; output.mots.classes gives it another number", name, number)
            inside_hw = labels_hw == object_id
            if inside_hw.any():
                ids = f"{1000 * number + object_id} {number}"
                self._add(f"{frame.index} {ids} {height} {width} {encode(inside_hw)['counts']}\n")

    def _number(self, name: str) -> int:
        if name not in self._classes:
            taken = {*self._classes.values(), _IGNORED, 1, 2}  # 1 and 2 are KITTI's car and pedestrian
            self._classes[name] = next(n for n in range(3, len(taken) + 4) if n not in taken)
        return self._classes[name]

    def _finish(self, file: TextIO) -> None:
        self._copy(file)


def _check_ids(object_ids: Sequence[int]) -> None:
    if (largest := max(object_ids, default=0)) > _LARGEST:
        raise InputError(f"path: object {largest} can't be written as MOTS; ids go up to {_LARGEST}")
