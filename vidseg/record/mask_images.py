"""What people have for masks, read as label maps (h, w) uint8: 0 is background, 255 is white or void.

A label map's values are ids. A soft mask is cut at half, alpha that varies is the mask, and in a colour image each
colour is an object. What can't be told is refused. Prompts, ground truth and replay all read images here.
"""

import logging
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vidseg.composite import PALETTE
from vidseg.errors import InputError
from vidseg.record.object_ids import BLACK, DAVIS, VOID, WHITE, ObjectIds, away, davis_id
from vidseg.record.regions import FLAT, NEAR, SMALL, Colour, colour_regions, flat, kind_of_levels, level_counts

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".npy"})

Labels = NDArray[np.uint8]

_DAVIS_BYTES = PALETTE.tobytes()
_FEW = 12  # colours: an image with no more has no soft edges
_ORIENTATION = 0x0112  # EXIF's tag
_WANTED = "A mask is black and white, a label map has the ids 1, 2, … as values, as DAVIS' 00000.png"


class MaskImages:
    """Reads images whose ids belong together: the maps of a folder, or one image.

    The indices of a palette and the values of a grey label map are ids; ``ObjectIds`` says which ids colours get, and
    values above 255. What was understood is logged once, not for each image.

    ``read`` raises InputError, beginning with ``key``, for a file that is missing, damaged, or can't be understood.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._ids = ObjectIds(key)
        self._alpha = False  # an earlier image's alpha was its mask
        self._said: set[str] = set()

    @property
    def numbers(self) -> bool:
        """Whether the images' objects are numbered, so that the order in which they are read counts."""
        return bool(self._ids)

    def read(self, path: str | Path) -> Labels:
        """The label map of an image."""
        path = Path(path)
        image = self._opened(path)
        if isinstance(image, np.ndarray):
            return self._of_values(image, path)
        if image.getexif().get(_ORIENTATION, 1) != 1:
            self._say("masks are turned upright, as their EXIF orientation says")
            return self._of_image(ImageOps.exif_transpose(image), path, _is_lossy(image, path))
        return self._of_image(image, path, _is_lossy(image, path))

    def _opened(self, path: Path) -> Image.Image | NDArray[Any]:
        """A decoded image, or the array of an .npy file."""
        try:
            if path.suffix.lower() == ".npy":
                return np.asarray(np.load(path, allow_pickle=False))
            with Image.open(path) as image:
                several = getattr(image, "is_animated", False)
                image.load()
                image.getexif()
        except FileNotFoundError as error:
            raise InputError(f"{self._key}: no such file: {path}") from error
        # Pillow raises SyntaxError for a broken PNG, and ValueError for a broken header of other kinds.
        except (OSError, EOFError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
            raise InputError(f"{self._key}: {path} is not an image that can be read ({error})") from error
        if several:
            self._refuse(path, "has several pages or frames; a mask is one image")
        return image

    def _of_image(self, image: Image.Image, path: Path, lossy: bool) -> Labels:
        if image.mode == "P":
            if (labels := self._of_indices(image)) is not None:
                return labels
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        if image.mode == "1":
            return _white(np.array(image))
        if image.mode == "L":
            return self._of_levels(np.array(image), path, lossy)
        if image.mode.startswith(("I", "F")):
            return self._of_values(np.array(image), path)
        pixels = np.array(image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB"))
        if pixels.shape[2] == 4:
            alpha_hw = pixels[..., 3]
            low, high = int(alpha_hw.min()), int(alpha_hw.max())
            if self._alpha or low <= 127 < high or not high:
                return self._of_alpha(pixels[..., :3], alpha_hw > 127)
        return self._of_rgb(np.ascontiguousarray(pixels[..., :3]), path, lossy)

    def _of_indices(self, image: Image.Image) -> Labels | None:
        """The indices of a palette image; None where they mean nothing, because an editor has chosen them."""
        indices: Labels = np.array(image)
        see_through, listed = "transparency" in image.info, bytes(image.getpalette("RGB") or ())
        if not see_through and _DAVIS_BYTES.startswith(listed):
            return indices
        palette, used = np.frombuffer(listed, np.uint8).reshape(-1, 3), np.arange(int(indices.max()) + 1)
        if len(used) > _FEW or palette[0].any():
            used = np.flatnonzero(level_counts(indices))  # 1 ms at 480p, as long as reading the file
        if used[-1] >= len(palette):  # an index without a colour can only be meant as an id
            return indices
        if see_through and indices[np.array(image.convert("RGBA"))[..., 3] <= 127].any():
            return None  # the background isn't index 0
        colours = palette[used]
        if palette[0].any() and not colours.any(axis=1).all():
            return None  # black isn't index 0
        if len(used) > 2 and (colours == colours[:, :1]).all():
            if kind_of_levels(levels_hw := palette[indices, 0], lossy=False) == "mask":
                return self._cut(levels_hw)
        elif len(used) > _FEW:
            regions = colour_regions(palette[indices], lossy=False)
            if regions and len(regions.colours) < len(used):
                return None  # soft edges have colours of their own
        ids = [DAVIS.get(_colour(each)) for each in colours]
        if None not in ids and ids != used.tolist():
            self._say("the palette has DAVIS' colours in another order: its indices are the ids", logging.WARNING)
        return indices

    def _of_alpha(self, rgb_hw3: NDArray[np.uint8], inside_hw: NDArray[np.bool_]) -> Labels:
        """Alpha is the mask, unless what it leaves are labels in several colours, painted on nothing."""
        hidden = rgb_hw3[~inside_hw]
        if not self._alpha and len(hidden) and (hidden == hidden[0]).all():
            regions = colour_regions(np.where(inside_hw[..., None], rgb_hw3, np.uint8(0)), lossy=False)
            painted = [max(colour) - min(colour) > NEAR for colour in regions.colours] if regions else []
            if regions and sum(painted) > 1 and sum(painted) + 1 == len(painted):  # all but the background
                return self._ids.of_regions(regions)
        self._alpha = True
        self._say("alpha is the mask")
        return _white(inside_hw)

    def _of_rgb(self, rgb_hw3: NDArray[np.uint8], path: Path, lossy: bool) -> Labels:
        red, green, blue = cv2.split(rgb_hw3)
        spread = max(int(cv2.absdiff(red, green).max()), int(cv2.absdiff(green, blue).max()))
        grey = spread == 0 or (spread <= NEAR // 2 and green.max() > 2 * NEAR)
        if grey and self._ids.only_white:
            levels = np.flatnonzero(level_counts(green))
            if len(levels) > 2 or levels[-1] <= SMALL or levels[-1] == VOID:
                labels = self._of_levels(green, path, lossy)
                if labels.max() == VOID:
                    self._ids.note_white()
                return labels
        regions = colour_regions(rgb_hw3, lossy)
        if regions is None:
            count = len(set(map(tuple, rgb_hw3.reshape(-1, 3).tolist())))
            self._refuse(path, f"holds {count} colours: a picture? {_WANTED}")
        colours = regions.colours
        if not self._ids:
            davis = len(colours) > 1 and all(davis_id(colour) for colour in colours)  # objects fill the frame
            has_black = any(away(colour, BLACK) <= regions.near for colour in colours)
            self._ids.background = BLACK if has_black or davis else WHITE
            if self._ids.background == WHITE:
                if not any(away(colour, WHITE) <= regions.near for colour in colours):
                    shown = ", ".join(map(str, colours[:3]))
                    self._refuse(path, f"has the colours {shown} and no black: a picture? {_WANTED}")
                self._say("no black: white is the background")
        return self._ids.of_regions(regions)

    def _of_values(self, values: NDArray[Any], path: Path) -> Labels:
        """Numbers of more than 8 bits: label maps, masks of 0 and 65535 or True, and shares in 0..1."""
        values = values[0] if values.ndim == 3 and len(values) == 1 else values
        if values.ndim != 2 or values.dtype.kind not in "biuf" or not values.size:
            self._refuse(path, f"holds {values.dtype} {values.shape}; a mask has one number for each pixel")
        if values.dtype.kind == "b":
            return _white(values)
        if values.dtype.kind == "f":
            if not np.isfinite(values).all():
                self._refuse(path, "holds numbers that are not finite")
            shares = values.min() >= 0 and values.max() <= 1 and (values != np.rint(values)).any()
            values = np.rint(values * VOID if shares else values).clip(-1, 2**53).astype(np.int64)
        low, high = int(values.min()), int(values.max())
        if low < 0:
            self._refuse(path, "holds values below 0; the background of a mask is 0")
        for unit in (257, 256):  # 8 bits that a program made 16 of
            if VOID < high < 65536 and not (values % unit).any():
                values, high = values // unit, high // unit
        if high <= VOID:
            return self._of_levels(values.astype(np.uint8), path, lossy=False)
        found, inverse = np.unique(values, return_inverse=True)
        index_hw = inverse.reshape(values.shape)
        if len(found) <= VOID and (len(found) == 2 or flat(index_hw)[values > 0].mean() > FLAT):
            return self._ids.of_values(found)[index_hw]
        levels_hw = np.minimum(values >> 8, VOID).astype(np.uint8)
        if high > 65535 or kind_of_levels(levels_hw, lossy=True) != "mask":
            self._refuse(path, f"holds {len(found)} values up to {high}: a picture? {_WANTED}")
        return self._cut(levels_hw)

    def _of_levels(self, levels_hw: Labels, path: Path, lossy: bool) -> Labels:
        """A grey image: a label map as it is, or a soft mask, cut."""
        kind = kind_of_levels(levels_hw, lossy)
        if kind in ("levels", "picture"):
            levels = np.unique(levels_hw)
            if kind == "levels":
                why = "a trimap, or an object for each? Give a mask of 0 and 255, or the ids 1, 2, … as values"
                self._refuse(path, f"holds the levels {', '.join(map(str, levels))}: {why}")
            faint = lossy and levels[-1] < 128
            why = "lossy images such as JPEG can't keep a label map's ids" if faint else f"a picture? {_WANTED}"
            self._refuse(path, f"holds {len(levels)} levels of grey: {why}")
        return self._cut(levels_hw) if kind == "mask" else levels_hw

    def _cut(self, levels_hw: Labels) -> Labels:
        self._say("soft masks are cut at half")
        return _white(levels_hw > 127)

    def _say(self, what: str, level: int = logging.INFO) -> None:
        if what not in self._said:
            self._said.add(what)
            log.log(level, "%s: %s", self._key, what)

    def _refuse(self, path: Path, why: str) -> NoReturn:
        raise InputError(f"{self._key}: {path} {why}")


def _white(mask_hw: NDArray[np.bool_]) -> Labels:
    """A mask as DAVIS-2016 has it: 0 and 255."""
    return mask_hw.astype(np.uint8) * np.uint8(VOID)


def _is_lossy(image: Image.Image, path: Path) -> bool:
    """Whether the file's compression changes pixels."""
    if image.format == "WEBP":
        with path.open("rb") as file:
            return b"VP8L" not in file.read(64)  # the chunk of a lossless image
    return image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"


def _colour(rgb_3: NDArray[np.uint8]) -> Colour:
    red, green, blue = rgb_3.tolist()
    return red, green, blue
