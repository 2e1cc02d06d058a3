"""The data that flows between the stages, and the protocols (Source, Segmenter, Output, …) that the stages implement.

The data are frozen dataclasses that check their fields when they are made. Array names carry their axes
(``rgb_hw3``), numbers their unit (``time_s``). This module knows nothing about Hydra, PyAV, torch or W&B.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidseg import coordinates
from vidseg.coordinates import kind
from vidseg.errors import ContractError, InputError

if TYPE_CHECKING:
    from vidseg.measure import Box, Outlines

T = TypeVar("T")

RGB = NDArray[np.uint8]
RGB16 = NDArray[np.uint16]
Mask = NDArray[np.bool_]
Logits = NDArray[np.float32]
_computing = threading.RLock()  # of FrameMasks: what is computed takes half a millisecond


class Colour(NamedTuple):
    """What R'G'B' means, in the numbers of ITU-T H.273: 1 is BT.709, 6 is BT.601 with 525 lines, 2 is unknown."""

    matrix: int  # by which it becomes Y'CbCr in an output
    primaries: int
    transfer: int


class Mastering(NamedTuple):
    """HDR10's static metadata: the screen that a video was made on (SMPTE ST 2086), and its brightest pictures.

    - ``display``: x and y of green, blue, red and white in 1/50000; the most and the least luminance in 1/10000 cd/m2.
    - ``content``: MaxCLL and MaxFALL (CTA-861.3), the brightest pixel and the brightest mean of a frame, in cd/m2.
    """

    display: tuple[int, ...] | None
    content: tuple[int, int] | None


class Depth(NamedTuple):
    """How many bits, more than 8, a source's values have, and in which colours they are: HDR before it becomes SDR."""

    bits: int
    colour: Colour
    mastering: Mastering | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Size, rate, length and colours of a video as displayed: after rotation by its metadata, HDR as SDR.

    Raises InputError for a size or a rate that is not positive.
    """

    width: int
    height: int
    fps: Fraction  # the average
    num_frames: int | None  # None if only decoding the whole video would tell
    time_base: Fraction  # all time stamps are whole multiples of this many seconds
    file_names: tuple[str, ...] | None = None  # of a folder of images, in order, or of a photograph
    file_numbers: tuple[int, ...] | None = None  # the frames' numbers in these names; None where none is the frame's
    sample_aspect_ratio: Fraction = Fraction(1)  # width / height of a pixel as displayed, for outputs to say
    colour: Colour | None = None  # None: as usual for the size
    depth: Depth | None = None  # of a source with more than 8 bits
    source_size: tuple[int, int] | None = None  # width and height that prompts are told in, if frames are scaled
    timecode: str | None = None  # of the first frame taken: 01:00:00:00, or 01:00:00;00 where labels are dropped
    reel: str | None = None  # the name of the reel that the timecode is of
    still: bool = False  # a photograph: its outputs are pictures

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"video: a frame of {self.width}x{self.height} pixels can't be segmented")
        if self.fps <= 0 or self.time_base <= 0:
            raise InputError(f"video: {self.fps} frames a second (time base {self.time_base} s) is not a rate")

    @property
    def of_source(self) -> "VideoInfo":
        """The same with the size of the source: label maps and prompts have it."""
        if self.source_size is None:
            return self
        return replace(self, width=self.source_size[0], height=self.source_size[1], source_size=None)

    @property
    def file_stems(self) -> tuple[str, ...] | None:
        """The ``file_names`` without the suffixes."""
        return None if self.file_names is None else tuple(Path(name).stem for name in self.file_names)

    def file_stem(self, index: int) -> str:
        """The name, without a suffix, of files about frame ``index``: the number of its image in a folder, the whole
        name of that image if none is its number, or ``index`` for a video file; numbers with five digits."""
        if self.file_names is not None and self.file_numbers is None:
            return Path(self.file_names[index]).stem
        return f"{index if self.file_numbers is None else self.file_numbers[index]:05d}"


@dataclass(frozen=True, slots=True, eq=False)
class Deep:
    """A picture with all bits of its source, HDR too: R'G'B' in ``colour``, uint16 (height, width, 3) up to 65535.

    Equal only to itself. Raises ContractError for pixels of another dtype or shape.
    """

    rgb_hw3: RGB16
    colour: Colour

    def __post_init__(self) -> None:
        if self.rgb_hw3.dtype != np.uint16 or self.rgb_hw3.ndim != 3 or self.rgb_hw3.shape[2] != 3:
            raise ContractError(f"Deep: rgb_hw3 is {kind(self.rgb_hw3)}; it must be uint16 (height, width, 3)")


class Coded(NamedTuple):
    """The Y'CbCr of a decoded picture, in limited range: three planes of ``bits``, uint8 or uint16 (height, width),
    chroma with half the rows or columns where the file has it so; and its colour. Not to be written to."""

    planes: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    bits: int
    colour: Colour


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video: uint8 (height, width, 3), with its number in the source, from 0, and its time in seconds.

    ``deep`` is the same picture with more bits, if the source has them and was asked for them (``Source``). ``coded``
    is the Y'CbCr that it was made of, if there is one, for outputs that leave pixels as they are.
    Equal only to itself. Raises ContractError for pixels of another dtype or shape.
    """

    index: int
    time_s: float
    rgb_hw3: RGB
    deep: Deep | None = None
    coded: Coded | None = None

    def __post_init__(self) -> None:
        if self.rgb_hw3.dtype != np.uint8 or self.rgb_hw3.ndim != 3 or self.rgb_hw3.shape[2] != 3:
            raise ContractError(f"Frame: rgb_hw3 is {kind(self.rgb_hw3)}; it must be uint8 (height, width, 3)")
        if self.deep is not None and self.deep.rgb_hw3.shape != self.rgb_hw3.shape:
            raise ContractError(f"Frame: deep is {kind(self.deep.rgb_hw3)}; it must be of the size of rgb_hw3")


