"""Every tool of the picker's page, as a hand on the mouse and the keyboard uses it."""

import re

import numpy as np
import pytest
from browsing import find, wait
from conftest import ROOT
from picking import click, document, drag, go, mask, mouse, opened, place, press, screenshot, state, wait_ready
from selenium.webdriver.common.keys import Keys

from vidseg.measure import iou
from vidseg.sample import SampleSource

pytestmark = pytest.mark.timeout(180)


def test_undo_redo_clear_and_what_a_reload_keeps(page, address):
    click(page, place(page, 782, 301))
    click(page, place(page, 640, 80), modifiers=1)  # Alt
    assert document(page)["prompts"][0]["labels"] == [1, 0]
    press(page, (Keys.CONTROL, "z"))
    assert document(page)["prompts"][0]["labels"] == [1]
    press(page, (Keys.CONTROL, "y"))
    opened(page, address)
    assert document(page)["prompts"][0]["labels"] == [1, 0]
    assert mask(page, 1).any()
    find(page, "#prompts li:last-child button")[0].click()
    wait_ready(page)
    assert document(page)["prompts"][0]["labels"] == [1]
    press(page, Keys.DELETE)
    assert document(page)["prompts"] == []
    assert page.execute_script("return window.vidseg.masks") == {}


def test_objects_have_names_colours_and_eyes(page):
    click(page, place(page, 782, 301))
    shown = screenshot(page)
    name = find(page, ".name")[0]
    name.send_keys("<b>skater</b>\n")
    wait_ready(page)
    assert document(page)["objects"][0]["name"] == "<b>skater</b>"
    assert find(page, "#objects b")[0].text == "1"
    find(page, ".eye")[0].click()
    wait_ready(page)
    stage = find(page, "#stage")[0].rect
    area = np.s_[int(stage["y"]) + 60 : int(stage["y"] + stage["height"]), : int(stage["width"])]
    assert (screenshot(page)[area] != shown[area]).any(2).sum() > 5000  # the mask is gone
    press(page, "n", "u")
    assert [each["id"] for each in document(page)["objects"]] == [1, 2]
    assert document(page)["objects"][1]["until"] == 0
    find(page, "[data-id='2'] .remove")[0].click()
    wait_ready(page)
    assert [each["id"] for each in document(page)["objects"]] == [1]


def test_the_brush_makes_a_mask_of_whole_pixels(page):
    press(page, "b", "[", "[")
    size = int(find(page, "#size")[0].text.split()[0])
    drag(page, place(page, 300, 200), place(page, 500, 200))
    (prompt,) = document(page)["prompts"]
    assert set(prompt) == {"frame", "object", "mask"}
    painted = mask(page, 1)
    assert painted[200, 300:501].all()
    assert painted[:, 400].sum() == pytest.approx(size, abs=1)
    script = "const done = arguments[1]; fetch(`api/masks/${arguments[0]}`).then(a => a.json()).then(done)"
    kept = page.execute_async_script(script, prompt["mask"])["runs"]
    assert np.repeat(np.arange(len(kept)) % 2 == 1, kept).sum() == pytest.approx(size * 200, rel=0.15)
    at = place(page, 400, 200)
    click(page, at, "right")
    assert not mask(page, 1)[200, 400]
    press(page, "b")
    click(page, place(page, 782, 301))
    assert document(page)["prompts"][0]["points"] == [[782, 301]]


def test_v_shows_the_mask_before_the_click(page):
    at = place(page, 782, 301)
    mouse(page, "mouseMoved", at)
    page.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", "key": "v", "code": "KeyV"})
    wait(page, "return window.vidseg.masks[1]?.area > 20000")
    page.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", "key": "v", "code": "KeyV"})
    wait(page, "return !window.vidseg.masks[1]")
    assert document(page)["prompts"] == []


def test_suggestions_are_accepted_with_a_click_and_from_the_keyboard(page):
    press(page, "s")
    boxes = find(page, "#suggestions button")
    assert boxes[0].text.startswith("person ")
    click(page, place(page, 782, 301))
    (prompt,) = document(page)["prompts"]
    assert set(prompt) == {"frame", "object", "box"}
    assert iou(mask(page, 1), SampleSource().truth(0) == 1) >= 0.8
    go(page, 60)
    press(page, "s")
    find(page, "#suggestions button")[-1].send_keys(Keys.ENTER)
    wait_ready(page)
    assert len(document(page)["prompts"]) == 2


