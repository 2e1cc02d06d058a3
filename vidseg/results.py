"""What the public API returns: a run, its masks, the runs of a sweep; and ``show``, a picture of a frame with masks."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from vidseg import coordinates
from vidseg.compare.listing import Comparison
from vidseg.compare.sheet import where
from vidseg.composite import draw_prompts, overlay
from vidseg.contract import check_prompts
from vidseg.errors import InputError
from vidseg.job import open_video
from vidseg.record.files import MASKS, read_frames
from vidseg.record.found import read_found
from vidseg.record.masks import MaskRecord
from vidseg.sweep.plan import read_sweep
from vidseg.sweep.report import describe, tabulate_jobs
from vidseg.types import RGB, Frame, FrameMasks, Mask, Prompt
from vidseg.work import Told

Prompts = Prompt | Iterable[Prompt] | Iterable[Mapping[str, Any]]
Masks = FrameMasks | Mapping[int, NDArray[Any]] | NDArray[Any]


def show(frame: Frame | RGB, masks: Masks | None = None, prompts: Prompts = ()) -> Image.Image:
    """A frame with masks, their contours and ids, and prompts on it: a PIL image, which a notebook displays.

    - ``frame``: a Frame, or a picture alone, uint8 (height, width, 3) in RGB.
    - ``masks``: a FrameMasks; masks by object id, such as ``run.masks()[0]``; one mask (height, width), or those of
      objects 1 to n (n, height, width), bool or integers; or None.
    - ``prompts``: those of this frame are drawn. All are if neither ``frame`` nor ``masks`` has a frame's number.

    Raises InputError for another dtype or shape, and for masks of another size than the frame.
    """
    index = masks.frame_index if isinstance(masks, FrameMasks) else frame.index if isinstance(frame, Frame) else None
    picture = frame if isinstance(frame, Frame) else Frame(index or 0, 0.0, np.asarray(frame))
    rgb_hw3 = picture.rgb_hw3 if masks is None else overlay(picture, _as_masks(picture, masks), ids="names")
    own = [prompt for prompt in as_prompts(prompts) or () if index in (None, prompt.frame_index)]
    return Image.fromarray(draw_prompts(rgb_hw3, own))


class Run:
    """A run: ``summary`` is the content of summary.json. ``summary, folder = vidseg.run(...)`` works too."""

    def __init__(
        self, summary: dict[str, Any], folder: Path, config: DictConfig, prompts: tuple[Prompt, ...] | None
    ) -> None:
        self.summary, self.folder = summary, folder
        self._config, self._prompts = config, prompts

    def __iter__(self) -> Iterator[Any]:
        return iter((self.summary, self.folder))

    def __repr__(self) -> str:
        """Three lines: how it ran, how fast and how well, where its files are. Two for a run that came to nothing."""
        summary = self.summary
        if not summary.get("frames"):
            return f"{summary['status']}: {summary.get('error') or 'nothing was segmented'}\n{self.folder}"
        speed = f"{summary['frames']} frames at {summary['fps']:.1f} fps, {summary['peak_rss_mib']:.0f} MiB"
        scores = [f", {name} {value:.3f}" for name, value in summary["metrics"].items() if "_" not in name]
        return (
            f"{summary['status']}: {summary['model']} on {summary['device']}, {summary['precision']}\n"
            f"{speed}{''.join(scores)}\n{self.folder}: {', '.join(summary['outputs'].values()) or 'samples'}"
        )

    def masks(self) -> "RunMasks":
        """The masks: ``run.masks()[frame][object_id]`` is a bool array (height, width).

        Raises InputError if there are none: no frame was segmented.
        """
        return RunMasks(self._record)

    def frames(self) -> list[dict[str, Any]]:
        """``frame``, ``time_s`` and W&B's numbers (``mask/area_1``, …) of every frame, for a ``pandas.DataFrame``."""
        return list(read_frames(self.folder))

    def show(self, frame: int) -> Image.Image:
        """The frame of that number with its masks and its prompts, read from the video again; see ``vidseg.show``.

        Raises InputError for a frame without masks, and if the video can't be read any more.
        """
        told = self._video
        source = told.source
        masks = self._record.frame_masks(frame, source.info, known_by_then=True)
        if masks is None:
            frames = self._record.frames
            raise InputError(f"frame: {frame} has no masks in {self.folder}; there are {frames[0]} to {frames[-1]}")
        return show(source[frame], masks, told.prompts)

    @cached_property
    def _record(self) -> MaskRecord:
        path = self.folder / MASKS
        if not path.is_file():
            raise InputError(f"{self.folder} has no masks: no frame was segmented")
        return MaskRecord(path, "masks")

    @cached_property
    def _video(self) -> Told:
        return open_video(self._config, self._prompts or read_found(self.folder) or None)


