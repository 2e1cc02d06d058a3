"""Draws the pictures of README.md and docs/ with today's code.

python -m docs.pictures demo           demo.jpg and contact_sheet.jpg: three outputs and the sheet of the demo
python -m docs.pictures nano VIDEO     nano.jpg: six frames of nano's overlay of VIDEO, from a box
python -m docs.pictures corrections FOLDER   corrections.jpg: one click, and two corrections, in three videos
python -m docs.pictures comparison     comparison.jpg: the page of a sweep (needs chromium and chromedriver)
python -m docs.pictures pick           pick.jpg: the picker's page, half in light and half in dark (needs them, too)
"""

import argparse
import base64
import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vidseg
from vidseg.composite.pictures import draw_prompts, overlay
from vidseg.video import open_source

HERE = Path(__file__).parent
PANEL = (640, 360)

DEMO_FRAME = 60  # both skaters are in the picture
NANO_BOX, NANO_FRAMES = "[165,125,452,475]", (0, 36, 72, 108, 144, 180)

Points = tuple[int, list[list[int]], list[int]]  # frame, points and labels
CORRECTED: dict[str, tuple[Points, ...]] = {
    "bedroom.mp4": ((0, [[370, 198]], [1]), (30, [[340, 185]], [1]), (60, [[280, 263]], [0])),
    "juggle.mp4": ((0, [[699, 216]], [1]), (30, [[714, 440]], [1]), (60, [[755, 560], [791, 485]], [1, 0])),
    "coffee.mp4": ((0, [[876, 493]], [1]), (30, [[830, 580]], [0]), (60, [[956, 440]], [0])),
}
SHOWN, STEP, STOP = (30, 90), 5, 100

SWEEP = ["model.quantize=null,int8", "model.zoom=null,0.85", "model.memory_stride=1,3"]
PAGE = (1280, 1560)  # width and height of each half of the picture, in pixels of the page
MIDDLE = "const slider = document.querySelector('.player input'); slider.value = slider.max / 2;"

PICKER = (1280, 760)
PICKED = [
    {"frame": 0, "object": 1, "points": [[782, 301], [640, 80]], "labels": [1, 0], "name": "skater"},
    {"frame": 60, "object": 2, "box": [41, 271, 471, 648]},
]