@dataclass(frozen=True, slots=True, eq=False)
class Alpha:
    """The alpha matte of one frame's objects, all of them together: soft where they share a pixel with the background.

    - ``alpha_hw``: uint8 (height, width), the share of a pixel that is the objects', in 255ths.
    - ``foreground_hw3``: uint8 (height, width, 3), the frame, but at the edge the objects' own colours without the
      background's; None: the frame's pixels are taken as they are.
    - ``deep``: the same with the bits of ``Frame.deep``, and in its colour; None: outputs of more bits change theirs as
      ``foreground_hw3`` differs from the frame, in steps of 8 bits.

    Raises ContractError for arrays of other dtypes or shapes.
    """

    alpha_hw: NDArray[np.uint8]
    foreground_hw3: RGB | None = None
    deep: Deep | None = None

    def __post_init__(self) -> None:
        if self.alpha_hw.dtype != np.uint8 or self.alpha_hw.ndim != 2:
            raise ContractError(f"Alpha: alpha_hw is {kind(self.alpha_hw)}; it must be uint8 (height, width)")
        colours, shape = self.foreground_hw3, (*self.alpha_hw.shape, 3)
        if colours is not None and (colours.dtype != np.uint8 or colours.shape != shape):
            raise ContractError(f"Alpha: foreground_hw3 is {kind(colours)}; with this alpha it must be uint8 {shape}")
        if self.deep is not None and self.deep.rgb_hw3.shape != shape:
            raise ContractError(f"Alpha: deep is {kind(self.deep.rgb_hw3)}; with this alpha it must be uint16 {shape}")


