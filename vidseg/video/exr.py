"""OpenEXR files: scene-linear light in half floats or floats. Knows nothing about frames or masks."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.colour import BT2020, BT2020_PQ, CHROMATICITIES, REFERENCE_WHITE, in_primaries, pq_codes, sdr_of
from vidseg.errors import InputError
from vidseg.types import RGB, RGB16
from vidseg.video.bits import shown_name

SUFFIX = ".exr"
DEEP_COLOUR = BT2020_PQ
COMPRESSIONS = ("none", "rle", "zips", "zip", "piz")
"""The lossless ones of OpenEXR, by the names that programs show."""


def check_compression(name: str) -> None:
    """Raises InputError for another value than one of ``COMPRESSIONS``."""
    if name not in COMPRESSIONS:
        raise InputError(f"compression: {name!r} is none of {', '.join(COMPRESSIONS)}")


def write_exr(
    path: Path,
    channels: Mapping[str, NDArray[np.float16]],
    *,
    primaries: int = 1,
    compression: str = "zip",
    fps: Fraction | None = None,
    aspect: Fraction = Fraction(1),
) -> None:
    """Writes half floats (h, w) by the names of their channels. 1 is the white of paper, 203 cd/m2.

    ``primaries`` is their number in H.273. Raises OSError if the file can't be written.
    """
    import OpenEXR

    corners = CHROMATICITIES.get(primaries, CHROMATICITIES[1])
    header: dict[str, Any] = {
        "type": OpenEXR.scanlineimage,
        "compression": getattr(OpenEXR, f"{compression.upper()}_COMPRESSION"),
        "chromaticities": tuple(value for corner in corners for value in corner),
        "whiteLuminance": REFERENCE_WHITE,
        "pixelAspectRatio": float(aspect),
    }
    if fps is not None:
        header["framesPerSecond"] = fps
    try:
        OpenEXR.File(header, dict(channels)).write(str(path))
    except RuntimeError as error:
        raise OSError(f"{path.name}: {error}") from error


def read_exr(file: Path) -> RGB:
    """The picture in SDR, uint8 (h, w, 3), tone-mapped as HDR video is: light of 0.8 and more is compressed."""
    return sdr_of(read_deep_exr(file), DEEP_COLOUR, 8)


def read_deep_exr(file: Path) -> RGB16:
    """The picture with its highlights, uint16 (h, w, 3) in ``DEEP_COLOUR``; 1 is the white of paper, 203 cd/m2."""
    linear_hw3, primaries = _read(file)
    return pq_codes(in_primaries(linear_hw3, primaries, BT2020))


def size_of(file: Path) -> tuple[int, int]:
    """Width and height, by the header. Raises InputError as ``read_exr`` does."""
    low, high = _opened(file, header_only=True).header()["dataWindow"]
    return int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1


def _read(file: Path) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """R, G and B of the first layer that has them, or grey, and x and y of its primaries and its white, if it says."""
    image = _opened(file)
    channels = image.channels()
    prefixes = ["", *sorted({name.rpartition(".")[0] + "." for name in channels if "." in name})]
    for prefix in prefixes:
        for names in (("R", "G", "B"), ("Y", "Y", "Y")):
            if all(prefix + name in channels for name in names):
                planes = [np.asarray(channels[prefix + name].pixels, np.float32) for name in names]
                linear_hw3 = np.nan_to_num(np.dstack(planes), nan=0.0, posinf=65504.0, neginf=0.0)
                found = image.header().get("chromaticities")
                return linear_hw3, None if found is None else np.array(found, np.float64).reshape(4, 2)
    raise InputError(
        f"video: {shown_name(file)} has no channels R, G and B, nor Y; it has {', '.join(sorted(channels))}"
    )


def _opened(file: Path, header_only: bool = False) -> Any:
    import OpenEXR

    try:
        image = OpenEXR.File(str(file), separate_channels=True, header_only=header_only)
    except RuntimeError as error:
        raise InputError(f"video: {shown_name(file)} can't be read: {error}") from error
    if len(image.parts) > 1:
        raise InputError(f"video: {shown_name(file)} holds {len(image.parts)} pictures; save each as a file of its own")
    return image
