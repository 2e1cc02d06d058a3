"""How far a run has come, and how a stopped one goes on.

A frame is finished when it has a line in masks.jsonl and one in frames.jsonl. A run that goes on gives out the masks of
finished frames from masks.jsonl up to the newest checkpoint. From there the segmenter tracks again; what it says of
finished frames must agree with their lines. ``.vidseg/run.json`` tells whether it is the same run.
"""

import hashlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

import numpy as np

from vidseg.errors import InputError
from vidseg.measure import iou
from vidseg.record import checkpoints
from vidseg.record.checkpoints import BEFORE, FileCheckpoints, Saved
from vidseg.record.files import FOUND, FOUND_MASKS, FRAMES, MASKS, JsonLines, count_lines, read_frames, sync
from vidseg.record.identity import Identity, check_same, recall
from vidseg.record.masks import MaskRecord
from vidseg.record.summary import read_summary
from vidseg.types import Frame, FrameMasks, Prompt, Segmenter, Source, VideoInfo

log = logging.getLogger(__name__)

_ALIKE = 0.9
"""IoU with the recorded mask below which a frame that is tracked again is refused. On one thread of a CPU it is 1; on a
GPU, and on several threads, sums come in another order."""


@dataclass(frozen=True)
class Resumed:
    """What a stopped run has left: its summary, if it had time for one, and the frames it finished.

    ``known`` is its run.json, with ``device``, ``precision`` and ``wandb``; at its end also ``ended``, with the number
    of its frames and the paths of its outputs.
    """

    summary: Mapping[str, Any]
    known: Mapping[str, Any]
    same: bool  # all keys are, also those that change no mask
    masks: MaskRecord | None
    finished: int  # frames, the first ones of ``masks``
    saved: Saved | None

    @property
    def kept(self) -> list[str]:
        """The files to keep: of a run that came to its end all, else those with a line a frame."""
        return [MASKS, FRAMES, FOUND, FOUND_MASKS, *self.outputs.values()]

    @property
    def outputs(self) -> dict[str, str]:
        """The paths of the outputs by name, if the run came to its end."""
        return {} if self.ended is None else dict(self.ended["outputs"])

    def nothing_left(self, folder: Path) -> bool:
        """Whether the run in ``folder`` has made all that is asked for now."""
        ended = self.complete and self.same and self.summary.get("status") == "finished"
        return ended and all((folder / path).exists() for path in self.outputs.values())

    def recorded(self, index: int, info: VideoInfo) -> FrameMasks:
        """The masks of a frame that is finished."""
        found = None if self.masks is None else self.masks.frame_masks(index, info, known_by_then=True)
        assert found is not None
        return found

    def covers(self, index: int) -> bool:
        """Whether the masks of a frame are taken from the record, and not tracked again."""
        return self.complete or (self.saved is not None and index <= self.saved.frame_index)

    @property
    def ended(self) -> Mapping[str, Any] | None:
        """What the run said at its end; None if it didn't come to it, or if not all its frames are there."""
        ended: Mapping[str, Any] | None = self.known.get("ended")
        return ended if ended is not None and 0 < self.finished == ended["frames"] else None

    @property
    def complete(self) -> bool:
        """Whether the run came to the end of its video, and all its frames are there."""
        return self.ended is not None


def find_resumed(folder: Path, identity: Identity, prompts: Sequence[Prompt]) -> Resumed | None:
    """The run in ``folder`` to go on with; None if there is none.

    Raises InputError, with the key, if it was told anything else that changes masks.
    """
    record = _record(folder)
    if (then := recall(folder)) is None:
        if record is not None:
            raise InputError(f"resume: {folder} doesn't say what its run was; start anew in another folder")
        return None
    check_same(identity, then["identity"], folder)
    if then.get("prompts") != digest(prompts):
        raise InputError(f"prompt: the prompts aren't those of the run in {folder}; start anew in another folder")
    lines = zip(() if record is None else record.frames, read_frames(folder), strict=False)
    finished = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1]["frame"], lines))
    finished = min(finished, *(count_lines(folder / name) for name in (MASKS, FRAMES)))

    def known(index: int) -> bool:
        position = None if record is None else record.position(index)
        return position is not None and position < finished

    saved = checkpoints.newest(folder, known)
    return Resumed(read_summary(folder) or {}, then, identity == then["identity"], record, finished, saved)


def check_alike(resumed: Resumed, segmenter: Segmenter, folder: Path) -> None:
    """Raises InputError, with the key, if the run in ``folder`` had another kind of device or precision."""
    for key in ("device", "precision"):
        now, then = getattr(segmenter, key), resumed.known.get(key)
        if then is not None and now.partition(":")[0] != then.partition(":")[0]:
            raise InputError(f"{key}: {now} isn't {then}, as it was for the run in {folder}, and changes masks")


