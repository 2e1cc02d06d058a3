"""Pictures for the page: samples as thumbnails, what one mask has that another lacks, overlays as small videos."""

import base64
import io
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.measure import bounding_box
from vidseg.record.masks import decode, read_mask_lines
from vidseg.record.run import Run
from vidseg.types import RGB, Mask

log = logging.getLogger(__name__)

THUMBNAIL, CARD = 320, 480  # pixels across
COLUMNS, CARDS = 6, 6
QUALITY = 72  # of WebP: 6 kB a thumbnail
SAME, MISSING, ADDED = (235, 235, 235), (56, 132, 255), (255, 122, 20)  # both masks, the reference's, the run's
SAME_IOU = 0.99995  # shown as 1.0000
WIDTHS = (480, 320, 224)  # pixels of a video; the first at which the file fits its budget is taken
MOST_FRAMES = 900  # of a longer video every n-th frame is kept
CRF = 27


@dataclass(frozen=True)
class Strip:
    """The same frames of several runs: for each run a picture (a data URI) or None for each of ``frames``."""

    frames: Sequence[int]
    pictures: Mapping[Run, Sequence[str | None]]


def make_strip(runs: Sequence[Run]) -> Strip:
    """At most COLUMNS frames, evenly chosen from those that all runs have as samples, or from any run's if none is."""
    samples = {run: found for run in runs if (found := run.samples)}
    if not samples:
        return Strip((), {})
    shared = sorted(set.intersection(*map(set, samples.values())) or set().union(*samples.values()))
    chosen = sorted({shared[n] for n in np.linspace(0, len(shared) - 1, COLUMNS).round().astype(int)})
    return Strip(chosen, {run: [_thumbnail(found.get(n)) for n in chosen] for run, found in samples.items()})


def _thumbnail(path: Path | None) -> str | None:
    return None if path is None or (picture := _read(path)) is None else as_data_uri(picture, THUMBNAIL)


@dataclass(frozen=True)
class Disagreement:
    """A frame on which the masks of ``run`` differ from the reference's; ``picture`` is a data URI."""

    run: Run
    frame: int
    iou: float
    picture: str


def find_disagreements(reference: Run, iou: Mapping[Run, Mapping[int, float]]) -> list[Disagreement]:
    """The frames of lowest IoU, drawn: at most CARDS, some way apart, each of the run that differs most on it."""
    if not (chosen := _choose_worst(iou)):
        return []
    masks = {run: _union_masks(run, chosen) for run in {reference, *(run for _, run in chosen.values())}}
    frames = _read_frames(reference, chosen)
    found = []
    for frame, (value, run) in chosen.items():
        reference_hw, run_hw = masks[reference][frame], masks[run][frame]
        rgb_hw3 = frames.get(frame)
        if rgb_hw3 is None or rgb_hw3.shape[:2] != reference_hw.shape:  # the video may be another by now
            rgb_hw3 = np.full((*reference_hw.shape, 3), 90, np.uint8)
        picture = draw_difference(rgb_hw3, reference_hw, run_hw)
        found.append(Disagreement(run, frame, value, as_data_uri(picture, CARD)))
    return found


def _choose_worst(iou: Mapping[Run, Mapping[int, float]]) -> dict[int, tuple[float, Run]]:
    """The lowest IoU and its run, by frame number, of the frames that ``find_disagreements`` draws."""
    values = [(value, frame, run) for run, by_frame in iou.items() for frame, value in by_frame.items()]
    frames = [frame for _, frame, _ in values] or [0]
    apart = max(1, (max(frames) - min(frames)) / (2 * CARDS))
    chosen: dict[int, tuple[float, Run]] = {}
    for value, frame, run in sorted(values, key=lambda found: found[:2]):
        if value < SAME_IOU and len(chosen) < CARDS and all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = (value, run)
    return dict(sorted(chosen.items()))


def _union_masks(run: Run, frames: Collection[int]) -> dict[int, Mask]:
    """The pixels (h, w) of any object on each of ``frames``, by number."""
    assert run.masks is not None
    lines = (line for line in read_mask_lines(run.masks) if line["frame"] in frames)
    return {line["frame"]: decode(*(thing["rle"] for thing in line["objects"])) for line in lines}


