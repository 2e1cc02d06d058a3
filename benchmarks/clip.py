"""The clips measured on, and the weights: sources in memory, the built-in clip as a file, seeded checkpoints."""

import copy
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import yaml
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra

from vidseg.devices import Precision
from vidseg.types import Frame, Prompt, VideoInfo

CONFIGS = {
    name: f"configs/sam2.1/sam2.1_hiera_{file}.yaml"
    for name, file in {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}.items()
}
_CLICKS = (
    (782, 301), (640, 80), (160, 200), (320, 420), (480, 560), (900, 520), (1060, 180), (1180, 400),
    (100, 620), (220, 60), (400, 240), (520, 360), (700, 640), (880, 120), (1000, 340), (1120, 640),
)  # fmt: skip


def clicks(objects: int) -> tuple[Prompt, ...]:
    """One click an object on the first frame of a 720p clip; the first is the article's."""
    if not 1 <= objects <= len(_CLICKS):
        raise SystemExit(f"{objects} objects: 1 to {len(_CLICKS)} have a click")
    return tuple(click(0, number, *xy) for number, xy in enumerate(_CLICKS[:objects], start=1))


def click(frame_index: int, object_id: int, x: float, y: float) -> Prompt:
    """One positive point."""
    return Prompt(frame_index, object_id, points_xy=np.array([[x, y]], np.float32), labels=np.array([1], np.int32))


class Indexed:
    """A source whose frames cost nothing to seek: a subclass says how frame ``index`` comes about."""

    name = "indexed"
    audio: Path | None = None
    offset_s = 0.0

    def __init__(self, num_frames: int, height: int, width: int, prompts: tuple[Prompt, ...]) -> None:
        self.frames: Sequence[int] = range(num_frames)
        self.info = VideoInfo(width, height, Fraction(25), num_frames, Fraction(1, 25))
        self.prompts = prompts

    def __getitem__(self, index: int) -> Frame:
        raise NotImplementedError

    def __iter__(self) -> Generator[Frame]:
        for index in self.frames:
            yield self[index]

    def backwards(self, position: int) -> Generator[Frame]:
        """The frames from ``position`` back to the first."""
        for index in reversed(self.frames[: position + 1]):
            yield self[index]

    def first(self, num_frames: int) -> Self:
        """The same source, ending after so many frames."""
        shorter = copy.copy(self)
        shorter.frames, shorter.info = self.frames[:num_frames], replace(self.info, num_frames=num_frames)
        return shorter

    def time_s(self, index: int) -> float:
        """25 frames a second."""
        return index / 25

    def truth(self, index: int) -> None:
        """It has none."""

    def provenance(self) -> dict[str, str]:
        """Nothing to record."""
        return {}


class Loaded(Indexed):
    """Decoded frames, held in memory."""

    def __init__(self, frames: Iterable[Frame], prompts: tuple[Prompt, ...]) -> None:
        self._frames = list(frames)
        height, width, _ = self._frames[0].rgb_hw3.shape
        super().__init__(len(self._frames), height, width, prompts)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]


def make_clip(path: Path, num_frames: int) -> None:
    """The built-in clip (1280x720) as an H.264 file; it plays to and fro where ``num_frames`` exceeds its length."""
    from vidseg.video import open_source
    from vidseg.video.encoder import Encoder

    source = open_source("sample")
    last = len(source.frames) - 1
    encoder = Encoder(path, "h264", source.info)
    for number in range(num_frames):
        frame = source[last - abs(last - number % (2 * last))]
        encoder.write(frame.rgb_hw3, number / float(source.info.fps))
    encoder.close()


def make_prompts(path: Path, objects: int) -> None:
    """The same clicks as a file for prompt=file."""
    entries = [
        {"frame": 0, "object": p.object_id, "points": p.points_xy.tolist(), "labels": [1]}
        for p in clicks(objects)
        if p.points_xy is not None
    ]
    path.write_text(yaml.safe_dump({"prompts": entries}))


def make_checkpoint(path: Path, model: str) -> None:
    """SAM 2.1 with weights drawn from seed 0: speed and memory are real, the masks are not."""
    torch.save({"model": build_upstream(model, None, device="cpu").state_dict()}, path)


def build_upstream(model: str, checkpoint: str | None, **how: Any) -> Any:
    """SAM2VideoPredictor by sam2's own builder; what ``checkpoint`` hasn't is drawn from seed 0.

    The builder needs Hydra at sam2's configs. `import sam2` sees to that, but once in a process and only where Hydra
    isn't running; vidseg.model.sam2 undoes it.
    """
    from sam2.build_sam import build_sam2_video_predictor

    GlobalHydra.instance().clear()
    torch.manual_seed(0)
    with initialize_config_module("sam2", version_base="1.2"):
        return build_sam2_video_predictor(CONFIGS[model], checkpoint, **how)


def precision_config(name: str) -> dict[str, str | bool | None]:
    """The parameters of precision=name."""
    path = Path(__file__).parent.parent / "conf" / "precision" / f"{name}.yaml"
    return dict(yaml.safe_load(path.read_text()))


def precision(name: str, device: str) -> Precision:
    """What precision=name computes in on ``device``."""
    return Precision(**precision_config(name)).resolve(torch.device(device))  # type: ignore[arg-type]
