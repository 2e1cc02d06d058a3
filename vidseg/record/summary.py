"""summary.json: what a run was, what it cost and which files it left. It is also written when the run fails."""

import json
import logging
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.errors import InputError
from vidseg.meter import Meter, peak_cuda_mib, peak_rss_mib
from vidseg.record.files import MASKS, whole

if TYPE_CHECKING:  # it brings numpy, and a table of runs shall load in 0.1 s
    from vidseg.types import Output

log = logging.getLogger(__name__)

NAME = "summary.json"
PACKAGES = ("vidseg", "torch", "rf-sam-2", "numpy", "opencv-python-headless", "av", "hydra-core", "wandb")


@dataclass
class Summary:
    """The content of summary.json, in the order of the file.

    ``status`` is "finished", "failed" or "interrupted", ``error`` one or two lines or None. ``seconds`` are those of
    the main loop in each stage (see Meter) and ``total``; ``fps`` is frames / (total - build), without the frames that
    a stopped run had finished before. ``objects`` are the ids of the prompts, ``names`` what they are
    called, by id, ``outputs`` paths relative to the folder. ``repeat`` is the number of the repetition, of a sweep with
    ``repeat``; ``notes`` say what the run lacks, as scores without ground truth, and which points the masks don't obey.
    ``photos``, of a folder of photographs alone, says how many are "finished" and "failed", and of "each" its file,
    folder, status, error, objects and seconds.
    """

    model: str
    precision: str | None = None
    status: str = "failed"
    error: str | None = None
    frames: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    fps: float = 0.0
    peak_rss_mib: float = 0.0
    peak_cuda_mib: float | None = None
    device: str | None = None
    objects: list[int] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    wandb: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    repeat: int = 1
    notes: list[str] = field(default_factory=list)
    photos: dict[str, Any] | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Summary":
        """The summary whose file has this content."""
        return cls(**{key: content[key] for key in content if key in cls.__dataclass_fields__})

    def measure(self, meter: Meter) -> None:
        """Sets frames, seconds, fps and peaks of memory to the meter's figures of now."""
        total = meter.total()
        self.frames = meter.frames
        self.seconds = {name: round(value, 3) for name, value in {**meter.seconds, "total": total}.items()}
        new = meter.frames - meter.before
        seconds = total - meter.seconds["build"] if new else total  # a run that went on may have had no frame left
        self.fps = round((new or meter.frames) / max(seconds, 1e-9), 3)
        self.peak_rss_mib = max(self.peak_rss_mib, round(peak_rss_mib(), 1))
        cuda_mib = peak_cuda_mib()
        self.peak_cuda_mib = None if cuda_mib is None else max(self.peak_cuda_mib or 0.0, round(cuda_mib, 1))

    def find_outputs(self, outputs: Mapping[str, "Output"], folder: Path, kept: Mapping[str, str]) -> None:
        """Sets ``outputs`` to those whose file is there; masks.jsonl, which is in every run, is ``rle``.

        ``kept`` are the paths, by name, of outputs that this run didn't make: it went on with one that had ended.
        """
        paths = {**kept, **{name: output.path for name, output in outputs.items()}, "rle": MASKS}
        self.outputs = {name: path for name, path in paths.items() if (folder / path).exists()}

    def content(self) -> dict[str, Any]:
        """What is in the file: ``photos`` only if there are any."""
        return {key: value for key, value in asdict(self).items() if key != "photos" or value is not None}

    def write(self, folder: Path) -> None:
        """Writes folder/summary.json."""
        with whole(folder / NAME, durable=True) as part:
            part.write_text(json.dumps(self.content(), indent=2) + "\n", encoding="utf-8")


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The content of folder/summary.json; None if it isn't there, and with a warning if it can't be read."""
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and isinstance(content.get("status"), str):
            return content
        log.warning("%s is not the summary of a run", path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        log.warning("%s can't be read: %s", path, error)
    return None


def score(summary: Mapping[str, Any], optimize: str | None) -> float | None:
    """The number that ``optimize`` names, without its minus: a metric, ``fps``, ``peak_rss_mib`` or ``peak_cuda_mib``.

    None if ``optimize`` is None. Raises InputError, with the names there are, for one that the run doesn't have.
    """
    if optimize is None:
        return None
    name = optimize.removeprefix("-")
    costs = {key: summary.get(key) for key in ("fps", "peak_rss_mib", "peak_cuda_mib")}
    known = {**(summary.get("metrics") or {}), **{key: value for key, value in costs.items() if value is not None}}
    if name not in known:
        raise InputError(f"optimize: the run has no score {name!r}; it has {', '.join(known)}")
    return float(known[name])


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that masks and speed depend on, and in a checkout vidseg's commit."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    if (commit := _commit()) is not None:
        found["commit"] = commit
    return found


def _commit() -> str | None:
    """The commit of vidseg's checkout, with "+" if tracked files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
