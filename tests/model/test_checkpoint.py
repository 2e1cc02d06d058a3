"""Checkpoints found, read and matched; and every way in which that fails."""

import errno
import functools
import hashlib
import logging
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vidseg.errors import InputError
from vidseg.model.sam2.checkpoint import KEY, load, mismatch, published_model, read
from vidseg.model.sam2.upstream import Predictor, build
from vidseg.weights import locate

HUB = "hf://facebook/sam2.1-hiera-tiny/sam2.1_hiera_tiny.pt"
CONFIGS = {
    "tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "small": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "large": "configs/sam2.1/sam2.1_hiera_l.yaml",
    "sam2_tiny": "configs/sam2/sam2_hiera_t.yaml",
    "sam2_small": "configs/sam2/sam2_hiera_s.yaml",
    "sam2_base_plus": "configs/sam2/sam2_hiera_b+.yaml",
    "sam2_large": "configs/sam2/sam2_hiera_l.yaml",
}


class NumbersStayNumbers(TorchFunctionMode):
    """Lets the image encoder read its drop rates, which it computes with a tensor, on the meta device."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}), **({"device": "cpu"} if function is torch.linspace else {}))


def shapes(name: str) -> dict[str, Tensor]:
    """What one of the eight has to learn, without the memory for it."""
    with torch.device("meta"), NumbersStayNumbers():
        return dict(drawn(name).state_dict())


def drawn(name: str, seed: int = 0) -> Predictor:
    return build(Predictor, CONFIGS[name], None, seed, {})


@functools.cache
def tiny() -> Predictor:
    return drawn("tiny", 1)


def message(checkpoint: str | Path) -> str:
    with pytest.raises(InputError) as error:
        load(tiny(), str(checkpoint))
    text = str(error.value)
    assert text.startswith("model.checkpoint: ")
    assert str(checkpoint) in text
    assert text.count("\n") <= 1
    return text


@pytest.mark.parametrize("wrapped", [True, False])
def test_loads_weights_from_a_path(wrapped: bool, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    weights = {key: torch.full_like(weight, 0.5) for key, weight in tiny().state_dict().items()}
    torch.save({"model": weights, "epoch": 3} if wrapped else weights, path)
    target = drawn("tiny", 2)
    assert load(target, str(path)) == {
        "checkpoint": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert all(torch.all(weight == 0.5) for weight in target.state_dict().values())


def test_random_weights_are_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    before = tiny().state_dict()["no_mem_embed"].clone()
    assert load(tiny(), "random") == {"checkpoint": "random"}
    assert torch.equal(tiny().state_dict()["no_mem_embed"], before)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "random weights: speed and memory are real, the masks are not" in record.getMessage()


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_every_published_model_is_recognised(name: str) -> None:
    weights = shapes(name)
    assert published_model(weights) == name
    problem = mismatch(weights, tiny().state_dict())
    assert problem == (
        None if name == "tiny" else f"is a checkpoint of model={name}, not of model=tiny: use model={name}"
    )


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    weights = {**tiny().state_dict(), **changes}
    return {key: weight for key, weight in weights.items() if weight is not None}


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (changed(no_mem_embed=None), "it lacks no_mem_embed (1, 1, 256)"),
        (changed(adapter=torch.ones(3)), "it has adapter (3,), which the model lacks"),
        (changed(no_mem_embed=torch.ones(1, 1, 8)), "it has no_mem_embed (1, 1, 8), but the model (1, 1, 256)"),
    ],
    ids=["lacks", "has more", "other shape"],
)
def test_other_weights_name_the_first_key(weights: dict[str, Tensor], problem: str, tmp_path: Path) -> None:
    torch.save({"model": weights}, tmp_path / "mine.pt")
    assert message(tmp_path / "mine.pt").endswith(f"mine.pt does not fit model.config: {problem}")


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch hacked",))


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"weight": torch.ones(1000)}}, "good.pt")
    whole = Path("good.pt").read_bytes()
    Path("truncated.pt").write_bytes(whole[: len(whole) // 2])
    Path("empty.pt").write_bytes(b"")
    Path("text.pt").write_text("<html>not found</html>")
    torch.save({"model": Code()}, "code.pt")
    Path("plain.pt").write_bytes(pickle.dumps(Code(), protocol=2))
    torch.save([1, 2], "list.pt")
    torch.save({"model": {"weight": "a"}}, "strings.pt")
    Path("folder.pt").mkdir()
    assert "is damaged, truncated or no checkpoint" in message("truncated.pt")
    assert "(0 bytes) is damaged, truncated or no checkpoint" in message("empty.pt")
    assert "is no checkpoint, or holds code beside the weights" in message("text.pt")
    assert "is no checkpoint, or holds code beside the weights" in message("code.pt")
    assert "is no checkpoint, or holds code beside the weights" in message("plain.pt")
    assert "holds no weights" in message("list.pt")
    assert "holds no weights" in message("strings.pt")
    assert "is a folder" in message("folder.pt")
    allowed = "a .pt or .safetensors file, hf://OWNER/REPOSITORY/FILE or random"
    assert f"missing.pt does not exist; give {allowed}" in message("missing.pt")
    assert not Path("hacked").exists()
    assert "is a checkpoint" not in message("good.pt")


def test_safetensors(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(3)}, tmp_path / "weights.safetensors")
    assert torch.equal(read(tmp_path / "weights.safetensors")["weight"], torch.ones(3))


def offline(cache: Path, **environment: str) -> tuple[str, float]:
    """What a process says that can't reach the hub, and the seconds that it took to say it."""
    script = f"from vidseg.weights import locate\nlocate({HUB!r}, {KEY!r})"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HF_HUB_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Retrying" not in done.stderr
    return done.stderr[done.stderr.rindex("InputError: ") :], time.monotonic() - started


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 can't be reached"),
    ],
)
def test_offline_and_not_cached_says_what_would_help(environment: dict[str, str], why: str, tmp_path: Path) -> None:
    text, seconds = offline(tmp_path, **environment)
    assert f"is not in the cache ({tmp_path}/models--facebook--sam2.1-hiera-tiny) and {why}" in text
    assert "`hf download facebook/sam2.1-hiera-tiny sam2.1_hiera_tiny.pt`" in text
    assert "model.checkpoint=/path/to/sam2.1_hiera_tiny.pt" in text
    assert seconds < 30  # most of them to import torch on a busy machine


