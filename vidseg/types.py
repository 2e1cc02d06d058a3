"""What flows between the stages, and the seams they meet at.

Frozen dataclasses that check themselves where they are made. Array names carry their axes (``rgb_hw3``), numbers their
unit (``time_s``). This module knows nothing about Hydra, PyAV, torch or W&B.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError

RGB = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is, as displayed: after rotation, before any crop or resize.

    ``fps`` is the average rate; ``time_base`` is the unit (seconds) that the source's time stamps are whole multiples
    of, so that outputs can carry them exactly. ``num_frames`` is None where only decoding everything would tell.
    ``file_numbers`` are those in the names of a folder's images, in order; None for what isn't a folder.
    """

    width: int
    height: int
    fps: Fraction
    num_frames: int | None
    time_base: Fraction
    file_numbers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"video: a frame of {self.width}x{self.height} pixels can't be segmented")
        if self.fps <= 0 or self.time_base <= 0:
            raise InputError(f"video: {self.fps} frames a second (time base {self.time_base} s) is not a rate")

    def file_number(self, index: int) -> int:
        """The number that files about frame ``index`` are named by: its image's own in a folder, else ``index``."""
        return index if self.file_numbers is None else self.file_numbers[index]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: ``index`` is its number in the source, ``time_s`` its presentation time, ``rgb_hw3`` uint8."""

    index: int
    time_s: float
    rgb_hw3: RGB

    def __post_init__(self) -> None:
        if self.rgb_hw3.dtype != np.uint8 or self.rgb_hw3.ndim != 3 or self.rgb_hw3.shape[2] != 3:
            raise ValueError(f"a frame is uint8 of (height, width, 3), not {self.rgb_hw3.dtype} {self.rgb_hw3.shape}")


@dataclass(frozen=True, slots=True)
class FrameMasks:
    """The masks of one frame, one per object, at the frame's own size.

    ``logits_nhw`` is float32 of (objects, height, width) and ``masks_nhw`` is ``logits_nhw > 0``, computed once.
    ``scores`` are the model's object scores in 0..1 (how sure it is that the object is in the picture), or None.
    ``best_hw`` is the row of the highest logit at each pixel (of the first among equals) where that is known already.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    logits_nhw: Logits
    scores: tuple[float | None, ...] | None = None
    masks_nhw: NDArray[np.bool_] = field(init=False, repr=False)
    best_hw: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.logits_nhw.ndim != 3 or len(self.logits_nhw) != len(self.object_ids):
            raise ValueError(f"{len(self.object_ids)} objects need logits (objects, h, w), not {self.logits_nhw.shape}")
        if self.scores is not None and len(self.scores) != len(self.object_ids):
            raise ValueError(f"{len(self.object_ids)} objects need as many scores, not {len(self.scores)}")
        object.__setattr__(self, "masks_nhw", self.logits_nhw > 0)

    def drawn(self, frame: Frame, picture: str, *options: Any) -> NDArray[np.uint8] | None:
        """A new picture of vidseg.composite's, where a device has drawn it; None on the host, which draws its own."""
        return None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the user says about one object on one frame, in pixels of the video.

    Points (n, 2) with labels (n,) of 1 (positive) or 0 (negative), and/or a box (x0, y0, x1, y1); or a mask (h, w).
    """

    frame_index: int
    object_id: int
    points_xy: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    box_xyxy: NDArray[np.float32] | None = None
    mask_hw: Mask | None = None

    @classmethod
    def from_bboxes(cls, bboxes: Iterable[Mapping[str, Any]], frame_index: int = 0) -> "tuple[Prompt, ...]":
        """Prompts from what jupyter_bbox_widget's ``widget.bboxes`` returns: mappings of x, y, width, height and label.

        Each label is an object, numbered from 1 in order of appearance (no labels are one label). A box of zero width
        and height is a positive point, as in the article; a second box of one label is an object of its own.
        """
        points: dict[Any, list[tuple[float, float]]] = {}
        boxes: dict[Any, tuple[float, float, float, float]] = {}
        for number, entry in enumerate(bboxes):
            x, y, width, height = (float(entry.get(key, 0)) for key in ("x", "y", "width", "height"))
            label: Any = entry.get("label", "")
            if width or height:
                if label in boxes:
                    label = (label, number)
                boxes[label] = (x, y, x + width, y + height)
            else:
                points.setdefault(label, []).append((x, y))
        labels = list(dict.fromkeys([*points, *boxes]))
        if not labels:
            raise InputError("bboxes: empty; draw a box or click a point first")
        return tuple(
            cls(
                frame_index,
                object_id,
                points_xy=np.array(points[label], np.float32) if label in points else None,
                labels=np.ones(len(points[label]), np.int32) if label in points else None,
                box_xyxy=np.array(boxes[label], np.float32) if label in boxes else None,
            )
            for object_id, label in enumerate(labels, start=1)
        )


class Source(Protocol):
    """A video to read: iterable in order (decoding ahead in a thread), and seekable.

    ``frames`` holds the source's numbers of the frames that iteration yields, in order; ``audio`` is the file whose
    sound belongs to the pictures, or None; ``offset_s`` is the time stamp that outputs call zero (0 unless the
    extraction starts late). ``truth(index)`` is the ground-truth label map (h, w) uint8 of a frame, or None where the
    source has none. ``prompts`` are the source's own prompts (the built-in clip has them), else empty.
    """

    name: str
    info: VideoInfo
    frames: Sequence[int]
    audio: Path | None
    offset_s: float
    prompts: tuple[Prompt, ...]

    def __iter__(self) -> Generator[Frame]:
        """The frames in order. Raises InputError where the data ends early, after every frame that could be read."""
        ...

    def backwards(self, position: int) -> Generator[Frame]:
        """``frames[position]``, the one before it, … to ``frames[0]``, holding a bounded number of frames.

        What iteration leaves out (damaged pictures) is left out here, too. Raises InputError where the data ends before
        ``frames[position]``, after every frame that could be read.
        """
        ...

    def __getitem__(self, index: int) -> Frame:
        """The frame with the source's number ``index``. Raises InputError if it can't be decoded."""
        ...

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The label map (h, w) of a frame, or None."""
        ...

    def provenance(self) -> Mapping[str, str]:
        """Where the pictures come from, for the record: path, SHA-256, codec, …"""
        ...


