"""The benchmarks: what they name is there, and those in steps go on where they stopped."""

import json
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace

import pytest
from conftest import ROOT

from benchmarks import baselines, gpu, steps
from benchmarks.clip import clicks
from benchmarks.flops import PARTS
from benchmarks.step_tables import Target


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


def test_sixteen_objects_have_a_click_of_their_own_in_the_picture():
    points = {tuple(map(int, each.points_xy[0])) for each in clicks(16)}
    assert len(points) == 16
    assert all(0 <= x < 1280 and 0 <= y < 720 for x, y in points)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A plan of two contenders, whose steps are processes that note their call; ``slow`` in THERE makes them wait."""
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "fake_steps.py").write_text(f"""
import json, pathlib, subprocess, sys, time
_, name, setting, folder = sys.argv[1:]
there = pathlib.Path({str(there)!r})
with (there / "calls").open("a") as calls:
    print(name, json.loads(setting)["objects"], file=calls)
if name == "theirs" and (there / "slow").exists():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (there / "child").write_text(str(child.pid))
    time.sleep(60)
if (there / "broken").exists():
    sys.exit("no memory")
print(json.dumps({{"fps": 4.0 if name == "ours" else 2.0, "encoder": "libx264"}}))
""")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(steps, "make_inputs", lambda setting, folder: setting)
    defaults = {"models": "tiny", "objects": "1,2", "image_size": "64", "precision": "fp32", "device": "cpu"}
    targets = (Target("ours", "fps", 1.5, "theirs", objects=1), Target("ours", "fps", 2.5, "theirs", objects=2))
    plan = steps.Plan(
        "fake", "fake_steps", {"ours": None, "theirs": None}, ("theirs",), lambda size, objects: (2, 4),
        {**defaults, "rounds": 2, "limit": 60}, targets,
    )  # fmt: skip

    def run(*words):
        folder = ["--folder", str(tmp_path / "inputs"), "--results", str(tmp_path / "results.json"), "--threads", "2"]
        monkeypatch.setattr(sys, "argv", ["fake", *folder, *words])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        steps.main(plan, "A plan.")

    calls = there / "calls"
    return SimpleNamespace(
        run=run,
        there=there,
        calls=lambda: calls.read_text().splitlines() if calls.exists() else [],
        kept=lambda: json.loads((tmp_path / "results.json").read_text())["settings"],
    )


def test_steps_take_turns_and_go_on_where_they_stopped(fake, capsys):
    fake.run("--list")
    assert fake.calls() == []
    fake.run("--steps", "3")
    assert fake.calls() == ["ours 1", "theirs 1", "ours 1"]
    assert [len(each) for each in next(iter(fake.kept().values())).values()] == [2, 1]
    assert re.search(r"theirs +1 of 2 done, \d s at most, 1 left", capsys.readouterr().out)
    fake.run()
    assert fake.calls()[3:] == ["theirs 1", "ours 2", "theirs 2", "ours 2", "theirs 2"]
    fake.run()
    assert len(fake.calls()) == 8
    shown = capsys.readouterr().out
    assert "target: ours / theirs, seg. fps 2 of 1.5: reached" in shown
    assert "target: ours / theirs, seg. fps 2 of 2.5: MISSED" in shown
    assert "ours was encoded by libx264" in shown
    assert "nothing is left to measure" in shown


def test_a_step_over_its_limit_is_killed_with_its_children_and_left_out(fake, capsys):
    (fake.there / "slow").touch()
    fake.run("--limit", "2", "--objects", "1")
    assert fake.calls() == ["ours 1", "theirs 1", "ours 1"]
    assert next(iter(fake.kept().values()))["theirs"]["1"]["left_out"] == "over 2 s"
    assert "left out: over 2 s" in capsys.readouterr().out
    child = Path("/proc", (fake.there / "child").read_text())
    for _ in range(50):
        with suppress(OSError):
            if child.exists() and "State:\tZ" not in (child / "status").read_text():
                time.sleep(0.1)
    assert not child.exists() or "State:\tZ" in (child / "status").read_text()
    (fake.there / "slow").unlink()
    fake.run("--objects", "1")
    assert len(fake.calls()) == 3
    fake.run("--objects", "1", "--again")
    assert fake.calls()[3:] == ["theirs 1", "theirs 1"]


def test_a_step_that_fails_says_why_and_the_others_go_on(fake):
    (fake.there / "broken").touch()
    fake.run("--objects", "2")
    assert fake.calls() == ["ours 2", "theirs 2"]
    assert [each["1"]["left_out"] for each in next(iter(fake.kept().values())).values()] == ["no memory"] * 2


def test_no_step_begins_that_could_end_too_late(fake, capsys):
    fake.run("--seconds", "30", "--limit", "60")
    assert fake.calls() == []
    fake.run("--steps", "2")
    fake.run("--seconds", "30", "--limit", "60")  # one of either is known to take a second
    assert fake.calls() == ["ours 1", "theirs 1"] * 2
    assert "stopped after 2 steps; the next call goes on with tiny, 2 objects" in capsys.readouterr().out


@pytest.mark.slow
def test_a_real_step_of_the_whole_command_says_what_encoded_it(tmp_path, monkeypatch):
    small = ["--models", "tiny", "--image-size", "64", "--objects", "9", "--frames", "2,4", "--rounds", "1"]
    how = ["--device", "cpu", "--precision", "fp32", "--limit", "200", "--contenders", "command_h264,upstream_vos"]
    places = ["--folder", str(tmp_path / "inputs"), "--results", str(tmp_path / "results.json")]
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["gpu", *small, *how, *places])
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    steps.main(gpu.PLAN, gpu.__doc__)
    (kept,) = json.loads((tmp_path / "results.json").read_text())["settings"].values()
    assert kept["command_h264"]["1"]["figures"]["encoder"] in ("libx264", "NVENC")
    assert kept["command_h264"]["1"]["figures"]["fps_end_to_end"] > 0
    assert kept["upstream_vos"]["1"]["left_out"] == "vos_optimized needs CUDA"