def test_tracking_is_followed_and_stopped_and_marks_are_shown(page):
    click(page, place(page, 782, 301))
    press(page, Keys.ARROW_RIGHT)
    assert "T tracks ten frames" in find(page, "#hint")[0].text
    press(page, "m")
    assert mask(page, 1).any()
    assert not find(page, "#hint")[0].is_displayed()
    press(page, Keys.ARROW_LEFT, "t")
    assert page.execute_script("return window.vidseg.frame") == 70  # the last of the eight
    assert sorted(state(page)["tracked"]) == [0, 10, 20, 30, 40, 50, 60, 70]
    go(page, 60)
    assert iou(mask(page, 1), SampleSource().truth(60) == 1) >= 0.7
    press(page, "o", Keys.HOME, Keys.ARROW_RIGHT, "i")
    assert (document(page)["in"], document(page)["out"]) == (10, 60)
    press(page, "i")
    assert (document(page)["in"], document(page)["out"]) == (None, 60)
    click(page, place(page, 782, 301))  # a correction on frame 10: what was tracked is out of date
    assert state(page)["tracked"] == []
    page.execute_script("window.frames = new Set([window.vidseg.frame])")
    find(page, "#track-on")[0].click()
    wait(page, "return window.vidseg.frame > 10")
    find(page, "#progress button")[0].click()
    wait_ready(page)
    assert page.execute_script("return window.vidseg.frame") < 60


def test_the_keyboard_is_enough(page):
    press(page, *[(Keys.CONTROL, Keys.ARROW_RIGHT)] * 3, (Keys.CONTROL, Keys.ARROW_UP), Keys.ENTER)
    assert document(page)["prompts"][0]["points"] == [[643, 359]]
    press(page, (Keys.SHIFT, Keys.ARROW_RIGHT), Keys.ARROW_LEFT)
    assert page.execute_script("return window.vidseg.frame") == 60
    press(page, "?")
    assert find(page, "#help")[0].is_displayed()
    keys = {
        tuple(node.text.split()): meaning.text
        for node, meaning in zip(*(find(page, f"#keys {tag}") for tag in ("dt", "dd")), strict=True)
    }
    rows = re.findall(r"^\| (`.+) \| (.+) \|$", (ROOT / "docs" / "pick.md").read_text(), re.MULTILINE)
    told = {tuple(signs.replace("`", "").split()): meaning for signs, meaning in rows}
    assert len(keys) > 30
    assert keys.items() <= told.items()
    page.execute_script("document.getElementById('help').close()")
    unnamed = """return [...document.querySelectorAll('button, input, canvas, progress, dialog')].filter(node =>
      !node.hidden && !node.ariaHidden && !node.ariaLabel && !node.textContent.trim() && !node.labels?.length
      && !node.getAttribute('aria-labelledby')).map(node => node.outerHTML)"""
    assert page.execute_script(unnamed) == []
    order = []
    for _ in range(60):
        press(page, Keys.TAB)
        order.append(page.execute_script("return document.activeElement.id || document.activeElement.className"))
    reached = [name for name in order if name]
    positions = [reached.index(name) for name in ("brush", "undo", "save-button", "stage", "slider", "frame", "new")]
    assert positions == sorted(positions)


@pytest.mark.slow
def test_saving_asks_before_it_overwrites_and_starts_a_run(page, folder):
    find(page, "#save-button")[0].click()
    find(page, "#save-submit")[0].click()
    wait(page, "return document.querySelector('#save .message')?.textContent.includes('nothing to save')")
    page.execute_script("document.getElementById('save').close()")
    click(page, place(page, 782, 301))
    (folder / "mine.yaml").write_text("mine")
    find(page, "#save-button")[0].click()
    name = find(page, "#save input[name=as]")[0]
    name.clear()
    name.send_keys("mine.yaml\n")
    wait(page, "return !document.getElementById('overwrite').hidden")
    assert (folder / "mine.yaml").read_text() == "mine"
    find(page, "#overwrite-button")[0].click()
    wait(page, "return !document.getElementById('saved').hidden")
    assert "prompt.path=mine.yaml" in find(page, "#command")[0].text
    assert "points" in (folder / "mine.yaml").read_text()
    find(page, "#start")[0].click()
    wait(page, "return document.getElementById('run-state').textContent.startsWith('Running')")
    find(page, "#stop")[0].click()
    wait(page, "return /Stopped|Finished/.test(document.getElementById('run-state').textContent)")
    page.execute_script("document.getElementById('save').close()")
