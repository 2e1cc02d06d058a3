"""The model card's picture: python docs/nano_pictures.py VIDEO (six frames of nano's overlay, from a box)."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from pictures import decoded, panel
from PIL import Image

import vidseg

HERE = Path(__file__).parent
BOX = "[165,125,452,475]"
FRAMES = (0, 36, 72, 108, 144, 180)


def main() -> None:
    """Runs nano on the video named on the command line and draws docs/nano.jpg."""
    with tempfile.TemporaryDirectory() as temporary:
        run = ["model=nano", "prompt=box", f"prompt.box={BOX}", "output=[overlay]", "tracker=none"]
        _, folder = vidseg.run([f"hydra.run.dir={temporary}/run", f"video={sys.argv[1]}", *run])
        page = [panel(decoded(folder / "overlay.mp4", index, "rgb24"), f"frame {index}") for index in FRAMES]
    Image.fromarray(np.vstack([np.hstack(page[:3]), np.hstack(page[3:])])).save(HERE / "nano.jpg", quality=85)


if __name__ == "__main__":
    main()