@dataclass(frozen=True, slots=True, eq=False)
class FrameMasks:
    """The masks of one frame, one for each object, at the size of the frame.

    - ``frame_index``: the frame's number in the source.
    - ``object_ids``: the user's ids, ascending.
    - ``logits_nhw``: float32 (objects, height, width), in the order of ``object_ids``; above 0 on the object.
    - ``scores``: for each object the model's confidence that it is in the picture, 0 to 1, or None.
    - ``names``: for each object what it is called, or None; a run gives objects the names of their prompts.
    - ``alpha``: the objects' alpha matte, or None; a run with a matte gives masks theirs before outputs get them.
    - ``masks_nhw``: bool, ``logits_nhw > 0``. ``boxes``, ``areas``, ``outlines``, ``edges_px`` and ``union_hw`` are
      those of these masks.
    - ``best_hw``: uint8 (height, width), the row of the highest logit at each pixel (the first among equals); None
      unless a segmenter has computed it.

    Equal only to itself. Raises ContractError for logits of another dtype or shape, and for another number of scores.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    logits_nhw: Logits
    scores: tuple[float | None, ...] | None = None
    names: tuple[str | None, ...] | None = None
    alpha: Alpha | None = field(default=None, repr=False)
    masks_nhw: NDArray[np.bool_] = field(init=False, repr=False)
    best_hw: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        count, logits = len(self.object_ids), self.logits_nhw
        if logits.dtype != np.float32 or logits.ndim != 3 or len(logits) != count:
            rule = f"with {count} object ids it must be float32 ({count}, h, w)"
            raise ContractError(f"FrameMasks: logits_nhw is {kind(logits)}; {rule}")
        if self.scores is not None and len(self.scores) != count:
            raise ContractError(f"FrameMasks: {len(self.scores)} scores for {count} object ids; each needs one")
        if self.names is not None and len(self.names) != count:
            raise ContractError(f"FrameMasks: {len(self.names)} names for {count} object ids; each needs one")
        object.__setattr__(self, "masks_nhw", logits > 0)

    @property
    def boxes(self) -> "tuple[Box | None, ...]":
        """For each object the rows and columns that hold its mask; None of an empty one."""
        from vidseg import measure  # OpenCV takes 0.2 s to import, and a sweep's own process needs none

        return self._once("boxes", lambda: tuple(map(measure.bounding_box, self.masks_nhw)))

    @property
    def areas(self) -> tuple[int, ...]:
        """For each object the number of its mask's pixels."""
        return self._once("areas", lambda: tuple(int(np.count_nonzero(part)) for part in self._parts()))

    @property
    def outlines(self) -> "tuple[Outlines, ...]":
        """For each object its mask's contours."""
        from vidseg import measure

        return self._once("outlines", lambda: tuple(map(measure.outlines, self._parts(), self.boxes)))

    @property
    def union_hw(self) -> NDArray[np.uint8]:
        """1 inside any mask, uint8 (height, width). Not to be written to."""
        from vidseg import measure

        return self._once("union_hw", lambda: measure.union(self.masks_nhw))

    @property
    def inside_hw(self) -> NDArray[np.uint8]:
        """Above 0 where an object is, uint8 (height, width): its alpha, or 1 inside any mask. Not to be written to."""
        return self.union_hw if self.alpha is None else self.alpha.alpha_hw

    @property
    def edges_px(self) -> tuple[float | None, ...]:
        """For each object the distance in pixels over which its logit falls by 1 at the mask's edge; None of an empty
        mask. A model that is sure of an edge has a steep one."""
        from vidseg import measure

        return self._once("edges_px", lambda: tuple(map(measure.edge_px, self.logits_nhw, self.masks_nhw, self.boxes)))

    def _parts(self) -> Iterator[Mask]:
        """Each object's mask in its box; an empty one's is whole."""
        return (mask if box is None else mask[box] for mask, box in zip(self.masks_nhw, self.boxes, strict=True))

    def _once(self, name: str, compute: Callable[[], T]) -> T:
        """What outputs, metrics and records all need, which ask in threads of their own, is computed once."""
        with _computing:
            if name not in self._known:
                self._known[name] = compute()
            known: T = self._known[name]
            return known

    def name(self, names: Mapping[int, str]) -> None:
        """Gives objects their names by id, unless they have some."""
        if self.names is None and names:
            object.__setattr__(self, "names", tuple(map(names.get, self.object_ids)))

    def soften(self, alpha: Alpha) -> None:
        """Gives the objects their alpha matte. Raises ContractError if it isn't of the masks' size."""
        if alpha.alpha_hw.shape != self.masks_nhw.shape[1:]:
            size = self.masks_nhw.shape[1:]
            raise ContractError(f"FrameMasks: alpha_hw is {kind(alpha.alpha_hw)}; with these masks it must be {size}")
        object.__setattr__(self, "alpha", alpha)

    def recall_edges(self, edges_px: tuple[float | None, ...]) -> None:
        """Sets ``edges_px`` to what was recorded with the masks, whose logits weren't."""
        self._once("edges_px", lambda: edges_px)


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What the user says about one object on one frame: points and/or a box, or a mask, in pixels of the video.

    - ``frame_index``: the frame's number in the source, from 0.
    - ``object_id``: the user's id of the object, from 1.
    - ``points_xy``: float32 (n, 2).
    - ``labels``: int32 (n,), 1 for a point on the object, 0 for one off it; left out, all points are on it.
    - ``box_xyxy``: float32 (4,): x0, y0, x1, y1.
    - ``mask_hw``: bool (h, w), at the video's size.
    - ``name``: what the object is called, such as "person".
    - ``until``: the number of the last frame with the object; on later ones its mask is empty.
    - ``joins``: the object is followed from this frame on, as sam2 does with one that is added while it tracks. Without
      it the object is tracked from the first prompt of any object on, as sam2 does with those that it was told before.

    Lists are converted to these arrays; of an integer mask the non-zero pixels are the object. Raises InputError for
    values that can't be used; a run checks that they lie inside the video.
    """

    frame_index: int
    object_id: int
    points_xy: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None
    box_xyxy: NDArray[np.float32] | None = None
    mask_hw: Mask | None = None
    name: str | None = None
    until: int | None = None
    joins: bool = False

    def __post_init__(self) -> None:
        set_field = partial(object.__setattr__, self)
        where = f"prompt of object {self.object_id}: "
        set_field("object_id", coordinates.integer("prompt: object_id", self.object_id, 1))
        set_field("frame_index", coordinates.integer(f"{where}frame_index", self.frame_index, 0))
        if self.name is not None:
            if not isinstance(self.name, str) or not self.name.strip() or not self.name.strip().isprintable():
                raise InputError(f"{where}name: {coordinates.shown(self.name)} is no name; a word or two, on one line")
            set_field("name", self.name.strip())
        if self.until is not None:
            set_field("until", coordinates.integer(f"{where}until", self.until, self.frame_index))
        if self.points_xy is None and self.box_xyxy is None and self.mask_hw is None:
            raise InputError(f"{where}it is empty; give points_xy, box_xyxy or mask_hw")
        if self.mask_hw is not None:
            if not (self.points_xy is None and self.labels is None and self.box_xyxy is None):
                raise InputError(f"{where}a mask can't be combined with points, labels or a box")
            set_field("mask_hw", coordinates.mask(f"{where}mask_hw", self.mask_hw))
        if self.points_xy is not None:
            set_field("points_xy", coordinates.points(f"{where}points_xy", self.points_xy))
            set_field("labels", coordinates.labels(f"{where}labels", self.labels, len(self.points_xy)))
        elif self.labels is not None:
            raise InputError(f"{where}labels: there are no points that they could belong to")
        if self.box_xyxy is not None:
            set_field("box_xyxy", coordinates.box(f"{where}box_xyxy", self.box_xyxy))

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if isinstance(other, Prompt) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        arrays = (self.points_xy, self.labels, self.box_xyxy, self.mask_hw)
        others = self.name, self.until, self.joins
        return (
            self.frame_index,
            self.object_id,
            *others,
            *(None if a is None else (a.shape, a.tobytes()) for a in arrays),
        )

    @classmethod
    def from_bboxes(cls, bboxes: Iterable[Mapping[str, Any]], frame_index: int = 0) -> "tuple[Prompt, ...]":
        """Prompts from ``widget.bboxes`` of jupyter_bbox_widget: mappings with x, y, width, height and label.

        Each label is one object; ids count from 1 in order of appearance. Entries without a label belong to one object.
        A box of zero width and height is a positive point. A second box with the same label is another object. Raises
        InputError if ``bboxes`` is empty.
        """
        objects = enumerate(coordinates.objects_of(bboxes), start=1)
        return tuple(cls(frame_index, object_id, **given) for object_id, given in objects)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector finds in one picture, the surest first.

    - ``boxes_xyxy``: float32 (n, 4), in pixels of the picture.
    - ``scores``: float32 (n,), 0 to 1.
    - ``names``: of the class, or of the phrase, of each.
    - ``masks_nhw``: bool (n, h, w), at the size of the picture; None from a detector that makes boxes only.

    Raises ContractError for arrays of other dtypes or shapes.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    masks_nhw: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        for name, array, shape in (("boxes_xyxy", self.boxes_xyxy, (count, 4)), ("scores", self.scores, (count,))):
            if array.dtype != np.float32 or array.shape != shape:
                raise ContractError(
                    f"Detections: {name} is {kind(array)}; with {count} names it must be float32 {shape}"
                )
        if (masks := self.masks_nhw) is not None and (masks.dtype != bool or masks.ndim != 3 or len(masks) != count):
            raise ContractError(
                f"Detections: masks_nhw is {kind(masks)}; with {count} names it must be bool ({count}, h, w)"
            )


class Detector(Protocol):
    """Finds objects in single pictures, without being told where they are."""

    classes: tuple[str, ...] | None  # that it knows by name; None: it looks for any phrase that it was made with
    device: str  # that it runs on, such as "cpu"
    provenance: Mapping[str, str]  # which detector it is, for the run's record: checkpoint, hash, …

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3); of overlapping detections of one thing only the best."""


