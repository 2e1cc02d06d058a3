"""What a precision resolves to on which device, and that it holds in its block only."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from vidseg import devices
from vidseg.devices import Precision, resolve_device
from vidseg.errors import InputError

CONF = Path(__file__).parents[2] / "conf" / "precision"

CPU, MPS, CUDA = torch.device("cpu"), torch.device("mps"), torch.device("cuda")


def chosen(name: str) -> Precision:
    return Precision(**yaml.safe_load((CONF / f"{name}.yaml").read_text()))


@pytest.fixture
def cpu_with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_has_bf16", lambda: True)


@pytest.mark.usefixtures("cpu_with_bf16")
@pytest.mark.parametrize(
    ("name", "device", "capability", "resolved"),
    [
        ("auto", CPU, None, "fp32"),
        ("auto", MPS, None, "fp32"),
        ("auto", CUDA, (7, 5), "fp32"),
        ("auto", CUDA, (8, 0), "bf16"),
        ("auto", CUDA, (9, 0), "bf16"),
        ("fp32", CPU, None, "fp32"),
        ("fp32", CUDA, (9, 0), "fp32"),
        ("tf32", CPU, None, None),
        ("tf32", MPS, None, None),
        ("tf32", CUDA, (7, 5), None),
        ("tf32", CUDA, (8, 6), "tf32"),
        ("bf16", CPU, None, "bf16"),
        ("bf16", MPS, None, None),
        ("bf16", CUDA, (7, 5), None),
        ("bf16", CUDA, (8, 0), "bf16"),
        ("fp16", CPU, None, None),
        ("fp16", MPS, None, None),
        ("fp16", CUDA, (7, 0), "fp16"),
        ("fp16", CUDA, (9, 0), "fp16"),
    ],
)
def test_resolves_to_what_the_device_has(
    name: str,
    device: torch.device,
    capability: tuple[int, int] | None,
    resolved: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    with caplog.at_level(logging.WARNING):
        assert chosen(name).resolve(device).name == (resolved or "fp32")
    expected = [] if resolved else [f"precision={name}: not available on {device}, running in fp32"]
    assert caplog.messages == expected


@pytest.mark.parametrize(
    ("flags", "warned"), [("fpu avx2 avx512_bf16 amx_tile", False), ("asimd bf16 i8mm", False), ("fpu avx2", True)]
)
def test_bf16_on_a_cpu_says_what_it_costs_and_warns_where_it_is_emulated(
    flags: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    real = devices._cpu_has_bf16
    monkeypatch.setattr(devices, "_cpu_has_bf16", lambda: real(tmp_path / "cpuinfo"))
    with caplog.at_level(logging.INFO):
        assert chosen("bf16").resolve(CPU).name == "bf16"
    emulates = "this CPU emulates bfloat16: " if warned else ""
    (told,) = caplog.records
    told_cost = (
        rf"precision=bf16: {emulates}a product in bfloat16 takes \d+\.\d times as long as in fp32, measured now; "
    )
    assert re.match(told_cost + "precision=auto is fp32", told.getMessage())
    assert told.levelno == (logging.WARNING if warned else logging.INFO)
    assert not real(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "dtype", "tf32"),
    [
        ("fp32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bf16", torch.bfloat16, True),
        ("fp16", torch.float16, True),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_applies_in_its_block_only(name: str, dtype: torch.dtype, tf32: bool, before: bool) -> None:
    def switches() -> tuple[Any, ...]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.is_autocast_enabled("cpu")

    was, ones = switches(), torch.ones(2, 2)
    try:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = before
        outside = switches()
        with pytest.raises(KeyError), chosen(name).applied(CPU):
            assert (ones @ ones).dtype == dtype
            assert switches()[:2] == (tf32, tf32)
            raise KeyError
        assert switches() == outside
        with torch.autocast("cpu", torch.bfloat16), chosen("fp32").applied(CPU):
            assert (ones @ ones).dtype == torch.float32  # also where a notebook is in autocast
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = was[:2]


def test_autocast_types_are_checked() -> None:
    with pytest.raises(InputError, match=r"precision\.autocast: int8 is not one of null, bfloat16, float16"):
        Precision("int8", autocast="int8")


@pytest.mark.parametrize(
    ("gpus", "mps", "auto", "there"),
    [
        (0, False, "cpu", "cpu"),
        (0, True, "mps", "cpu, mps"),
        (1, False, "cuda", "cpu, cuda, cuda:0"),
        (2, False, "cuda", "cpu, cuda, cuda:0, cuda:1"),
    ],
)
def test_device(gpus: int, mps: bool, auto: str, there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert resolve_device("auto") == torch.device(auto)
    for name in there.split(", "):
        assert resolve_device(name) == torch.device(name)
    for name in (f"cuda:{gpus}", "gpu", "CUDA", "xpu"):
        with pytest.raises(InputError, match=f"device: {name} isn't there; this machine has {there} "):
            resolve_device(name)
