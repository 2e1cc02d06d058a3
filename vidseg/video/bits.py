"""Image files with more than 8 bits a value, through OpenCV. Knows nothing about folders or frames."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidseg.errors import InputError

_BITS, _PHOTOMETRIC, _LARGEST = 258, 262, 281  # TIFF's tags


def read_bits(file: Path, image: Image.Image | None, white: int) -> NDArray[Any]:
    """The pixels of an image with more than 8 bits, through OpenCV: Pillow reads RGB with 8 only. ``white`` is 255 or
    65535."""
    import cv2  # few folders need it

    messages = cv2.utils.logging
    level = messages.getLogLevel()
    messages.setLogLevel(messages.LOG_LEVEL_FATAL)  # they go to the console
    try:
        found, pages = cv2.imdecodemulti(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        found, pages = False, ()
    finally:
        messages.setLogLevel(level)
    if not found or not pages:
        raise InputError(f"video: {shown_name(file)} can't be read: it is broken, or no image")
    pixels: NDArray[Any] = pages[0]
    if image is None and len(pages) > 1 and pages[1].shape == pixels.shape:
        raise InputError(f"video: {shown_name(file)} holds {len(pages)} pictures; save each as a file of its own")
    grey = pixels.ndim == 2 or pixels.shape[2] < 3
    rgb_hw3 = np.repeat(pixels.reshape(*pixels.shape[:2], -1)[..., :1], 3, axis=2) if grey else pixels[..., 2::-1]
    if rgb_hw3.dtype == np.uint16:
        top = top_code(image)
    elif rgb_hw3.dtype.kind == "f":
        top = 1
        low, high = rgb_hw3.min(), rgb_hw3.max()
        if not (low >= -1e-3 and high <= 1 + 1e-3):  # true for NaN, too
            raise InputError(
                f"video: {shown_name(file)} holds floats from {low:g} to {high:g}; they must be from 0 to 1"
            )
    elif rgb_hw3.dtype == np.uint8:
        top = 255
    else:
        raise InputError(f"video: {shown_name(file)} holds {rgb_hw3.dtype} pixels; save it with 8 or 16 bits")
    scaled = np.rint(rgb_hw3 * np.float32(white / top)).clip(0, white).astype(np.uint8 if white == 255 else np.uint16)
    inverted = grey and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0  # white is zero
    return white - scaled if inverted and top != 255 else scaled


def top_code(image: Image.Image | None) -> int:
    """The value of white in 16 bits, into which OpenCV shifts 10, 12 or 14."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (16,))[0]
    largest: int = max(tags.get(_LARGEST, (0,)))
    if bits == 16 and 255 < largest < 65535:
        return largest
    return (1 << 16) - (1 << (16 - bits)) if 8 < bits <= 16 else 65535


def shown_name(file: Path) -> str:
    """The path as text, whatever bytes are in it."""
    return os.fsencode(file).decode(errors="backslashreplace")