class Segmenter(Protocol):
    """Follows prompted objects through a video. ``device`` and ``precision`` are as resolved, never ``auto``."""

    device: str
    precision: str
    provenance: Mapping[str, str]

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Generator[tuple[Frame, FrameMasks]]:
        """One pair for each frame of ``source.frames``, in order, holding a bounded number of frames.

        Every object of ``prompts`` is in every FrameMasks, in ascending order of id; before its first prompt its mask
        is empty.
        """
        ...


class Output(Protocol):
    """Writes one kind of file from frames and masks. ``path`` is relative to the run's folder."""

    path: str

    def open(self, folder: Path, source: Source) -> None:
        """Begins a file in a run's folder."""
        ...

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds one frame."""
        ...

    def close(self) -> None:
        """Finishes what was written and gives it its final name."""
        ...

    def abort(self) -> None:
        """Removes what can't be finished. Never raises."""
        ...


class Metric(Protocol):
    """Scores masks as they come.

    Scores of one object end in its id, as in ``j_1``; the same name without it is the mean over the objects.
    """

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run; called before the model is built, so that what can't be scored is told at once."""
        ...

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """Takes one frame, in the order of the video; returns what is known of this frame alone, by name."""
        ...

    def compute(self) -> dict[str, float]:
        """The scores over all frames so far, by name."""
        ...


class Tracker(Protocol):
    """Records a run elsewhere. The runner never lets a failing tracker end a run."""

    def start(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """Begins the record; returns what summary.json calls ``wandb`` (id, mode, url) or None."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Records the numbers of one frame; ``step`` is its position in the run."""
        ...

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Records one frame as a picture; called before ``log`` of the same frame."""
        ...

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Ends the record with what summary.json holds and the files of the run."""
        ...

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """Records the jobs of a sweep that is over, one row each with the same keys, beside their runs in ``group``.

        A row's values are text, numbers, None, and paths of pictures; those of a key are of one kind. No record may be
        under way.
        """
        ...
