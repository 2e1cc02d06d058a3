"""Weights & Biases: one W&B run for each run, offline unless told otherwise, in constant memory and without a word.

Knows W&B and the run folder's file names; knows nothing about the runner, Hydra or how anything is computed. Failures
are raised: vidseg.tracker.guard keeps them from ending a run. ``wandb`` is imported when a run starts, so that neither
``mode=disabled`` nor a broken installation costs anything before that.

Offline runs lie in ``<dir>/wandb/offline-run-*``. The config is inside the run's .wandb log from the start; a config
file appears only on sync, so summary.json stays the record to read by machine.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidseg.composite import draw_prompts
from vidseg.errors import InputError
from vidseg.types import Frame, FrameMasks, Prompt

MODES = ("offline", "online", "disabled")
VIDEO_SUFFIXES = (".mp4", ".webm")


class WandbTracker:
    """A ``Tracker`` that writes a W&B run. Parameters are the keys of conf/tracker/wandb.yaml.

    ``None`` (and ``tags=[]``) leaves a setting to the ``WANDB_*`` environment variables, then to W&B's own default; a
    run without a name is called after its folder. Raises InputError for an unknown ``mode`` and the like.
    """

    def __init__(
        self,
        project: str | None = "vidseg",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        mode: str = "offline",
        dir: str | Path = "runs",
        log_video: bool = True,
        init_timeout_s: float = 20,
        finish_timeout_s: float = 300,
    ) -> None:
        if mode not in MODES:
            raise InputError(
                f"tracker.mode: {mode!r} is none of {', '.join(MODES)} (its default is WANDB_MODE, if set)"
            )
        if isinstance(tags, str):
            raise InputError(f"tracker.tags: {tags!r} is not a list; say tracker.tags=[{tags}]")
        for key, seconds in (("init_timeout_s", init_timeout_s), ("finish_timeout_s", finish_timeout_s)):
            if not 0 < seconds < math.inf:
                raise InputError(f"tracker.{key}: {seconds} is not a number of seconds above 0")
        self._init: dict[str, Any] = {
            "project": project,
            "entity": entity,
            "group": group,
            "job_type": job_type,
            "tags": [str(tag) for tag in tags] or None,
            "notes": notes,
            "mode": mode,
        }
        self._name = name
        self._mode = mode
        self._dir = Path(dir)
        self._log_video = log_video
        self._timeouts = {"init_timeout": init_timeout_s, "finish_timeout": finish_timeout_s}
        self._run: Any = None
        self._logged: tuple[float, int] | None = None  # the last frame's number and step
        self._sample: dict[str, Any] = {}  # a picture that waits for its frame's values

    def start(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """Begins the W&B run with ``config`` (plain, resolved); returns id, mode and url (null offline).

        None where the mode is ``disabled``. Raises RuntimeError, with a way out, where W&B can't be reached in
        ``init_timeout_s`` or there is no API key; it never asks for one.
        """
        if self._mode == "disabled":
            return None
        name = self._name or os.environ.get("WANDB_NAME") or f"{folder.parent.name}/{folder.name}"
        self._begin({**self._init, "name": name, "config": {**config, "folder": str(folder)}})
        self._run.define_metric("frame")
        for keys in ("time/*", "memory/*", "mask/*", "sample/*"):
            self._run.define_metric(keys, step_metric="frame")
        # No summary of the frames' values: there the same names are the run's scores.
        self._run.define_metric("metric/*", step_metric="frame", summary="none")
        online = self._mode == "online"  # asking for the url of an offline run warns
        return {"id": self._run.id, "mode": self._mode, "url": self._run.url if online else None}

    def _begin(self, arguments: Mapping[str, Any]) -> None:
        """A W&B run of this process, beside any others."""
        import wandb

        self._dir.mkdir(parents=True, exist_ok=True)  # wandb would go to the temporary folder, with a warning
        try:
            # The run's own settings don't cover what the library says around it. First setup(), which gives it a voice,
            # then silence; silent, it doesn't ask for an API key either.
            wandb.setup()
            wandb.termsetup(wandb.Settings(silent=True), None)
            self._run = wandb.init(
                **arguments,
                dir=str(self._dir.resolve()),
                # Several runs may share a process (sweeps, notebooks with a run of their own): leave theirs alone.
                reinit="create_new",
                settings=wandb.Settings(silent=True, quiet=True, console="off", **self._timeouts),
            )
        except Exception as error:
            _let_wandb_speak()
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise RuntimeError(f"{reason} (tracker.mode=offline needs neither key nor network)") from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Logs one frame: ``step`` is its position in the run, ``values["frame"]`` (the x axis) its number."""
        if self._run is not None:
            self._run.log({**values, **self._sample}, step=step)
            self._sample = {}
            self._logged = (values.get("frame", -1), step)

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Logs ``sample/frame``, one toggleable mask layer an object, on the step of that frame's values.

        It may come before or after ``log`` of the same frame. The prompts of the frame are drawn into the picture.
        """
        if self._run is None:
            return
        import wandb

        layers = {}
        for object_id, mask_hw in zip(masks.object_ids, masks.masks_nhw, strict=True):
            label = (object_id - 1) % 255 + 1  # W&B colours layers by their label, and keeps them as uint8
            layers[f"object {object_id}"] = {
                "mask_data": mask_hw.astype("uint8") * label,
                "class_labels": {label: f"object {object_id}"},
            }
        picture = draw_prompts(frame.rgb_hw3, [prompt for prompt in prompts if prompt.frame_index == frame.index])
        caption = f"frame {frame.index}  {frame.time_s:.2f} s"
        # JPEG: a tenth of the bytes; the lossless picture is in samples/.
        image = wandb.Image(picture, caption=caption, masks=layers or None, file_type="jpg")
        if self._logged is not None and self._logged[0] == frame.index:
            self._run.log({"sample/frame": image}, step=self._logged[1])
        else:
            self._sample = {"sample/frame": image}

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Writes the summary, the overlay, the contact sheet and masks.jsonl, and ends the run as finished or failed.

        The run is ended also where one of these fails, which is raised afterwards.
        """
        if self._run is None:
            return
        run, self._run = self._run, None
        try:
            run.summary.update(_flat(summary))
            media = {**self._sample, **self._media(summary, folder)}
            if media:
                run.log(media)
            _log_masks(run, summary, folder)
        finally:
            run.finish(exit_code=0 if summary.get("status") == "finished" else 1)
            _let_wandb_speak()

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """A run of its own, of job type ``summary``, with ``sweep`` as a ``wandb.Table``."""
        if self._mode == "disabled" or not rows:
            return
        import wandb

        settings = {"group": group, "job_type": "summary", "name": f"{group} summary", "tags": ["summary"]}
        self._begin({**self._init, **settings, "config": {"folder": str(folder)}})
        run, self._run = self._run, None
        try:
            cells = [[_cell(value) for value in row.values()] for row in rows]
            run.log({"sweep": wandb.Table(columns=list(rows[0]), data=cells)})
        finally:
            run.finish()
            _let_wandb_speak()

    def _media(self, summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        import wandb

        media: dict[str, Any] = {}
        overlay = _output(summary, folder, "overlay", "overlay.mp4")
        if self._log_video and overlay.is_file() and overlay.suffix in VIDEO_SUFFIXES:
            media["output/overlay"] = wandb.Video(str(overlay))  # a path: no decoding, no moviepy
        if (sheet := folder / "contact_sheet.png").is_file():
            media["output/contact_sheet"] = wandb.Image(str(sheet))
        return media


def _cell(value: Any) -> Any:
    """A value for a table; a picture at 640 pixels across, some 40 kB, because a sweep may have a thousand."""
    if not isinstance(value, Path):
        return value
    import wandb
    from PIL import Image

    with Image.open(value) as picture:
        small = picture.convert("RGB")
    small.thumbnail((640, 640))
    return wandb.Image(small, file_type="jpg")


def _log_masks(run: Any, summary: Mapping[str, Any], folder: Path) -> None:
    import wandb

    masks = _output(summary, folder, "rle", "masks.jsonl")
    if masks.is_file():
        artifact = wandb.Artifact(f"masks-{run.id}", type="masks")
        # "immutable": referred to where it lies, not copied into the home folder first.
        artifact.add_file(str(masks.resolve()), name="masks.jsonl", policy="immutable")
        run.log_artifact(artifact)


def _output(summary: Mapping[str, Any], folder: Path, name: str, default: str) -> Path:
    return folder / ((summary.get("outputs") or {}).get(name) or default)


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """summary.json as W&B has it: scalars by name, ``seconds/…`` and ``metric/…``; what is null is left out."""
    flat = {key: value for key, value in summary.items() if isinstance(value, (str, int, float))}
    flat |= {f"seconds/{stage}": value for stage, value in (summary.get("seconds") or {}).items()}
    flat |= {f"metric/{name}": value for name, value in (summary.get("metrics") or {}).items()}
    return flat


def _let_wandb_speak() -> None:
    """Gives wandb's messages back to the rest of the process (a notebook, say) as its own settings have them."""
    import wandb

    wandb.termsetup(wandb.setup().settings, None)
