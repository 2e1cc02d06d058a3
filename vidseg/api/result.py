"""What ``vidseg.run`` returns."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from vidseg.api.show import show
from vidseg.errors import InputError
from vidseg.job import choose_prompts, open_video
from vidseg.record.jsonl import read_frames
from vidseg.record.masks import NAME, MaskRecord
from vidseg.types import Mask, Prompt, Source

if TYPE_CHECKING:
    from PIL.Image import Image


class Run:
    """A finished run: ``summary`` is the content of summary.json, ``folder`` the run's folder.

    ``summary, folder = vidseg.run(...)`` works too.
    """

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
        scores = [f", {name} {value:.3f}" for name, value in summary["metrics"].items() if "_" not in name]
        peak = f"{summary['peak_rss_mib']:.0f} MiB"
        return (
            f"{summary['status']}: {summary['model']} on {summary['device']}, {summary['precision']}\n"
            f"{summary['frames']} frames at {summary['fps']:.1f} fps, {peak}{''.join(scores)}\n"
            f"{self.folder}: {', '.join(summary['outputs'].values()) or 'samples'}"
        )

    def masks(self) -> "Masks":
        """The masks: ``run.masks()[frame][object_id]`` is a bool array (height, width).

        Raises InputError if the run wrote none, because rle isn't among its outputs.
        """
        return Masks(self._record)

    def frames(self) -> list[dict[str, Any]]:
        """The numbers of every frame, as W&B has them: ``pandas.DataFrame(run.frames())`` is a table.

        ``frame`` is the number in the source, ``time_s`` the time in seconds; the others are ``time/segment_ms``,
        ``memory/rss_mib``, ``mask/area_1``, ``metric/j`` and so on.
        """
        return list(read_frames(self.folder))

    def show(self, frame: int) -> "Image":
        """The frame of that number with its masks and its prompts, read from the video again; see ``vidseg.show``.

        Raises InputError for a frame without masks, and if the video can't be read any more.
        """
        source, prompts = self._video
        masks, _ = self._record.read(frame, source.info)
        if masks is None:
            frames = self._record.frames
            raise InputError(f"frame: {frame} has no masks in {self.folder}; there are {frames[0]} to {frames[-1]}")
        return show(source[frame], masks, prompts)

    @cached_property
    def _record(self) -> MaskRecord:
        path = self.folder / self.summary["outputs"].get("rle", NAME)
        if not path.is_file():
            raise InputError(f"{self.folder} has no masks: add rle to the outputs, output=[rle,…]")
        return MaskRecord(path, "masks")

    @cached_property
    def _video(self) -> tuple[Source, tuple[Prompt, ...]]:
        source = open_video(self._config)
        return source, choose_prompts(self._config, source, self._prompts)


class Masks(Mapping[int, dict[int, Mask]]):
    """The masks of a run by frame number, then by object id: bool arrays (height, width).

    A frame's masks are decoded when they are asked for: those of 10,000 frames at 1280x720 would take 9 GB.
    """

    def __init__(self, record: MaskRecord) -> None:
        self._record = record

    def __getitem__(self, frame: int) -> dict[int, Mask]:
        masks, _ = self._record.read(frame, None)
        if masks is None:
            raise KeyError(frame)
        return masks

    def __iter__(self) -> Iterator[int]:
        return iter(self._record.frames)

    def __len__(self) -> int:
        return len(self._record.frames)

    def __repr__(self) -> str:
        ids = ", ".join(map(str, sorted(self._record.object_ids)))
        return f"<masks of {len(self)} frames, object ids {ids}>"
