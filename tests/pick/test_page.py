"""The picker's page in a real browser, on the built-in clip: from a click to the masks of the printed command."""

import json
import math
import os
import re
import shlex
import statistics
import subprocess
import sys

import pytest
from browsing import emulated, find, wait
from conftest import ROOT
from picking import (
    CORNER,
    click,
    document,
    drag,
    go,
    mask,
    messages,
    mouse,
    opened,
    picker,
    place,
    press,
    screenshot,
    wait_ready,
)

from vidseg.measure import iou
from vidseg.record.masks import decode
from vidseg.sample import SampleSource

pytest.importorskip("starlette", reason="vidseg[pick] isn't installed")
pytestmark = pytest.mark.timeout(180)


def test_from_a_click_to_the_masks_of_the_printed_command(page, folder):
    truth = SampleSource().truth
    assert find(page, "#hint")[0].text.startswith("Click on the object")
    click(page, place(page, 782, 301))
    assert iou(mask(page, 1), truth(0) == 1) >= 0.8
    click(page, place(page, 640, 80), "right")
    assert document(page)["prompts"] == [{"frame": 0, "object": 1, "points": [[782, 301], [640, 80]], "labels": [1, 0]}]
    assert iou(mask(page, 1), truth(0) == 1) >= 0.8

    go(page, 60)
    press(page, "n")
    drag(page, place(page, 41, 271), place(page, 471, 648))
    assert iou(mask(page, 2), truth(60) == 2) >= 0.8
    press(page, "1")
    click(page, place(page, 729, 300))
    before = iou(mask(page, 1), truth(60) == 1)  # the mask has slipped onto the other skater
    click(page, place(page, 267, 400), "right")
    assert iou(mask(page, 1), truth(60) == 1) >= max(0.7, before + 0.1)
    assert len(document(page)["prompts"]) == 3

    find(page, "#save-button")[0].click()
    find(page, "#save-submit")[0].click()
    wait(page, "return !document.getElementById('saved').hidden")
    typed = shlex.split(find(page, "#command")[0].text)
    assert typed[:3] == ["python", "-m", "vidseg"]
    done = subprocess.run(
        [sys.executable, *typed[1:], "output=[rle]", "hydra.run.dir=ran"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (folder / "ran" / "masks.jsonl").read_text().splitlines()]
    (last,) = (line["objects"] for line in lines if line["frame"] == 60)
    assert [each["id"] for each in last] == [1, 2]
    scores = {each["id"]: iou(decode(each["rle"]), truth(60) == each["id"]) for each in last}
    assert scores[1] >= 0.7
    assert scores[2] >= 0.8


def test_a_mask_shows_soon_after_a_click(page, record_property):
    """In the browser, from the event to the picture with the mask."""
    click(page, place(page, 782, 301))
    times_ms = []
    for n in range(8):
        click(page, place(page, 760 + 8 * n, 320 + 5 * n))
        times_ms.append(wait(page, "return window.vidseg.lastClickMs"))
    record_property("click_ms", times_ms)
    assert statistics.median(times_ms) < 1000  # 150 on 2 quiet cores; shared ones have other work too


def test_a_click_lands_on_the_pixel_that_is_seen_there_at_zoom_8_and_ratio_2(page):
    truth = SampleSource()[0].rgb_hw3
    with emulated(page, 1280, 800, ratio=2):
        wait_ready(page)
        at = place(page, 700, 200)
        zoom_to(page, at, 8)
        drag(page, at, (at[0] + 7.5, at[1] - 3), "middle")
        mouse(page, "mouseMoved", (5, 5))
        wait_ready(page)
        left, top, scale = page.execute_script(CORNER)
        assert scale == pytest.approx(8)
        seen = screenshot(page)
        assert seen.shape[:2] == (1600, 2560)
        expected = []
        for x, y, across, down in (
            (690, 190, 0.03, 0.03),
            (691, 190, 0.97, 0.5),
            (702, 201, 0.03, 0.97),
            (655, 230, 0.97, 0.97),
        ):
            at = left + (x + across) * scale, top + (y + down) * scale
            assert seen[int(2 * at[1]), int(2 * at[0])].tolist() == truth[y, x].tolist()
            click(page, at)
            expected.append([x, y])
        assert document(page)["prompts"][0]["points"] == expected
        assert len({tuple(truth[y, x].tolist()) for x, y in expected}) > 2  # or colours would say nothing


def zoom_to(browser, at, zoom):
    """Turns the wheel; what a browser makes of its steps depends on the device pixel ratio, so it is measured first."""
    scales = [browser.execute_script(CORNER)[2]]
    for _ in range(2):
        gain = math.log(scales[-1] / scales[-2]) / 200 if len(scales) > 1 else 0
        steps = math.log(zoom / scales[-1]) / gain if gain else 200
        mouse(browser, "mouseWheel", at, deltaX=0, deltaY=-steps)
        wait_ready(browser)
        scales.append(browser.execute_script(CORNER)[2])


def test_clicks_beside_the_frame_are_clamped_or_refused(page):
    left, top, scale = page.execute_script(CORNER)
    click(page, (left - 5, top + 300.5 * scale))
    assert document(page)["prompts"][0]["points"] == [[0, 300]]
    drag(page, place(page, 1200, 600), (left + 1280 * scale + 9, top + 720 * scale + 9))
    assert document(page)["prompts"][0]["box"] == [1200, 600, 1279, 719]
    press(page, "-", "-", "-")
    left, top, scale = page.execute_script(CORNER)
    click(page, (left - 40, top + 10))
    assert "That is outside the frame." in messages(page)[-1]


@pytest.mark.slow
def test_an_address_with_a_token_is_enough_and_one_without_it_is_told(browser, tmp_path):
    with picker(tmp_path, "video=sample", "model=nano", "extract.stop=2", "host=127.0.0.2") as address:
        assert "?token=" in address
        opened(browser, address)
        click(browser, place(browser, 782, 301))
        assert mask(browser, 1).any()
        browser.get(address.partition("?")[0])
        wait(browser, "return document.querySelector('.message')?.textContent.includes('token')")
    browser.get_log("browser")


def test_it_needs_nothing_from_outside():
    pages = [path for path in (ROOT / "vidseg" / "pick" / "page").iterdir() if path.suffix in (".html", ".css", ".js")]
    assert len(pages) > 10
    for path in pages:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path
        assert not re.search(r"\son\w+=|\beval\(|innerHTML", text), path
        assert len(text.splitlines()) < 250, path