def demo(folder: Path) -> None:
    """The source beside three outputs of one run, read back from its files, and its contact sheet at half size."""
    outputs = "output=[cutout,overlay,transparent_mov]"
    run = vidseg.run([f"hydra.run.dir={folder}", "tracker=none", outputs]).folder
    source = open_source("sample")[DEMO_FRAME].rgb_hw3
    transparent = checkered(decoded(run / "transparent.mov", DEMO_FRAME, "rgba"))
    panels = [
        panel(source, "video=sample"),
        panel(decoded(run / "overlay.mp4", DEMO_FRAME, "rgb24"), "overlay.mp4   model=nano"),
        panel(decoded(run / "cutout.mp4", DEMO_FRAME, "rgb24"), "cutout.mp4"),
        panel(transparent, "transparent.mov"),
    ]
    save(np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])]), "demo.jpg", 90)
    with Image.open(run / "contact_sheet.png") as sheet:
        half = sheet.convert("RGB").resize((sheet.width // 2, sheet.height // 2))
    save(np.asarray(half), "contact_sheet.jpg", 88)


def nano(folder: Path, video: str) -> None:
    """Six frames of nano's overlay of one object, prompted with a box on frame 0."""
    prompt = [f"video={video}", "prompt=box", f"prompt.box={NANO_BOX}"]
    run = vidseg.run([f"hydra.run.dir={folder}", *prompt, "output=[overlay]", "tracker=none"]).folder
    panels = [panel(decoded(run / "overlay.mp4", index, "rgb24"), f"frame {index}") for index in NANO_FRAMES]
    save(np.vstack([np.hstack(panels[:3]), np.hstack(panels[3:])]), "nano.jpg", 85)


def corrections(videos: Path) -> None:
    """A row a video: frames of nano's masks from the first click alone, and beside them with the corrections."""
    rows = []
    for name, given in CORRECTED.items():
        prompts = [vidseg.Prompt(frame, 1, points_xy=xy, labels=labels) for frame, xy, labels in given]
        kinds = {"one click": prompts[:1], "corrected on frames 30 and 60": prompts}
        drawn = {kind: masked(videos / name, own) for kind, own in kinds.items()}
        rows.append(np.hstack([panel(drawn[kind][at], f"frame {at}, {kind}") for at in SHOWN for kind in kinds]))
    save(cv2.resize(np.vstack(rows), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA), "corrections.jpg", 85)


def masked(video: Path, prompts: list[vidseg.Prompt]) -> dict[int, NDArray[np.uint8]]:
    """The frames that are shown, with the mask over them and the points of each."""
    pictures = {}
    for frame, masks in vidseg.segment(video, prompts, "nano", extract={"stop": STOP, "step": STEP}):
        if frame.index in SHOWN:
            here = [prompt for prompt in prompts if prompt.frame_index == frame.index]
            pictures[frame.index] = draw_prompts(overlay(frame, masks), here)
    return pictures


def comparison(folder: Path) -> None:
    """Compares eight configurations of nano on the built-in clip: the page from its top, and from its videos on."""
    command = ["-m", "vidseg", "-m", f"hydra.sweep.dir={folder}", "model=nano", "tracker=none", *SWEEP]
    subprocess.run([sys.executable, *command], check=True)
    subprocess.run([sys.executable, "-m", "vidseg.compare", str(folder)], check=True)
    picture = photograph(folder / "comparison.html")
    half = picture.resize((1600, 1600 * picture.height // picture.width), Image.Resampling.LANCZOS)
    save(np.asarray(half), "comparison.jpg", 84)


def photograph(page: Path) -> Image.Image:
    """Two parts of the page side by side, with its videos in the middle of their time."""
    width, height = PAGE
    picture = Image.new("RGB", (2 * width, height))
    with chromium(width, height) as browser:
        browser.get(page.as_uri())
        until(browser, "return document.documentElement.dataset.ready")
        browser.execute_script(f"{MIDDLE} slider.dispatchEvent(new Event('input'))")
        time.sleep(2)  # until the videos show that frame
        videos = browser.execute_script("return document.querySelector('.gallery').getBoundingClientRect().top") - 24
        for x, y in ((0, 0), (width, videos)):
            clip = {"x": 0, "y": y, "width": width, "height": height, "scale": 1}
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            picture.paste(Image.open(io.BytesIO(base64.b64decode(shot["data"]))), (x, 0))
    return picture


def pick(folder: Path) -> None:
    """The picker's page with two skaters that are prompted and tracked: on the left in light, on the right in dark."""
    width, height = PICKER
    picture = Image.new("RGB", (2 * width, height))
    with contextlib.chdir(folder), chromium(width, height) as browser:
        Path("prompts.json").write_text(json.dumps({"prompts": PICKED}))
        picker = vidseg.pick("sample", prompt="file", **{"prompt.path": "prompts.json", "extract.stop": 91})
        browser.get(picker.address)
        ready = "return window.vidseg?.ready && window.vidseg.frame === arguments[0]"
        until(browser, ready, 0)
        browser.execute_script("document.getElementById('track-on').click()")
        until(browser, ready, 90)
        number = "const number = document.getElementById('frame'); number.value = arguments[0];"
        browser.execute_script(f"{number} number.dispatchEvent(new Event('change'))", DEMO_FRAME)
        until(browser, ready, DEMO_FRAME)
        browser.execute_script("document.querySelector('.message .close')?.click()")
        for n, scheme in enumerate(("light", "dark")):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            time.sleep(1)  # until it is drawn
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})
            picture.paste(Image.open(io.BytesIO(base64.b64decode(shot["data"]))), (n * width, 0))
        picker.close()
    half = picture.resize((1800, 1800 * height // (2 * width)), Image.Resampling.LANCZOS)
    save(np.asarray(half), "pick.jpg", 84)


def until(browser: Any, script: str, *arguments: object) -> None:
    """Waits until the script returns something true."""
    while not browser.execute_script(script, *arguments):
        time.sleep(0.1)


def chromium(width: int, height: int) -> Any:
    """A browser without a window whose page has that size."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless=new", "no-sandbox", "hide-scrollbars", f"window-size={width},{height}"):
        options.add_argument(f"--{argument}")
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return browser


def decoded(path: Path, index: int, pixels: str) -> NDArray[np.uint8]:
    """Frame ``index`` of a video file, in FFmpeg's pixel format ``pixels``."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == index:
                return np.asarray(frame.to_ndarray(format=pixels))
    raise IndexError(index)


def checkered(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture over a checkerboard, as editors show transparency."""
    y, x = np.mgrid[: rgba.shape[0], : rgba.shape[1]] // 32
    board = np.where((x + y) % 2, 205, 245)[..., None]
    alpha = rgba[..., 3:] / 255
    return np.asarray(rgba[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)


def panel(picture: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """The picture at the size of a panel, with its caption in a corner."""
    small = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
    (width, height), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_DUPLEX, 0.55, 1)
    cv2.rectangle(small, (8, 330), (8 + width + 16, 352), (20, 20, 20), cv2.FILLED)
    cv2.putText(small, caption, (16, 341 + height // 2), cv2.FONT_HERSHEY_DUPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small)


def save(rgb_hw3: NDArray[np.uint8], name: str, quality: int) -> None:
    """Writes a JPEG into docs/."""
    Image.fromarray(rgb_hw3).save(HERE / name, quality=quality)


def main() -> None:
    """Draws the pictures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description="Draws the pictures of docs/.")
    pictures = parser.add_subparsers(dest="picture", required=True)
    pictures.add_parser("demo", help="demo.jpg and contact_sheet.jpg")
    pictures.add_parser("nano", help="nano.jpg").add_argument("video", help="the model card's: skateboarder.mp4")
    pictures.add_parser("corrections", help="corrections.jpg").add_argument("videos", type=Path, metavar="FOLDER")
    pictures.add_parser("comparison", help="comparison.jpg (needs chromium and chromedriver)")
    pictures.add_parser("pick", help="pick.jpg (needs chromium and chromedriver)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "runs"
        match options.picture:
            case "demo":
                demo(folder)
            case "nano":
                nano(folder, options.video)
            case "corrections":
                corrections(options.videos)
            case "comparison":
                comparison(folder)
            case "pick":
                pick(Path(temporary))


if __name__ == "__main__":
    main()