def test_cached_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = tmp_path / "models--facebook--sam2.1-hiera-tiny" / "snapshots" / "abc"
    revision.mkdir(parents=True)
    (revision / "sam2.1_hiera_tiny.pt").write_bytes(b"weights")
    (revision.parents[1] / "refs").mkdir()
    (revision.parents[1] / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: pytest.fail("the hub was asked"))
    assert locate(HUB, KEY).read_bytes() == b"weights"


class Response:
    status_code = 404
    headers: dict[str, str] = {}  # noqa: RUF012
    request = None


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (
            RepositoryNotFoundError("401", response=Response()),
            "there is no public repository facebook/sam2.1-hiera-tiny",
        ),
        (EntryNotFoundError("404"), "has no file sam2.1_hiera_tiny.pt"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left in "),
        (ConnectionResetError("reset by peer"), "failed: ConnectionResetError: reset by peer\nRun again: it resumes"),
    ],
    ids=["repository", "file", "space", "broken off"],
)
def test_failing_downloads(failure: Exception, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub itself is out of reach of the tests, so its client's failures are raised in its place."""
    real = huggingface_hub.hf_hub_download

    def download(repository: str, file: str, **options: Any) -> str:
        if options.get("local_files_only"):
            return real(repository, file, cache_dir=tmp_path, **options)
        raise failure

    class Session:
        def head(self, url: str, timeout: float) -> None:
            assert url.endswith("/facebook/sam2.1-hiera-tiny/resolve/main/sam2.1_hiera_tiny.pt")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    assert text in message(HUB)


def test_names_that_are_no_repository_are_said(tmp_path: Path) -> None:
    assert "hf://a b/c/d.pt: HFValidationError" in message("hf://a b/c/d.pt")
