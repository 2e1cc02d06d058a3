"""Sweeps and comparisons from Python: vidseg.run(["-m", …]) and vidseg.compare."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, command
from sweeping import SQUARE, statuses

import vidseg

pytestmark = pytest.mark.timeout(240)
CONF = ROOT / "tests" / "conf"


@pytest.fixture(scope="module")
def swept(clip, tmp_path_factory):
    """A sweep of four jobs, of which two fail, and what it printed."""
    folder = tmp_path_factory.mktemp("swept")
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidseg.api.write_out", printed.append)
        asked = ["-m", *SQUARE, f"video={clip}", "model.shift=0,8", "stride=2,0", "tracker=none"]
        runs = vidseg.run([*asked, f"hydra.sweep.dir={folder}/sweep"], config_dir=CONF)
    return runs, "".join(printed)


def test_a_sweep_returns_its_runs_in_their_order_with_those_that_failed(swept):
    runs, _ = swept
    assert isinstance(runs, list)
    assert [run.summary["status"] for run in runs] == ["finished", "failed"] * 2
    assert [run.folder.name for run in runs][2:] == ["2_model.shift=8,stride=2", "3_model.shift=8,stride=0"]
    assert repr(runs[1]).startswith("failed: stride: 0; every n-th frame")
    first, third = (runs[number].masks()[3][1] for number in (0, 2))
    assert first.sum() == third.sum() == 1600
    assert not np.array_equal(first, third)
    assert runs[2].show(3).size == (160, 120)


def test_it_prints_the_command_s_table_in_80_columns_and_a_notebook_shows_it(swept):
    runs, printed = swept
    lines = printed.splitlines()
    assert lines[0] == "sweep sweep"
    assert lines[1].split()[:5] == ["run", "model.shift", "stride", "fps", "peak_rss_mib"]
    assert all(len(line) <= 80 for line in lines[:6])
    assert f"2 finished, 2 failed; {runs.folder}/sweep.json" in lines
    assert lines[-1] == f"every column: {runs.folder}/comparison.csv, {runs.folder}/comparison.json"
    assert repr(runs).splitlines()[0] == lines[1]
    html = runs._repr_html_()
    assert html.count("<tr>") == 5
    assert "<p>1, 3 failed: stride: 0; every n-th frame" in html


def test_a_comparison_is_a_list_of_rows_that_a_notebook_shows(swept, tmp_path):
    runs, _ = swept
    table = vidseg.compare(runs, reference=runs[0], sort="iou")
    assert 0.3 < table[0]["iou"] < 1
    assert table[0]["label"] == "model.shift=8,stride=2"
    listed = vidseg.compare([run.folder for run in runs])
    assert {row["label"] for row in listed} == {row["label"] for row in table}
    with (runs.folder / "comparison.csv").open(newline="") as file:
        assert sorted(listed[0]) == sorted(next(csv.reader(file)))
    assert json.loads(json.dumps(listed)) == listed
    assert "<b>" in table._repr_html_()
    assert repr(table).splitlines()[0].split()[:4] == ["run", "model.shift", "stride", "iou"]
    with pytest.raises(vidseg.InputError, match=r"^sort: no column 'speed'; there are run, label"):
        vidseg.compare(runs, sort="speed")
    with pytest.raises(vidseg.InputError, match="no run is there"):
        vidseg.compare(str(tmp_path))


def test_a_comparison_is_a_data_frame_where_pandas_is_there(swept):
    table = vidseg.compare(swept[0])
    if importlib.util.find_spec("pandas") is None:
        with pytest.raises(vidseg.InputError, match=r"^to_pandas: pandas is not installed; pip install pandas$"):
            table.to_pandas()
    else:
        assert list(table.to_pandas()["label"]) == [row["label"] for row in table]


def test_the_package_is_the_function_and_stays_a_package():
    import vidseg.compare.table
    from vidseg import compare

    assert compare is vidseg.compare
    assert vidseg.compare.table.__name__ == "vidseg.compare.table"
    source = (
        "import vidseg, sys; vidseg.compare; print(*{'torch', 'numpy', 'hydra', 'wandb'} & set(sys.modules), 'none')"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "none\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=nano,nope"], "model: there is no 'nope'; choose from "),
        (["image_size=256"], "image_size: unknown key; did you mean model.image_size?"),
        (["stride=1,2", "resume=true"], "resume: name the folder of the sweep to go on with, hydra.sweep.dir="),
        (["video=@nowhere.txt"], "video: can't read the list nowhere.txt"),
        (["stride=1,2", "--cfg"], "--cfg: flags are for the command line"),
    ],
)
def test_what_can_t_begin_is_one_message(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(vidseg.JobFailed) as raised:
        vidseg.run(["-m", *arguments])
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) == 1
    assert not list(tmp_path.rglob("summary.json"))
    assert capfd.readouterr() == ("", "")


def test_prompts_of_python_are_no_sweep_s():
    with pytest.raises(vidseg.JobFailed, match=r"^prompts: a sweep has those of its configuration; .* prompt=file$"):
        vidseg.run(["-m", "stride=1,2"], vidseg.Prompt(0, 1, points_xy=[[1, 2]]))


def test_ctrl_c_ends_the_sweep_and_leaves_its_record(tmp_path, clip):
    """From a script on stdin, which has neither a file nor a guard around what it does, as a notebook."""
    asked = ["-m", *SQUARE, "extract.stop=20", f"video={clip}", "model.pause_s=0.5", "stride=1,2", "tracker=none"]
    source = f"import vidseg; vidseg.run({[*asked, 'hydra.sweep.dir=sweep']!r}, config_dir={str(CONF)!r})"
    process = subprocess.Popen(
        [sys.executable], env=command()["env"], cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdin.write(source)
    process.stdin.close()
    process.stdin = None
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob("sweep/*/samples/*.png")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=90)
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert statuses(tmp_path / "sweep") == ["interrupted", "missing"]
    assert "1 interrupted, 1 missing; sweep/sweep.json" in stdout
