"""summary.json: what a run was, what it cost and what it made; written whole, also when the run fails."""

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vidseg.errors import InputError
from vidseg.meter import Meter, peak_cuda_mib, peak_rss_mib
from vidseg.types import Output

PACKAGES = ("vidseg", "torch", "rf-sam-2", "numpy", "opencv-python-headless", "av", "hydra-core", "wandb")


@dataclass
class Summary:
    """The content of summary.json, in its order.

    ``seconds`` are those of the loop by stage (see Meter) and ``fps`` is frames / (total - build).
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
    metrics: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    wandb: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def measure(self, meter: Meter) -> None:
        """Takes the meter's figures as they stand now."""
        total = meter.total()
        self.frames = meter.frames
        self.seconds = {name: round(value, 3) for name, value in {**meter.seconds, "total": total}.items()}
        self.fps = round(meter.frames / max(total - meter.seconds["build"], 1e-9), 3)
        self.peak_rss_mib = round(peak_rss_mib(), 1)
        cuda_mib = peak_cuda_mib()
        self.peak_cuda_mib = None if cuda_mib is None else round(cuda_mib, 1)

    def find_outputs(self, outputs: Mapping[str, Output], folder: Path) -> None:
        """Notes the outputs that are there."""
        self.outputs = {name: output.path for name, output in outputs.items() if (folder / output.path).exists()}

    def write(self, folder: Path) -> None:
        """Writes folder/summary.json through a temporary file."""
        part = folder / ".summary.json.part"
        part.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        part.rename(folder / "summary.json")


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The content of folder/summary.json; None where there is none that can be read."""
    try:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def score(summary: Mapping[str, Any], optimize: str | None) -> float | None:
    """The number that ``optimize`` names (after a leading minus): a metric, ``fps`` or a peak of memory.

    Raises InputError for one that the run doesn't have, with those it has; None where nothing is to be optimised.
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
    """Versions of Python and of the packages that a result depends on, and vidseg's own commit in a checkout."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if (commit := _commit()) is not None:
        found["commit"] = commit
    return found


def _commit() -> str | None:
    """The checkout's commit, with "+" where files differ from it; None outside a checkout of vidseg."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
