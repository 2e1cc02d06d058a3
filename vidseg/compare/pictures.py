"""Pictures for the page: a run's samples at thumbnail size, and what one mask has that another lacks."""

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.compare.agreement import Agreement, Line, read_masks
from vidseg.compare.runs import Run
from vidseg.types import RGB, Mask

log = logging.getLogger(__name__)

THUMBNAIL, CARD = 320, 480  # pixels across
COLUMNS, CARDS = 6, 6
QUALITY = 72  # of WebP: 6 kB a thumbnail
SAME, MISSING, ADDED = (235, 235, 235), (56, 132, 255), (255, 122, 20)  # both masks, the reference's, the run's
SAME_IOU = 0.99995  # shown as 1.0000


@dataclass(frozen=True)
class Strip:
    """The same frames of several runs: a picture (a data URI) or None for each of ``frames``, run by run."""

    frames: Sequence[int]
    pictures: Mapping[Run, Sequence[str | None]]


def make_strip(runs: Sequence[Run]) -> Strip:
    """At most COLUMNS frames that all of ``runs`` have as samples (that one has, where none are in all)."""
    samples = {run: found for run in runs if (found := run.samples)}
    if not samples:
        return Strip((), {})
    shared = sorted(set.intersection(*map(set, samples.values())) or set().union(*samples.values()))
    chosen = sorted({shared[n] for n in np.linspace(0, len(shared) - 1, COLUMNS).round().astype(int)})
    return Strip(chosen, {run: [_thumbnail(found.get(n)) for n in chosen] for run, found in samples.items()})


def _thumbnail(path: Path | None) -> str | None:
    picture = None if path is None else _read(path)
    return None if picture is None else as_data_uri(picture, THUMBNAIL)


@dataclass(frozen=True)
class Disagreement:
    """A frame on which a run's masks are far from the reference's, drawn."""

    run: Run
    frame: int
    iou: float
    picture: str


def find_disagreements(reference: Run, agreements: Mapping[Run, Agreement]) -> list[Disagreement]:
    """The frames of least IoU, at most CARDS, some way apart; each with the run that is furthest from the reference."""
    lowest: dict[int, tuple[float, Run]] = {}
    for run, agreement in agreements.items():
        for frame, iou in agreement.iou.items():
            if frame not in lowest or iou < lowest[frame][0]:
                lowest[frame] = (iou, run)
    if not lowest:
        return []
    apart = (max(lowest) - min(lowest)) / (2 * CARDS)
    chosen: dict[int, tuple[float, Run]] = {}
    for frame in sorted(lowest, key=lambda number: lowest[number][0]):
        if lowest[frame][0] >= SAME_IOU or len(chosen) == CARDS:
            break
        if all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = lowest[frame]
    return _draw(reference, dict(sorted(chosen.items())))


def _draw(reference: Run, chosen: Mapping[int, tuple[float, Run]]) -> list[Disagreement]:
    if not chosen:
        return []
    runs = {reference, *(run for _, run in chosen.values())}
    masks = {run: _lines(run, chosen) for run in runs}
    frames = _Frames(reference, {frame: line[0] for frame, line in masks[reference].items()})
    drawn = []
    for frame, (iou, run) in chosen.items():
        theirs_hw, ours_hw = (_union(masks[one][frame][1]) for one in (reference, run))
        picture = draw_difference(frames.read(frame, theirs_hw.shape), theirs_hw, ours_hw)
        drawn.append(Disagreement(run, frame, iou, as_data_uri(picture, CARD)))
    return drawn


def _lines(run: Run, frames: Mapping[int, Any]) -> dict[int, tuple[int, Line]]:
    """The run's lines of ``frames`` by frame number, each with its place in the file, which is its place in a video."""
    assert run.masks is not None
    lines = enumerate(read_masks(run.masks))
    return {line["frame"]: (place, line) for place, line in lines if line["frame"] in frames}


def _union(line: Line) -> Mask:
    """The pixels of any object (h, w)."""
    from pycocotools import mask as coco

    merged = coco.merge([thing["rle"] for thing in line["objects"]])
    mask_hw: Mask = np.asarray(coco.decode(merged)).astype(bool)
    return mask_hw


