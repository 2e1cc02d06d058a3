"""Chromium without a window, for the tests of pages."""

import shutil
import time
from contextlib import contextmanager

import pytest


@contextmanager
def chromium(*arguments):
    """A browser that keeps its log; the test is skipped where there is none."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its chromedriver is installed (apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "mute-audio", *arguments):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def wait(browser, script, seconds=60):
    """Until the script returns something true, which is returned."""
    end = time.monotonic() + seconds
    while not (found := browser.execute_script(script)):
        assert time.monotonic() < end, f"not in {seconds} s: {script}"
        time.sleep(0.05)
    return found


def find(browser, selector):
    return browser.find_elements("css selector", selector)


@contextmanager
def emulated(browser, width=1280, height=900, ratio=1, scheme="light"):
    """The page in a window of that size, device pixel ratio and colour scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        yield browser
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
