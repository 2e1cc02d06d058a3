"""Devices and number formats of every kind of model: autocast to 16 bits, and TF32 for what stays float32.

TF32 (10 bits of mantissa) and bfloat16 need NVIDIA GPUs from Ampere on, compute capability 8.0. A CPU always runs
bfloat16, but emulates it without the instructions.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from vidseg.errors import InputError

logger = logging.getLogger(__name__)

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names them; the last one on ARM


def resolve_device(name: str) -> torch.device:
    """The device "cpu", "cuda", "cuda:1", "mps", or "auto": the first of CUDA, MPS and the CPU that is there.

    Raises InputError if the device isn't there.
    """
    there = ["cpu", "mps"] if torch.backends.mps.is_available() else ["cpu"]
    if torch.cuda.is_available():
        there += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name == "auto":
        name = next(choice for choice in ("cuda", "mps", "cpu") if choice in there)
    if name not in there:
        names = ", ".join(there)
        raise InputError(f"device: {name} isn't there; this machine has {names} (device=auto takes the best)")
    return torch.device(name)


@dataclass(frozen=True, slots=True)
class Precision:
    """One choice of ``conf/precision``: "auto", or an autocast type (None, "bfloat16", "float16") and TF32 or not."""

    name: str
    autocast: str | None = None
    tf32: bool = False

    def __post_init__(self) -> None:
        if self.autocast not in (None, "bfloat16", "float16"):
            raise InputError(f"precision.autocast: {self.autocast} is not one of null, bfloat16, float16")

    def resolve(self, device: torch.device) -> "Precision":
        """What runs on ``device``: this, or float32 with a warning where the device lacks it. Never "auto"."""
        if self.name == "auto":
            return BF16 if _is_ampere(device) else FP32
        if self.autocast == "bfloat16" and device.type == "cpu":
            _tell_cost_of_bf16(self.name)
            return self
        is_able = device.type == "cuda" if self.autocast == "float16" else _is_ampere(device)
        if (self.autocast or self.tf32) and not is_able:
            logger.warning("precision=%s: not available on %s, running in fp32", self.name, device)
            return FP32
        return self

    @contextmanager
    def applied(self, device: torch.device) -> Iterator[None]:
        """Computes in this precision until the block ends; the process's own switches are then as they were."""
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = self.tf32
        try:
            dtype = None if self.autocast is None else getattr(torch, self.autocast)
            with torch.autocast(device.type, dtype=dtype, enabled=self.autocast is not None):
                yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before


FP32 = Precision("fp32")
BF16 = Precision("bf16", autocast="bfloat16", tf32=True)


def _tell_cost_of_bf16(name: str) -> None:
    """Says what bfloat16 costs on this CPU: twice the time of fp32 with AVX-512 alone, far more with AVX2."""
    cost = f"a product in bfloat16 takes {_cost_of_bf16():.1f} times as long as in fp32, measured now"
    if _cpu_has_bf16():
        logger.info("precision=%s: %s; precision=auto is fp32 on a CPU", name, cost)
    else:
        logger.warning("precision=%s: this CPU emulates bfloat16: %s; precision=auto is fp32 here", name, cost)


def _cost_of_bf16(size: int = 512, rounds: int = 5) -> float:
    """The time of a product of two matrices in bfloat16, as a multiple of that in fp32.

    Processor time, the best of five each: by the clock it was 0.2 to 16 beside other programs.
    """
    matrices = [torch.ones(size, size, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    best = [math.inf, math.inf]
    for _ in range(1 + rounds):  # the first one begins threads, and compiles kernels
        for which, matrix in enumerate(matrices):
            began = time.process_time()
            torch.mm(matrix, matrix)
            best[which] = min(best[which], time.process_time() - began)
    return best[1] / best[0]


def _is_ampere(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def _cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has bfloat16 instructions; False where the system doesn't say."""
    try:
        return not _BF16_FLAGS.isdisjoint(cpuinfo.read_text().split())
    except OSError:
        return False
