"""The README's picture of a comparison: python docs/comparison.py RUN_OR_SWEEP… (needs chromium and chromedriver).

Makes comparison.html of the runs, opens it, and puts its top and its frame-by-frame part side by side.
"""

import base64
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from vidseg.compare.__main__ import main as compare

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1280, 1560  # of each half, in pixels of the page
FRAME = "const slider = document.querySelector('.player input'); slider.value = slider.max / 2;"


def photograph(page: Path) -> Image.Image:
    """The page from its top, and from its first video on."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless=new", "no-sandbox", "hide-scrollbars", f"window-size={WIDTH},{HEIGHT}"):
        options.add_argument(f"--{argument}")
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as browser:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        while not browser.execute_script("return document.documentElement.dataset.ready"):
            time.sleep(0.1)
        browser.execute_script(f"{FRAME} slider.dispatchEvent(new Event('input'))")
        time.sleep(2)  # for the videos to be there
        below = browser.execute_script("return document.querySelector('.gallery').getBoundingClientRect().top") - 24
        halves = Image.new("RGB", (2 * WIDTH, HEIGHT))
        for n, y in enumerate((0, below)):
            clip = {"x": 0, "y": y, "width": WIDTH, "height": HEIGHT, "scale": 1}
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            halves.paste(Image.open(io.BytesIO(base64.b64decode(shot["data"]))), (n * WIDTH, 0))
    return halves


def main() -> None:
    """Draws docs/comparison.jpg."""
    with tempfile.TemporaryDirectory() as temporary:
        compare([*sys.argv[1:], "--out", temporary])
        picture = photograph(Path(temporary) / "comparison.html")
    picture.resize((1600, 1600 * HEIGHT // (2 * WIDTH)), Image.Resampling.LANCZOS).save(
        HERE / "comparison.jpg", quality=84
    )


if __name__ == "__main__":
    main()
