"""An image file as 8-bit RGB pixels. Knows nothing about folders or frames."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _LARGEST = 256, 257, 258, 262, 274, 281  # EXIF's and TIFF's tags
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
_PROFILED = {
    "RGB": ("RGB", "RGB"),
    "RGBA": ("RGB", "RGB"),
    "P": ("RGB", "RGB"),
    "PA": ("RGB", "RGB"),
    "CMYK": ("CMYK", "CMYK"),
    "L": ("L", "GRAY"),
    "LA": ("L", "GRAY"),
}
"""By Pillow's mode: the mode without alpha and palette, and what its ICC profile calls its colours."""


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
            return _turned(_deep(file, None), _orientation(file, None), True, upright)
        if (pages := _pages(image)) > 1:
            raise InputError(f"video: {_name(file)} holds {pages} pictures; save each as a file of its own")
        orientation = _orientation(file, image)  # known until the pixels are loaded
        pixels = _deep(file, image) if _has_more_bits(image) else _shallow(image, in_srgb=upright)
        return _turned(pixels, orientation, image.format == "TIFF", upright)


def size(file: Path) -> tuple[int, int] | None:
    """Width and height of an image, upright, by its header; None if that can't be read."""
    try:
        with Image.open(file) as image:
            # Not image.getexif(): that of a PNG without EXIF at its beginning reads all pixels to find it at the end
            turned = Image.Image.getexif(image).get(_ORIENTATION, 1) in (5, 6, 7, 8)
            tags = getattr(image, "tag_v2", {})
            width, height = (tags[_WIDTH], tags[_HEIGHT]) if _WIDTH in tags and _HEIGHT in tags else image.size
            return (height, width) if turned else (width, height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def is_animated(file: Path) -> bool:
    """Whether a file is a PNG or a WebP whose picture moves."""
    with _opened(file) as image:
        return image is not None and image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def remarks(file: Path, upright: bool = False) -> list[str]:
    """What was assumed about a file that ``read`` has read, for the log."""
    with _opened(file) as image:
        found = []
        if _has_more_bits(image):
            floats = image is None or image.mode == "F"
            found.append("floats, taken as 0 to 1" if floats else f"16 bits, of which {_top(image)} is white")
        if image is not None and ("transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")):
            found.append("alpha is left out")
        if (orientation := _orientation(file, image)) != 1:
            ignored = f"EXIF orientation {orientation} is ignored, as annotations do"
            found.append(f"turned upright by its EXIF orientation, {orientation}" if upright else ignored)
        if upright and image is not None and not _has_more_bits(image) and (profile := _profile(image)) is not None:
            found.append(f"colours converted from {profile.profile.profile_description} to sRGB")
        return found


def is_deep(file: Path) -> bool:
    """Whether the image has more than 8 bits."""
    with _opened(file) as image:
        return _has_more_bits(image)


def _orientation(file: Path, image: Image.Image | None) -> int:
    """The EXIF orientation, 1 if there is none. Asked before the pixels are loaded: Pillow forgets a TIFF's then."""
    exif = Image.Exif() if image is None else image.getexif()
    if image is None:
        with suppress(SyntaxError), file.open("rb") as stream:  # no TIFF, but OpenCV knows it
            exif.load_from_fp(stream)
    return int(exif.get(_ORIENTATION, 1))


def _turned(pixels: RGB, orientation: int, is_tiff: bool, upright: bool) -> RGB:
    """The pixels upright, or as they are stored. Pillow and OpenCV turn a TIFF while they load it, and nothing else."""
    way_up = _UPRIGHT.get(orientation, Orientation())
    if upright:
        return pixels if is_tiff else way_up.upright(pixels)
    return way_up.stored(pixels) if is_tiff else pixels


def _shallow(image: Image.Image, in_srgb: bool) -> RGB:
    """The pixels of an image with 8 bits; ``in_srgb``: by its profile, if it has one."""
    if image.mode in ("P", "PA"):
        image.info.pop("transparency", None)  # alpha is left out; convert() would warn
    if in_srgb and (profile := _profile(image)) is not None:
        from PIL import ImageCms  # few files need it

        plain = image.convert(_PROFILED[image.mode][0])
        converted = ImageCms.profileToProfile(plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        image = image if converted is None else converted
    return np.array(image.convert("RGB"))


def _profile(image: Image.Image) -> Any:
    """The ICC profile of an image that has one other than sRGB; None if there is none that can be used."""
    if not (content := image.info.get("icc_profile")) or image.mode not in _PROFILED:
        return None
    from PIL import ImageCms

    try:
        found = ImageCms.ImageCmsProfile(BytesIO(content))
        fits = found.profile.xcolor_space.strip() == _PROFILED[image.mode][1]
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
        # A stream, not the path: of a path Pillow 13 maps grey TIFFs into memory, those with a quarter turn wrongly
        with file.open("rb") as stream:
            try:
                image = Image.open(stream)
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
