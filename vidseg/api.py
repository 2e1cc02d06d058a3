"""The functions of the public API: ``run``, ``segment`` and ``show``. ``import vidseg`` is all that a user needs."""

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from vidseg import coordinates
from vidseg.composite import draw_prompts, overlay
from vidseg.config.claim import claim_run
from vidseg.config.overrides import compose_config, overrides_of
from vidseg.config.values import literal, quote_paths
from vidseg.console import LogFile
from vidseg.contract import build, check_prompts
from vidseg.errors import InputError
from vidseg.job import JobFailed, limited, open_video, run_job
from vidseg.meter import Meter
from vidseg.record.files import MASKS, read_frames
from vidseg.record.found import read_found
from vidseg.record.masks import MaskRecord
from vidseg.runner import segmented
from vidseg.types import RGB, Frame, FrameMasks, Mask, Prompt
from vidseg.work import Told

Prompts = Prompt | Iterable[Prompt] | Iterable[Mapping[str, Any]]
Masks = FrameMasks | Mapping[int, NDArray[Any]] | NDArray[Any]


def run(overrides: Sequence[str] = (), prompts: Prompts | None = None, config_dir: str | Path | None = None) -> "Run":
    """Runs ``python -m vidseg OVERRIDES`` in this process and returns its results.

    - ``overrides``: the command's arguments, ``["model=large", "video=clip.mp4"]``, or one of them alone.
    - ``prompts``: replace those of the configuration. A Prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget.
    - ``config_dir``: a folder with YAML of your own, as the command's ``--config-dir``.

    Raises JobFailed after a mistake or a defect, with the command's message. The run's folder holds the same record as
    the command's; there is none if the overrides are no configuration. Raises KeyboardInterrupt after Ctrl-C, when the
    files are finished.
    """
    arguments = quote_paths([overrides] if isinstance(overrides, str) else overrides)
    try:
        config, settings = compose_config(arguments, config_dir)
        chosen = _as_prompts(prompts)
        own = claim_run(settings, config.resume)
    except InputError as error:
        raise JobFailed(str(error)) from error
    folder = Path(settings.run.dir)
    with own:
        _save(folder / ".hydra", config, settings, arguments)
        with _logged(folder / "vidseg.log"):
            summary = run_job(config, folder, dict(settings.runtime.choices), chosen)
    return Run(summary.content(), folder, config, chosen)


def segment(
    video: str | Path,
    prompts: Prompts | None,
    model: str = "tiny",
    *,
    config_dir: str | Path | None = None,
    **keys: Any,
) -> Generator[tuple[Frame, FrameMasks]]:
    """Yields every frame of a video with its masks, in order. Writes no files.

    - ``video``: a file, a folder of images, or "sample".
    - ``prompts``: a Prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget. None: those of the configuration,
      which for the built-in clip are its own.
    - ``model``: a name in conf/model/.
    - ``config_dir``: a folder with YAML of your own, as the command's ``--config-dir``.
    - ``keys``: other keys of the configuration. Those in a group are a mapping, or have dots:
      ``extract={"stop": "2s"}``, ``**{"model.image_size": 512}``. With ``preview=True`` only prompted frames come.

    The frames are read and segmented while they are asked for; memory doesn't grow with the video. Ending the loop
    early, or ``close()``, ends the reading threads. Raises InputError here for a mistake in the keys, the prompts, the
    video or the model, before the first frame; while frames are read, for a video that ends early.
    """
    overrides = [f"video={literal(str(video))}", *overrides_of({"model": model, **keys})]
    config, _ = compose_config(overrides, config_dir)
    told = open_video(config, _as_prompts(prompts))
    segmenter = build(config, "model")

    def pairs() -> Generator[tuple[Frame, FrameMasks]]:
        with limited(config.threads), closing(segmented(segmenter, told, Meter())) as tracked:
            yield from tracked

    return pairs()


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
    own = [prompt for prompt in _as_prompts(prompts) or () if index in (None, prompt.frame_index)]
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
        """Three lines: how it ran, how fast and how well, and where its files are."""
        summary = self.summary
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


def _as_prompts(given: Prompts | None) -> tuple[Prompt, ...] | None:
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


def _save(folder: Path, config: DictConfig, settings: DictConfig, overrides: list[str]) -> None:
    """Writes what Hydra's command leaves in a run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": settings}), folder / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(overrides), folder / "overrides.yaml")


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Writes vidseg's log to ``path`` too, within the block."""
    handler = LogFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    logger = logging.getLogger("vidseg")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
