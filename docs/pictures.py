"""The README's pictures, made from what a run left: python docs/pictures.py (runs the demo, then draws).

The source beside three outputs of the run, read back from its files, and its contact sheet at half size.
"""

import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

import vidseg
from vidseg.video import open_source

HERE = Path(__file__).parent
FRAME = 60  # both skaters are in the picture
PANEL = (640, 360)


def decoded(path: Path, index: int, pixels: str) -> np.ndarray:
    """One frame of a video file."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == index:
                return frame.to_ndarray(format=pixels)
    raise IndexError(index)


def checkered(rgba: np.ndarray) -> np.ndarray:
    """The picture over a checkerboard, as editors show transparency."""
    y, x = np.mgrid[: rgba.shape[0], : rgba.shape[1]] // 32
    board = np.where((x + y) % 2, 205, 245)[..., None]
    alpha = rgba[..., 3:] / 255
    return (rgba[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)


def panel(picture: np.ndarray, caption: str) -> np.ndarray:
    """The picture at the page's size with its caption in a corner."""
    small = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
    (width, height), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_DUPLEX, 0.55, 1)
    cv2.rectangle(small, (8, 330), (8 + width + 16, 352), (20, 20, 20), cv2.FILLED)
    cv2.putText(small, caption, (16, 341 + height // 2), cv2.FONT_HERSHEY_DUPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return small


def main() -> None:
    """Runs the demo into a temporary folder and draws docs/demo.jpg and docs/contact_sheet.jpg."""
    with tempfile.TemporaryDirectory() as temporary:
        outputs = "output=[cutout,overlay,transparent_mov]"
        summary, run = vidseg.run([f"hydra.run.dir={temporary}/run", "tracker=none", outputs, *sys.argv[1:]])
        page = [
            panel(open_source("sample")[FRAME].rgb_hw3, "video=sample"),
            panel(decoded(run / "overlay.mp4", FRAME, "rgb24"), f"overlay.mp4   model={summary['model']}"),
            panel(decoded(run / "cutout.mp4", FRAME, "rgb24"), "cutout.mp4"),
            panel(checkered(decoded(run / "transparent.mov", FRAME, "rgba")), "transparent.mov"),
        ]
        rows = [np.hstack(page[:2]), np.hstack(page[2:])]
        Image.fromarray(np.vstack(rows)).save(HERE / "demo.jpg", quality=90)
        with Image.open(run / "contact_sheet.png") as sheet:
            sheet.convert("RGB").resize((sheet.width // 2, sheet.height // 2)).save(
                HERE / "contact_sheet.jpg", quality=88
            )


if __name__ == "__main__":
    main()
