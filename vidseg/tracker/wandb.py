"""Weights & Biases: one W&B run for each run, in constant memory, without output on the console.

Knows W&B and the run folder; knows nothing about the runner and Hydra. Failures are raised: vidseg.tracker.guard keeps
them from ending a run. ``wandb`` is imported when a run starts, so that ``mode=disabled`` doesn't need it.

Offline runs are in ``<dir>/wandb/offline-run-*``. W&B writes their config and summary as files only when they are
synced, so programs should read summary.json.
"""

import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from vidseg.composite import draw_prompts
from vidseg.errors import InputError
from vidseg.paths import find_home
from vidseg.record.folder import make
from vidseg.record.run import Run
from vidseg.types import Frame, FrameMasks, Prompt

MODES = ("offline", "online", "disabled")
OLD_MODES = {"dryrun": "offline", "run": "online"}  # W&B's own older names
STATUSES = ("finished", "failed", "interrupted")
VIDEO_SUFFIXES = (".mp4", ".webm")
Resume = Literal["allow", "never"] | None


class WandbTracker:
    """A ``Tracker`` that writes a W&B run. The parameters are the keys of conf/tracker/wandb.yaml.

    ``None`` (and ``tags=[]``) leaves a setting to the ``WANDB_*`` environment variables, then to W&B's default. A run
    without a name has that of its folder; one without an ``id`` gets a new one, whatever WANDB_RUN_ID says.
    Raises InputError for a ``mode``, ``tags`` or timeout that can't be.
    """

    def __init__(
        self,
        project: str | None = "vidseg",
        entity: str | None = None,
        id: str | None = None,
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
        mode = OLD_MODES.get(mode, mode)
        if mode not in MODES:
            raise InputError(
                f"tracker.mode: {mode!r} is none of {', '.join(MODES)} (its default is WANDB_MODE, if set)"
            )
        if isinstance(tags, str):
            raise InputError(f"tracker.tags: {tags!r} is not a list; say tracker.tags=[{tags}]")
        for key, seconds in (("init_timeout_s", init_timeout_s), ("finish_timeout_s", finish_timeout_s)):
            if not 0 < seconds < math.inf:
                raise InputError(f"tracker.{key}: {seconds} is not a number of seconds above 0")
        self._init: dict[str, Any] = {"project": project, "entity": entity, "group": group, "job_type": job_type}
        self._init |= {"tags": [str(tag) for tag in tags] or None, "notes": notes, "mode": mode}
        self._id = id
        self._resume: Resume = None if id else "never"  # None: as WANDB_RESUME says
        self._name, self._mode, self._dir, self._log_video = name, mode, Path(dir), log_video
        self._timeouts = {"init_timeout": init_timeout_s, "finish_timeout": finish_timeout_s}
        self._run: Any = None
        self._sample: dict[str, Any] = {}  # a picture that is logged with the values of its frame

    def resume(self, record: Mapping[str, Any]) -> None:
        """Makes ``start`` go on with the W&B run of ``record``, which an earlier ``start`` returned.

        Offline W&B writes a second folder with the same id. Log the steps that follow those of the first one.
        """
        self._id, self._resume = record["id"], "allow"

    def prepare(self) -> None:
        """Imports W&B and starts its service, which takes 2 s and leaves no run."""
        if self._mode != "disabled":
            self._set_up()

    def start(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
        """Begins the W&B run with ``config``, a plain dict; returns id, mode and url (None offline).

        Returns None if the mode is ``disabled``. Raises RuntimeError, with what to do, if W&B can't be reached within
        ``init_timeout_s`` or there is no API key; it never asks for one.
        """
        if self._mode == "disabled":
            return None
        name = self._name or os.environ.get("WANDB_NAME") or f"{folder.parent.name}/{folder.name}"
        self._begin(
            {**self._init, "name": name, "config": {**config, "folder": str(folder)}},
            id=self._id or _new_id(),
            resume=self._resume,
        )
        self._run.define_metric("frame")
        for keys in ("time/*", "memory/*", "mask/*", "sample/*"):
            self._run.define_metric(keys, step_metric="frame")
        # W&B's summary would hold the last frame's value under the name of the run's score.
        self._run.define_metric("metric/*", step_metric="frame", summary="none")
        online = self._mode == "online"  # an offline run's url is None, with a warning
        return {"id": self._run.id, "mode": self._mode, "url": self._run.url if online else None}

    def _begin(self, arguments: Mapping[str, Any], id: str, resume: Resume) -> None:
        """Starts a W&B run beside any others of this process. Raises InputError if ``dir`` can't be written."""
        make(self._dir / "wandb", "tracker.dir")  # wandb would go to the temporary folder, with a warning
        self._set_up()
        import wandb

        try:
            # The run's own settings don't silence the library's messages around it. termsetup() does, after setup(),
            # which turns them on; the silent library doesn't ask for an API key either.
            wandb.termsetup(wandb.Settings(silent=True), None)
            self._run = wandb.init(
                **arguments,
                id=id,
                resume=resume,
                dir=str(self._dir.resolve()),
                # Other runs of this process (in a sweep, or a notebook's own) stay as they are.
                reinit="create_new",
                settings=wandb.Settings(
                    silent=True,
                    quiet=True,
                    console="off",
                    x_stats_pid=os.getpid(),  # by default that of the process that imported wandb, before a fork
                    **self._timeouts,
                ),
            )
        except Exception as error:
            _restore_messages()
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise RuntimeError(f"{reason} (tracker.mode=offline needs neither key nor network)") from error

    def _set_up(self) -> None:
        find_home()
        import wandb

        if not _has_cache():  # wandb would write its own log to the console
            os.environ["WANDB_CACHE_DIR"] = str((self._dir / "wandb" / "cache").resolve())
        wandb.setup()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Logs one frame: ``step`` is its position in the run, ``values["frame"]`` (the x axis) its number."""
        if self._run is not None:
            self._run.log({**values, **self._sample}, step=step)
            self._sample = {}

    def log_sample(self, frame: Frame, masks: FrameMasks, prompts: Sequence[Prompt]) -> None:
        """Keeps ``sample/frame`` for the next ``log``: the frame with its prompts, and a mask layer for each object."""
        if self._run is None:
            return
        import wandb

        layers = {}
        names = masks.names or (None,) * len(masks.object_ids)
        for object_id, name, mask_hw in zip(masks.object_ids, names, masks.masks_nhw, strict=True):
            shown = f"object {object_id}" if name is None else f"{name} {object_id}"
            label = (object_id - 1) % 255 + 1  # W&B stores labels as uint8, and colours layers by them
            layers[shown] = {
                "mask_data": mask_hw.astype("uint8") * label,
                "class_labels": {label: shown},
            }
        picture = draw_prompts(frame.rgb_hw3, [prompt for prompt in prompts if prompt.frame_index == frame.index])
        caption = f"frame {frame.index}  {frame.time_s:.2f} s"
        # JPEG: a tenth of the bytes; the lossless picture is in samples/.
        image = wandb.Image(picture, caption=caption, masks=layers or None, file_type="jpg")
        self._sample = {"sample/frame": image}

    def finish(self, summary: Mapping[str, Any], folder: Path) -> None:
        """Logs the summary and, of a run with frames, the overlay, the contact sheet and masks.jsonl; ends the run as
        finished or failed. Its status is a tag, too.

        If one of these fails, the run is ended and the failure raised.
        """
        if self._run is None:
            return
        import wandb

        with self._ending(0 if summary.get("status") == "finished" else 1) as run:
            status = str(summary.get("status"))
            run.tags = (*(tag for tag in run.tags or () if tag not in STATUSES), status)  # without that before a resume
            run.summary.update(_flat(summary))
            if summary.get("frames") == 0:
                return  # the folder's files are an earlier run's, if there are any
            record = Run(folder, folder.name, summary)
            media = dict(self._sample)
            overlay = record.output("overlay", "overlay.mp4")
            if self._log_video and overlay is not None and overlay.suffix in VIDEO_SUFFIXES:
                media["output/overlay"] = wandb.Video(str(overlay))  # given a path, W&B copies the file as it is
            if (sheet := folder / "contact_sheet.png").is_file():
                media["output/contact_sheet"] = wandb.Image(str(sheet))
            if media:
                run.log(media)
            if record.masks is not None:
                artifact = wandb.Artifact(f"masks-{run.id}", type="masks")
                # "immutable": W&B refers to the file where it is; by default it copies it into the home folder first.
                artifact.add_file(str(record.masks.resolve()), name="masks.jsonl", policy="immutable")
                run.log_artifact(artifact)

    def log_sweep(self, group: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
        """Makes one more W&B run, of job type ``summary``, whose ``sweep`` is a ``wandb.Table``.

        It is tagged ``finished``, or ``failed`` if a job didn't finish.
        """
        if self._mode == "disabled" or not rows:
            return
        import wandb

        settings: dict[str, Any] = {"group": group, "job_type": "summary", "name": f"{group} summary"}
        is_finished = all(row.get("status", "finished") == "finished" for row in rows)
        settings |= {"tags": ["summary", "finished" if is_finished else "failed"]}
        self._begin({**self._init, **settings, "config": {"folder": str(folder)}}, id=_new_id(), resume="never")
        with self._ending(0 if is_finished else 1) as run:
            cells = [[_cell(value) for value in row.values()] for row in rows]
            run.log({"sweep": wandb.Table(columns=list(rows[0]), data=cells)})

    @contextmanager
    def _ending(self, exit_code: int) -> Iterator[Any]:
        """Ends the W&B run with the block, whatever happens in it."""
        run, self._run = self._run, None
        try:
            try:
                yield run
            finally:
                run.finish(exit_code=exit_code)
        except Exception as error:
            if _service_is_gone(error):
                raise RuntimeError("W&B's service, a process of its own, has ended") from error
            raise
        finally:
            _restore_messages()


def _service_is_gone(error: Exception) -> bool:
    """Whether W&B's service crashed or was killed. Then forgets it: wandb would print a traceback when Python exits."""
    import wandb
    from wandb.sdk.mailbox import HandleAbandonedError

    if not isinstance(error, HandleAbandonedError | ConnectionError):
        return False
    with suppress(Exception):
        wandb.teardown()
    return True


def _has_cache() -> bool:
    """Whether W&B can write into the folder for caches, in the user's home."""
    if "WANDB_CACHE_DIR" in os.environ:
        return True
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "wandb", "logs").expanduser().absolute()
    return os.access(next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK)), os.W_OK | os.X_OK)


def _new_id() -> str:
    return secrets.token_hex(6)


def _cell(value: Any) -> Any:
    """A value for a W&B table; a picture is made small, about 40 kB, because a sweep may have a thousand jobs."""
    if not isinstance(value, Path):
        return value
    import wandb
    from PIL import Image

    with Image.open(value) as picture:
        small = picture.convert("RGB")
    small.thumbnail((640, 640))
    return wandb.Image(small, file_type="jpg")


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The values of summary.json for W&B's summary, without nulls: by their names, ``seconds/…`` and ``metric/…``."""
    flat = {key: value for key, value in summary.items() if isinstance(value, (str, int, float))}
    flat |= {f"seconds/{stage}": value for stage, value in (summary.get("seconds") or {}).items()}
    flat |= {f"metric/{name}": value for name, value in (summary.get("metrics") or {}).items()}
    return flat


def _restore_messages() -> None:
    """Turns wandb's messages on again for the rest of the process, such as a notebook, as its own settings say."""
    import wandb

    wandb.termsetup(wandb.setup().settings, None)
