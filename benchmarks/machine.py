"""What every measurement shares: the machine's name, where results go, medians and paired ratios."""

import json
import os
import platform
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine(device: str = "cpu") -> dict[str, Any]:
    """What was measured on: processor, cores, the GPU where ``device`` is one, versions."""
    from vidseg.record.summary import versions

    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    about = {"processor": found.group(1) if found else platform.processor() or platform.machine()}
    about["cores"] = os.cpu_count()
    if device.startswith("cuda"):
        import torch

        about |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return {**about, "versions": versions()}


def label(about: dict[str, Any]) -> str:
    """The machine in a few words: the GPU's name, or the processor's and its cores."""
    return str(about.get("gpu", f"{about['processor']}, {about['cores']} cores"))


def result_path(name: str, about: dict[str, Any]) -> Path:
    """benchmarks/results/<name>_<machine>.json."""
    return RESULTS / f"{name}_{re.sub(r'[^a-z0-9]+', '_', label(about).lower()).strip('_')}.json"


def save_result(name: str, result: dict[str, Any], device: str = "cpu") -> Path:
    """Writes the result with the machine's name on it; returns where."""
    about = machine(device)
    path = result_path(name, about)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": about, **result}, indent=2) + "\n")
    return path


def median(values: Sequence[float]) -> float:
    """The median to four digits: no more of a measurement means anything."""
    return float(f"{statistics.median(values):.4g}")


def paired_ratio(mine: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Mine / theirs, pair by pair (the two were measured one after the other): median, low and high."""
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    return {name: float(f"{of(ratios):.4g}") for name, of in (("median", median), ("low", min), ("high", max))}
