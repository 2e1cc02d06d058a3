"""Weights at a URL: fetched once, whole or not at all; and what is said where they can't be had."""

import functools
import http.client
import io
import urllib.error
import urllib.request

import pytest

from vidseg import weights
from vidseg.errors import InputError

URL = "https://example.org/releases/0.1/net%20s.onnx?raw=1"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return weights.downloads()


def answering(monkeypatch, content, length):
    """From now on URLs answer ``content``, and say that it has ``length`` bytes. Returns the URLs that were asked."""
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        answer = io.BytesIO(content)
        answer.headers = {"Content-Length": str(length)}
        return answer

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_it_is_fetched_once(cache, monkeypatch):
    asked = answering(monkeypatch, b"weights", 7)
    for _ in range(2):
        path = weights.locate(f"{URL}@sha256:{'0' * 64}", "checkpoint")
        assert path == cache / "net s.onnx"
        assert path.read_bytes() == b"weights"
    assert asked == [URL]


def test_half_of_a_file_is_none(cache, monkeypatch):
    answering(monkeypatch, b"weig", 7)
    with pytest.raises(InputError, match=r"checkpoint: https://example.org/.* can't be fetched: IncompleteRead"):
        weights.locate(URL, "checkpoint")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("error", [urllib.error.URLError("no network"), http.client.BadStatusLine("x"), TimeoutError()])
def test_offline_it_says_which_file_to_put_where(cache, monkeypatch, error):
    def fail(error, url, timeout):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", functools.partial(fail, error))
    with pytest.raises(InputError) as raised:
        weights.locate(URL, "checkpoint")
    first, second = str(raised.value).splitlines()
    assert first.startswith(f"checkpoint: {URL} can't be fetched: {type(error).__name__}")
    assert second == f"Fetch it where there is a network, and put it there: {cache / 'net s.onnx'}"
    (cache / "net s.onnx").write_bytes(b"by hand")
    assert weights.locate(URL, "checkpoint").read_bytes() == b"by hand"