class RunMasks(Mapping[int, dict[int, Mask]]):
    """The masks of a run by frame number, then by object id: bool arrays (height, width).

    An object that joined later is empty before. A frame's masks are decoded when they are asked for: those of 10,000
    frames at 1280x720 would take 9 GB.
    """

    def __init__(self, record: MaskRecord) -> None:
        self._record = record

    def __getitem__(self, frame: int) -> dict[int, Mask]:
        masks, _ = self._record.read(frame, None)
        if masks is None:
            raise KeyError(frame)
        nothing_hw = np.zeros_like(next(iter(masks.values()), np.zeros((0, 0), np.bool_)))
        return {object_id: masks.get(object_id, nothing_hw) for object_id in sorted(self._record.object_ids)}

    def __iter__(self) -> Iterator[int]:
        return iter(self._record.frames)

    def __len__(self) -> int:
        return len(self._record.frames)

    def __repr__(self) -> str:
        ids = ", ".join(map(str, sorted(self._record.object_ids)))
        return f"<masks of {len(self)} frames, object ids {ids}>"


def as_prompts(given: Prompts | None) -> tuple[Prompt, ...] | None:
    """One prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget, as a tuple of prompts; None stays None."""
    if given is None:
        return None
    entries: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (given,)
    if entries and all(isinstance(entry, Mapping) for entry in entries):
        return Prompt.from_bboxes(entries)
    return check_prompts("prompts: give vidseg.Prompts", entries)


def _as_masks(frame: Frame, given: Masks) -> FrameMasks:
    """Masks in any form that ``show`` takes, as FrameMasks with logits of 1 and -1."""
    if isinstance(given, FrameMasks):
        return given
    if not isinstance(given, Mapping):
        array = np.asarray(given)
        given = dict(enumerate(array if array.ndim > 2 else array[None], start=1))
    height, width = frame.rgb_hw3.shape[:2]
    ids = tuple(sorted(given))
    logits_nhw = np.full((len(ids), height, width), -1, np.float32)
    for row, object_id in enumerate(ids):
        mask_hw = coordinates.mask(f"masks: object {object_id}", given[object_id])
        if mask_hw.shape != (height, width):
            size = f"{mask_hw.shape[1]}x{mask_hw.shape[0]}"
            raise InputError(f"masks: object {object_id} is {size}, the frame is {width}x{height}")
        logits_nhw[row][mask_hw] = 1
    return FrameMasks(frame.index, ids, logits_nhw)


class Sweep(list[Run]):
    """The runs of a sweep, in the order of its jobs; those that failed are among them. ``folder`` is the sweep's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = read_sweep(folder)
        self._table = tabulate_jobs(self._record["jobs"], folder)
        for run in self._table.runs:
            told = run.folder / ".hydra" / "config.yaml"
            config = OmegaConf.load(told) if told.is_file() else OmegaConf.create()
            assert isinstance(config, DictConfig)
            self.append(Run(dict(run.summary), run.folder, config, None))

    def report(self, width: int) -> str:
        """What the command prints at its end: the table, of ``width`` characters, how the jobs ended, where all is."""
        return f"{describe(self._record, self._table, self.folder, width)}\n{where(self.folder)}"

    def compare(self) -> Comparison:
        """What differs between the runs and what came of them: a row for each, in the order of the jobs."""
        return Comparison(self._table)

    def __repr__(self) -> str:
        return repr(self.compare())

    def _repr_html_(self) -> str:
        return self.compare()._repr_html_()