class Finder(Protocol):
    """Finds new objects while a video is segmented."""

    @property
    def prompts(self) -> Sequence[Prompt]:
        """What was found so far, in the order of the video; each says that its object ``joins``."""

    def due(self, frame_index: int) -> bool:
        """Whether to look for new objects on this frame."""

    def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
        """A prompt for each new object on the frame, with an id that no other has; ``masks`` are of those known before.

        They are in ``prompts`` from now on.
        """

    def state(self) -> str:
        """What ``restore`` needs to go on from here."""

    def restore(self, state: str) -> None:
        """Goes on from a ``state``."""


def names_of(prompts: Iterable[Prompt]) -> dict[int, str]:
    """The names of the objects that have one, by id."""
    return {prompt.object_id: prompt.name for prompt in prompts if prompt.name is not None}


class Source(Protocol):
    """A video to read: iterable in order, and seekable by frame number.

    One that is read on from a frame quicker than frame by frame with ``source[index]`` has a method
    ``onward(position)``: it yields ``frames[position]`` and those after it, otherwise as iteration does.
    One whose ``info`` has a ``depth`` has a method ``carry_depth()``: from then on its frames come with ``deep``.
    """

    name: str  # of the file or folder
    info: VideoInfo
    frames: Sequence[int]  # the numbers of the frames that iteration yields, in order
    audio: Path | None  # the file whose sound, subtitles and chapters go on
    offset_s: float  # the time stamp, in seconds, that is time 0 in output videos
    prompts: tuple[Prompt, ...]  # those that come with the video (the built-in clip has one)

    def __iter__(self) -> Generator[Frame]:
        """Yields the frames in order, without damaged ones. Raises InputError where the video ends early."""

    def backwards(self, position: int) -> Generator[Frame]:
        """Yields ``frames[position]``, the frame before it, and so on to ``frames[0]``; otherwise as iteration does."""

    def __getitem__(self, index: int) -> Frame:
        """The frame with number ``index`` in the source. Raises InputError if it can't be decoded."""

    def time_s(self, index: int) -> float:
        """When frame ``index`` is shown, in seconds, as ``Frame.time_s`` has it; 0 for a photograph."""

    def truth(self, index: int) -> NDArray[np.uint8] | None:
        """The ground truth of a frame: a label map (h, w) of object ids, 0 is background; None if there is none."""

    def provenance(self) -> Mapping[str, str]:
        """Where the pictures come from, for the run's record: path, SHA-256, codec, …"""


