"""The page in a real browser, after the runs are gone: nothing in the console, videos that play in step."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from browsing import chromium, emulated, find, wait
from conftest import ROOT, slow_but

from vidseg.compare.page import write_page
from vidseg.compare.table import tabulate
from vidseg.record.run import find_runs

pytestmark = pytest.mark.timeout(180)

TIMES = "return [...document.querySelectorAll('video')].map(video => video.currentTime)"


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; it has no network but files."""
    with chromium("window-size=1280,900") as browser:
        yield browser


@pytest.fixture(scope="module")
def page(sweep, tmp_path_factory):
    """The page that the command makes of a copy of the sweep, which is then deleted."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(sweep, folder / "sweep")
    for run in (folder / "sweep").glob("[01]_*"):
        lines = [json.loads(line) for line in (run / "frames.jsonl").read_text().splitlines()]
        scored = [json.dumps(line | {"metric/j_1": 0.9 - n / 50}) + "\n" for n, line in enumerate(lines)]
        (run / "frames.jsonl").write_text("".join(scored))
    done = subprocess.run(
        [sys.executable, "-m", "vidseg.compare", "sweep", "--out", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "comparison.html" in done.stderr
    shutil.rmtree(folder / "sweep")
    return folder / "comparison.html"


@pytest.fixture(scope="module")
def loaded(browser, page):
    """The page, loaded once and drawn."""
    browser.get(page.as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    wait(browser, "return [...document.querySelectorAll('video')].every(video => video.readyState === 4)")
    return browser


@pytest.fixture
def opened(loaded):
    """The page as earlier tests left it, at its top; after each test the console has no error."""
    loaded.execute_script("window.scrollTo(0, 0)")
    yield loaded
    assert loaded.get_log("browser") == []


def set_slider(browser, place):
    browser.execute_script(
        "const slider = document.querySelector('.player input'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))",
        place,
    )
    wait(browser, "return [...document.querySelectorAll('video')].every(video => !video.seeking)")


def test_it_needs_nothing_from_outside(page):
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert not re.search(r"@import|url\((?!data:)", text)
    assert page.stat().st_size < 15e6


def test_it_answers_on_top_and_has_every_chart(opened):
    assert find(opened, "h1")[0].text.startswith("1 of 5 runs failed: ")  # before any winner
    assert re.search(
        r"Whether speeds differ isn't known: [\d.]+ to [\d.]+ ms a frame", find(opened, ".verdict")[0].text
    )
    charts = [node.get_attribute("data-chart") for node in find(opened, "[data-chart]")]
    assert charts == ["times", "memory", "stages", "j-0", "iou-0"]  # these runs have no score to set against speed
    assert all(find(opened, f'[data-chart="{name}"] .main-svg') for name in charts)
    lines = "return document.querySelector('[data-chart=\"j-0\"]').data.map(trace => trace.y.length)"
    assert opened.execute_script(lines) == [20, 20]
    assert len(find(opened, ".strip img")) == 5 * 2
    widths = "return [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert opened.execute_script(widths)
    assert "the square fell over" in find(opened, "tr.unfinished .error")[0].text


DRAWN = """
return [...document.querySelectorAll('video')].map((video) => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  return [...pixels.filter((_, n) => n % 4 < 3)].reduce((sum, value) => sum + value, 0) / (pixels.length * 3 / 4);
})"""


def test_the_first_tile_is_drawn_before_anybody_touches_the_slider(loaded):
    """The test's clip has a mean of 60 of 255; what isn't drawn has 0."""
    means = loaded.execute_script(DRAWN)
    assert len(means) == 5
    assert min(means) > 30, means
    assert loaded.execute_script(TIMES) == pytest.approx([0.001] * 5)
    assert find(loaded, ".now")[0].text == "frame 0 · 0.00 s"


def test_the_slider_moves_all_overlays(opened):
    for place in (15, 4):
        set_slider(opened, place)
        times = opened.execute_script(TIMES)
        assert len(times) == 5
        assert times[:4] == pytest.approx([place / 10] * 4, abs=0.011)
        assert times[4] == pytest.approx(min(place / 10, 1.5), abs=0.011)  # the failed run ends at 1.5 s
        assert find(opened, ".now")[0].text == f"frame {place} · {place / 10:.2f} s"
    marker = "return document.querySelector('[data-chart=\"j-0\"]').layout.shapes[0].x0"
    assert opened.execute_script(marker) == 4
    scores = [node.text for node in find(opened, ".clips .score")]
    assert sorted(scores)[-2:] == ["J 0.820", "J 0.820"]


def test_the_keyboard_goes_frame_by_frame_and_plays(opened):
    from selenium.webdriver.common.keys import Keys

    set_slider(opened, 4)
    slider = find(opened, ".player input")[0]
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert find(opened, ".now")[0].text.startswith("frame 5 ")
    assert "frame 5" in slider.get_attribute("aria-valuetext")
    slider.send_keys(" ")
    wait(opened, "return document.querySelector('.play').ariaLabel === 'Pause'")
    slider.send_keys(" ")
    assert find(opened, ".play")[0].get_attribute("aria-label") == "Play"


def test_all_overlays_play_in_step_to_the_end(opened):
    set_slider(opened, 2)
    opened.execute_script("document.querySelector('select').value = '0.5'")
    opened.execute_script("document.querySelector('select').dispatchEvent(new Event('change'))")
    find(opened, ".play")[0].click()
    wait(opened, "return document.querySelector('.player input').value >= 6")
    times = opened.execute_script(TIMES)
    assert max(times) - min(times) < 0.25, times
    assert all(0.4 < time_s < 1.9 for time_s in times)
    wait(opened, "return !document.querySelector('.player .playing')")
    assert find(opened, ".now")[0].text.startswith("frame 19 ")


def test_a_difference_leads_to_its_frame(opened):
    jump = find(opened, ".jump")[0]
    opened.execute_script("arguments[0].click()", jump)
    assert find(opened, ".now")[0].text.startswith(f"frame {jump.get_attribute('data-frame')} ")


def test_a_press_on_a_run_hides_it_everywhere(opened):
    chip = find(opened, ".chip")[0]
    shown = "return [...document.querySelectorAll('.clips figure')].filter(node => node.offsetParent).length"
    traces = "return document.querySelector('[data-chart=\"memory\"]').data.map(trace => trace.visible ?? true)"
    opened.execute_script("arguments[0].click()", chip)
    assert chip.get_attribute("aria-pressed") == "false"
    assert opened.execute_script(shown) == 4
    assert opened.execute_script(traces) == [False, True, True, True, True]
    opened.execute_script("arguments[0].click()", chip)
    assert opened.execute_script(shown) == 5


def test_a_heading_sorts_the_table_with_the_best_first(opened):
    rows = "section[aria-labelledby=runs] tbody tr"
    cells = f"return [...document.querySelectorAll('{rows}')].map(row => row.cells[arguments[0]].textContent)"
    buttons = find(opened, "section[aria-labelledby=runs] th button")
    column = [button.text for button in buttons].index("fps")
    button = buttons[column]
    button.click()
    values = [float(text) for text in opened.execute_script(cells, column)]
    assert values == sorted(values, reverse=True)
    button.click()
    assert [float(text) for text in opened.execute_script(cells, column)] == values[::-1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_sticks_out_and_charts_follow_the_scheme(opened, scheme, width):
    with emulated(opened, width, scheme=scheme):
        wait(opened, f"return document.documentElement.scrollWidth <= {width}", 10)
        expected = {"light": "#5f6068", "dark": "#a0a1ab"}[scheme]
        colour = "return document.querySelector('[data-chart=\"memory\"]').layout.font.color"
        wait(opened, f"{colour} === '{expected}'", 10)


LONG = "a configuration whose name is as long as those of sweeps over many keys are, with "


@pytest.mark.parametrize("count", slow_but([1, 2], [1, 2, 24]))
def test_any_number_of_runs_fits_any_width_and_scheme(make_run, browser, tmp_path, count):
    """With labels of 90 characters every chart's plot has at least half of its width, and nothing sticks out."""
    for n in range(count):
        square = {frame: {1: np.eye(4, 5, n % 3)} for frame in range(30)}
        config = {"prompt": {"note": "here"}, "label": f"{LONG}{n:02}"}
        frames = [100.0 + n + frame % 3 for frame in range(30)]
        make_run(f"runs/{n}", config=config, masks=square, frames_ms=frames, metrics={"j": 0.5 + n / 100})
    page = tmp_path / "page.html"
    write_page(tabulate(find_runs([tmp_path / "runs"])), None, page, 12)
    browser.get(page.as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    shares = (
        "return [...document.querySelectorAll('[data-chart]')].map(node => node._fullLayout._size.w / node.clientWidth)"
    )
    texts = "return [...document.querySelectorAll('.annotation-text')].map(node => node.getBoundingClientRect().right)"
    for width, scheme in product((1280, 360), ("light", "dark")):
        with emulated(browser, width, scheme=scheme):
            wait(browser, f"return document.documentElement.scrollWidth <= {width}", 10)
            wait(browser, f"return Math.max(0, ...({texts.removeprefix('return ')})) <= {width}", 10)
            assert min(browser.execute_script(shares)) >= 0.5
    charts = [node.get_attribute("data-chart") for node in find(browser, "[data-chart]")]
    assert charts == (["memory", "stages"] if count == 1 else ["times", "speed", "memory", "stages", "iou-0"])
    assert browser.get_log("browser") == []


def test_what_a_run_says_of_itself_stays_text(make_run, browser, tmp_path):
    bad = "</script><script>document.title='gone'</script><b>"
    make_run("runs/a", config={"video": bad}, status="failed", error=bad)
    make_run("runs/b", metrics={"j": 0.5})
    make_run("runs/c", metrics={"j": 0.6}, model="tiny")
    write_page(tabulate(find_runs([tmp_path / "runs"])), None, tmp_path / "page.html", 12)
    browser.get((tmp_path / "page.html").as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    assert browser.title == "Comparison of 3 runs"
    assert find(browser, ".error")[0].text == bad
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_many_runs_keep_the_page_small_and_it_says_what_it_shows(make_run, sweep, tmp_path):
    template = next(sweep.glob("0_*"))
    for n in range(60):
        folder = tmp_path / "runs" / f"{n}_seed={n}"
        shutil.copytree(template, folder)
        config = (folder / ".hydra" / "config.yaml").read_text()
        (folder / ".hydra" / "config.yaml").write_text(config.replace("\nseed: 0", f"\nseed: {n}"))
    path = tmp_path / "page.html"
    write_page(tabulate(find_runs([tmp_path / "runs"])).sorted(), None, path, 3)
    text = path.read_text()
    assert "Charts show the first 50 of 60 runs" in text
    assert "Pictures show 3 of 50 runs" in text
    assert text.count("<video") == 3
    assert path.stat().st_size < 4e6
    assert not list(Path(tmp_path).glob(".*.part"))
