"""What a run costs: seconds of each stage, host and GPU memory. Knows nothing about what is being timed."""

import ctypes
import gc
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAGES = ("build", "extract", "segment", "composite", "log")


class Meter:
    """Frames done, wall-clock seconds of the run's loop by stage, and peak memory since it was made.

    Stages nest, and time counts for the innermost alone, so that the stages add up to the loop's time: waiting for
    frames inside the segmenter is extraction. What other threads do meanwhile (decoding ahead, encoding behind)
    counts only where the loop waits for it.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.frames = 0
        self._began = time.perf_counter()
        self._thread = threading.get_ident()
        self._stack: list[str] = []
        self._since = self._began
        self._marked = dict(self.seconds)
        reset_peaks()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time of a block for ``name``, one of STAGES, in the thread that made the meter."""
        if threading.get_ident() != self._thread:  # a segmenter may take its frames in another
            yield
            return
        self._count()
        self._stack.append(name)
        try:
            yield
        finally:
            self._count()
            self._stack.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def lap_ms(self) -> dict[str, float]:
        """Milliseconds of each stage since the last call, up to now: one frame's share."""
        self._count()
        lap = {name: 1e3 * (self.seconds[name] - self._marked[name]) for name in STAGES}
        self._marked = dict(self.seconds)
        return lap

    def total(self) -> float:
        """Seconds since the meter was made."""
        return time.perf_counter() - self._began


def reset_peaks() -> None:
    """Starts new high-water marks, so that jobs of one process don't inherit each other's (ru_maxrss never falls).

    What earlier jobs left goes back to the system first: objects in cycles, and what malloc keeps for later.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # not Linux, or not allowed: the peak is the process's
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)


def _status_mib(field: str) -> float | None:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else None


def rss_mib() -> float:
    """Resident memory of this process now, in MiB."""
    now = _status_mib("VmRSS")
    return peak_rss_mib() if now is None else now


def peak_rss_mib() -> float:
    """Peak resident memory of this process in MiB since the last reset (since its start, off Linux)."""
    if (peak := _status_mib("VmHWM")) is not None:
        return peak
    import resource

    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_kib / (2**20 if sys.platform == "darwin" else 2**10)


def peak_cuda_mib() -> float | None:
    """Peak memory that torch allocated on the busiest GPU in MiB since the last reset; None without CUDA."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return max(float(torch.cuda.max_memory_allocated(i)) for i in range(torch.cuda.device_count())) / 2**20