class Checkpoints(Protocol):
    """Where a segmenter saves what it remembers, so that a stopped run goes on from there. Used from any thread."""

    saved: bytes | None  # what the stopped run had saved last; None at the start of a run

    def wanted(self) -> bool:
        """Whether it is time for another checkpoint."""

    def offer(self, frame_index: int | None, save: Callable[[], bytes]) -> None:
        """Gives what to save once the run has finished the frame; of None, which is before the first one, at once.

        ``save`` is called later, in any thread: what it makes is the memory as it is now.
        """

    def file(self, name: str) -> Path:
        """A file for what grows with the video; a stopped run finds it as it was at its checkpoint, or longer."""


Stepped = Callable[[int, int], None]
"""Told how many frames of how many were tracked before an answer."""
Enough = Callable[[FrameMasks], bool]
"""Whether masks that are almost the answer will do."""


class Segmenter(Protocol):
    """Follows prompted objects through a video.

    A segmenter whose object ids are its own (it replays masks, or detects objects) has an attribute
    ``own_objects = True``; its ids then need not be the prompted ones.

    One that can go on in the middle of a video has ``resumable = True``, and ``track`` a third parameter: Checkpoints.
    If they have something ``saved``, iterating ``source`` begins after the frame that it was offered with. Another one
    starts anew, and the run compares its masks with those that are there.

    One that takes objects while it tracks has ``joinable = True``, and ``track`` a keyword ``finder``: a Finder or
    None. On a frame that is ``due`` it calls ``find`` with the masks; the new objects are in the frame's masks then.

    One that gives the masks of single frames while prompts are still being made has a method ``interactive(source)``,
    which returns a ``vidseg.pick.looking.Looking``. Any other is tracked to the frame for that.
    """

    device: str  # that it runs on, such as "cuda:0"; never "auto"
    precision: str  # that it computes in, such as "fp32"; never "auto"
    provenance: Mapping[str, str]  # which model it is, for the run's record: config, checkpoint, hash, …

    def track(self, source: Source, prompts: Sequence[Prompt]) -> Iterable[tuple[Frame, FrameMasks]]:
        """Yields a frame and its masks for each frame of ``source``, in order; a generator, so that memory is bounded.

        Every FrameMasks holds every prompted object, in ascending order of id and at the size of the video, and every
        one that a finder has found by then. The mask of an object that is absent, not prompted yet, or past its
        ``until``, is empty. The runner checks these rules.
        """