class Progress:
    """The progress of the run in ``folder``, which goes on from ``resumed``. ``every`` as for ``FileCheckpoints``."""

    def __init__(self, folder: Path, every: int | None = None, resumed: Resumed | None = None) -> None:
        self._folder, self._resumed = folder, resumed
        self.finished = 0 if resumed is None else resumed.finished
        self.complete = resumed is not None and resumed.complete
        self._checkpoints = FileCheckpoints(folder, every, resumed.saved if resumed else None)
        self._given = 0  # frames whose recorded masks were given out
        self._differing = False

    def track(
        self, segmenter: Segmenter, source: Source, prompts: Sequence[Prompt], **more: Any
    ) -> Iterable[tuple[Frame, FrameMasks]]:
        """The segmenter's pairs, after those of the frames that are recorded up to a checkpoint.

        ``more`` are other arguments of its ``track``.
        """
        own = (self._checkpoints,) if getattr(segmenter, "resumable", False) else ()

        def tracked(source: Source) -> Any:
            return segmenter.track(source, prompts, *own, **more)

        if self._resumed is None or self._resumed.saved is None:
            return cast("Iterable[tuple[Frame, FrameMasks]]", tracked(source))
        return self._going_on(tracked, source, self._resumed, self._resumed.saved.frame_index)

    def _going_on(
        self, tracked: Callable[[Source], Any], source: Source, resumed: Resumed, last: int
    ) -> Generator[tuple[Frame, FrameMasks]]:
        with closing(source.__iter__()) as frames:
            for frame in () if last == BEFORE else frames:
                self._given += 1
                yield frame, resumed.recorded(frame.index, source.info)
                if frame.index == last:
                    break
            with closing(tracked(_Rest(source, frames))) as rest:
                yield from rest

    def agreed(self, position: int, found: FrameMasks, info: VideoInfo) -> FrameMasks:
        """The masks of the frame at ``position`` of the run: as recorded, if it was finished before.

        Raises InputError if what was tracked again is something else.
        """
        if self._resumed is None or not self._given <= position < self.finished:
            return found
        self._checkpoints.finished(found.frame_index)
        recorded = self._resumed.recorded(found.frame_index, info)
        now, then = (dict(zip(each.object_ids, each.masks_nhw, strict=True)) for each in (found, recorded))
        nothing_hw = np.zeros((info.height, info.width), np.bool_)
        ious = {number: iou(now.get(number, nothing_hw), then.get(number, nothing_hw)) for number in now | then}
        worst = min(ious, key=ious.__getitem__, default=None)
        if worst is not None and ious[worst] < _ALIKE:
            raise InputError(
                f"resume: frame {found.frame_index}, tracked again, isn't as it was in {self._folder} (IoU "
                f"{ious[worst]:.2f} of object {worst}): other versions or another machine; start anew in another folder"
            )
        if worst is not None and ious[worst] < 1 and not self._differing:
            log.warning("resume: frames that are tracked again differ a little: not bit by bit the same machine")
            self._differing = True
        return recorded

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within the block masks.jsonl and frames.jsonl are open; they begin, or go on after finished frames."""
        with (
            closing(JsonLines(self._folder / MASKS, keep=self.finished)) as self._masks,
            closing(JsonLines(self._folder / FRAMES, keep=self.finished)) as self._frames,
        ):
            yield
        for name in (MASKS, FRAMES):
            sync(self._folder / name)

    def add(self, frame: Frame, line: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Writes the lines of a frame, which is finished then; and a checkpoint, if it is time for one.

        ``line`` is its ``vidseg.record.masks.mask_line``, and ``values`` are its numbers.
        """
        self._masks.write(line)
        self._frames.write({"frame": frame.index, "time_s": round(frame.time_s, 6), **values})
        self._checkpoints.finished(frame.index)


class Recorded:
    """The segmenter of a run that came to its end: all masks are recorded, and no model is needed."""

    own_objects = True

    def __init__(self, resumed: Resumed) -> None:
        self._resumed = resumed
        self.device, self.precision = str(resumed.known["device"]), str(resumed.known["precision"])
        self.provenance: Mapping[str, str] = {}

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Generator[tuple[Frame, FrameMasks]]:
        """The source's frames, each with its recorded masks."""
        for frame in source:
            yield frame, self._resumed.recorded(frame.index, source.info)


class _Rest:
    """A source of which some frames were read: iteration goes on with ``frames``; all else is the source's own."""

    def __init__(self, source: Source, frames: Generator[Frame]) -> None:
        self._source, self._frames = source, frames

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Generator[Frame]:
        yield from self._frames

    def __getitem__(self, index: int) -> Frame:
        return self._source[index]


def _record(folder: Path) -> MaskRecord | None:
    """The masks in a run's folder, if there are any."""
    path = folder / MASKS
    return MaskRecord(path, "resume") if path.is_file() and path.stat().st_size else None


def digest(prompts: Sequence[Prompt]) -> str:
    """The SHA-256 of prompts, whoever made them."""
    found = hashlib.sha256()
    for prompt in prompts:
        said = (prompt.frame_index, prompt.object_id, prompt.name, prompt.until, prompt.joins)
        found.update(" ".join(map(repr, said)).encode())
        for array in (prompt.points_xy, prompt.labels, prompt.box_xyxy, prompt.mask_hw):
            found.update(b"-" if array is None else f"{array.shape}".encode() + array.tobytes())
    return found.hexdigest()
