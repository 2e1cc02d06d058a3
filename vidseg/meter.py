"""What a run costs: seconds of each stage, host and GPU memory. Knows nothing about what the stages do."""

import ctypes
import gc
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
STAGES = ("build", "extract", "segment", "composite", "log")


class Meter:
    """Counts frames, and the wall-clock seconds of the loop (the thread that made the meter) in each stage:

    - ``build``: everything before the first frame, most of it the model.
    - ``extract``: the segmenter waited for frames (to be decoded, or drawn) and could not go on.
    - ``segment``: the loop waited for masks, less ``extract``.
    - ``composite``: the loop waited for outputs, which threads draw and encode.
    - ``log``: the loop waited for metrics, samples, the lines of masks.jsonl and frames.jsonl, or the tracker.

    Stages nest, and time counts for the innermost alone. A segmenter may read its frames in a thread of its own. What
    that thread waited for a frame is moved from ``segment`` to ``extract``, up to the time that the loop waited for the
    frame's masks: 20 ms of extract are 20 ms that faster decoding could save.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.frames = 0
        self.before = 0  # of them, those that count as ``build``
        self._began = time.perf_counter()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._stack: list[str] = []
        self._since = self._began  # when _count was last called
        self._marked = dict(self.seconds)  # at the last lap
        self._readers = 0  # other threads that wait for a frame now
        self._waited = 0.0  # how long any of them has waited since the loop last got masks
        reset_peaks()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time of a block for ``name``, one of STAGES; in another thread than the loop's only "extract"."""
        in_loop = threading.get_ident() == self._thread
        with self._lock:
            self._count()
            if in_loop:
                self._stack.append(name)
            else:
                self._readers += 1
            began_s = self.seconds["segment"]
        try:
            yield
        finally:
            with self._lock:
                self._count()
                if not in_loop:
                    self._readers -= 1
                elif self._stack.pop() == "segment":
                    moved = min(self._waited, self.seconds["segment"] - began_s)
                    self.seconds["segment"] -= moved
                    self.seconds["extract"] += moved
                    self._waited = 0.0

    def lap_ms(self) -> dict[str, float]:
        """Milliseconds of each stage since the last call, up to now: the share of one frame."""
        with self._lock:
            self._count()
            lap = {name: 1e3 * (self.seconds[name] - self._marked[name]) for name in STAGES}
            self._marked = dict(self.seconds)
            return lap

    def begin(self, frames: int) -> None:
        """Counts all so far as ``build``: a run that goes on has composited again ``frames`` that were finished."""
        with self._lock:
            self._count()
            self.seconds = dict.fromkeys(STAGES, 0.0) | {"build": sum(self.seconds.values())}
            self._marked = dict(self.seconds)
            self.before = frames

    def total(self) -> float:
        """Seconds since the meter was made."""
        return time.perf_counter() - self._began

    def _count(self) -> None:
        now = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        if self._readers:
            self._waited += now - self._since
        self._since = now


def reset_peaks() -> None:
    """Resets the peaks of host and GPU memory, which otherwise only rise: every job of a process has its own.

    Memory that earlier jobs left is freed first: objects in reference cycles, and what malloc keeps for later.
    """
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # not Linux, or not allowed: the peak is the process's
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)


def keep_pages() -> None:
    """Has malloc keep what a frame's arrays free for those of the next one, up to 128 MiB.

    By default glibc gives their pages back, and each page that it asks for again costs a fault: 1 ms of the main thread
    for the logits of one object at 720p. With it a replay is a fifth faster, nano some per cent; the peak is the same.
    """
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        for parameter, value in ((M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 128 * 2**20)):
            ctypes.CDLL(None).mallopt(parameter, value)


def rss_mib() -> float:
    """Resident memory of this process now, in MiB; off Linux the peak."""
    return _resident_mib("VmRSS")


def peak_rss_mib() -> float:
    """Peak resident memory of this process in MiB since the last reset; off Linux since its start."""
    return _resident_mib("VmHWM")


def _resident_mib(field: str) -> float:
    with suppress(OSError):
        text = Path("/proc/self/status").read_text(encoding="ascii")
        if found := re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE):
            return int(found.group(1)) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, else KiB
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def peak_cuda_mib() -> float | None:
    """Peak memory in MiB that torch allocated on any one GPU since the last reset; None without CUDA."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return max(float(torch.cuda.max_memory_allocated(i)) for i in range(torch.cuda.device_count())) / 2**20
