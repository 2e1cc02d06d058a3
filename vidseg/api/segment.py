"""``vidseg.segment``: the masks of a video, frame by frame, without a run's folder."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from vidseg.api.compose import Prompts, as_prompts, compose_config
from vidseg.config.overrides import overrides_of
from vidseg.config.parts import build
from vidseg.job import choose_prompts, limited, open_video, taken
from vidseg.meter import Meter
from vidseg.runner import segmented
from vidseg.types import Frame, FrameMasks, Prompt, Segmenter, Source


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
    config, _ = compose_config(list(overrides_of({"video": video, "model": model, **keys})), config_dir)
    source = open_video(config)
    chosen = choose_prompts(config, source, as_prompts(prompts))
    return _pairs(build(config, "model"), taken(config, source, chosen), chosen, config.threads)


def _pairs(
    segmenter: Segmenter, source: Source, prompts: Sequence[Prompt], threads: int | None
) -> Generator[tuple[Frame, FrameMasks]]:
    with limited(threads), closing(segmented(segmenter, source, prompts, Meter())) as pairs:
        yield from pairs
