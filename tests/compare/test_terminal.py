"""The table as people see it."""

import pytest

from vidseg.compare.table import tabulate
from vidseg.compare.text import render_table
from vidseg.record.run import find_runs


@pytest.fixture
def table(make_run, tmp_path):
    make_run("0", model="nano", fps=12.5, peak_rss_mib=512.3, metrics={"j": 0.81234, "f": 0.7, "j_1": 0.8, "area": 1.5})
    make_run("1", model="tiny", fps=4.0, peak_rss_mib=900.0, metrics={"j": 0.9, "f": 0.75, "j_1": 0.9, "area": 2.5})
    make_run("2", model="large", status="failed", error="RuntimeError: no\nmemory", fps=0.0, frames=0)
    make_run("3", model="base", status="failed", error="RuntimeError: no\nmemory", fps=0.0, frames=0)
    return tabulate(find_runs([tmp_path])).sorted()


def test_it_has_a_row_a_run_with_stars_at_the_best(table):
    lines = render_table(table, 200, colour=False).splitlines()
    assert lines[0].split() == ["run", "model", "status", "frames", "fps", "peak_rss_mib", "j", "f", "area"]
    assert lines[1].split() == ["1", "tiny", "finished", "10", "4.00", "900", "0.900*", "0.750*", "2.500"]
    assert lines[2].split() == ["0", "nano", "finished", "10", "12.50*", "512*", "0.812", "0.700", "1.500"]
    assert lines[3].split() == ["2", "large", "failed", "0", "0.00", "500"]


def test_digits_stay_in_line_beside_the_stars(table):
    lines = render_table(table, 200, colour=False).splitlines()
    assert lines[1].index(".900") == lines[2].index(".812")
    assert lines[1].index("4.00") + 2 == lines[2].index("12.50") + 3


def test_errors_are_below_each_once_on_one_line(table):
    assert render_table(table, 200, colour=False).endswith("\n\n2, 3 failed: RuntimeError: no memory")


def test_on_a_terminal_the_best_is_green_instead(table):
    text = render_table(table, 200, colour=True)
    assert "*" not in text
    assert text.count("\x1b[1;32m") == 4


@pytest.mark.parametrize("width", [100, 72, 60, 50, 40])
def test_it_fits_and_says_what_it_left_out(table, width):
    text = render_table(table, width, colour=False)
    rows = text.split("\n\n")[0].splitlines()
    assert all(len(row) <= width for row in rows)
    shown = rows[0].split()
    assert {"run", "status", "fps", "j"} <= set(shown)
    left_out = [name for name in ("model", "frames", "peak_rss_mib", "f", "area") if name not in shown]
    if left_out:
        assert f"too wide for {width} characters: {', '.join(left_out)}" in text


def test_what_says_least_goes_first(table):
    def shown(width):
        return render_table(table, width, colour=False).splitlines()[0].split()

    assert "area" not in shown(66)
    assert "model" in shown(66)
    assert "model" not in shown(30)


def test_a_long_path_keeps_its_end(make_run, tmp_path):
    for n in range(2):
        make_run(str(n), config={"video": f"/a/long/way/to/the/videos/of/somebody/clip{n}.mp4"})
    text = render_table(tabulate(find_runs([tmp_path])), 200, colour=False)
    assert "…ideos/of/somebody/clip1.mp4" in text
