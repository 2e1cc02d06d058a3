"""The shape of pixels in the header of a Matroska or WebM file, where PyAV can't have FFmpeg write it.

The muxer reads the stream's sample aspect ratio, which PyAV 18 doesn't let us set. (MP4, MOV, and codecs that write the
shape themselves read the codec's.) So the header gets a place holder, which is replaced when the file is finished.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

_TRACKS = b"\x16\x54\xae\x6b"
_PROJECTION = b"\x76\x70\x8b\x76\x75\x88"  # RFC 9559, 5.1.4.1.28.41: 14 bytes with the roll, a double
_UNIT_UNKNOWN, _UNIT_PIXELS = b"\x54\xb2\x81\x04", b"\x54\xb2\x81\x00"  # without a shape Matroska has the former
_HEADER_BYTES = 2**16
LARGEST = 4
"""So many times the picture's height are said for the sake of its exact shape: 320x180 of 40:33 is 640:297."""


def reserve_aspect(container: OutputContainer, stream: av.VideoStream) -> None:
    """Before the first packet: makes room for ``write_aspect``. Until then the picture is turned by 0.01 degrees."""
    stream.set_display_rotation(0.01)
    container.container_options["write_crc32"] = "0"


def write_aspect(path: Path, width: int, height: int, sample_aspect_ratio: Fraction) -> None:
    """Replaces the place holder in a finished file of ``width`` x ``height`` pixels by their shape."""
    shown_width, shown_height = _display_size(width, height, sample_aspect_ratio)
    content = struct.pack(">HBIHBI", 0x54B0, 0x84, shown_width, 0x54BA, 0x84, shown_height)
    with path.open("r+b") as file:
        header = file.read(_HEADER_BYTES)
        start = header.index(_TRACKS)
        end = header.index(_PROJECTION, start)
        file.seek(start)
        file.write(header[start:end].replace(_UNIT_UNKNOWN, _UNIT_PIXELS) + content)


def _display_size(width: int, height: int, sample_aspect_ratio: Fraction) -> tuple[int, int]:
    """In pixels: exactly the picture's shape, unless that takes too large numbers; about its height if it can be."""
    shape = Fraction(width, height) * sample_aspect_ratio
    if shape.denominator > LARGEST * height:
        return max(1, round(height * shape)), height
    times = max(1, round(height / shape.denominator))
    return shape.numerator * times, shape.denominator * times