def draw_difference(rgb_hw3: RGB, reference_hw: Mask, run_hw: Mask) -> RGB:
    """The part of a frame where the masks are: grey, with what both have light, what one lacks blue or orange."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32) * 0.6
    for inside_hw, colour, strength in (
        (reference_hw & run_hw, SAME, 0.35),
        (reference_hw & ~run_hw, MISSING, 0.75),
        (run_hw & ~reference_hw, ADDED, 0.75),
    ):
        grey[inside_hw] = (1 - strength) * grey[inside_hw] + strength * np.array(colour, np.float32)
    picture: RGB = grey.astype(np.uint8)
    return picture[_around(reference_hw | run_hw)]


def _around(mask_hw: Mask) -> tuple[slice, slice]:
    """A window of the picture's own shape around the masks, at least a third of its width."""
    height, width = mask_hw.shape
    x, y, w, h = cv2.boundingRect(mask_hw.view(np.uint8))
    scale = min(1.0, max(1.4 * w / width, 1.4 * h / height, 1 / 3)) if w else 1.0
    window = []
    for start, extent, side in ((y, h, height), (x, w, width)):
        length = max(1, round(scale * side))
        first = min(max(0, start + extent // 2 - length // 2), side - length)
        window.append(slice(first, first + length))
    return window[0], window[1]


class _Frames:
    """Frames of the video that a run segmented: from the video, else from the run's overlay or samples, else blank."""

    def __init__(self, run: Run, places: Mapping[int, int]) -> None:
        self._run = run
        self._source = _open_source(run)
        self._overlay = {} if self._source is not None else _read_overlay(run, places)

    def read(self, frame: int, shape: tuple[int, ...]) -> RGB:
        """The picture (h, w, 3) of ``shape`` (h, w)."""
        found = self._overlay.get(frame)
        if self._source is not None:
            try:
                found = self._source[frame].rgb_hw3
            except Exception as error:  # any fault of the file: there are other pictures
                log.warning("frame %d of %s can't be read (%s)", frame, self._run.video, error)
        if found is None and frame in (samples := self._run.samples):
            found = _read(samples[frame])
        if found is None or not all(0 <= have - want <= 1 for have, want in zip(found.shape, shape, strict=False)):
            return np.full((*shape, 3), 90, np.uint8)
        return found[: shape[0], : shape[1]]  # an encoder adds a row or column where a side is odd


def _open_source(run: Run) -> Any:
    from vidseg.video import open_source

    fps, seed = run.config.get("extract.fps"), run.config.get("sample.seed", 0)
    try:
        return open_source(str(run.config["video"]), fps=fps, seed=seed)  # type: ignore[arg-type]
    except Exception:  # gone, moved, or no video any more: the page is made without it
        return None


def _read_overlay(run: Run, places: Mapping[int, int]) -> dict[int, RGB]:
    """The wanted frames of the run's overlay, by frame number; ``places`` says where each is in the video."""
    path = run.output("overlay", "overlay.mp4")
    if path is None:
        return {}
    import av

    wanted = {place: frame for frame, place in places.items()}
    found: dict[int, RGB] = {}
    try:
        with av.open(str(path)) as container:
            for place, picture in enumerate(container.decode(video=0)):
                if place in wanted:
                    found[wanted[place]] = picture.to_ndarray(format="rgb24")
                if place >= max(wanted):
                    break
    except av.error.FFmpegError as error:
        log.warning("%s can't be read (%s)", path, error.strerror)
    return found


def _read(path: Path) -> RGB | None:
    picture: NDArray[Any] | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def as_data_uri(rgb_hw3: RGB, width: int) -> str:
    """The picture as WebP, at most ``width`` pixels across."""
    scale = min(1.0, width / rgb_hw3.shape[1])
    size = (max(1, round(rgb_hw3.shape[1] * scale)), max(1, round(rgb_hw3.shape[0] * scale)))
    small = cv2.resize(rgb_hw3, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return f"data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"
