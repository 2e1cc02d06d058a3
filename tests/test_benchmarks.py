"""The benchmarks time parts of vidseg by name: what they name is there."""

import sys
from pkgutil import resolve_name
from types import SimpleNamespace

import pytest

from benchmarks import baselines
from benchmarks.flops import PARTS


@pytest.mark.parametrize("target", PARTS.values(), ids=PARTS)
def test_parts_that_the_profile_times_exist(target: str) -> None:
    assert callable(resolve_name(target))


def test_a_model_with_two_settings_is_measured_twice(tmp_path, monkeypatch, capsys):
    (tmp_path / "davis/Annotations/480p/dog").mkdir(parents=True)
    models, folders, kept = ["nano threads=1", "nano threads=2"], [], []
    one = {"j": 0.5, "segment_s": 1.0, "core_s": 1.0, "frames": 2}
    monkeypatch.setattr(baselines, "of_davis", lambda davis, names: dict.fromkeys(names, SimpleNamespace()))
    monkeypatch.setattr(baselines, "measured", lambda _, folder, overrides: folders.append(folder) or one)
    monkeypatch.setattr(baselines, "result_path", lambda *_: tmp_path / "none.json")
    monkeypatch.setattr(baselines, "save_result", lambda _, result: kept.append(result["scores"]))
    monkeypatch.setattr(sys, "argv", ["baselines", *models, "--data", str(tmp_path), "--out", str(tmp_path)])
    baselines.main()
    assert kept == [{model: {"dog": one} for model in models}]
    assert folders == [tmp_path / "nano_threads_1" / "dog", tmp_path / "nano_threads_2" / "dog"]
    assert capsys.readouterr().out.count("mean") == 2
