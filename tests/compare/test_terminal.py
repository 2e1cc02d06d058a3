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
    assert lines[0].split() == ["run", "model", "j", "f", "fps", "peak_rss_mib", "frames", "status", "area"]
    assert lines[1].split() == ["1", "tiny", "0.900*", "0.750*", "4.00", "900", "10", "finished", "2.500"]
    assert lines[2].split() == ["0", "nano", "0.812", "0.700", "12.50", "512*", "10", "finished", "1.500"]
    assert lines[3].split() == ["2", "large", "0.00", "500", "0", "failed"]


def test_digits_stay_in_line_beside_the_stars(table):
    lines = render_table(table, 200, colour=False).splitlines()
    assert lines[1].index(".900") == lines[2].index(".812")
    assert lines[1].index("4.00") + 2 == lines[2].index("12.50") + 3


def test_errors_are_below_each_once_on_one_line(table):
    assert render_table(table, 200, colour=False).endswith("\n\n2, 3 failed: RuntimeError: no memory")


def test_on_a_terminal_the_best_is_green_instead(table):
    text = render_table(table, 200, colour=True)
    assert "*" not in text
    assert text.count("\x1b[1;32m") == 3


@pytest.mark.parametrize("width", [100, 72, 60, 50, 40])
def test_it_fits_and_says_what_it_left_out(table, width):
    text = render_table(table, width, colour=False)
    rows = text.split("\n\n")[0].splitlines()
    assert all(len(row) <= width for row in rows)
    shown = rows[0].split()
    assert {"run", "model", "fps", "j"} <= set(shown)
    left_out = [name for name in ("f", "peak_rss_mib", "frames", "status", "area") if name not in shown]
    if left_out:
        assert f"too wide for {width} characters: {', '.join(left_out)}" in text


def test_what_says_least_goes_first(table):
    def shown(width):
        return render_table(table, width, colour=False).splitlines()[0].split()

    assert shown(66) == ["run", "model", "j", "f", "fps", "peak_rss_mib", "frames", "status"]
    assert shown(60) == ["run", "model", "j", "f", "fps", "peak_rss_mib", "status"]
    assert shown(52) == ["run", "model", "j", "f", "fps", "peak_rss_mib"]
    assert shown(40) == ["run", "model", "j", "f", "fps"]
    assert shown(30) == ["run", "model", "j", "fps"]
    assert "model" not in shown(20)


def test_paths_are_as_long_as_it_takes_and_go_before_scores_and_memory(make_run, tmp_path):
    long = "/a/long/way/to/the/masks/of/somebody"
    for n, (folder, video) in enumerate((("one", "a"), ("two", "a"), ("two", "b"))):
        make_run(
            str(n),
            metrics={"j": 0.5 + n / 10, "f": 0.5},
            config={"video": f"{long}/{video}.mp4", "prompt": {"path": f"{long}/{folder}/{'m' * 20}.png"}},
            overrides=["prompt.path=x", "video=x"],
        )
    table = tabulate(find_runs([tmp_path]))
    lines = render_table(table, 200, colour=False).splitlines()
    assert lines[0].split()[:3] == ["run", "prompt.path", "video"]
    assert lines[2].split()[1:3] == ["…two/mmmmmmmmmmmmmmmmmmmm.png"[-28:], "a"]
    assert table.rows[1]["prompt.path"] == f"{long}/two/{'m' * 20}.png"  # the files have it whole
    assert render_table(table, 60, colour=False).splitlines()[0].split() == [
        "run", "video", "j", "f", "fps", "peak_rss_mib"
    ]  # fmt: skip
