"""The picker as a process, and what a hand does to its page: for the tests of the page."""

import base64
import io
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
from browsing import find, wait
from conftest import ROOT
from PIL import Image


@contextmanager
def picker(folder, *words):
    """The picker in ``folder``; gives the address of its page."""
    command = [sys.executable, "-m", "vidseg.pick", *words, "browser=false", "port=0", "tracker=none"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = folder / "picker.log"
    with log.open("w") as file, subprocess.Popen(command, cwd=folder, env=environment, stderr=file) as server:
        try:
            while (found := re.search(r"open (http://\S+)", log.read_text())) is None:
                assert server.poll() is None, f"the picker ended: {log.read_text()}"
                time.sleep(0.1)
            yield found[1]
        finally:
            server.send_signal(signal.SIGINT)


def opened(browser, address):
    browser.get(address)
    wait_ready(browser)


def wait_ready(browser, seconds=60):
    wait(browser, "return window.vidseg?.ready", seconds)


def state(browser):
    """The server's."""
    script = "const done = arguments[0]; fetch('api/state').then(answer => answer.json()).then(done)"
    return browser.execute_async_script(script)


def document(browser):
    return state(browser)["document"]


CORNER = """
const {left, top} = document.getElementById('stage').getBoundingClientRect();
const {scale, x, y} = window.vidseg.view;
return [left + x, top + y, scale];"""


def place(browser, x, y):
    """Where the middle of a video's pixel is on the page."""
    left, top, scale = browser.execute_script(CORNER)
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def mouse(browser, kind, at, button="none", **more):
    event = {"type": kind, "x": at[0], "y": at[1], "button": button, "clickCount": 1, **more}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def click(browser, at, button="left", modifiers=0):
    mouse(browser, "mouseMoved", at)
    mouse(browser, "mousePressed", at, button, modifiers=modifiers)
    mouse(browser, "mouseReleased", at, button, modifiers=modifiers)
    wait_ready(browser)


def drag(browser, start, end, button="left"):
    mouse(browser, "mouseMoved", start)
    mouse(browser, "mousePressed", start, button)
    for share in (0.3, 0.7, 1):
        at = [one + share * (other - one) for one, other in zip(start, end, strict=True)]
        mouse(browser, "mouseMoved", at, button, buttons={"left": 1, "middle": 4}[button])
    mouse(browser, "mouseReleased", end, button)
    wait_ready(browser)


def press(browser, *keys):
    """Types keys into the page; with a list of two, the first is held."""
    from selenium.webdriver.common.action_chains import ActionChains

    chain = ActionChains(browser)
    for key in keys:
        if isinstance(key, tuple):
            chain.key_down(key[0]).send_keys(key[1]).key_up(key[0])
        else:
            chain.send_keys(key)
    chain.perform()
    wait_ready(browser)


def go(browser, frame):
    number = find(browser, "#frame")[0]
    browser.execute_script("arguments[0].value = arguments[1]", number, frame)
    browser.execute_script("arguments[0].dispatchEvent(new Event('change'))", number)
    wait_ready(browser)
    assert browser.execute_script("return window.vidseg.frame") == frame


def mask(browser, object_id, size=(720, 1280)):
    """The mask on the screen."""
    runs = browser.execute_script("return window.vidseg.masks")[str(object_id)]["runs"]
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size)


def messages(browser):
    return [node.text for node in find(browser, ".message")]


def screenshot(browser):
    """The page in pixels of the device, RGB."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB"))
