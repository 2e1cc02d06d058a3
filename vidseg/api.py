"""The functions of the public API that run something: ``run`` and ``segment``. A user imports them from ``vidseg``."""

import logging
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vidseg.config.claim import claim_run
from vidseg.config.overrides import compose_config, overrides_of
from vidseg.config.values import literal, quote_paths
from vidseg.console import LogFile, write_out
from vidseg.contract import build
from vidseg.errors import InputError
from vidseg.job import JobFailed, limited, make_matte, open_video, run_job
from vidseg.meter import Meter
from vidseg.results import Prompts, Run, Sweep, as_prompts
from vidseg.runner import segmented
from vidseg.sweep.apart import is_sweep, run_apart
from vidseg.types import Frame, FrameMasks


def run(
    overrides: Sequence[str] = (), prompts: Prompts | None = None, config_dir: str | Path | None = None
) -> Run | Any:  # Any: a type checker can't see the -m, and would want to know of each run that it is no Sweep
    """Runs ``python -m vidseg OVERRIDES`` and returns its results: a Run, or with ``-m`` a Sweep, a list of them.

    - ``overrides``: the command's arguments, ``["model=large", "video=clip.mp4"]``, or one of them alone. With ``-m``
      keys may have several values, ``["-m", "model=tiny,large"]``.
    - ``prompts``: replace those of the configuration. A Prompt, several, or ``widget.bboxes`` of jupyter_bbox_widget.
    - ``config_dir``: a folder with YAML of your own, as the command's ``--config-dir``.

    A run takes place in this process, and a sweep in one of its own; its table is printed. Raises JobFailed after a
    mistake or a defect, with the command's message; of a sweep only if no job could begin. The folder holds the same
    record as the command's; there is none if the overrides are no configuration. Raises KeyboardInterrupt after Ctrl-C,
    when the files are finished.
    """
    given = [overrides] if isinstance(overrides, str) else list(overrides)
    if is_sweep(given):
        return _run_sweep(given, prompts, config_dir)
    arguments = quote_paths(given)
    try:
        config, settings = compose_config(arguments, config_dir)
        chosen = as_prompts(prompts)
        own = claim_run(settings, config.resume, config.repeat)
    except InputError as error:
        raise JobFailed(str(error)) from error
    folder = Path(settings.run.dir)
    with own:
        _save(folder / ".hydra", config, settings, arguments)
        with _logged(folder / "vidseg.log"):
            summary = run_job(config, folder, dict(settings.runtime.choices), chosen)
    return Run(summary.content(), folder, config, chosen)


def _run_sweep(arguments: Sequence[str], prompts: Prompts | None, config_dir: str | Path | None) -> Sweep:
    """The sweep's runs. Prints its table, of as many characters as the terminal has, and 80 in a notebook."""
    try:
        if prompts is not None:
            raise InputError("prompts: a sweep has those of its configuration; write yours to a file for prompt=file")
        folder, interrupted = run_apart(arguments, config_dir)
    except InputError as error:
        raise JobFailed(str(error)) from error
    sweep = Sweep(folder)
    write_out(sweep.report(shutil.get_terminal_size((80, 24)).columns) + "\n")
    if interrupted:
        raise KeyboardInterrupt
    return sweep


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
      ``extract={"stop": "2s"}``, ``**{"model.image_size": 512}``. With ``preview=True`` only prompted frames come. With
      ``matte="edge"`` the masks have an ``alpha``, by default none.

    The frames are read and segmented while they are asked for; memory doesn't grow with the video. Ending the loop
    early, or ``close()``, ends the reading threads. Raises InputError here for a mistake in the keys, the prompts, the
    video or the model, before the first frame; while frames are read, for a video that ends early.
    """
    overrides = [f"video={literal(str(video))}", *overrides_of({"model": model, **keys})]
    config, _ = compose_config(overrides, config_dir)
    told = open_video(config, as_prompts(prompts))
    matte = make_matte(config, alpha=False)
    segmenter = build(config, "model")

    def pairs() -> Generator[tuple[Frame, FrameMasks]]:
        with limited(config.threads), closing(segmented(segmenter, told, Meter())) as tracked:
            for frame, masks in tracked:
                if matte is not None:
                    masks.soften(matte.refine(frame, masks))
                yield frame, masks

    return pairs()


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
