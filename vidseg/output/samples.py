"""The sample pictures of a run, and the contact sheet that shows them on one page.

The sheet is made at the end from the samples' files, one at a time, so that memory doesn't grow with the video.
"""

import math
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.composite import Sighting, annotate, draw_look
from vidseg.errors import InputError
from vidseg.record.files import whole
from vidseg.record.found import write_found
from vidseg.scaling import scaled
from vidseg.types import RGB, Finder, Frame, FrameMasks, Prompt

PAGE_WIDTH = 1920
MAX_ON_PAGE = 60
GUTTER = 16
CAPTION = 30  # height of a caption's line
HEADER = 64
PAPER = (24, 24, 27)
INK = (212, 212, 216)
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Samples:
    """Writes ``samples/frame_00000.png`` and so on, and ``contact_sheet.png``, into the run's ``folder``.

    A frame is a sample if its position in the run is a multiple of ``stride``, or if one of ``prompts`` is on it. The
    sheet's title has ``total``, the frames of the run, unless it is None. Raises InputError for a stride below 1.

    ``finder`` finds objects while the run goes on: their prompts are drawn too. ``looks`` are what a detector saw, by
    number of the frame; each is drawn into ``samples/found_00000.png``, taken out, and its frame is a sample; then
    found.yaml has the prompts so far, in pixels of ``source_size`` (width, height) if frames are scaled.
    """

    def __init__(
        self,
        folder: Path,
        stride: int,
        prompts: Sequence[Prompt],
        total: int | None,
        finder: Finder | None = None,
        looks: MutableMapping[int, Sequence[Sighting]] | None = None,
        source_size: tuple[int, int] | None = None,
    ) -> None:
        if stride < 1:
            raise InputError(f"stride: {stride} is not a number of frames; say 1 or more")
        self._folder, self._stride, self._prompts, self._total = folder, stride, tuple(prompts), total
        self._finder, self._looks = finder, {} if looks is None else looks
        self._source_size = source_size
        self._found: tuple[Prompt, ...] = ()
        self._prompted = {prompt.frame_index for prompt in prompts}
        self._written: list[tuple[int, float]] = []  # frame number and time of every sample

    def wants(self, position: int, frame_index: int) -> bool:
        """Whether the frame at ``position`` of the run, number ``frame_index`` of the source, is a sample."""
        if position % self._stride == 0 or frame_index in self._prompted or frame_index in self._looks:
            return True
        return self._path(frame_index, "found").exists()  # by the run that is resumed

    def go_on(self, found: Sequence[Prompt]) -> None:
        """Draws the prompts that the run which is resumed had ``found``, too."""
        self._found = tuple(found)

    def write(self, frame: Frame, masks: FrameMasks) -> RGB:
        """Draws and writes one sample. Returns the picture (h, w, 3)."""
        if (look := self._looks.pop(frame.index, None)) is not None:
            write_png(self._path(frame.index, "found"), draw_look(frame.rgb_hw3, look))
            size = frame.rgb_hw3.shape[1::-1]
            write_found(self._folder, [scaled(each, size, self._source_size or size) for each in self._known()])
        picture = annotate(frame, masks, self._known())
        write_png(self._path(frame.index), picture)
        self._written.append((frame.index, frame.time_s))
        return picture

    def _known(self) -> list[Prompt]:
        """The prompts of the start and all that were found, each once."""
        joined = () if self._finder is None else self._finder.prompts
        prompts = (*self._prompts, *self._found, *joined)
        return list({(prompt.frame_index, prompt.object_id): prompt for prompt in prompts}.values())

    def close(self) -> None:
        """Writes the contact sheet, if there are samples. Of more than MAX_ON_PAGE it shows evenly spaced ones."""
        if not self._written:
            return
        chosen = np.linspace(0, len(self._written) - 1, min(len(self._written), MAX_ON_PAGE)).round().astype(int)
        page = _sheet([(*self._written[n], self._path(self._written[n][0])) for n in chosen], self._title(len(chosen)))
        write_png(self._folder / "contact_sheet.png", page)

    def _path(self, frame_index: int, kind: str = "frame") -> Path:
        return self._folder / "samples" / f"{kind}_{frame_index:05d}.png"

    def _title(self, shown: int) -> str:
        count = len(self._written)
        samples = f"{shown} of {count} samples" if shown < count else f"{count} sample{'s' * (count > 1)}"
        if self._stride == 1:
            return f"{samples}: every frame"
        frames = "frames" if self._total is None else f"of {self._total} frames"
        return f"{samples}: one in {self._stride} {frames}, and the prompted ones"


def _sheet(samples: Sequence[tuple[int, float, Path]], title: str) -> RGB:
    """The sheet (h, w, 3), at most PAGE_WIDTH wide: the title, then rows of thumbnails with frame number and time."""
    height, width = _read_png(samples[0][2]).shape[:2]
    # The page is about 4:3; captions and gutters take a fifth more height than the thumbnails.
    columns = max(1, min(len(samples), 12, round(math.sqrt(1.2 * 4 / 3 * len(samples) * height / width))))
    thumb_w = min(width, (PAGE_WIDTH - GUTTER) // columns - GUTTER)
    thumb_h = max(1, round(height * thumb_w / width))
    rows = math.ceil(len(samples) / columns)
    page_w = max(columns * (thumb_w + GUTTER), cv2.getTextSize(title, FONT, 0.75, 1)[0][0] + GUTTER) + GUTTER
    page: RGB = np.full((HEADER + rows * (thumb_h + CAPTION + GUTTER), page_w, 3), PAPER, np.uint8)
    _text(page, title, (GUTTER, HEADER // 2), 0.75)
    for number, (frame_index, time_s, path) in enumerate(samples):
        x = GUTTER + number % columns * (thumb_w + GUTTER)
        y = HEADER + number // columns * (thumb_h + CAPTION + GUTTER)
        thumb = cv2.resize(_read_png(path), (thumb_w, thumb_h), interpolation=cv2.INTER_AREA)
        page[y : y + thumb_h, x : x + thumb_w] = thumb
        scale = 0.5 if thumb_w > 150 else 0.35
        _text(page, f"frame {frame_index}   {time_s:.2f} s", (x, y + thumb_h + CAPTION // 2), scale)
    return page


def _text(page: RGB, text: str, left_middle: tuple[int, int], scale: float) -> None:
    (_, height), _ = cv2.getTextSize("0", FONT, scale, 1)
    x, y = left_middle
    cv2.putText(page, text, (x, y + height // 2), FONT, scale, INK, 1, cv2.LINE_AA)


def _read_png(path: Path) -> NDArray[Any]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def write_png(path: Path, rgb_hw3: RGB) -> None:
    """Writes a PNG, whole or not at all. Raises OSError on a full disk, where cv2.imwrite only returns False."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV's default level takes 29 ms at 720p and makes 1.5 MiB; level 1 takes 49 ms and makes a sixth less.
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2BGR))
    with whole(path) as part:
        part.write_bytes(data.tobytes())
