"""Which label map is of which frame, by their names. Whatever is ambiguous is refused."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidseg.errors import InputError
from vidseg.record.names import NUMBER, SIGNED, in_order, readable, same_frame
from vidseg.types import VideoInfo

log = logging.getLogger(__name__)


def of_frames(maps: Sequence[Path], info: VideoInfo, key: str) -> dict[int, Path]:
    """The label maps of one folder by the indices of their frames in the video.

    In a folder of frames a map is of the frame with the same name but for the suffix; else with the same numbers in its
    name (rgb_0007.jpg and mask_0007.png); else, where one number is the frame's, with that number alone (00007.png);
    else of the one whose whole name it contains (0007_cam2.jpg and 0007_cam2_mask.png). For a video file one number in
    the names must be the frame's. Maps of no frame are left out with a warning.

    Raises InputError, naming ``key``, if none is of a frame, if two are of the same, or if one may be of several.
    """
    found: dict[int, Path] = {}
    for file, index in _indices(maps, info, key):
        if (other := found.setdefault(index, file)) != file:
            raise same_frame(other, file, key)
    if not found:
        frames = "00000 for the first" if info.file_names is None else f"such as {info.file_stem(0)}"
        raise InputError(
            f"{key}: {maps[0].parent}: none of its {len(maps)} label maps ({readable(maps[0])}, …) is named as a frame "
            f"of the video is, {frames}"
        )
    if strangers := sorted(set(maps) - set(found.values())):
        example = readable(strangers[0])
        log.warning("%s: %d of %d label maps are of no frame (%s): left out", key, len(strangers), len(maps), example)
    return found


def _indices(maps: Sequence[Path], info: VideoInfo, key: str) -> Iterator[tuple[Path, int]]:
    """Each map of a frame, and the frame's index."""
    if info.file_names is not None:
        frames = _Frames(info)
        yield from ((file, index) for file in maps if (index := frames.index(file, key)) is not None)
        return
    numbering = in_order(maps, key)
    constant = set.intersection(*(set(re.findall(r"(?<!\d)0\d+", file.stem)) for file in numbering.files))
    # 00000_1.png and 00000_2.png may be two objects of one frame.
    if numbering.numbers is None or (constant and len(maps) > 1):
        raise InputError(
            f"{key}: {maps[0].parent}: which frame is {readable(maps[0])} of? Name the label maps 00000.png, …"
        )
    for file, number in zip(numbering.files, numbering.numbers, strict=True):
        if number >= 0 and (info.num_frames is None or number < info.num_frames):
            yield file, number


class _Frames:
    """The names of a folder's frames, to look label maps up in."""

    def __init__(self, info: VideoInfo) -> None:
        assert info.file_stems is not None
        self._stems = info.file_stems
        self._by_stem = {stem: index for index, stem in enumerate(self._stems)}
        self._pattern = SIGNED if min(info.file_numbers or (0,)) < 0 else NUMBER
        groups = [self._numbers(stem) for stem in self._stems]
        self._by_numbers = defaultdict[tuple[int, ...], list[int]](list)
        for index, numbers in enumerate(groups):
            self._by_numbers[numbers].append(index)
        self._by_number = {number: index for index, number in enumerate(info.file_numbers or ())}
        self._constant = set.intersection(*map(set, groups)) if len(groups) > 1 else set[int]()

    def index(self, file: Path, key: str) -> int | None:
        """The index of the frame that a map is of; None if it is of none."""
        stem = file.stem
        if stem in self._by_stem:
            return self._by_stem[stem]
        numbers = self._numbers(stem)
        if numbers and len(same := self._by_numbers[numbers]) == 1:
            return same[0]
        if len(numbers) == 1 and (bare := re.fullmatch(r"(.*[\W_])?-?\d+([\W_].*)?", stem)):
            named = any(bare.groups())  # cam_2.png beside 0000_cam_2.jpg isn't of frame 2
            if not (named and numbers[0] in self._constant) and numbers[0] in self._by_number:
                return self._by_number[numbers[0]]
        ends = [match.start() for match in re.finditer(r"[\W_]", stem)] + [len(stem)]
        starts = [0, *(end + 1 for end in ends[:-1])]
        parts = {stem[start:end] for start in starts for end in ends if start < end}
        contained = sorted(parts & self._by_stem.keys())
        if len(contained) > 1:
            raise InputError(
                f"{key}: {file.parent}: is {readable(file)} of frame {contained[0]} or of {contained[1]}? "
                "Name the label maps as the frames"
            )
        return self._by_stem[contained[0]] if contained else None

    def _numbers(self, stem: str) -> tuple[int, ...]:
        return tuple(map(int, self._pattern.findall(stem)))
