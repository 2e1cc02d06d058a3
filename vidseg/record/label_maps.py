"""Label maps on disk: PNGs whose pixel values are object ids, with DAVIS' palette. 0 is background, 255 is void."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError

VOID = 255


def read_label_map(path: str | Path, key: str) -> NDArray[np.uint8]:
    """The label map (h, w) uint8 of an image; palette indices are kept, colour images count any non-zero pixel as 255.

    Raises InputError, naming ``key``, for a file that is missing or no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode in ("P", "L"):
                return np.array(image)
            if image.mode in ("1", "LA", "RGB", "RGBA"):
                return np.where(np.array(image.convert("RGB")).any(axis=2), VOID, 0).astype(np.uint8)
            values = np.array(image)
    except FileNotFoundError as error:
        raise InputError(f"{key}: no such file: {path}") from error
    # Pillow raises SyntaxError for a broken PNG, and ValueError for a broken header of other kinds.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{key}: {path} is not an image that can be read ({error})") from error
    if values.ndim != 2 or values.min() < 0 or values.max() > VOID:
        raise InputError(f"{key}: {path} holds values outside 0..255; a label map is an 8-bit image")
    return values.astype(np.uint8)


def write_label_map(path: Path, labels_hw: NDArray[np.integer[Any]], palette: NDArray[np.uint8]) -> None:
    """Writes a palette PNG, whole or not at all. ``palette`` is (256, 3) uint8; ids above 254 raise InputError."""
    if labels_hw.dtype != np.uint8:
        raise InputError(f"output.masks: object ids go up to {VOID - 1} in a palette PNG, not to {labels_hw.max()}")
    from PIL import Image

    image = Image.fromarray(labels_hw, mode="L")
    image.putpalette(palette.tobytes())
    part = path.with_name(f".{path.name}.part")
    # Level 1 writes a 720p label map in 3 ms instead of 9 and costs a few per cent in size.
    image.save(part, format="PNG", compress_level=1)
    part.rename(path)


def annotations_of(video: str, root: str | Path) -> Path:
    """Where ``root`` holds a video's label PNGs: a folder of its name, for a file of its name without the suffix."""
    folder = Path(root).expanduser() / video
    return folder if folder.is_dir() else folder.with_suffix("")
