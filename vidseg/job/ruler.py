"""A preview without a prompt: a frame with a ruler, and what the detector in the package finds on it, to be copied.

No model is built for it.
"""

import logging
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vidseg import config as configuration
from vidseg.composite import Sighting, draw_ruler
from vidseg.contract import build_within
from vidseg.errors import InputError
from vidseg.output.samples import write_png
from vidseg.prompt.frames import frame_of
from vidseg.prompt.looking import Seen, see
from vidseg.prompt.missing import MissingPromptError
from vidseg.types import Detector, Frame, Source

log = logging.getLogger(__name__)

DETECTOR = "yolox_nano"


def packaged_detector() -> Detector:
    """The detector whose weights are in the package, with the keys that conf/detector gives it."""
    path = Path(configuration.folder(), "detector", f"{DETECTOR}.yaml")
    node: Any = OmegaConf.to_container(OmegaConf.load(path))
    detector: Detector = build_within("detector", "prompt.detector", node)
    return detector


def ruled_frame(missing: MissingPromptError) -> Frame:
    """The frame that the prompt is to be on; the first extracted one if the user didn't say.

    Raises InputError for one that isn't extracted, and for one that can't be read.
    """
    source, wanted = missing.source, missing.frame
    if wanted is None or (wanted == 0 and 0 not in source.frames):  # 0 is the default of prompt=click and prompt=box
        with closing(source.__iter__()) as frames:
            if (first := next(frames, None)) is None:  # all are damaged
                raise InputError(f"video: no extracted frame of {source.name} can be read")
            return first
    return source[frame_of(source, "prompt.frame", wanted)]


def show(source: Source, frame: Frame, folder: Path) -> None:
    """Draws ``frame`` into samples/ruler_00000.png of the run's ``folder``, and logs where things are on it."""
    seen = see(packaged_detector(), frame, "box")
    what = f"{DETECTOR} finds {len(seen) or 'nothing that it knows'}"
    at = "" if source.info.still else f", {frame.time_s - source.time_s(0):.3f} s"  # as prompt.frame counts seconds
    log.info("frame %d of %s%s: %s%s", frame.index, source.name, at, what, ":" if seen else "")
    words = [] if frame.index == 0 else [f"prompt.frame={frame.index}"]
    for number, each in enumerate(seen, 1):
        box = ["prompt=box", f"prompt.box=[{','.join(map(str, _corners(each)))}]"]
        log.info("%d %s: %s", number, each, _typed([*box, *words]))
    picture = folder / "samples" / f"ruler_{frame.index:05d}.png"
    sightings = [Sighting(each.box_xyxy, f"{number} {each.name}", number) for number, each in enumerate(seen, 1)]
    write_png(picture, draw_ruler(frame.rgb_hw3, sightings))
    log.info(
        "anything else: read x and y in %s, %s", picture, _typed(["prompt=click", "prompt.points=[[x,y]]", *words])
    )


def _corners(seen: Seen) -> list[int]:
    """The box in whole pixels, not smaller."""
    x0, y0, x1, y1 = seen.box_xyxy.tolist()
    return [math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)]


def _typed(words: Sequence[str]) -> str:
    """Words as they are typed in a shell; zsh needs quotes around brackets."""
    return " ".join(f"'{word}'" for word in words)
