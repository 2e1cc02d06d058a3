"""An image file as 8-bit RGB pixels. Knows nothing about folders or frames."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vidseg.errors import InputError
from vidseg.types import RGB
from vidseg.video.orientation import Orientation

SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp"}

_ORIENTATION, _BITS, _PHOTOMETRIC, _LARGEST = 0x0112, 258, 262, 281  # EXIF's and TIFF's tags
_UPRIGHT = {
    2: Orientation(mirrored=True),
    3: Orientation(upside_down=True, mirrored=True),
    4: Orientation(upside_down=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, mirrored=True),
    7: Orientation(transposed=True, upside_down=True, mirrored=True),
    8: Orientation(transposed=True, upside_down=True),
}
"""By EXIF's orientation; 1, and whatever is none, is upright."""


def read(file: Path, upright: bool = False) -> RGB:
    """The pixels (h, w, 3) of a JPEG, PNG, BMP, TIFF or WebP file.

    Grey, palette, CMYK and 1-bit images become RGB; alpha is left out. 16 bits are scaled by their depth: a TIFF says
    it (10 or 12 bits, or the largest value), else it is 16. Floats are taken as 0 to 1. EXIF orientation and colour
    profiles are ignored, unless ``upright``: then the picture is turned, and its 8-bit colours become sRGB.

    Raises InputError, naming the key ``video``, if the file can't be read, has several pages or pictures of one size,
    or holds other numbers.
    """
    with _opened(file) as image:
        if image is None:
            return _deep(file, None)
        if (pages := _pages(image)) > 1:
            raise InputError(f"video: {_name(file)} holds {pages} pictures; save each as a file of its own")
        way_up = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1), Orientation()) if upright else Orientation()
        if _has_more_bits(image):
            return way_up.upright(_deep(file, image))
        if image.mode == "P":
            image.info.pop("transparency", None)  # alpha is left out; convert() would warn
        if upright and (profile := _profile(image)) is not None:
            from PIL import ImageCms  # few files need it

            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            image = image if converted is None else converted
        return way_up.upright(np.array(image.convert("RGB")))


def size(file: Path) -> tuple[int, int] | None:
    """Width and height of an image, upright, by its header; None if that can't be read."""
    try:
        with Image.open(file) as image:
            # Of other formats the orientation is at the end of the file
            turned = image.format in ("JPEG", "MPO") and image.getexif().get(_ORIENTATION, 1) >= 5
            return image.size[::-1] if turned else image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def is_animated(file: Path) -> bool:
    """Whether a file is a PNG or a WebP whose picture moves."""
    with _opened(file) as image:
        return image is not None and image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def remarks(file: Path, upright: bool = False) -> list[str]:
    """What was assumed about a file that ``read`` has read, for the log."""
    with _opened(file) as image:
        if image is None:
            return ["floats, taken as 0 to 1"]
        found = []
        if _has_more_bits(image):
            floats = image.mode == "F"
            found.append("floats, taken as 0 to 1" if floats else f"16 bits, of which {_top(image)} is white")
        if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
            found.append("alpha is left out")
        if (orientation := image.getexif().get(_ORIENTATION, 1)) != 1:
            ignored = f"EXIF orientation {orientation} is ignored, as annotations do"
            found.append(f"turned upright by its EXIF orientation, {orientation}" if upright else ignored)
        if upright and not _has_more_bits(image) and (profile := _profile(image)) is not None:
            found.append(f"colours converted from {profile.profile.profile_description} to sRGB")
        return found


def is_deep(file: Path) -> bool:
    """Whether the image has more than 8 bits."""
    with _opened(file) as image:
        return _has_more_bits(image)


def _profile(image: Image.Image) -> Any:
    """The ICC profile of an image that has one other than sRGB; None if there is none that can be used."""
    if not (content := image.info.get("icc_profile")) or image.mode not in ("RGB", "CMYK", "L"):
        return None
    from PIL import ImageCms

    spaces = {"RGB": "RGB", "CMYK": "CMYK", "L": "GRAY"}
    try:
        found = ImageCms.ImageCmsProfile(BytesIO(content))
        fits = found.profile.xcolor_space.strip() == spaces[image.mode]
        return found if fits and "sRGB" not in (found.profile.profile_description or "") else None
    except (OSError, ImageCms.PyCMSError):
        return None


def _has_more_bits(image: Image.Image | None) -> bool:
    """Whether an image, which isn't loaded yet, has more than 8 bits. None is one that Pillow doesn't know."""
    if image is None or image.mode in ("I", "F") or image.mode.startswith("I;"):
        return True
    return any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))  # Pillow would keep the upper 8 of RGB;16B


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image | None]:
    """The image in a file; None for a TIFF that Pillow doesn't know, as of RGB floats."""
    try:
        try:
            image = Image.open(file)
        except UnidentifiedImageError:
            if file.suffix.lower() not in (".tif", ".tiff"):
                raise
            yield None
        else:
            with image:
                yield image
    except InputError:  # of the block
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"video: {_name(file)} can't be read: it is no image") from error
    # Pillow raises SyntaxError for a broken PNG, ValueError for a broken header.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"video: {_name(file)} can't be read: {error}") from error


def _pages(image: Image.Image) -> int:
    """How many pictures of one size are in the file; a JPEG's further ones are previews or gain maps."""
    count: int = getattr(image, "n_frames", 1)
    if count == 1 or image.format in ("JPEG", "MPO"):
        return 1
    size = image.size
    image.seek(1)
    same = image.size == size
    image.seek(0)
    return count if same else 1  # a page of another size is a thumbnail


def _deep(file: Path, image: Image.Image | None) -> RGB:
    """The pixels of an image with more than 8 bits, through OpenCV: Pillow reads RGB with 8 only."""
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
        raise InputError(f"video: {_name(file)} can't be read: it is broken, or no image")
    pixels: NDArray[Any] = pages[0]
    if image is None and len(pages) > 1 and pages[1].shape == pixels.shape:
        raise InputError(f"video: {_name(file)} holds {len(pages)} pictures; save each as a file of its own")
    grey = pixels.ndim == 2 or pixels.shape[2] < 3
    rgb_hw3 = np.repeat(pixels.reshape(*pixels.shape[:2], -1)[..., :1], 3, axis=2) if grey else pixels[..., 2::-1]
    if rgb_hw3.dtype == np.uint16:
        top = _top(image)
    elif rgb_hw3.dtype.kind == "f":
        top = 1
        low, high = rgb_hw3.min(), rgb_hw3.max()
        if not (low >= -1e-3 and high <= 1 + 1e-3):  # true for NaN, too
            raise InputError(f"video: {_name(file)} holds floats from {low:g} to {high:g}; they must be from 0 to 1")
    elif rgb_hw3.dtype == np.uint8:
        return np.ascontiguousarray(rgb_hw3)
    else:
        raise InputError(f"video: {_name(file)} holds {rgb_hw3.dtype} pixels; save it with 8 or 16 bits")
    scaled = np.rint(rgb_hw3 * np.float32(255 / top)).clip(0, 255).astype(np.uint8)
    inverted = grey and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0  # white is zero
    return 255 - scaled if inverted else scaled


def _top(image: Image.Image | None) -> int:
    """The value of white in 16 bits, into which OpenCV shifts 10, 12 or 14."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (16,))[0]
    largest: int = max(tags.get(_LARGEST, (0,)))
    if bits == 16 and 255 < largest < 65535:
        return largest
    return (1 << 16) - (1 << (16 - bits)) if 8 < bits <= 16 else 65535


def _name(file: Path) -> str:
    return os.fsencode(file).decode(errors="backslashreplace")
