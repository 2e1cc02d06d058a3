"""A folder of OpenEXR files: the objects in scene-linear light, and the alpha of each in a layer of its own."""

import re

import numpy as np
from numpy.typing import NDArray

from vidseg.colour import SRGB, linear_table
from vidseg.composite import parse_screen, transparent
from vidseg.composite.layers import object_alphas
from vidseg.errors import InputError
from vidseg.output.files import Images
from vidseg.record.files import whole
from vidseg.types import Frame, FrameMasks
from vidseg.video.exr import SUFFIX, check_compression, write_exr


class Exr(Images):
    """EXR files of half floats: R, G, B and A, and for each object a layer ``<name>_<id>`` with its alpha.

    Light is that of the scene by the inverse of the source's curve, of PQ that of the screen; 1 is the white of paper
    (203 cd/m2, ITU-R BT.2408), and the header says the primaries. Sources with more than 8 bits keep them, HDR too.
    Alpha is straight, unless ``premultiplied`` (as OpenEXR's convention is); the layers of a frame add up to it.

    - ``compression``: one of ``vidseg.video.exr.COMPRESSIONS``.
    - ``despill``: as for ``transparent``.
    """

    alpha = deep = True
    suffix = SUFFIX

    def __init__(
        self, path: str, premultiplied: bool = False, compression: str = "zip", despill: str | None = None
    ) -> None:
        super().__init__(path)
        parse_screen(despill)
        check_compression(compression)
        if not isinstance(premultiplied, bool):
            raise InputError(f"premultiplied: {premultiplied!r} is not true or false")
        self._premultiplied, self._compression, self._despill = premultiplied, compression, despill

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the picture of one frame."""
        rgba_hw4 = transparent(frame, masks, deep=frame.deep is not None, despill=self._despill)
        colour = frame.deep.colour if frame.deep else self._info.colour or SRGB
        table = linear_table(colour, 8 * rgba_hw4.dtype.itemsize)
        light_hw3 = table[rgba_hw4[..., :3]]
        alpha_hw = (rgba_hw4[..., 3] / np.iinfo(rgba_hw4.dtype).max).astype(np.float16)
        if self._premultiplied:
            light_hw3 = (light_hw3 * alpha_hw[..., None].astype(np.float32)).astype(np.float16)
        channels = {name: np.ascontiguousarray(light_hw3[..., n]) for n, name in enumerate("RGB")}
        channels |= {"A": alpha_hw, **self._layers(frame, masks)}
        with whole(self._path(frame)) as part:
            about = {"fps": self._info.fps, "aspect": self._info.sample_aspect_ratio}
            write_exr(part, channels, primaries=colour.primaries, compression=self._compression, **about)

    def _layers(self, frame: Frame, masks: FrameMasks) -> dict[str, NDArray[np.float16]]:
        names = masks.names or (None,) * len(masks.object_ids)
        layers = {}
        for (number, alpha_hw), name in zip(object_alphas(frame, masks).items(), names, strict=True):
            layers[f"{_layer(name)}_{number}.A"] = (alpha_hw / np.float32(255)).astype(np.float16)
        return layers


def _layer(name: str | None) -> str:
    """A name as programs take it for a layer: letters, digits and _; a dot would be a layer in a layer."""
    return re.sub(r"\W+", "_", name or "object", flags=re.ASCII).strip("_") or "object"
