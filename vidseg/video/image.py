"""An image file as RGB pixels of 8 or 16 bits. Knows nothing about folders or frames."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vidseg.colour import SRGB
from vidseg.errors import InputError
from vidseg.types import RGB, RGB16, Depth
from vidseg.video import exr
from vidseg.video.bits import read_bits, shown_name, top_code
from vidseg.video.orientation import Orientation

SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", exr.SUFFIX}

_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274  # EXIF's and TIFF's tags
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
    """The pixels (h, w, 3) of a JPEG, PNG, BMP, TIFF, WebP or OpenEXR file.

    Grey, palette, CMYK and 1-bit images become RGB; alpha is left out. 16 bits are scaled by their depth: a TIFF says
    it (10 or 12 bits, or the largest value), else it is 16. Floats in a TIFF are taken as 0 to 1. The light of OpenEXR
    is tone-mapped to sRGB. EXIF orientation and colour profiles are ignored, unless ``upright``: then the
    picture is turned, and its 8-bit colours become sRGB.

    Raises InputError, naming the key ``video``, if the file can't be read, has several pages or pictures of one size,
    or holds other numbers.
    """
    return exr.read_exr(file) if _is_exr(file) else _read(file, upright, 255)


def read_deep(file: Path, upright: bool = False) -> RGB16:
    """The same pixels with all bits of the file, 65535 is white, in the colour that ``depth_of`` tells."""
    return exr.read_deep_exr(file) if _is_exr(file) else _read(file, upright, 65535)


def depth_of(file: Path) -> Depth | None:
    """The depth of an image with more than 8 bits: 16, sRGB or, of OpenEXR, PQ; None if it has 8."""
    if _is_exr(file):
        return Depth(16, exr.DEEP_COLOUR)
    return Depth(16, SRGB) if is_deep(file) else None


def _is_exr(file: Path) -> bool:
    return file.suffix.lower() == exr.SUFFIX


def _read(file: Path, upright: bool, white: int) -> NDArray[Any]:
    """The pixels, uint8 or uint16, by the code of white."""
    with _opened(file) as image:
        if image is None:
            return _turned(read_bits(file, None, white), _orientation(file, None), True, upright)
        if (pages := _pages(image)) > 1:
            raise InputError(f"video: {shown_name(file)} holds {pages} pictures; save each as a file of its own")
        more = _has_more_bits(image)  # known until the pixels are loaded, which asking a PNG for its orientation does
        orientation = _orientation(file, image)
        if more:
            pixels: NDArray[Any] = read_bits(file, image, white)
        else:
            pixels = _shallow(image, in_srgb=upright)
            pixels = pixels if white == 255 else pixels.astype(np.uint16) * 257
        return _turned(pixels, orientation, image.format == "TIFF", upright)


def size(file: Path) -> tuple[int, int] | None:
    """Width and height of an image, upright, by its header; None if that can't be read."""
    if _is_exr(file):
        with suppress(InputError):
            return exr.size_of(file)
        return None
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
    if _is_exr(file):
        return False
    with _opened(file) as image:
        return image is not None and image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def remarks(file: Path, upright: bool = False) -> list[str]:
    """What was assumed about a file that ``read`` has read, for the log."""
    if _is_exr(file):
        return ["scene-linear light, tone-mapped as HDR video is"]
    with _opened(file) as image:
        found = []
        if _has_more_bits(image):
            floats = image is None or image.mode == "F"
            found.append("floats, taken as 0 to 1" if floats else f"16 bits, of which {top_code(image)} is white")
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
    if _is_exr(file):
        return True
    with _opened(file) as image:
        return _has_more_bits(image)


def _orientation(file: Path, image: Image.Image | None) -> int:
    """The EXIF orientation, 1 if there is none. Asked before the pixels are loaded: Pillow forgets a TIFF's then."""
    exif = Image.Exif() if image is None else image.getexif()
    if image is None:
        with suppress(SyntaxError), file.open("rb") as stream:  # no TIFF, but OpenCV knows it
            exif.load_from_fp(stream)
    return int(exif.get(_ORIENTATION, 1))


def _turned(pixels: NDArray[Any], orientation: int, is_tiff: bool, upright: bool) -> NDArray[Any]:
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
    # Pillow would keep the upper 8 of RGB;16B. BGR;16 is a BMP's 16 bits for all three
    modes = (tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in getattr(image, "tile", ()) if tile[3])
    return any(";16" in str(mode) and mode != "BGR;16" for mode in modes)


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
        raise InputError(f"video: {shown_name(file)} can't be read: it is no image") from error
    # Pillow raises SyntaxError for a broken PNG, ValueError for a broken header.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"video: {shown_name(file)} can't be read: {error}") from error


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