def draw_difference(rgb_hw3: RGB, reference_hw: Mask, run_hw: Mask) -> RGB:
    """The part of a frame around the masks, in grey: what both have is light, what one lacks blue or orange."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32) * 0.6
    for inside_hw, colour, strength in (
        (reference_hw & run_hw, SAME, 0.35),
        (reference_hw & ~run_hw, MISSING, 0.75),
        (run_hw & ~reference_hw, ADDED, 0.75),
    ):
        grey[inside_hw] = (1 - strength) * grey[inside_hw] + strength * np.array(colour, np.float32)
    picture: RGB = grey.astype(np.uint8)
    return picture[_around(reference_hw | run_hw)]


def _around(mask_hw: Mask) -> tuple[slice, ...]:
    """The part of the picture around a mask: of the picture's own shape, and at least a third of its width."""
    box = bounding_box(mask_hw)
    if box is None:
        return (slice(None), slice(None))
    extents = [(part.stop - part.start) / side for part, side in zip(box, mask_hw.shape, strict=True)]
    scale = min(1.0, max(1.4 * max(extents), 1 / 3))
    parts = []
    for part, side in zip(box, mask_hw.shape, strict=True):
        length = max(1, round(scale * side))
        first = min(max(0, (part.start + part.stop) // 2 - length // 2), side - length)
        parts.append(slice(first, first + length))
    return tuple(parts)


def _read_frames(run: Run, numbers: Collection[int]) -> dict[int, RGB]:
    """Frames by number: from the video that the run segmented, else from the run's samples."""
    from vidseg.video import open_source

    found = {n: picture for n, path in run.samples.items() if n in numbers and (picture := _read(path)) is not None}
    told: dict[str, Any] = {"fps": run.config.get("extract.fps")}
    told |= {name: run.config.get(f"sample.{name}", 0) for name in ("seed", "shutter")}
    try:
        told |= {key: run.config.get(f"extract.{key}") for key in ("scale", "height")}
        told["deinterlace"] = run.config.get("extract.deinterlace", "auto")
        source = open_source(str(run.config["video"]), **told)
        return found | {n: source[n].rgb_hw3 for n in numbers}
    except Exception as error:  # gone, moved, damaged or no video any more
        log.warning("%s can't be read (%s): differences are drawn on samples", run.video, error)
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


def shrink_video(path: Path, budget_bytes: int) -> bytes | None:
    """The video as an MP4 with the same time stamps and without sound, of at most 1.1 times ``budget_bytes``.

    None, with a warning, if it can't be read or can't be made that small.
    """
    try:
        for width in WIDTHS:
            small = _encode(path, width, budget_bytes)
            if len(small) <= 1.1 * budget_bytes:
                return small
        log.warning("%s doesn't fit into the page", path)
    except (av.error.FFmpegError, OSError, StopIteration) as error:
        log.warning("%s can't be read (%s): the page is without it", path, getattr(error, "strerror", error))
    return None


def _encode(path: Path, width: int, budget_bytes: int) -> bytes:
    """The MP4 from one pass of x264: constant quality, and a maximum rate that keeps the budget."""
    small = io.BytesIO()
    with av.open(str(path)) as source, av.open(small, "w", format="mp4") as made:
        pictures = source.streams.video[0]
        pictures.thread_type = "AUTO"
        count = pictures.frames or sum(packet.size > 0 for packet in source.demux(pictures))
        source.seek(0)
        length_s = max(float((pictures.duration or 0) * (pictures.time_base or 0)), count / 60, 0.1)
        kbps = max(1, int(budget_bytes * 8 / length_s / 1000))
        stream = made.add_stream("libx264", rate=pictures.average_rate or 30)
        scale = min(1.0, width / pictures.width)
        stream.width, stream.height = (
            max(2, round(side * scale / 2) * 2) for side in (pictures.width, pictures.height)
        )
        stream.pix_fmt, stream.time_base = "yuv420p", pictures.time_base
        stream.options = {
            "preset": "faster", "crf": str(CRF), "g": "15", "bf": "0",
            "maxrate": f"{kbps}k", "bufsize": f"{kbps}k",
        }  # fmt: skip
        for place, frame in enumerate(source.decode(pictures)):
            if place % math.ceil(count / MOST_FRAMES):
                continue
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(picture))
        made.mux(stream.encode())
    return small.getvalue()