class Matte(Protocol):
    """Makes alpha out of masks, for the outputs and metrics of one run.

    A matte may have another method, ``for_outputs(alpha)``: it returns the matte for a run in which an output has an
    alpha channel (True) or none has, or None if nothing is to be done to masks.
    """

    def refine(self, frame: Frame, masks: FrameMasks) -> Alpha:
        """The alpha of one frame; frames come in the order of the video. Called in a thread of the matte's own, which
        leaves frames and masks as they are."""


class Output(Protocol):
    """Writes one kind of file from frames and masks.

    ``path`` is the file or folder that it makes, relative to the run's folder. An output may have another method,
    ``check(source, prompts)``: called before the model is built, it raises InputError for what can't be written. One
    whose folder holds more than files named as the frames has ``files``: the paths in it of the others and of folders.
    One whose files have an alpha channel may have ``alpha = True``: with ``matte=auto`` it gets a soft one.
    One that writes more than 8 bits has ``deep = True``: frames come with ``deep`` then, if the source has them.
    One that numbers classes may have ``expect(classes)``: called before ``check`` with the names that objects may have,
    in an order that is the same for all videos of one command; none if the prompts don't say.

    ``write`` is called in a thread of the output's own, frame by frame. Frames and masks are shared with others: it
    leaves them as they are.
    """

    path: str

    def open(self, folder: Path, source: Source) -> None:
        """Begins the file in the run's folder."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds one frame."""

    def close(self) -> None:
        """Finishes the file and gives it its final name."""

    def abort(self) -> None:
        """Removes a file that can't be finished. Never raises; ``open`` may have failed or not been called."""


class Metric(Protocol):
    """Scores masks. The score of one object ends in its id, as ``j_1``; the mean over all objects is ``j``.

    ``update`` is called in a thread of the metric's own, and leaves frames and masks as they are.
    """

    def open(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Begins a run, before the model is built. Raises InputError if nothing could be scored."""

    def update(self, frame: Frame, masks: FrameMasks) -> dict[str, float]:
        """Takes one frame, in the order of the video. Returns the scores of this frame alone, by name."""

    def compute(self) -> dict[str, float]:
        """The scores over all frames so far, by name."""


class Tracker(Protocol):
    """Records runs in an experiment tracker. Its exceptions never end a run.

    ``start`` comes with the first frame that is recorded, and not at all in a preview. A method ``prepare``, if there
    is one, is called before, for what takes long and leaves no trace. ``start``, ``log`` and ``log_sample`` are called
    in another thread than the rest.
    """

    def start(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """Begins a run's record. Returns the entry ``wandb`` of summary.json (id, mode, url), or None."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Records the numbers of one frame; ``step`` is the frame's position in the run, from 0."""

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Records one frame as a picture; called before ``log`` of the same frame."""

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Ends the record with the content of summary.json and the run's files."""

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """Records a finished sweep in ``group``: a row of text, numbers and paths of pictures for each job.

        All rows have the same keys, and all values of a key are of one type. No run's record may be open.
        """
