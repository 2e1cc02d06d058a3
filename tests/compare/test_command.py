"""The command as a process: what it prints, what it leaves, what it costs, what it says of mistakes."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import ROOT

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def compare(tmp_path):
    """Runs the command in an empty folder."""

    def run(*arguments, source=None, env=None):
        command = ["-c", source] if source else ["-m", "vidseg.compare"]
        return subprocess.run(
            [sys.executable, *command, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **(env or {})},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    return run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_becomes_a_table_and_a_sheet(compare, sweep, tmp_path):
    done = compare(
        sweep, "--no-html", "--reference", next(sweep.glob("0_*")), "--sort", "iou", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    table, errors, verdict = done.stdout.split("\n\n")
    lines = [line.split() for line in table.splitlines()]
    assert lines[0][:8] == ["run", "model", "stride", "model.fail_at", "iou", "fps", "peak_rss_mib", "frames"]
    assert lines[0][8:] == ["status", "flicker", "absent_frames", "mean_score", "mean_area", "mean_parts"]
    assert lines[1][0] == "1"
    assert [line[4] for line in lines if line[0] == "0"] == ["reference"]
    assert errors.startswith("4 failed: RuntimeError: the square fell over")
    assert verdict.startswith("1 of 5 runs failed: ")
    assert "Whether speeds differ isn't known: " in verdict
    sheet = {row["run"]: row for row in rows(tmp_path / "out" / "comparison.csv")}
    assert sheet["4"]["label"] == "model=square,stride=5,model.fail_at=15"
    listed = {row["run"]: row for row in json.loads((tmp_path / "out" / "comparison.json").read_text())}
    assert (listed["1"]["iou"], listed["1"]["stride"]) == (1.0, 10)
    assert listed.keys() == sheet.keys()
    assert f"every column: {tmp_path / 'out' / 'comparison.csv'}, {tmp_path / 'out' / 'comparison.json'}" in done.stderr
    assert float(sheet["1"]["iou"]) == 1.0
    assert 0.3 < float(sheet["2"]["iou"]) < 1.0  # the shifted square is not the square, but near it
    assert sheet["2"]["iou"] == sheet["3"]["iou"]
    assert sheet["4"]["status"] == "failed"
    assert sheet["4"]["folder"] == str(sweep / "4_model=square,model.fail_at=15")
    summary = json.loads((next(sweep.glob("2_*")) / "summary.json").read_text())
    assert float(sheet["2"]["fps"]) == summary["fps"]
    assert float(sheet["2"]["seconds.segment"]) == summary["seconds"]["segment"]
    assert not (tmp_path / "out" / "comparison.html").exists()


def test_it_writes_into_the_sweep_or_here(compare, make_run, tmp_path):
    make_run("sweep/0_model=nano")
    make_run("sweep/1_model=tiny")
    assert compare("sweep", "--no-html").returncode == 0
    assert (tmp_path / "sweep" / "comparison.csv").exists()
    assert compare("sweep/0_model=nano", "sweep/1_model=tiny", "--no-html").returncode == 0
    assert len(rows(tmp_path / "comparison.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "error: nowhere: no such folder"),
        (["empty"], "error: empty: no run is there (a run is a folder with a summary.json)"),
        (["runs", "--sort", "speed"], "error: --sort: no column 'speed'; there are run, label, model, fps"),
        (["runs", "--reference", "runs/a"], "error: --reference: runs/a has no masks.jsonl; run it with rle"),
        (["runs", "--reference", "runs"], "error: --reference: runs holds 2 runs; name one of them, such as"),
        (
            ["runs", "--out", "runs/a/summary.json"],
            "error: runs/a/summary.json: File exists; choose a folder with --out",
        ),
    ],
)
def test_a_mistake_is_one_line(compare, make_run, tmp_path, arguments, says):
    make_run("runs/a", model="nano")
    make_run("runs/b", model="tiny")
    (tmp_path / "empty").mkdir()
    done = compare(*arguments, "--no-html")
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == 1


def test_without_plotly_it_says_what_to_install(compare, make_run, tmp_path):
    make_run("runs/a")
    source = "import sys; sys.modules['plotly'] = None; from vidseg.compare.__main__ import main; main(sys.argv[1:])"
    done = compare("runs", source=source)
    assert done.returncode == 0
    assert "no comparison.html without plotly: pip install 'vidseg[compare]'" in done.stderr
    assert (tmp_path / "runs" / "comparison.csv").exists()


def test_the_table_needs_neither_torch_nor_plotly_nor_pixels(compare, make_run):
    make_run("runs/a")
    source = (
        "import sys; from vidseg.compare.__main__ import main; main(sys.argv[1:]);"
        "print(*{'torch', 'wandb', 'hydra', 'plotly', 'jinja2', 'cv2', 'av', 'numpy'} & set(sys.modules), 'none')"
    )
    assert compare("runs", "--no-html", source=source).stdout.splitlines()[-1] == "none"


@pytest.mark.slow
def test_a_thousand_runs_are_a_table_in_ten_seconds_and_500_mib(compare, make_run, tmp_path):
    template = make_run("0_model=nano", metrics={"j": 0.5, "f": 0.4}, overrides=["model=nano"])
    config = (template / ".hydra" / "config.yaml").read_text()
    for n in range(1000):
        folder = tmp_path / "runs" / f"{n}_seed={n},stride={n % 7 + 1}"
        shutil.copytree(template, folder)
        (folder / ".hydra" / "config.yaml").write_text(config.replace("stride: 15", f"stride: {n % 7 + 1}\nseed: {n}"))
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(
            json.dumps(summary | {"fps": n / 10, "metrics": {"j": n / 1000, "f": 0.4}})
        )
    source = (
        "import sys; from vidseg.compare.__main__ import main; main(sys.argv[1:]);"
        "from vidseg.meter import peak_rss_mib; print(peak_rss_mib())"  # ru_maxrss would begin at that of the tests
    )
    began = time.perf_counter()
    done = compare("runs", "--no-html", source=source)
    assert time.perf_counter() - began < 10  # 1.4 s on 2 cores
    assert float(done.stdout.splitlines()[-1]) < 500  # 37
    assert [line.split()[0] for line in done.stdout.splitlines()[:3]] == ["run", "999", "998"]
    assert len(rows(tmp_path / "runs" / "comparison.csv")) == 1000
